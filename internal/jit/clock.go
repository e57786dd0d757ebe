package jit

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// readClock puts the time into RAX: the time-stamp counter, or nanoseconds of the
// kernel's monotonic clock where that is no clock. RDX is lost. The body must run on
// a P of its own.
func (g *gen) readClock() {
	if g.env.Clock != 0 {
		g.a.CallTo(g.env.Clock)
		return
	}
	g.a.Rdtsc()
	g.a.ShiftImm(amd64.SHL, amd64.RDX, 32, 8)
	g.a.Op(amd64.OR, amd64.RAX, amd64.RDX, 8)
}

// clockRoom is what the call of the clock's routine pushes below a frame.
const clockRoom = 8

const clockMonotonic = 1 // CLOCK_MONOTONIC (include/uapi/linux/time.h)

// Clock makes the routine that reads the kernel's monotonic clock for all bodies (see
// Env.Clock), to be placed at address at. It calls function fn, the vDSO's
// clock_gettime, which must have been proven (see vdso) to need no more stack than
// ClockStack: on a stack of the running P's own, behind its extra memory, because
// nothing is known of the room on the goroutine's. Signals do not come there: the
// kernel changes to the thread's signal stack for them (see docs/decisions/clock.md).
//
// RAX is the time; RDX and the flags are lost.
func Clock(env Env, fn, at uint64) ([]byte, error) {
	if env.Layout.Extra < ring.ClockStack {
		return nil, fmt.Errorf("the clock needs %d bytes beside each block; there are %d", ring.ClockStack, env.Layout.Extra)
	}
	a := amd64.NewAsm(at)
	a.Load(amd64.RAX, amd64.At(amd64.R14, int32(env.RT.GM)), 8)
	a.Load(amd64.RAX, amd64.At(amd64.RAX, int32(env.RT.MP)), 8)
	a.Load(amd64.RAX, amd64.At(amd64.RAX, int32(env.RT.PID)), 4)
	a.ImulImm(amd64.RAX, amd64.RAX, int64(env.Layout.Extra), 8)
	a.Lea(amd64.RDX, amd64.AtAddr(env.Shared+uint64(env.Layout.ExtraAt(1)))) // the end of the first P's
	a.Op(amd64.ADD, amd64.RAX, amd64.RDX, 8)
	a.MovRR(amd64.RDX, amd64.RSP)
	a.MovRR(amd64.RSP, amd64.RAX)
	// What a C function may change, and a body may not.
	saved := []amd64.Reg{amd64.RDX, amd64.RCX, amd64.RSI, amd64.RDI, amd64.R8, amd64.R9, amd64.R10, amd64.R11}
	for _, r := range saved {
		a.Push(r)
	}
	const vectors = 16
	x := func(i int) amd64.Mem { return amd64.At(amd64.RSP, int32(16+16*i)) }
	a.Lea(amd64.RSP, amd64.At(amd64.RSP, -16-16*vectors)) // the time, and the vectors
	for i := range vectors {
		a.StoreX16(x(i), amd64.X(i))
	}
	a.MovRI64(amd64.RDI, clockMonotonic)
	a.Lea(amd64.RSI, amd64.At(amd64.RSP, 0))
	a.MovRI64(amd64.RAX, fn)
	a.CallReg(amd64.RAX)
	a.Load(amd64.RAX, amd64.At(amd64.RSP, 0), 8)
	a.ImulImm(amd64.RAX, amd64.RAX, 1e9, 8)
	a.OpLoad(amd64.ADD, amd64.RAX, amd64.At(amd64.RSP, 8), 8)
	for i := range vectors {
		a.LoadX16(amd64.X(i), x(i))
	}
	a.Lea(amd64.RSP, amd64.At(amd64.RSP, 16+16*vectors))
	for i := len(saved) - 1; i >= 0; i-- {
		a.Pop(saved[i])
	}
	a.MovRR(amd64.RSP, amd64.RDX)
	a.Ret()
	return a.Code()
}
