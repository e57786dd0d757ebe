//go:build linux && amd64

package jit

import (
	"fmt"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// lives are the states of registers that bodies must cope with.
func lives() []Live {
	var all []Live
	for _, free := range []amd64.RegSet{0, amd64.Regs(amd64.RAX), amd64.Regs(amd64.RCX), amd64.Regs(amd64.RDX, amd64.R8),
		amd64.Regs(amd64.RAX, amd64.RSI), amd64.Regs(amd64.R9, amd64.R10, amd64.R11, amd64.R15), amd64.AllRegs} {
		for i := range 4 {
			all = append(all, Live{FreeRegs: free, FlagsDead: i&1 != 0, StackProven: i&2 != 0})
		}
	}
	return all
}

func TestCounterCountsAndLeavesEverything(t *testing.T) {
	for _, live := range lives() {
		t.Run(fmt.Sprintf("%+v", live), func(t *testing.T) {
			r := newRig(t, 4)
			r.t = t
			r.place(&program.Site{}, live)
			for i := range 1000 {
				in := r.start()
				in.Flags = uint64(i*0x9E37) & arithmetic
				r.onP(i % 3)
				unchanged(t, "on a P", in, r.run(in), live)
			}
			for b, want := range []uint64{334, 333, 333, 0, 0} {
				if got := r.counter(b, ring.CounterEmitted); got != want {
					t.Errorf("block %d: %d, want %d", b, got, want)
				}
			}
			if n := r.counter(0, ring.CounterSamples); n != 1 {
				t.Errorf("%d samples in 334 passes", n)
			}
		})
	}
}

func TestCounterWithoutP(t *testing.T) {
	r := newRig(t, 4)
	live := Live{}
	r.place(&program.Site{}, live)
	in := r.start()
	r.onP(4) // as many as there were at installation
	unchanged(t, "new P", in, r.run(in), live)
	r.put(rigM+int(rigOffsets.MP), 0)
	unchanged(t, "no P", in, r.run(in), live)
	if got := r.counter(4, ring.CounterEmitted); got != 2 {
		t.Errorf("shared block: %d, want 2", got)
	}
}

func TestCounterIsQuiet(t *testing.T) {
	for name, silence := range map[string]func(r *rig){
		"off":       func(r *rig) { r.put(rigControl+ring.Control(1), 0) },
		"tool dead": func(r *rig) { r.put(rigShared, rigOwner|1<<30) },
	} {
		for _, live := range lives() {
			r := newRig(t, 4)
			r.place(&program.Site{}, live)
			silence(r)
			in := r.start()
			unchanged(t, name, in, r.run(in), live)
			if got := r.counter(1, ring.CounterEmitted); got != 0 {
				t.Errorf("%s: counted %d", name, got)
			}
		}
	}
}

func TestCounterTouchesNoStack(t *testing.T) {
	for _, live := range lives() {
		r := newRig(t, 4)
		r.place(&program.Site{}, Live{FreeRegs: live.FreeRegs, FlagsDead: live.FlagsDead})
		in := r.start()
		in.Regs[amd64.RSP] = r.base + stackLo + 8 // no room at all
		for range 300 {
			unchanged(t, "no room", in, r.run(in), live)
		}
		for i := rigStack; i < stackLo; i++ {
			if r.mem[i] != 0 {
				t.Fatalf("%+v: wrote %d bytes below the stack", live, stackLo-i)
			}
		}
		if got := r.counter(1, ring.CounterEmitted); got != 300 {
			t.Errorf("counted %d of 300", got)
		}
	}
}
