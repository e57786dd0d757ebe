//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// calls is what the table of pairs must hold and count, by definition. Depths of
// calls that have recovered are one more than those of their frames.
type calls struct {
	open                                                          map[uint64][]uint64 // depths by goroutine
	returned, recovered, panicked, goexited, restarted, unmatched uint64
}

func (c *calls) pop(goid uint64, while func(depth uint64) bool) (n uint64) {
	for l := c.open[goid]; len(l) > 0 && while(l[len(l)-1]); l = c.open[goid] {
		c.open[goid] = l[:len(l)-1]
		n++
	}
	return n
}

func (c *calls) do(frames bool, role program.Role, goid, depth uint64) {
	if !frames {
		depth = 0
	}
	top := func() (uint64, bool) {
		l := c.open[goid]
		if len(l) == 0 {
			return 0, false
		}
		return l[len(l)-1], true
	}
	deeper := func(d uint64) bool { return d > depth }
	switch role {
	case program.RoleStart:
		n := c.pop(goid, func(d uint64) bool { return d >= depth })
		if frames {
			c.panicked += n
		} else {
			c.restarted += n
		}
		c.open[goid] = append(c.open[goid], depth)
	case program.RoleStop, program.RoleRecover:
		c.panicked += c.pop(goid, func(d uint64) bool { return d > depth+resumed })
		d, ok := top()
		if ok && d == depth+resumed {
			role = program.RoleRecover
		} else if !ok || d != depth {
			c.unmatched++
			return
		}
		c.open[goid] = c.open[goid][:len(c.open[goid])-1]
		if role == program.RoleStop {
			c.returned++
		} else {
			c.recovered++
		}
	case program.RoleUnwind, program.RoleResume:
		c.panicked += c.pop(goid, func(d uint64) bool { return d > depth+resumed })
		if d, ok := top(); ok && d == depth && role == program.RoleResume {
			c.open[goid][len(c.open[goid])-1] += resumed
		}
	case program.RoleGoexit:
		c.panicked += c.pop(goid, deeper)
		c.goexited += c.pop(goid, func(uint64) bool { return true })
	}
}

func (r *rig) called(mem []byte) string {
	at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	word := func(off uint64) uint64 { return ring.WordAt(mem, at+off) }
	return fmt.Sprint(word(ring.PairReturned), word(ring.PairRecovered), word(ring.PairPanicked), word(ring.PairGoexited),
		word(ring.PairRestarted), word(ring.PairUnmatched), word(ring.PairLost), " open ", r.openCalls(mem), " in ", word(ring.DistCount))
}

// openCalls counts the words of the table that are in use.
func (r *rig) openCalls(mem []byte) (n int) {
	for i := range uint64(ring.PairBuckets * ring.PairWays) {
		if ring.WordAt(mem, r.env.Agg.Region.Pairs+8*i) != 0 {
			n++
		}
	}
	return n
}

func TestPairsFollowTheCalls(t *testing.T) {
	for seed := range int64(40) {
		w := rand.New(rand.NewSource(seed))
		r := newRig(t, 2+6*w.Intn(2)) // each P with words of its own, or none
		what := &program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: w.Intn(4) > 0}
		mem := r.region(what)
		model := &calls{open: map[uint64][]uint64{}}
		for step := range 200 {
			goid, frame := uint64(1+w.Intn(3)), uint64(w.Intn(6))
			role := []program.Role{program.RoleStart, program.RoleStart, program.RoleStop, program.RoleStop, program.RoleRecover}[w.Intn(5)]
			if what.Frames && w.Intn(6) == 0 {
				role = program.RoleUnwind + program.Role(w.Intn(3))
			}
			s := &program.Site{Role: role, Resumed: what.Frames && role.Ends(), CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}
			in := r.start()
			cfa := r.base + stackTop - 64*frame
			in.Regs[amd64.RSP] = cfa - 16
			if what.Frames && w.Intn(3) == 0 && role < program.RoleUnwind {
				s.Inlined = true
			}
			depth := r.base + stackTop + 4096 - cfa
			switch {
			case s.Inlined:
				depth, s.Resumed = depth+inlined, false
			case role == program.RoleUnwind:
				in.Regs[amd64.RBP] = cfa - 16
			case role == program.RoleGoexit:
				in.Regs[amd64.RSP] = cfa - 8
			}
			r.put(rigG+int(rigOffsets.GGoid), goid)
			live := Live{FreeRegs: amd64.RegSet(w.Uint32()), FlagsDead: w.Intn(2) == 0, StackProven: w.Intn(2) == 0}
			r.place(s, live)
			model.do(what.Frames, role, goid, depth)
			unchanged(t, "registers", in, r.run(in), live)
			open := 0
			for _, l := range model.open {
				open += len(l)
			}
			want := fmt.Sprint(model.returned, model.recovered, model.panicked, model.goexited, model.restarted, model.unmatched, 0,
				" open ", open, " in ", model.returned+model.recovered)
			if got := r.called(mem); got != want || t.Failed() {
				t.Fatalf("seed %d, step %d, role %d, goroutine %d, depth %d, frames %v:\n got %s\nwant %s", seed, step, role, goid, depth, what.Frames, got, want)
			}
		}
		unix.Munmap(mem)
	}
}

// A table that is full loses calls, counts them, and takes others again later.
func TestPairsAreBounded(t *testing.T) {
	r := newRig(t, 4)
	mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
	defer unix.Munmap(mem)
	line := r.env.Agg.Region.Pairs
	for i := range uint64(ring.PairBuckets * ring.PairWays * 8) {
		mem[line+i] = 0xFF
	}
	in := r.start()
	at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	start := &program.Site{Role: program.RoleStart, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}
	r.place(start, Live{})
	unchanged(t, "start", in, r.run(in), Live{})
	if n := ring.WordAt(mem, at+ring.PairLost); n != 1 {
		t.Errorf("%d calls lost, want 1", n)
	}
	clear(mem[line : line+ring.PairBuckets*ring.PairWays*8])
	r.run(in)
	r.place(&program.Site{Role: program.RoleStop, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, Live{})
	r.run(in)
	if n := ring.WordAt(mem, at+ring.PairReturned); n != 1 || r.openCalls(mem) != 0 {
		t.Errorf("%d calls returned, %d open", n, r.openCalls(mem))
	}
}

// A call that another one of its goroutine makes has room while any line near its own has.
func TestPairsOfRecursionFindAnotherLine(t *testing.T) {
	for _, ps := range []int{2, 8} {
		for _, tc := range []struct{ full, lost uint64 }{{1, 0}, {ring.PairOlderLines - 1, 0}, {ring.PairOlderLines, 1}} {
			r := newRig(t, ps)
			mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
			at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
			call := func(role program.Role, frame uint64) uint64 {
				in := r.start()
				in.Regs[amd64.RSP] = r.base + stackTop - 64*frame - 16
				r.place(&program.Site{Role: role, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, Live{})
				unchanged(t, "call", in, r.run(in), Live{})
				return 4096 + 64*frame
			}
			r.put(rigG+int(rigOffsets.GGoid), 1)
			call(program.RoleStart, 1)
			key := uint64(1)<<ring.PairProbeLen | uint64(r.env.Probe+1)
			line := (key ^ (4096 + 64*2)) * ring.PairFactor >> ring.PairHashShift
			head := key * ring.PairFactor >> ring.PairHashShift & (ring.PairBuckets - 1)
			for i := range tc.full {
				if l := (line + i) & (ring.PairBuckets - 1); l != head {
					for way := range uint64(ring.PairWays) {
						binary.LittleEndian.PutUint64(mem[r.env.Agg.Region.Pairs+64*l+8*way:], math.MaxUint64)
					}
				} else {
					t.Fatal("the calls of this goroutine have one line: take another")
				}
			}
			call(program.RoleStart, 2)
			if n := ring.WordAt(mem, at+ring.PairLost); n != tc.lost {
				t.Errorf("%d Ps, %d lines full: %d calls lost, want %d", ps, tc.full, n, tc.lost)
			}
			call(program.RoleStop, 2)
			call(program.RoleStop, 1)
			if n := ring.WordAt(mem, at+ring.PairReturned); n != 2-tc.lost || r.openCalls(mem) != int(8*tc.full) {
				t.Errorf("%d Ps, %d lines full: %d calls returned, %d words in use", ps, tc.full, n, r.openCalls(mem))
			}
			unix.Munmap(mem)
		}
	}
}

// Goroutines whose line is the same share its words, but for those that other Ps have
// for their own.
func TestPairsShareALine(t *testing.T) {
	for _, tc := range []struct{ ps, room int }{{1, 8}, {2, 7}, {3, 8}, {8, 8}} {
		r := newRig(t, tc.ps)
		mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
		p := min(1, tc.ps-1)
		r.onP(p)
		r.place(&program.Site{Role: program.RoleStart, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, Live{})
		var same uint64
		for goid, calls := uint64(1), 0; calls < 10; goid++ {
			key := goid<<ring.PairProbeLen | uint64(r.env.Probe+1)
			line := key * ring.PairFactor >> ring.PairHashShift & (ring.PairBuckets - 1)
			if calls == 0 {
				same = line
			}
			if line == same {
				r.put(rigG+int(rigOffsets.GGoid), goid)
				r.run(r.start())
				calls++
			}
		}
		lost := ring.WordAt(mem, r.env.Agg.Region.AreaOf(r.env.Probe, p)+ring.PairLost)
		if n := r.openCalls(mem); n != tc.room || lost != uint64(10-tc.room) {
			t.Errorf("%d Ps: %d calls in one line and %d lost, want %d in it", tc.ps, n, lost, tc.room)
		}
		unix.Munmap(mem)
	}
}

// The histogram of the durations is whole, though the target's is one behind.
func TestPairsHaveTheirBuckets(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	w := rand.New(rand.NewSource(1))
	for _, rate := range []float64{0, 0x1p-50, 0.5, 1e3, 1e15} {
		mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
		r.env.Agg.Rate = rate
		at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
		var want ring.Numbers
		buckets := make([]uint64, ring.MainBuckets)
		for range 300 {
			live := Live{FreeRegs: amd64.RegSet(w.Uint32()), FlagsDead: w.Intn(2) == 0, StackProven: w.Intn(2) == 0}
			for _, role := range []program.Role{program.RoleStart, program.RoleStop} {
				in := r.start()
				r.place(&program.Site{Role: role, CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}, live)
				unchanged(t, "registers", in, r.run(in), live)
			}
			v := math.Float64frombits(ring.NumbersAt(mem, at).Last)
			switch i := ring.Bucket(v); {
			case v == 0:
				want.Zero++
			case i < 0:
				want.Under++
			case i >= ring.MainBuckets:
				want.Over++
			default:
				buckets[i]++
			}
			got := make([]uint64, ring.MainBuckets)
			n, in := ring.NumbersAt(mem, at), uint64(0)
			for i := range got {
				got[i] = ring.WordAt(mem, at+ring.AreaPositive+uint64(8*i))
				in += got[i]
			}
			n.Settle(in, got)
			if n.Zero != want.Zero || n.Under != want.Under || n.Over != want.Over || !reflect.DeepEqual(got, buckets) {
				t.Fatalf("rate %g, number %d: %+v, want %+v; or buckets", rate, n.Count, n, want)
			}
		}
		if rate == 0 && want.Zero == 0 || rate == 0.5 && want.Zero+want.Under+want.Over != 0 || rate == 1e15 && want.Over == 0 {
			t.Errorf("rate %g: %+v", rate, want)
		}
		unix.Munmap(mem)
	}
}

// The condition on a duration leaves out, and rows are chosen at the start.
func TestPairsByKeyAndDuration(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	key := &program.Key{Node: reg(program.U64, amd64.RBX)}
	mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true, By: key})
	defer unix.Munmap(mem)
	cfa := program.CFA{Reg: amd64.RSP, Offset: 16}
	long := func(ns int64) *program.Node {
		d := &program.Node{Op: program.OpDuration, Type: program.I64}
		return &program.Node{Op: program.OpGt, Type: program.Bool, X: d, Y: constant(program.I64, ns)}
	}
	for i, ns := range []int64{-1, 1 << 50, -1} {
		in := r.start()
		in.Regs[amd64.RBX] = uint64(7 + i)
		r.place(&program.Site{Role: program.RoleStart, Key: key, CFA: cfa}, Live{})
		unchanged(t, "start", in, r.run(in), Live{})
		in.Regs[amd64.RBX] = 99
		r.place(&program.Site{Role: program.RoleStop, Cond: long(ns), CFA: cfa}, Live{})
		unchanged(t, "stop", in, r.run(in), Live{})
	}
	at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	if f, n := ring.WordAt(mem, at+ring.PairFiltered), ring.WordAt(mem, at+ring.PairReturned); f != 1 || n != 2 {
		t.Errorf("%d left out, %d returned; want 1 and 2", f, n)
	}
	hists, _ := r.rows(mem)
	for _, k := range []byte{7, 9} {
		if s := hists[string([]byte{k, 0, 0, 0, 0, 0, 0, 0})]; s == nil || s.Numbers.Count != 1 {
			t.Errorf("row %d: %+v", k, s)
		}
	}
	if len(hists) != 2 {
		t.Errorf("%d rows, want 2", len(hists))
	}
}

// Over the budget only some calls are timed; all are counted.
func TestPairsAreSampled(t *testing.T) {
	r := newRig(t, 4)
	mem := r.region(&program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true})
	defer unix.Munmap(mem)
	cfa := program.CFA{Reg: amd64.RSP, Offset: 16}
	r.mem[rigControl+ring.Control(r.env.Probe)+ring.ControlThrottle] = 0x3E
	w := rand.New(rand.NewSource(1))
	in := r.start()
	for range 128 {
		live := Live{FreeRegs: amd64.RegSet(w.Uint32()), FlagsDead: w.Intn(2) == 0, StackProven: w.Intn(2) == 0}
		for _, role := range []program.Role{program.RoleStart, program.RoleStop} {
			r.place(&program.Site{Role: role, CFA: cfa}, live)
			unchanged(t, "sampled", in, r.run(in), live)
		}
	}
	area := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	if n, d := ring.WordAt(mem, area+ring.PairUnmatched), ring.NumbersAt(mem, area); n != 0 || !(math.Float64frombits(d.Min) > 0) || d.LastTSC == 0 {
		t.Errorf("%d ends without a beginning; %+v", n, d)
	}
	timed := ring.WordAt(mem, r.env.Agg.Region.AreaOf(r.env.Probe, 1)+ring.PairReturned)
	if n := r.counter(1, ring.CounterSuppressed); timed != 4 || n != 124 || r.openCalls(mem) != 0 {
		t.Errorf("%d timed and %d not, of 128; %d open", timed, n, r.openCalls(mem))
	}
}
