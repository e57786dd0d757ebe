package amd64

// Live is what a probe may overwrite before an instruction.
type Live struct {
	Regs      RegSet // general registers that are dead: their values are not used again
	FlagsDead bool   // so are the arithmetic flags, all of them
}

// state is what is live: registers and flags.
type state struct {
	regs  RegSet
	flags FlagSet
}

// The registers of the compiler's calling convention (Go's
// cmd/compile/abi-internal.md): arguments and results in nine, the closure in
// RDX, g in R14. RBP is the frame pointer, which unwinders read at any time.
// All registers are the caller's to save, so the others are dead at a call.
const (
	fixedRegs  = RegSet(1<<RSP | 1<<RBP | 1<<R14)
	resultRegs = fixedRegs | RegSet(1<<RAX|1<<RBX|1<<RCX|1<<RDI|1<<RSI|1<<R8|1<<R9|1<<R10|1<<R11)
	callRegs   = resultRegs | RegSet(1<<RDX)
)

var everything = state{AllRegs, AllFlags}

// Live tells what is dead before the instruction at pc; nothing where pc is no
// instruction of the function. It errs only by calling dead things live. It
// holds for compiled Go; assembly and C have conventions of their own.
func (g *Graph) Live(pc uint64) Live {
	i, ok := g.Index(pc)
	if !ok {
		return Live{}
	}
	s := g.before(i)
	return Live{Regs: AllRegs &^ s.regs, FlagsDead: s.flags == 0}
}

// before is what is live before instruction i.
func (g *Graph) before(i int) state {
	b := int(g.blockOf[i])
	s := g.after(b)
	for j := g.Blocks[b].Last; j >= i; j-- {
		s = g.transfer(j, s)
	}
	return s
}

// solveLive finds what is live before each block: the least solution, from
// nothing upwards.
func (g *Graph) solveLive() {
	g.live = make([]state, len(g.Blocks))
	work := make([]int, 0, len(g.Blocks))
	queued := make([]bool, len(g.Blocks))
	for b := range g.Blocks {
		work, queued[b] = append(work, b), true
	}
	for len(work) > 0 {
		b := work[len(work)-1]
		work, queued[b] = work[:len(work)-1], false
		s := g.after(b)
		for j := g.Blocks[b].Last; j >= g.Blocks[b].First; j-- {
			s = g.transfer(j, s)
		}
		if s == g.live[b] {
			continue
		}
		g.live[b] = s
		for _, p := range g.Blocks[b].Preds {
			if !queued[p] {
				work, queued[p] = append(work, p), true
			}
		}
	}
}

// after is what is live after block b.
func (g *Graph) after(b int) state {
	last := g.Blocks[b].Last
	inst := &g.Insts[last]
	switch {
	case inst.Kind == Ret:
		return state{regs: resultRegs}
	case g.Leaves(last), g.astray(inst), inst.Kind == Trap, g.falls(inst) && last+1 == len(g.Insts):
		return everything
	}
	s := state{regs: fixedRegs}
	for _, t := range g.Blocks[b].Succs {
		s.regs |= g.live[t].regs
		s.flags |= g.live[t].flags
	}
	return s
}

// astray tells whether inst jumps into the middle of an instruction.
func (g *Graph) astray(inst *Inst) bool {
	if inst.Kind != Jmp && inst.Kind != Jcc {
		return false
	}
	_, ok := g.Index(inst.Target)
	return !ok
}

// transfer is what is live before instruction i when s is live after it.
func (g *Graph) transfer(i int, s state) state {
	inst := &g.Insts[i]
	switch inst.Kind {
	case Call:
		if g.options.Ordinary == nil || !g.options.Ordinary(inst.Target) {
			return state{regs: AllRegs}
		}
		return state{regs: callRegs}
	case CallInd:
		if inst.Mem.RIPRel || inst.Reads.Has(R15) {
			// Through the global offset table, as code for shared libraries calls
			// anything, duffzero included (cmd/internal/obj/x86/obj6.go, rewriteToUseGot).
			return state{regs: AllRegs}
		}
		return state{regs: callRegs | inst.Reads} // a func value or an interface: always ordinary
	case System:
		return everything
	}
	s.regs = s.regs&^inst.Kills | inst.Reads | fixedRegs
	s.flags = s.flags&^inst.KillFlags | inst.ReadFlags
	return s
}
