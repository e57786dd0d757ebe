//go:build linux && amd64

package jit

import (
	"math"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Where a rig's kernel clock lies, and the routine that calls it.
const (
	rigClock   = rigHandlers + 64<<10
	rigRoutine = rigClock + 4096
)

// newClockRig is a rig with a clock that does what a C function may do: it changes
// every register that its caller must save, and the flags, and expects an aligned
// stack with room. Each reading is later by 7 s and 5 ns.
func newClockRig(t testing.TB) *rig {
	t.Helper()
	layout, err := ring.NewLayout(4, 8, ring.ClockStack)
	if err != nil {
		t.Fatal(err)
	}
	layout.BlockShift = 15
	r := newRigOf(t, layout)
	a := amd64.NewAsm(r.base + rigClock)
	time := amd64.AtAddr(r.base + rigRuntime + 3584)
	wrong := a.NewLabel()
	a.OpImm(amd64.CMP, amd64.RDI, clockMonotonic, 4)
	a.Jcc(amd64.CondNE, wrong)
	a.Lea(amd64.RAX, amd64.At(amd64.RSP, 8))
	a.TestImm(amd64.RAX, 15, 4)
	a.Jcc(amd64.CondNE, wrong)
	a.MovRI64(amd64.RCX, ring.ClockRoom/8)
	room := a.Here() // all that it was promised
	a.StoreImm(amd64.AtIndex(amd64.RAX, amd64.RCX, 8, -8-ring.ClockRoom-8), -1, 8)
	a.OpImm(amd64.SUB, amd64.RCX, 1, 8)
	a.Jcc(amd64.CondNE, room)
	a.OpMemImm(amd64.ADD, time, 1, 8)
	a.Load(amd64.RAX, time, 8)
	a.ImulImm(amd64.RCX, amd64.RAX, 7, 8)
	a.Store(amd64.At(amd64.RSI, 0), amd64.RCX, 8)
	a.ImulImm(amd64.RCX, amd64.RAX, 5, 8)
	a.Store(amd64.At(amd64.RSI, 8), amd64.RCX, 8)
	for _, reg := range []amd64.Reg{amd64.RCX, amd64.RDX, amd64.RSI, amd64.RDI, amd64.R8, amd64.R9, amd64.R10, amd64.R11} {
		a.MovRI64(reg, 0xBADBADBADBADBAD)
	}
	for i := range 16 {
		a.MovXR(amd64.X(i), amd64.R11, 8)
	}
	a.Zero(amd64.RAX)
	a.Ret()
	a.Bind(wrong)
	a.Bytes(0x0F, 0x0B) // UD2
	code, err := a.Code()
	if err != nil {
		r.t.Fatal(err)
	}
	r.writeCode(rigClock, code)
	if code, err = Clock(r.env, r.base+rigClock, r.base+rigRoutine); err != nil {
		r.t.Fatal(err)
	}
	r.writeCode(rigRoutine, code)
	r.env.Clock = r.base + rigRoutine
	return r
}

// With the kernel's clock a body changes as little as with the processor's, and the
// time is the clock's.
func TestBodiesReadTheKernelsClock(t *testing.T) {
	r := newClockRig(t)
	r.catch()
	mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
	defer unix.Munmap(mem)
	r.env.Agg.Rate = 1
	const each = 7_000_000_005
	at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	for n := range uint64(20) {
		live := Live{FlagsDead: n%2 == 0, StackProven: n%4 < 2}
		if n > 10 {
			live.FreeRegs = amd64.RegSet(0xF0F * n)
		}
		for _, role := range []program.Role{program.RoleStart, program.RoleStop} {
			in := r.start()
			r.place(&program.Site{Role: role, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, live)
			unchanged(t, "registers", in, r.run(in), live)
		}
		s := r.mainSums(mem)
		if s.Numbers.Count != n+1 || ring.WordAt(mem, at+ring.DistLastTSC) != (2*n+2)*each {
			t.Fatalf("%d durations, the last at %d; want %d and %d", s.Numbers.Count, ring.WordAt(mem, at+ring.DistLastTSC), n+1, (2*n+2)*each)
		}
	}
	s := r.mainSums(mem)
	if want := float64(each); math.Float64frombits(s.Numbers.Min) != want || math.Float64frombits(s.Numbers.Max) != want {
		t.Errorf("durations of %v to %v, want %v", math.Float64frombits(s.Numbers.Min), math.Float64frombits(s.Numbers.Max), want)
	}
}

// A record has the kernel's time, too.
func TestRecordsHaveTheKernelsTime(t *testing.T) {
	r := newClockRig(t)
	r.env.Log = true
	r.reset(1, 0)
	in := r.start()
	r.place(orders(nil), Live{})
	in.Regs[amd64.RDI], in.Regs[amd64.RSI], in.Regs[amd64.R8] = r.base+rigHeap, r.base+rigHeap+64, 20
	unchanged(t, "registers", in, r.run(in), Live{})
	if got := r.get(rigShared + r.env.Layout.Block(1) + r.env.Layout.RingOff() + ring.RecordTSC); got != 7_000_000_005 {
		t.Errorf("the record is of %d", got)
	}
}

// Without a stack for it there is no clock.
func TestClockNeedsItsStack(t *testing.T) {
	r := newRig(t, 4)
	r.env.Layout.Extra = ring.ClockStack - 4096
	if _, err := Clock(r.env, r.base+rigClock, r.base+rigRoutine); err == nil {
		t.Error("a clock without a stack")
	}
}
