package engine

import (
	"encoding/binary"
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// reader takes records and counters out of the shared region of a bay. It
// outlives the target: the region is memory of both.
type reader struct {
	shared []byte
	layout ring.Layout
	probes int
	lost   []uint64 // records that made no sense, by probe; unattributable ones under 0
	laps   []lap    // by ring
}

// record is a copy of a record. Of two with the same lap, no record in the same ring
// was dropped between them for want of room.
type record struct {
	data []byte
	lap  lap
}

// lap counts when a ring may have been full. That ends only when space is handed
// back: what is written after it lies behind what there was room for before.
type lap struct {
	ring, n int
	before  uint64 // n counts on with what ends behind this position
}

func newReader(shared []byte, layout ring.Layout, probes int) *reader {
	return &reader{shared: shared, layout: layout, probes: probes, lost: make([]uint64, probes), laps: make([]lap, layout.Ps)}
}

// sampleSoon lets the first passes of each probe on each P be timed early, so
// that a rare probe has a cost, too: a pass is timed when the tick comes to zero.
func (r *reader) sampleSoon() {
	const tick = 0x100 - 4
	for b := 0; b <= r.layout.Ps; b++ {
		for p := range r.probes {
			r.shared[r.layout.Block(b)+ring.Counter(p)+ring.CounterTick] = tick
		}
	}
}

// damaged counts a record of a probe that was written and made no sense.
func (r *reader) damaged(probe int) {
	if probe >= r.probes {
		probe = 0
	}
	r.lost[probe]++
}

// word is a word that the target changes while it is read.
func (r *reader) word(off int) *uint64 {
	return (*uint64)(unsafe.Pointer(&r.shared[off]))
}

// totals sums the counters of every probe over all blocks. Cycles are cycles
// here; the session makes nanoseconds of them.
func (r *reader) totals() []Totals {
	out := make([]Totals, r.probes)
	for b := 0; b <= r.layout.Ps; b++ {
		for p := range out {
			base := r.layout.Block(b) + ring.Counter(p)
			load := func(off int) uint64 { return atomic.LoadUint64(r.word(base + off)) }
			t := &out[p]
			t.Passes += load(ring.CounterPasses)
			t.Emitted += load(ring.CounterEmitted)
			t.Suppressed += load(ring.CounterSuppressed)
			t.Dropped += load(ring.CounterDropped)
			t.Errors += load(ring.CounterErrors)
			t.Cycles += float64(load(ring.CounterCycles))
			t.Samples += load(ring.CounterSamples)
			if off, ok := r.layout.Reason(p); ok {
				base, t.Reasoned = r.layout.Block(b)+off, true
				t.Why.Limit += load(ring.ReasonLimit)
				t.Why.Budget += load(ring.ReasonBudget)
				t.Why.Passed += load(ring.ReasonPassed)
				t.Why.Full += load(ring.ReasonFull)
			}
		}
	}
	for p := range out {
		lost := min(r.lost[p], out[p].Emitted)
		out[p].Emitted -= lost
		out[p].Dropped += lost
		out[p].Taken = out[p].Emitted + lost
	}
	return out
}

// records takes every committed record out of all rings and gives them in the
// order of their time stamps. The slices are copies.
func (r *reader) records() []record {
	var out []record
	for b := range r.layout.Ps {
		out = r.drain(out, b)
	}
	slices.SortStableFunc(out, func(a, b record) int {
		x, y := counterOf(a.data), counterOf(b.data)
		// Compared by difference, so that a wrapping counter keeps its order.
		switch d := int64(x - y); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	return out
}

// drain takes the records of a block and hands the space back.
func (r *reader) drain(out []record, block int) []record {
	base, at := r.layout.Block(block), &r.laps[block]
	at.ring = block
	head := atomic.LoadUint64(r.word(base + ring.BlockHead))
	tail := atomic.LoadUint64(r.word(base + ring.BlockTail))
	size := uint64(r.layout.RingSize())
	data := r.shared[base+r.layout.RingOff():][:size]
	if head-tail > size {
		tail = head // the target's memory was overwritten; nothing here can be trusted
		r.lost[0]++
	}
	room := tail + size
	for tail != head {
		rec := r.next(data, tail, head)
		if rec == nil {
			tail = head
			r.lost[0]++
			break
		}
		tail += uint64(len(rec))
		if binary.LittleEndian.Uint16(rec[ring.RecordProbe:]) != ring.Pad {
			at.pass(tail)
			out = append(out, record{data: slices.Clone(rec), lap: lap{ring: block, n: at.n}})
		}
	}
	// Where little was left, a record may have been dropped that was too large for it.
	at.pass(head + size/4)
	at.before = room
	atomic.StoreUint64(r.word(base+ring.BlockTail), tail)
	return out
}

// pass counts on where a position lies behind what there was room for.
func (l *lap) pass(position uint64) {
	if l.before != 0 && position > l.before {
		l.n++
		l.before = math.MaxUint64
	}
}

// next is the record at tail, or nil when its size makes no sense.
func (r *reader) next(data []byte, tail, head uint64) []byte {
	pos := tail & uint64(len(data)-1)
	size := uint64(binary.LittleEndian.Uint32(data[pos:]))
	if size < 8 || size%8 != 0 || size > head-tail || pos+size > uint64(len(data)) {
		return nil
	}
	rec := data[pos : pos+size]
	if size < ring.RecordHeader && binary.LittleEndian.Uint16(rec[ring.RecordProbe:]) != ring.Pad {
		return nil
	}
	return rec
}
