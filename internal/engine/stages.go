package engine

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// told is the snapshot of a call that has ended as it was asked.
type told struct {
	probe    int
	rec      []byte
	duration time.Duration
}

// told takes out the snapshots that the target has told, in the order in which their
// calls began.
func (s *sums) told() []told {
	var out []told
	for i := range uint64(s.region.Stages) {
		state := s.region.StateAt + 8*i
		if s.word(state) != ring.StageTold {
			continue
		}
		at := s.mem[s.region.StageAt+i*s.region.StageSize:][:s.region.StageSize]
		rec := at[ring.StageRecord:]
		ns := math.Float64frombits(binary.LittleEndian.Uint64(at[ring.StageDuration:]))
		size := min(uint64(binary.LittleEndian.Uint32(rec)), uint64(len(rec)))
		out = append(out, told{rec: slices.Clone(rec[:size]), duration: time.Duration(ns),
			probe: int(binary.LittleEndian.Uint16(rec[ring.RecordProbe:]))})
		s.set(state, ring.StageFree)
	}
	slices.SortStableFunc(out, func(a, b told) int { return cmp.Compare(startOf(a.rec), startOf(b.rec)) })
	return out
}

func startOf(rec []byte) uint64 {
	if len(rec) < ring.RecordHeader {
		return 0
	}
	return counterOf(rec)
}

// set writes a word that the target may read.
func (s *sums) set(off, v uint64) { atomic.StoreUint64(s.pointer(off), v) }

func (s *sums) pointer(off uint64) *uint64 { return (*uint64)(unsafe.Pointer(&s.mem[off])) }

// stages tells whether a probe takes snapshots of its calls.
func (s *sums) stages(i int) bool { return s.region.Probes[i].Stage > 0 }

// unstage gives up the snapshot of a call that nobody touches any more; number is its
// PairStage.
func (s *sums) unstage(number int32) {
	if number > 0 && int(number) <= s.region.Stages {
		s.set(s.region.StateAt+8*uint64(number-1), ring.StageFree)
	}
}

// leave gives up the snapshots of the calls under way of probes that are out: nobody
// will tell them.
func (s *sums) leave(ended []int) {
	for _, o := range s.opens() {
		if slices.Contains(ended, o.probe) && s.stages(o.probe) {
			s.unstage(o.stage)
			binary.LittleEndian.PutUint32(s.mem[o.entry+ring.PairStage:], 0)
		}
	}
}

// snapshots is what became of the snapshots of a probe's calls; nil if it takes none.
func (s *sums) snapshots(i int) *probe.Snapshots {
	if !s.stages(i) {
		return nil
	}
	broken := min(s.broken[i], s.total(i, ring.PairPublished))
	return &probe.Snapshots{Taken: s.total(i, ring.PairPublished) - broken,
		Suppressed: s.total(i, ring.PairHeld), Dropped: s.total(i, ring.PairUnstaged) + broken}
}

// total is a word of a probe's areas, all together.
func (s *sums) total(i int, off uint64) (sum uint64) {
	for ps := range s.region.Ps {
		sum += s.word(s.region.AreaOf(i, ps) + off)
	}
	return sum
}

// calls passes on the snapshots of calls that have ended.
func (w *watch) calls() {
	if w.l.sums == nil {
		return
	}
	for _, t := range w.l.sums.told() {
		m, err := w.decoder.Call(t.rec, t.duration)
		if err != nil {
			if t.probe < len(w.l.sums.broken) {
				w.l.sums.broken[t.probe]++
			}
			w.s.opt.Log.Error("the snapshot of a call makes no sense and is counted as dropped", "error", err)
			continue
		}
		w.s.out.put(m)
	}
}

// staging adds to the counters what the sums have of times.
func (s *sums) staging(i int, t *Totals) {
	if !s.region.Probes[i].Pair {
		return
	}
	if s.plan.probes[i].program.Aggregate.Filter {
		t.Filtered = s.total(i, ring.PairFiltered)
		t.Passes = max(t.Passes, t.Hits()+t.Filtered)
	}
	if s.stages(i) {
		t.Told, t.Staged = s.total(i, ring.PairPublished), s.total(i, ring.StageCount)
		t.StageCycles = float64(s.total(i, ring.StageCycles))
	}
}
