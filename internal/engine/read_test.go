package engine

import (
	"encoding/binary"
	"math/rand"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// writer is what a probe does, in Go: the model that the reader is tested by.
type writer struct {
	*reader
	block int
}

func (w writer) put(tsc uint64, size int) bool {
	base := w.layout.Block(w.block)
	head, tail := *w.word(base + ring.BlockHead), *w.word(base + ring.BlockTail)
	data := w.shared[base+w.layout.RingOff():][:w.layout.RingSize()]
	pos := int(head) & (len(data) - 1)
	if pos+size > len(data) {
		pad := len(data) - pos
		if int(head-tail)+pad+size > len(data) {
			return false
		}
		binary.LittleEndian.PutUint32(data[pos:], uint32(pad))
		binary.LittleEndian.PutUint16(data[pos+ring.RecordProbe:], ring.Pad)
		head, pos = head+uint64(pad), 0
	} else if int(head-tail)+size > len(data) {
		return false
	}
	rec := data[pos : pos+size]
	clear(rec)
	binary.LittleEndian.PutUint32(rec, uint32(size))
	binary.LittleEndian.PutUint64(rec[ring.RecordTSC:], tsc)
	*w.word(base + ring.BlockHead) = head + uint64(size)
	return true
}

func newTestReader(t *testing.T, ps, probes int) *reader {
	t.Helper()
	l := ring.Layout{Ps: ps, BlockShift: 13}
	return newReader(make([]byte, l.SharedSize()), l, probes)
}

func TestRecordsComeOnceAndInOrder(t *testing.T) {
	r := newTestReader(t, 3, 1)
	rnd := rand.New(rand.NewSource(1))
	var tsc, want, got, last uint64
	tsc = ^uint64(0) - 5000 // the counter wraps on the way
	last = tsc
	for range 20_000 {
		tsc++
		if (writer{r, rnd.Intn(3)}).put(tsc, 24+8*rnd.Intn(40)) {
			want++
		}
		if rnd.Intn(20) > 0 {
			continue
		}
		for _, rec := range r.records() {
			got++
			now := binary.LittleEndian.Uint64(rec.data[ring.RecordTSC:])
			if int64(now-last) <= 0 {
				t.Fatalf("record %d after %d", now, last)
			}
			last = now
		}
	}
	got += uint64(len(r.records()))
	if got != want || want < 10_000 {
		t.Errorf("%d records of %d", got, want)
	}
	if r.lost[0] != 0 {
		t.Errorf("%d lost", r.lost[0])
	}
}

func TestDamagedRingIsCountedAndLeft(t *testing.T) {
	for name, damage := range map[string]func(w writer, base int){
		"size zero":     func(w writer, base int) { clear(w.shared[base+w.layout.RingOff():][:8]) },
		"size odd":      func(w writer, base int) { w.shared[base+w.layout.RingOff()] = 33 },
		"size huge":     func(w writer, base int) { w.shared[base+w.layout.RingOff()+3] = 0x7f },
		"head far away": func(w writer, base int) { *w.word(base + ring.BlockHead) = 1 << 40 },
	} {
		r := newTestReader(t, 1, 1)
		w := writer{r, 0}
		w.put(1, 64)
		damage(w, r.layout.Block(0))
		if got := len(r.records()); got != 0 {
			t.Errorf("%s: %d records", name, got)
		}
		if r.lost[0] == 0 {
			t.Errorf("%s: not counted", name)
		}
		if !w.put(2, 64) || len(r.records()) != 1 {
			t.Errorf("%s: the ring does not go on", name)
		}
	}
}

func TestTotalsSumBlocks(t *testing.T) {
	r := newTestReader(t, 2, 3)
	for b := 0; b <= 2; b++ {
		*r.word(r.layout.Block(b) + ring.Counter(1) + ring.CounterEmitted) = uint64(10 + b)
		*r.word(r.layout.Block(b) + ring.Counter(1) + ring.CounterDropped) = 1
	}
	got := r.totals()
	if got[1].Emitted != 33 || got[1].Dropped != 3 || got[1].Hits() != 36 || got[0].Hits() != 0 {
		t.Errorf("%+v", got)
	}
}

func FuzzDrain(f *testing.F) {
	f.Add([]byte{24, 0, 0, 0}, uint64(24), uint64(0))
	f.Fuzz(func(t *testing.T, ringBytes []byte, head, tail uint64) {
		r := newReader(make([]byte, ring.Layout{Ps: 1, BlockShift: 13}.SharedSize()), ring.Layout{Ps: 1, BlockShift: 13}, 1)
		base := r.layout.Block(0)
		copy(r.shared[base+r.layout.RingOff():][:r.layout.RingSize()], ringBytes)
		*r.word(base + ring.BlockHead), *r.word(base + ring.BlockTail) = head, tail
		r.records()
		if *r.word(base + ring.BlockTail) != head {
			t.Error("the ring was not emptied")
		}
	})
}
