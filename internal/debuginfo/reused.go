package debuginfo

import (
	"slices"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// The compiler spills a value to a place on the stack, and gives the place to
// another value when the first one is dead (cmd/compile/internal/ssa/stackalloc.go).
// The location list of the first one's variable often does not end there: it goes
// on to name the place. What contradicts it is an instruction that writes to the
// place while the list says that the variable is there already: a new value of the
// variable would have been in a register just before. Only where the new value is
// computed from what is in the place, as for n++, and no other variable is said to
// be there from then on, the list may have left out that register: until it is
// stored, what is in the place is the value before.

// reusedKey is a part of a variable in a place on the stack, below the canonical
// frame address, or in a register, by its number.
type reusedKey struct {
	slotKey
	part int64 // of the variable, in bytes
	size int64
}

// reused takes out of l the parts of v that lie, by a location list, in places on
// the stack that may hold another value at pc.
func (v *Variable) reused(pc uint64, l Loc) Loc {
	return v.without(l, WhyShared, func(part int64, p Piece) bool {
		return p.Kind == AtCFA && p.Off < 0 && p.Size > 0 && p.Size <= 8 &&
			v.known(pc, reusedKey{slotKey{v.block, v.Name, v.DeclLine, p.Off}, part, p.Size},
				func(g *amd64.Graph) []bool { return v.spread(g, v.spills(g, part, p)) })
	})
}

// without is l without the pieces that are wrong; why, if none is left.
func (v *Variable) without(l Loc, why string, wrong func(part int64, p Piece) bool) Loc {
	part, lost := int64(0), int64(0)
	for i, p := range l.Pieces {
		if wrong(part, p) {
			if lost == 0 {
				l.Pieces = append([]Piece(nil), l.Pieces...)
			}
			l.Pieces[i] = Piece{Kind: Missing, Size: p.Size}
			lost += p.Size
		}
		part += p.Size
	}
	switch {
	case lost == 0:
	case lost == part:
		return Loc{Why: why}
	default:
		l.Why = WhyPartly
	}
	return l
}

// known is what find says of the instruction at pc; it is asked once for a key.
func (v *Variable) known(pc uint64, key reusedKey, find func(*amd64.Graph) []bool) bool {
	v.b.slots.mu.Lock()
	defer v.b.slots.mu.Unlock()
	code := v.b.slotCode(v.fn)
	if code == nil {
		return false
	}
	i, ok := code.index(pc)
	if !ok {
		return false
	}
	states, ok := code.reused[key]
	if !ok {
		states = find(code.g)
		code.reused[key] = states
	}
	return states != nil && states[i]
}

// spills are the instructions that write to the place of a part of v: true where
// it is another value that they write. None where nobody else's does, or where no
// instruction puts v there out of a register: then it is a variable in memory.
func (v *Variable) spills(g *amd64.Graph, part int64, p Piece) map[int]bool {
	writes, own, foreign := map[int]bool{}, false, false
	ways := entries(g)
	for i := range g.Insts {
		in := &g.Insts[i]
		if m := in.Mem; !m.Present || !m.HasBase || m.HasIndex || m.Base != amd64.RSP || m.Segment != 0 || m.RIPRel || lea(in) || loads(in) {
			continue
		}
		if at, known := v.b.fromCFA(in); !known || at >= p.Off+p.Size || at+stored(in) <= p.Off {
			continue
		}
		before := v.partAt(in.PC, part)
		if writes[i] = before.Kind == AtCFA && before.Off == p.Off; writes[i] {
			if made, ok := v.updates(g, ways, i, p); ok && !v.claimed(in.End(), p) {
				writes[i] = false
				if made != i {
					writes[made], foreign = true, true
				}
			}
		}
		own = own || before.Kind == InReg || before.Kind == InXReg
		foreign = foreign || writes[i]
	}
	if !own || !foreign {
		return nil
	}
	return writes
}

// fromCFA is where an operand on the stack lies, from the canonical frame address.
func (b *Build) fromCFA(in *amd64.Inst) (at int64, known bool) {
	depth, known := b.StackDepth(in.PC)
	return in.Mem.Disp - depth - 8, known
}

// entries are how many ways lead to each block from another one.
func entries(g *amd64.Graph) []int {
	n := make([]int, len(g.Blocks))
	for b := range g.Blocks {
		for _, next := range g.Blocks[b].Succs {
			n[next]++
		}
	}
	return n
}

// mostSteps bounds the instructions that are looked at for where a value is from.
const mostSteps = 64

// updates tells whether what instruction i stores was computed, since the last
// call and on the one way that leads there, from what the place p holds; made is
// the instruction that did, i itself where the value is the same.
func (v *Variable) updates(g *amd64.Graph, ways []int, i int, p Piece) (made int, ok bool) {
	from := g.Insts[i].Reads &^ (1 << amd64.RSP)
	made = i
	for j := i - 1; j >= 0 && i-j < mostSteps && from != 0; j-- {
		if b := g.Block(j + 1); b != g.Block(j) && (ways[b] != 1 || !slices.Contains(g.Blocks[g.Block(j)].Succs, b)) {
			return 0, false
		}
		in := &g.Insts[j]
		if in.Kind == amd64.Call || in.Unknown {
			return 0, false
		}
		if in.Writes&from == 0 {
			continue
		}
		if made == i {
			made = j
		}
		if m := in.Mem; m.Present && m.HasBase && m.Base == amd64.RSP && !lea(in) {
			if at, known := v.b.fromCFA(in); known && at == p.Off {
				if made == j { // loaded, and stored again as it was
					made = i
				}
				return made, true
			}
		}
		from = from&^in.Kills | in.Reads&^(1<<amd64.RSP)
	}
	return 0, false
}

// claimed tells whether another variable is said to be at the place p at pc.
func (v *Variable) claimed(pc uint64, p Piece) bool {
	for _, w := range v.b.Scope(pc) {
		if w.Name == v.Name && w.DeclLine == v.DeclLine {
			continue
		}
		for _, x := range w.here(pc, w.placed().Size).Pieces {
			if x.Kind == AtCFA && x.Off < p.Off+p.Size && p.Off < x.Off+x.Size {
				return true
			}
		}
	}
	return false
}

// partAt is where the location list has a part of v at pc.
func (v *Variable) partAt(pc uint64, part int64) Piece {
	pos := int64(0)
	for _, x := range v.here(pc, v.placed().Size).Pieces {
		if pos == part {
			return x
		}
		pos += x.Size
	}
	return Piece{Kind: Missing}
}

// spread finds before which instructions the place may hold another value, on
// some way from the function's entry. There every variable is where it begins,
// also where the stack was made larger before; nil: before none.
func (v *Variable) spread(g *amd64.Graph, writes map[int]bool) []bool {
	if writes == nil {
		return nil
	}
	states := make([]bool, len(g.Insts))
	in, seen := make([]bool, len(g.Blocks)), make([]bool, len(g.Blocks))
	entry := g.Block(0)
	work := []int{entry}
	seen[entry] = true
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		st := in[b]
		for i := g.Blocks[b].First; i <= g.Blocks[b].Last; i++ {
			states[i] = st
			if foreign, is := writes[i]; is {
				st = foreign
			}
		}
		for _, next := range g.Blocks[b].Succs {
			if to := in[next] || st && next != entry; !seen[next] || to != in[next] {
				seen[next], in[next] = true, to
				work = append(work, next)
			}
		}
	}
	return states
}
