package locate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// flow takes from the graph of a function what this package needs. callee names
// the function that begins at an address; deferReturn is 0 if there is none.
func flow(g *amd64.Graph, deferReturn uint64, callee func(addr uint64) string) (*code, error) {
	if g.Unresolved {
		return nil, fmt.Errorf("the function at %#x has an indirect jump whose targets are unknown", g.Entry)
	}
	insts := make([]inst, len(g.Insts))
	var grow, slow, deferred []int32
	for i := range g.Insts {
		x := &g.Insts[i]
		in := inst{PC: x.PC, Len: x.Len, Fault: x.MayFault, Idle: idle(x), Pad: pad(x)}
		for _, s := range g.Succs(i) {
			in.Succ = append(in.Succ, int32(s))
		}
		switch x.Kind {
		case amd64.Call, amd64.CallInd:
			in.Call = true
			in.Ends = len(in.Succ) == 0
			switch name := callee(x.Target); {
			case x.Kind == amd64.CallInd:
			case strings.HasPrefix(name, "runtime.morestack"):
				grow = append(grow, int32(i))
			case strings.HasPrefix(name, "runtime.gcWriteBarrier"):
				slow = append(slow, int32(i))
			case strings.HasPrefix(name, "runtime.deferproc"):
				deferred = append(deferred, int32(i))
			}
		case amd64.Jmp, amd64.Jcc, amd64.JmpInd, amd64.Ret, amd64.Trap:
			in.Ends = true
			in.Ret = g.Leaves(i)
		}
		insts[i] = in
	}
	for _, i := range deferred {
		straight(g, insts, i)
	}
	entries := []int32{0}
	if i, ok := g.Index(deferReturn); ok && deferReturn != 0 {
		entries = append(entries, int32(i))
	}
	c := newCode(insts, entries)
	for _, i := range grow {
		c.mark(i, func(x *inst) { x.Grow = true })
	}
	for _, i := range slow {
		c.mark(i, func(x *inst) { x.Slow = true })
	}
	c.prune()
	return c, nil
}

// straight takes away the jump behind the call of runtime.deferproc at i. Up to Go
// 1.24 it is how a recovered panic comes back: deferproc seems to return once more,
// with 1 (TESTL AX, AX; JNE: BlockDefer in cmd/compile/internal/amd64/ssa.go). What it
// leads to is reached by nothing else.
func straight(g *amd64.Graph, insts []inst, i int32) {
	for i++; int(i) < len(insts) && insts[i].Pad; i++ {
	}
	if int(i)+1 >= len(insts) {
		return
	}
	test, jump := &g.Insts[i], &g.Insts[i+1]
	if test.Map != amd64.MapOne || test.Opcode != 0x85 || test.ModRM != 0xc0 || jump.Kind != amd64.Jcc {
		return
	}
	if to, ok := g.Index(jump.Target); ok && amd64.Cond(jump.Opcode&15) == amd64.CondNE {
		insts[i+1].Succ = slices.DeleteFunc(insts[i+1].Succ, func(s int32) bool { return int(s) == to })
	}
}

// mark marks all instructions of the block of instruction i.
func (c *code) mark(i int32, set func(*inst)) {
	b := c.blocks[c.blockOf[i]]
	for k := b.first; k <= b.last; k++ {
		set(&c.insts[k])
	}
}

// Returns tells whether a function of this name can return. The compiler emits
// nothing meaningful after calls of the others (runtime/panic.go,
// cmd/compile/internal/ssagen: BlockExit).
func Returns(callee string) bool {
	name, ok := strings.CutPrefix(callee, "runtime.")
	if !ok {
		return true
	}
	switch name {
	case "gopanic", "throw", "fatal", "fatalthrow", "block", "unreachableMethod", "goexit1", "goexit0":
		return false
	}
	return !strings.HasPrefix(name, "panic") && !strings.HasPrefix(name, "goPanic")
}

// prune voids what cannot be reached from the function's entry: the bytes
// after calls that do not return, and the way back from a recovered panic, to
// which the line table gives the line of whatever stands before it.
func (c *code) prune() {
	reached := make([]bool, len(c.blocks))
	for _, b := range c.reversePostorder() {
		reached[b] = true
	}
	for b := range c.blocks {
		blk := &c.blocks[b]
		preds := blk.preds[:0]
		for _, p := range blk.preds {
			if reached[p] {
				preds = append(preds, p)
			}
		}
		blk.preds = preds
		for k := blk.first; k <= blk.last && !reached[b]; k++ {
			c.insts[k].Void = true
		}
	}
}

// idle recognises what the register allocator puts between the instructions of
// a statement: moves between registers, to and from the stack, constants.
func idle(x *amd64.Inst) bool {
	register := x.ModRM >= 0xc0
	stack := x.Mem.Present && x.Mem.HasBase && x.Mem.Base == amd64.RSP && !x.Mem.HasIndex
	switch {
	case x.Kind == amd64.Jmp:
		return true
	case x.Kind != amd64.Plain:
		return false
	case x.Map == amd64.MapOne:
		switch op := x.Opcode; {
		case op == 0x89, op == 0x8b, op == 0x88, op == 0x8a, op == 0xc7, op == 0xc6, op == 0x63:
			return register || stack
		case op == 0x31 || op == 0x33:
			return register && x.ModRM>>3&7 == x.ModRM&7
		case op == 0x8d:
			return stack || x.Mem.RIPRel
		}
		return x.Opcode == 0x90 || x.Opcode >= 0xb8 && x.Opcode <= 0xbf
	case x.Map == amd64.Map0F || x.Map == amd64.MapVEX+amd64.Map0F:
		switch x.Opcode {
		case 0x1f:
			return true
		case 0x10, 0x11, 0x28, 0x29, 0x6f, 0x7f, 0xb6, 0xb7, 0xbe, 0xbf:
			return register || stack
		case 0x57, 0xef:
			return register
		}
	}
	return false
}

// pad recognises the instructions that the assembler puts in to align others.
func pad(x *amd64.Inst) bool {
	return x.Map == amd64.MapOne && x.Opcode == 0x90 && x.ModRM == 0 || x.Map == amd64.Map0F && x.Opcode == 0x1f
}
