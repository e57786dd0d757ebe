package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// control is a word of the probe's controls.
func (e Env) control(word int) amd64.Mem {
	return amd64.AtAddr(e.Control + uint64(ring.Control(e.Probe)+word))
}

// lifeline is the word that holds Owner while the tool lives.
func (e Env) lifeline() amd64.Mem { return amd64.AtAddr(e.Shared) }

// sharedBlock is the address of the block for passes without a P of their own.
func (e Env) sharedBlock() uint64 { return e.Shared + uint64(e.Layout.Block(e.Layout.Ps)) }

// counter is the offset of a counter of the probe in a block.
func (e Env) counter(word int) int32 { return int32(ring.Counter(e.Probe) + word) }

// sharedCounter is a counter of the probe in the shared block.
func (e Env) sharedCounter(word int) amd64.Mem {
	return amd64.AtAddr(e.sharedBlock() + uint64(e.counter(word)))
}

// asked jumps to off unless the probe is on and its tool lives. Control comes
// first: in a forked child it is zero, and the rest is the parent's.
func (e Env) asked(a *amd64.Asm, off amd64.Label) {
	a.OpMemImm(amd64.CMP, e.control(ring.ControlState), 0, 1)
	a.Jcc(amd64.CondE, off)
	a.OpMemImm(amd64.CMP, e.lifeline(), int64(int32(e.Owner)), 4)
	a.Jcc(amd64.CondNE, off)
}

// processor puts the offset of the block of the running P, from the first
// block, into r. Without such a P it jumps to none.
func (e Env) processor(a *amd64.Asm, r amd64.Reg, none amd64.Label) {
	a.Load(r, amd64.At(amd64.R14, int32(e.RT.GM)), 8)
	a.Load(r, amd64.At(r, int32(e.RT.MP)), 8)
	a.Test(r, r, 8)
	a.Jcc(amd64.CondE, none)
	a.Load(r, amd64.At(r, int32(e.RT.PID)), 4)
	a.OpImm(amd64.CMP, r, int64(e.Layout.Ps), 4)
	a.Jcc(amd64.CondAE, none) // the program has more processors than at installation
	a.ShiftImm(amd64.SHL, r, uint8(e.Layout.BlockShift), 8)
}

// saveFlags puts the arithmetic flags into AX; restoreFlags takes them from there.
// LAHF and SETO cost a tenth of PUSHFQ and POPFQ.
func saveFlags(a *amd64.Asm) {
	a.Lahf()
	a.Setcc(amd64.CondO, amd64.RAX)
}

func restoreFlags(a *amd64.Asm) {
	a.OpImm(amd64.ADD, amd64.RAX, 0x7F, 1) // 1 + 127 overflows
	a.Sahf()
}

// xspill is the vector register that serves as scratch and is zero in Go code.
const xspill amd64.X = 15

// flagWord is the word of xspill that keeps the flags.
const flagWord = 4

// park moves RAX, and the flags if they matter, into X15: room to work where
// there is neither a free register nor a proven stack. unpark puts them back.
func park(a *amd64.Asm, flags bool) {
	a.MovXR(xspill, amd64.RAX, 8)
	if flags {
		saveFlags(a)
		a.Pinsrw(xspill, amd64.RAX, flagWord)
	}
}

func unpark(a *amd64.Asm, flags bool) {
	if flags {
		a.Pextrw(amd64.RAX, xspill, flagWord)
		restoreFlags(a)
	}
	a.MovRX(amd64.RAX, xspill, 8)
	a.Pxor(xspill, xspill)
}
