package debuginfo

import (
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// Where a variable gets a new value in another register than the one that has the
// value before, the compiler says that it is in both, and the location list names
// the one with the lower number, which may be the old one (processValue in
// cmd/compile/internal/ssa/debug.go adds the register to those before, in Go 1.22
// to 1.26). Two things in the code contradict it: the variable is said to be in
// the register again where an instruction has just written another one; and what
// is stored in the variable's place on the stack is from another register.

// WhyOlder is why a variable cannot be read of whose value two are at hand.
const WhyOlder = "optimised out: its register may hold the value before"

// older takes out of l the parts of v that lie, by a location list, in registers
// that may hold an older value at pc.
func (v *Variable) older(pc uint64, l Loc) Loc {
	return v.without(l, WhyOlder, func(part int64, p Piece) bool {
		return p.Kind == InReg && p.Size > 0 && p.Size <= 8 &&
			v.known(pc, reusedKey{slotKey{v.block, v.Name, v.DeclLine, int64(p.Reg)}, part, p.Size},
				func(g *amd64.Graph) []bool { return v.spread(g, v.outdated(g, part, p)) })
	})
}

// outdated are the instructions behind which the register of a part of v holds an
// older value (true), or another one than before (false); nil if none does.
func (v *Variable) outdated(g *amd64.Graph, part int64, p Piece) map[int]bool {
	own, writes, found := amd64.RegSet(1)<<p.Reg, map[int]bool{}, false
	listed := make([]bool, len(g.Insts)) // before each instruction
	had := map[int]bool{}
	for i := range g.Insts {
		at := v.partAt(g.Insts[i].PC, part)
		listed[i] = at.Kind == InReg && at.Reg == p.Reg
	}
	for i := range g.Insts {
		switch in := &g.Insts[i]; {
		case in.Writes&own != 0 || in.Unknown || clobbers(v.b, in):
			writes[i], had[i] = false, false
		case listed[i]:
			had[i] = true
		}
	}
	has := v.spread(g, had)
	for i := range g.Insts {
		if i+1 == len(g.Insts) || g.Block(i) != g.Block(i+1) {
			continue
		}
		made, is := i, has[i] && !listed[i] && listed[i+1] && g.Insts[i].Writes&^own != 0 && !clobbers(v.b, &g.Insts[i])
		if listed[i] && listed[i+1] {
			made, is = v.storedElse(g, listed, i, part, p)
		}
		if in := &g.Insts[made]; is && in.Writes&own == 0 && !copies(in, own) {
			writes[made], found = true, true
		}
	}
	if !found {
		return nil
	}
	return writes
}

// storedElse tells whether instruction i stores another register than that of p
// in the place where v is from the end of its time in the register on; made is
// the instruction that made what is stored, i itself if it is of an earlier block.
func (v *Variable) storedElse(g *amd64.Graph, listed []bool, i int, part int64, p Piece) (made int, is bool) {
	own, place := amd64.RegSet(1)<<p.Reg, int64(0)
	from, ok := v.stores(&g.Insts[i], &place)
	if !ok || from&own != 0 {
		return i, false
	}
	for j := i + 1; ; j++ {
		if j > g.Blocks[g.Block(i)].Last {
			return i, false
		}
		if !listed[j] {
			if at := v.partAt(g.Insts[j].PC, part); at.Kind != AtCFA || at.Off != place {
				return i, false
			}
			break
		}
		again := int64(0)
		if _, ok := v.stores(&g.Insts[j], &again); ok && again == place {
			return i, false
		}
	}
	for j := i - 1; j >= g.Blocks[g.Block(i)].First; j-- {
		if g.Insts[j].Writes&from != 0 {
			return j, true
		}
	}
	return i, true
}

// stores tells whether in moves a whole general register to the stack, which one,
// and to which place.
func (v *Variable) stores(in *amd64.Inst, place *int64) (from amd64.RegSet, ok bool) {
	m := in.Mem
	if in.Map != amd64.MapOne || in.Opcode != 0x89 || !m.Present || !m.HasBase || m.HasIndex || m.Base != amd64.RSP || m.Segment != 0 {
		return 0, false
	}
	*place, ok = v.b.fromCFA(in)
	return in.Reads &^ (1 << amd64.RSP), ok
}

// clobbers tells whether in is a call that does not keep the registers: Go's keep
// none, but for those of the runtime that are written for it.
func clobbers(b *Build, in *amd64.Inst) bool {
	if in.Kind != amd64.Call {
		return in.Kind == amd64.CallInd
	}
	f := b.FuncAt(in.Target)
	return f == nil || !strings.HasPrefix(f.Name, "runtime.gcWriteBarrier") && !strings.HasPrefix(f.Name, "runtime.duff")
}

// copies tells whether in moves the register to another one.
func copies(in *amd64.Inst, own amd64.RegSet) bool {
	return in.Map == amd64.MapOne && (in.Opcode == 0x89 || in.Opcode == 0x8b) && !in.Mem.Present && in.Reads == own
}
