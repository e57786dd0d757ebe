package amd64

import (
	"fmt"
	"sort"
)

// FlowOptions is what Flow cannot see in the code of the function. Every part
// may be left out; the answer is then the more careful one.
type FlowOptions struct {
	// Read gives n bytes at a linked address, for jump tables. Without it the
	// targets of indirect jumps are unknown.
	Read func(addr uint64, n int) ([]byte, error)

	// Entries are further addresses at which control comes from outside: the
	// function's deferreturn address. Those outside the function are ignored.
	Entries []uint64

	// NoReturn tells whether a call of target never comes back.
	NoReturn func(target uint64) bool

	// Ordinary tells whether the function at target follows the compiler's calling
	// convention: compiled Go, and runtime.morestack and its kin, but no other
	// assembly (gcWriteBarrier, panicIndex and duffzero keep or take registers of
	// their own choice). Without it every register is live at every direct call.
	Ordinary func(target uint64) bool
}

// A Block is a run of instructions entered at its first and left after its last.
type Block struct {
	First, Last int   // indices into Graph.Insts
	Preds       []int // indices into Graph.Blocks
	Succs       []int
	Outside     bool // control also comes from outside: the function's entry, or one of FlowOptions.Entries
}

// Graph is the flow of control in one function of compiled Go.
type Graph struct {
	Entry, End uint64 // End is after the last instruction
	Insts      []Inst // by PC, without gaps
	Blocks     []Block

	// Unresolved: the function holds an indirect jump whose targets are not known.
	// Every instruction may then be a target.
	Unresolved bool

	tables  map[int][]uint64 // targets of indirect jumps, by instruction
	targets map[uint64]bool  // where a jump of the function leads, and the entries
	blockOf []int32
	options FlowOptions
	live    []state // before each block
}

// Flow reads a whole function: code are its bytes up to its end (without the
// padding after it), entry its address. It fails with an *UndecodableError when
// an instruction is not known: then nothing is known for certain of any of it.
func Flow(code []byte, entry uint64, opt FlowOptions) (*Graph, error) {
	g := &Graph{Entry: entry, End: entry + uint64(len(code)), options: opt,
		tables: map[int][]uint64{}, targets: map[uint64]bool{}}
	g.Insts = make([]Inst, 0, len(code)/4)
	for off := 0; off < len(code); {
		inst, err := Decode(code[off:], entry+uint64(off))
		if err != nil {
			return nil, fmt.Errorf("function at %#x: %w", entry, err)
		}
		g.Insts = append(g.Insts, inst)
		off += inst.Len
	}
	g.findTargets()
	g.formBlocks()
	g.solveLive()
	return g, nil
}

// Index is the position in Insts of the instruction that starts at pc.
func (g *Graph) Index(pc uint64) (int, bool) {
	i := sort.Search(len(g.Insts), func(i int) bool { return g.Insts[i].PC >= pc })
	return i, i < len(g.Insts) && g.Insts[i].PC == pc
}

// Block is the index of the block that holds instruction i.
func (g *Graph) Block(i int) int { return int(g.blockOf[i]) }

// Targeted tells whether control may come to pc otherwise than from the
// instruction before it: by a jump of the function (jump tables included), as
// the function's entry or as one of the further entries. With Unresolved every
// address but the first may be a target, and this says so.
func (g *Graph) Targeted(pc uint64) bool { return g.Unresolved || g.targets[pc] }

// Targets are the addresses that an indirect jump through a table may go to, and
// whether they are known.
func (g *Graph) Targets(i int) ([]uint64, bool) {
	t, ok := g.tables[i]
	return t, ok
}

// Succs are the instructions of the function that may follow instruction i in
// the same call, in order, each once. A call is followed by the place that it
// returns to. An indirect jump whose targets are unknown has none here.
func (g *Graph) Succs(i int) []int {
	inst := &g.Insts[i]
	var next []int
	if g.falls(inst) && i+1 < len(g.Insts) {
		next = append(next, i+1)
	}
	switch inst.Kind {
	case Jmp, Jcc:
		next = g.add(next, inst.Target)
	case JmpInd:
		for _, t := range g.tables[i] {
			next = g.add(next, t)
		}
	}
	sort.Ints(next)
	return next
}

func (g *Graph) add(list []int, pc uint64) []int {
	i, ok := g.Index(pc)
	if !ok {
		return list
	}
	for _, have := range list {
		if have == i {
			return list
		}
	}
	return append(list, i)
}

// falls tells whether control may go on after inst.
func (g *Graph) falls(inst *Inst) bool {
	if inst.Kind == Call && g.options.NoReturn != nil && g.options.NoReturn(inst.Target) {
		return false
	}
	return inst.Falls()
}

// Leaves tells whether instruction i may end the call: it returns, or jumps out
// of the function.
func (g *Graph) Leaves(i int) bool {
	switch inst := &g.Insts[i]; inst.Kind {
	case Ret:
		return true
	case Jmp, Jcc:
		return inst.Target < g.Entry || inst.Target >= g.End
	case JmpInd:
		_, known := g.tables[i]
		return !known
	}
	return false
}

func (g *Graph) findTargets() {
	g.targets[g.Entry] = true
	for _, e := range g.options.Entries {
		if e >= g.Entry && e < g.End {
			g.targets[e] = true
		}
	}
	for i := range g.Insts {
		switch inst := &g.Insts[i]; inst.Kind {
		case Jmp, Jcc, Call: // a call into the function itself: to its entry, or to read its own PC
			if inst.Target >= g.Entry && inst.Target < g.End {
				g.targets[inst.Target] = true
			}
		}
	}
	for t := range g.targets {
		if _, ok := g.Index(t); !ok {
			g.Unresolved = true // a jump into the middle of an instruction: not what it seems
		}
	}
	g.findTables()
}

// formBlocks cuts the instructions into blocks and connects them.
func (g *Graph) formBlocks() {
	g.blockOf = make([]int32, len(g.Insts))
	for i := range g.Insts {
		if i == 0 || g.targets[g.Insts[i].PC] || endsBlock(&g.Insts[i-1]) || !g.falls(&g.Insts[i-1]) {
			g.Blocks = append(g.Blocks, Block{First: i})
		}
		b := len(g.Blocks) - 1
		g.Blocks[b].Last = i
		g.blockOf[i] = int32(b)
	}
	for b := range g.Blocks {
		for _, s := range g.Succs(g.Blocks[b].Last) {
			t := int(g.blockOf[s])
			g.Blocks[b].Succs = append(g.Blocks[b].Succs, t)
			g.Blocks[t].Preds = append(g.Blocks[t].Preds, b)
		}
	}
	for _, e := range append([]uint64{g.Entry}, g.options.Entries...) {
		if i, ok := g.Index(e); ok {
			g.Blocks[g.blockOf[i]].Outside = true
		}
	}
}

func endsBlock(inst *Inst) bool {
	switch inst.Kind {
	case Jmp, JmpInd, Jcc, Ret, Trap:
		return true
	}
	return false
}
