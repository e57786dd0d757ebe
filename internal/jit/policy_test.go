//go:build linux && amd64

package jit

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// tally is the counters of the rig's probe over all blocks.
type tally struct {
	passes, emitted, suppressed, dropped, errors uint64

	limit, budget, passed, full uint64 // why
}

func (r *rig) tally() (all tally) {
	for b := range r.env.Layout.Ps + 1 {
		all.passes += r.counter(b, ring.CounterPasses)
		all.emitted += r.counter(b, ring.CounterEmitted)
		all.suppressed += r.counter(b, ring.CounterSuppressed)
		all.dropped += r.counter(b, ring.CounterDropped)
		all.errors += r.counter(b, ring.CounterErrors)
		why, _ := r.env.Layout.Reason(r.env.Probe)
		reason := func(off int) uint64 { return r.get(r.block(b) + why + off) }
		all.limit += reason(ring.ReasonLimit)
		all.budget += reason(ring.ReasonBudget)
		all.passed += reason(ring.ReasonPassed)
		all.full += reason(ring.ReasonFull)
	}
	return all
}

func truthOf(v int64) *program.Node { return constant(program.Bool, v) }

// badTruth is a condition that cannot be evaluated.
func badTruth() *program.Node {
	nil_ := &program.Node{Op: program.OpNonNil, Type: program.U64, X: constant(program.U64, 0)}
	return &program.Node{Op: program.OpLoad, Type: program.Bool, X: nil_}
}

// The fate of a pass, for a log and a count, with and without a condition: every
// hit is counted once whatever happens.
func TestEveryHitIsCountedOnce(t *testing.T) {
	control := rigControl + ring.Control(1)
	preempt := int64(stackPreempt)
	for _, c := range []struct {
		name       string
		log        bool
		cond       *program.Node
		setup      func(r *rig, in *cpu)
		want       tally
		remaining  int64
		tokens     int64
		left, last int64 // of remaining and tokens
	}{
		{name: "log", log: true, want: tally{emitted: 1}, remaining: 5, tokens: 5, left: 4, last: 4},
		{name: "log that holds", log: true, cond: truthOf(1), want: tally{passes: 1, emitted: 1}, remaining: 5, tokens: 5, left: 4, last: 4},
		{name: "log that does not", log: true, cond: truthOf(0), want: tally{passes: 1}, remaining: 5, tokens: 5, left: 5, last: 5},
		{name: "log with bad condition", log: true, cond: badTruth(), want: tally{passes: 1, errors: 1}, remaining: 5, tokens: 5, left: 5, last: 5},
		{name: "over the limit", log: true, want: tally{suppressed: 1, limit: 1}, tokens: 5, last: 5},
		{name: "over the rate", log: true, want: tally{suppressed: 1}, remaining: 5, left: 5},
		{name: "throttled", log: true, want: tally{suppressed: 1, budget: 1}, remaining: 5, tokens: 5, left: 5, last: 5,
			setup: func(r *rig, _ *cpu) { r.mem[control+ring.ControlThrottle] = 1 }},
		{name: "preemption pending", log: true, want: tally{dropped: 1}, remaining: 5, tokens: 5, left: 5, last: 5,
			setup: func(r *rig, _ *cpu) { r.put(rigG+int(rigOffsets.GStackguard0), uint64(preempt)) }},
		{name: "ring full", log: true, want: tally{dropped: 1, full: 1}, remaining: 5, tokens: 5, left: 5, last: 5,
			setup: func(r *rig, _ *cpu) { r.put(r.block(1)+ring.BlockHead, uint64(r.env.Layout.RingSize()-8)) }},
		{name: "ring full behind its end", log: true, want: tally{dropped: 1, full: 1}, remaining: 5, tokens: 5, left: 5, last: 5,
			setup: func(r *rig, _ *cpu) {
				size := uint64(r.env.Layout.RingSize())
				r.put(r.block(1)+ring.BlockHead, 2*size-8)
				r.put(r.block(1)+ring.BlockTail, size+16)
			}},
		{name: "log without P", log: true, cond: truthOf(1), want: tally{passes: 1, dropped: 1}, remaining: 5, tokens: 5, left: 5, last: 5,
			setup: func(r *rig, _ *cpu) { r.onP(9) }},
		{name: "log without stack", log: true, want: tally{dropped: 1}, remaining: 5, tokens: 5, left: 5, last: 5, setup: noStack},
		{name: "log with condition, without stack", log: true, cond: truthOf(1), want: tally{passes: 1, errors: 1}, remaining: 5, tokens: 5,
			left: 5, last: 5, setup: noStack},
		{name: "off, without stack", log: true, setup: func(r *rig, in *cpu) { noStack(r, in); r.put(control, 0) }},
		{name: "off", log: true, setup: func(r *rig, _ *cpu) { r.put(control, 0) }},
		{name: "tool dead", log: true, setup: func(r *rig, _ *cpu) { r.put(rigShared, 0) }},
		{name: "count that holds", cond: truthOf(1), want: tally{passes: 1, emitted: 1}},
		{name: "count that does not", cond: truthOf(0), want: tally{passes: 1}},
		{name: "count without P", cond: truthOf(1), want: tally{passes: 1, emitted: 1}, setup: func(r *rig, _ *cpu) { r.onP(9) }},
		{name: "count that does not, without P", cond: truthOf(0), want: tally{passes: 1}, setup: func(r *rig, _ *cpu) { r.onP(9) }},
		{name: "bad condition without P", cond: badTruth(), want: tally{passes: 1, errors: 1}, setup: func(r *rig, _ *cpu) { r.onP(9) }},
		{name: "count without stack", cond: truthOf(1), want: tally{passes: 1, errors: 1}, setup: noStack},
	} {
		for _, live := range lives() {
			live.StackProven = false
			r := newRig(t, 4)
			r.env.Log, r.env.Limited, r.env.Rated = c.log, true, true
			r.put(control+ring.ControlRemaining, uint64(c.remaining))
			r.put(control+ring.ControlTokens, uint64(c.tokens))
			in := r.start()
			if c.setup != nil {
				c.setup(r, &in)
			}
			r.place(&program.Site{Cond: c.cond}, live)
			before := string(r.mem[rigStack:stackLo])
			unchanged(t, c.name, in, r.run(in), live)
			if got := r.tally(); got != c.want {
				t.Errorf("%s, %+v: %+v, want %+v", c.name, live, got, c.want)
			}
			left, last := int64(r.get(control+ring.ControlRemaining)), int64(r.get(control+ring.ControlTokens))
			if left != c.left || last != c.last {
				t.Errorf("%s: remaining %d, tokens %d; want %d, %d", c.name, left, last, c.left, c.last)
			}
			if string(r.mem[rigStack:stackLo]) != before {
				t.Errorf("%s, %+v: wrote below the stack", c.name, live)
			}
		}
	}
}

// What only says what becomes of calls is recorded whatever else may not be, and is no
// hit: neither where it is recorded nor where it cannot be.
func TestSilentSitesAreNoHits(t *testing.T) {
	preempt := int64(stackPreempt)
	for i := range 4 {
		full, resume := i&1 != 0, i&2 != 0
		r := newRig(t, 4)
		r.env.Log = true
		r.mem[rigControl+ring.Control(1)+ring.ControlThrottle] = 1
		r.put(rigG+int(rigOffsets.GStackguard0), uint64(preempt))
		head := uint64(0)
		if full {
			head = uint64(r.env.Layout.RingSize() - 8)
			r.put(r.block(1)+ring.BlockHead, head)
		}
		s := &program.Site{Role: program.RoleGoexit}
		if resume {
			s = &program.Site{Role: program.RoleResume, Cond: truthOf(1)}
		}
		r.place(s, Live{})
		r.run(r.start())
		if got := r.tally(); got != (tally{}) {
			t.Errorf("%+v", got)
		}
		if grew := r.get(r.block(1)+ring.BlockHead) != head; grew == full {
			t.Errorf("recorded: %v, of a ring that is full: %v", grew, full)
		}
	}
}

// Of calls, beginnings and ends are sampled as often as each other, and as what is
// between them.
func TestBothEndsOfCallsAreSampled(t *testing.T) {
	const start, stop, resume, unwind = program.RoleStart, program.RoleStop, program.RoleResume, program.RoleUnwind
	for _, kind := range []string{"trace", "time"} {
		for _, roles := range [][]program.Role{{start, stop}, {start, resume, stop}, {start, unwind, stop}, {start, resume, unwind, stop}} {
			t.Run(fmt.Sprint(kind, roles), func(t *testing.T) {
				r := newRig(t, 4)
				if kind == "trace" {
					r.env.Log = true
				} else {
					mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
					defer unix.Munmap(mem)
				}
				chosen := map[program.Role]int{} // a sample that an interrupt came into is chosen, and not counted
				for range 256 {
					for _, role := range roles {
						r.put(r.block(1)+ring.BlockTail, r.get(r.block(1)+ring.BlockHead))
						r.place(&program.Site{Role: role, Resumed: true, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, Live{})
						r.run(r.start())
						if r.mem[r.block(1)+ring.Counter(r.env.Probe)+ring.CounterTick] == 0 {
							chosen[role]++
						}
					}
				}
				for _, role := range roles {
					if chosen[role] != chosen[start] || chosen[start] == 0 {
						t.Errorf("%v of 256 calls", chosen)
					}
				}
			})
		}
	}
}

func (r *rig) block(b int) int { return rigShared + r.env.Layout.Block(b) }

// noStack leaves no room for a frame.
func noStack(r *rig, in *cpu) { in.Regs[amd64.RSP] = r.base + stackLo + 8 }

// A ring that the tool empties takes records for ever, each of them whole.
func TestRingGoesRound(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	text := program.Slot{Kind: program.SlotBytes, Node: constant(program.U64, int64(r.base+rigHeap)),
		Len: reg(program.I64, amd64.RBX), Elem: 1, Max: 100}
	s := &program.Site{Slots: []program.Slot{scalarSlot(reg(program.U64, amd64.RBX)), text}}
	r.place(s, Live{})
	in := r.start()
	head := uint64(0)
	for i := range uint64(2000) {
		in.Regs[amd64.RBX] = i % 120
		want := plain(s, r.oracle(s, in).Record(s, r.env.Probe, r.env.Site, 0))
		r.run(in)
		if got := r.record(1, head); string(plain(s, got)) != string(want) {
			t.Fatalf("record %d\n got %x\nwant %x", i, got, want)
		}
		head = r.get(r.block(1) + ring.BlockHead)
		r.put(r.block(1)+ring.BlockTail, head)
	}
	if got := r.tally(); got != (tally{emitted: 2000}) {
		t.Errorf("%+v", got)
	}
	if n := r.counter(1, ring.CounterSamples); n != 7 {
		t.Errorf("%d samples in 2000 passes, want 7", n)
	}
}

// Of a log that means only some hits, exactly those are recorded, whatever else
// forbids the others; all are counted.
func TestChosenHits(t *testing.T) {
	control := rigControl + ring.Control(1)
	for _, c := range []struct {
		after, every, seen int64
		rated              bool
		want               string // of the first 12 hits
	}{
		{after: 3, want: "...xxxxxxxxx"},
		{after: 3, seen: 2, want: ".xxxxxxxxxxx"},
		{every: 3, want: "..x..x..x..x"},
		{every: 3, seen: 2, want: "x..x..x..x.."},
		{after: 2, every: 4, want: ".....x...x.."},
		{after: 1 << 40, want: "............"},
		{after: 1 << 40, seen: 1<<40 - 1, want: ".xxxxxxxxxxx"},
		{every: 5, rated: true, want: "....x......."}, // one token
	} {
		for _, live := range lives() {
			r := newRig(t, 4)
			r.env.Log, r.env.Chosen, r.env.Rated = true, true, c.rated
			r.env.After, r.env.Every = c.after, c.every
			r.put(control+ring.ControlSeen, uint64(c.seen))
			r.put(control+ring.ControlTokens, 1)
			r.place(&program.Site{Slots: []program.Slot{scalarSlot(reg(program.U64, amd64.RBX))}}, live)
			in := r.start()
			got := ""
			for range 12 {
				before := r.tally().emitted
				unchanged(t, c.want, in, r.run(in), live)
				got += map[bool]string{true: "x", false: "."}[r.tally().emitted > before]
			}
			if all := r.tally(); got != c.want || all.emitted+all.suppressed != 12 {
				t.Errorf("after %d, every %d, seen %d, %+v: %s, want %s; %+v", c.after, c.every, c.seen, live, got, c.want, all)
			}
		}
	}
}
