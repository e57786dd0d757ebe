package engine

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// underway is a call that began and did not end, as the table of pairs has it.
type underway struct {
	word  uint64 // where its key is,
	key   uint64 // and the key
	entry uint64
	stage int32 // see ring.PairStage; of probes that stage
	probe int
	goid  uint64
	depth uint64
	began uint64 // see ring.PairTSC
}

// opens lists the calls under way of all probes.
func (s *sums) opens() []underway {
	var out []underway
	for at, word := range s.region.Held(s.mem) {
		key := word &^ ring.PairOlder
		i := int(key&(1<<ring.PairProbeLen-1)) - 1
		if i < 0 || i >= len(s.plan.probes) {
			continue
		}
		entry := s.region.Pairs + ring.PairKeys + (at-s.region.Pairs)/8*ring.PairEntry
		out = append(out, underway{word: at, key: word, entry: entry, probe: i, goid: key >> ring.PairProbeLen,
			depth: s.word(entry + ring.PairDepth), began: s.word(entry + ring.PairTSC), stage: int32(s.word(entry + ring.PairStage))})
	}
	return out
}

// running counts the calls under way of each probe; of many probes, not more than
// ten times a second, unless recount asks for it.
func (s *sums) running() []uint64 {
	if time.Since(s.counted) < 100*time.Millisecond && len(s.open) > hooked {
		return s.open
	}
	s.open, s.counted = make([]uint64, len(s.plan.probes)), time.Now()
	for _, o := range s.opens() {
		s.open[o.probe]++
	}
	return s.open
}

// recount lets the calls under way be counted anew: what was one of them is counted
// among those that have ended.
func (s *sums) recount() { s.counted = time.Time{} }

// calls is what became of the calls of a probe.
func (s *sums) calls(i int) *probe.Calls {
	c := s.gone[i]
	for ps := range s.region.Ps {
		at := s.region.AreaOf(i, ps)
		for _, x := range []struct {
			to  *uint64
			off uint64
		}{
			{&c.Returned, ring.PairReturned}, {&c.Recovered, ring.PairRecovered}, {&c.Panicked, ring.PairPanicked},
			{&c.Goexited, ring.PairGoexited}, {&c.Restarted, ring.PairRestarted}, {&c.Unmatched, ring.PairUnmatched},
			{&c.Lost, ring.PairLost}, {&c.Filtered, ring.PairFiltered}, {&c.Backwards, ring.PairBackwards},
		} {
			*x.to += s.word(at + x.off)
		}
	}
	c.Running += s.running()[i]
	if s.plan.probes[i].program.Aggregate.Filter {
		c.Unmatched = 0 // calls that the condition left out end, too
	}
	return &c
}

// sweepEvery is how often calls of goroutines that have ended are taken out of the
// table. There are any only where a goroutine ended after it had recovered from a
// panic and did not come by any site since, or left a way half gone.
const sweepEvery = 5 * time.Second

// sweep takes the calls of goroutines that are no more out of the table: nobody
// else will touch them. A panic ended them; a way is abandoned.
func (w *watch) sweep() {
	for _, o := range w.stale(nil) {
		w.l.sums.drop(o)
	}
}

// stale lists the calls in the table that ended without an end, all of them while
// their probes were in: of goroutines that are no more, and, of probes about to be
// taken out, of goroutines that live and whose stack is shorter by now. These touch
// their calls themselves as long as the probes are in. What ends afterwards ends
// unseen, and how is not known: it counts as running, as it was.
func (w *watch) stale(ending []int) []underway {
	if w.l.sums == nil || w.lost {
		return nil
	}
	calls := w.l.sums.opens()
	if len(calls) == 0 {
		return nil
	}
	// Twice: what is read of a goroutine that runs meanwhile may be of two moments.
	for range 2 {
		live, err := w.goroutines()
		if err != nil {
			w.s.opt.Log.Debug("the goroutines could not be listed", "error", err)
			return nil
		}
		calls = slices.DeleteFunc(calls, func(o underway) bool {
			g, ok := live[o.goid]
			return ok && !(slices.Contains(ending, o.probe) && w.l.sums.frames(o.probe) && g.above(o.depth))
		})
		if len(calls) == 0 || len(ending) == 0 {
			break
		}
	}
	return calls
}

func (s *sums) frames(i int) bool { return s.plan.probes[i].program.Aggregate.Frames }

// drop takes a call out whose goroutine does not touch it any more, if it is the
// one that was listed.
func (s *sums) drop(o underway) {
	if s.word(o.entry+ring.PairTSC) != o.began {
		return
	}
	// Its snapshot may have been taken since it was listed, and its word given up.
	stage := int32(s.word(o.entry + ring.PairStage))
	if !atomic.CompareAndSwapUint64(s.pointer(o.word), o.key, 0) {
		return
	}
	s.recount()
	if s.stages(o.probe) {
		s.unstage(stage)
	}
	if s.frames(o.probe) {
		s.gone[o.probe].Panicked++
	} else {
		s.gone[o.probe].Abandoned++
	}
}

// goroutine is one that lives.
type goroutine struct {
	depth uint64 // of its stack pointer, where it is known; else 0
}

// above tells whether a frame of a depth is certainly gone.
func (g goroutine) above(depth uint64) bool { return g.depth != 0 && depth > g.depth }

// Statuses of a goroutine (runtime/runtime2.go), without the bit of a scan.
const (
	statusRunning = 2
	statusDead    = 6
	statusScan    = 0x1000
)

// goroutines lists the goroutines that live, by their number.
func (w *watch) goroutines() (map[uint64]goroutine, error) {
	rt := w.s.rt
	slide := w.s.text.Slide
	read := func(at uint64, b []byte) error { return w.s.proc.ReadAt(b, at) }
	var word [16]byte
	if err := read(rt.Allglen+slide, word[:8]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(word[:])
	if err := read(rt.Allgs+slide, word[:8]); err != nil {
		return nil, err
	}
	if n > maxGoroutines {
		n = maxGoroutines
	}
	list := make([]byte, 8*n)
	if err := read(binary.LittleEndian.Uint64(word[:]), list); err != nil {
		return nil, err
	}
	size := max(rt.GGoid, rt.GStatus, rt.GSchedSP, rt.GStackHi) + 8
	g := make([]byte, size)
	out := make(map[uint64]goroutine, n)
	for i := range n {
		if err := read(binary.LittleEndian.Uint64(list[8*i:]), g); err != nil {
			return nil, err
		}
		status := binary.LittleEndian.Uint32(g[rt.GStatus:]) &^ statusScan
		if status == statusDead {
			continue
		}
		it := goroutine{}
		if sp := binary.LittleEndian.Uint64(g[rt.GSchedSP:]); status != statusRunning && sp != 0 {
			it.depth = binary.LittleEndian.Uint64(g[rt.GStackHi:]) - sp
		}
		out[binary.LittleEndian.Uint64(g[rt.GGoid:])] = it
	}
	return out, nil
}

// maxGoroutines bounds what is read of a target.
const maxGoroutines = 1 << 22
