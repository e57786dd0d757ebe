//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// oracle is the rig's target as the interpreter sees it.
func (r *rig) oracle(s *program.Site, in cpu) *interp.State {
	r.stray = false
	st := &interp.State{Regs: in.Regs, CFA: s.CFA, Slide: r.env.Slide, Goid: 77}
	if r.env.Image != nil {
		st.Image, st.StackHi = r.env.Image, r.get(rigG+int(rigOffsets.GStackHi))
	}
	for i := range st.X {
		st.X[i] = in.X[i][0]
	}
	st.Mem = func(addr uint64, n int) []byte {
		off := addr - r.base
		if off > rigHole || off+uint64(n) > rigHole {
			r.stray = r.stray || off > rigHole+4096 && addr > 1<<16 && addr < 1<<47
			return nil
		}
		return bytes.Clone(r.mem[off:][:n])
	}
	return st
}

// expected is what the counters of the running P's block must say after a pass.
type expected struct{ passes, emitted, errors uint64 }

func (r *rig) counts(b int) expected {
	return expected{r.counter(b, ring.CounterPasses), r.counter(b, ring.CounterEmitted), r.counter(b, ring.CounterErrors)}
}

// reset empties the ring and the counters of block b; the ring begins at head.
func (r *rig) reset(b int, head uint64) {
	base := rigShared + r.env.Layout.Block(b)
	r.put(base+ring.BlockHead, head)
	r.put(base+ring.BlockTail, head)
	clear(r.mem[base+ring.Counter(r.env.Probe):][:ring.CounterSize])
}

// record is the record that lies in block b's ring behind head, if there is one.
func (r *rig) record(b int, head uint64) []byte {
	base := rigShared + r.env.Layout.Block(b)
	size := uint64(r.env.Layout.RingSize())
	for end := r.get(base + ring.BlockHead); head != end; {
		rec := r.mem[base+r.env.Layout.RingOff()+int(head%size):]
		n := binary.LittleEndian.Uint32(rec)
		if n == 0 || head%size+uint64(n) > size {
			r.t.Fatalf("a record of %d bytes at %d in a ring of %d", n, head%size, size)
		}
		if binary.LittleEndian.Uint16(rec[ring.RecordProbe:]) != ring.Pad {
			return bytes.Clone(rec[:n])
		}
		head += uint64(n)
	}
	return nil
}

// plain makes two records comparable: no clock, nothing where a status is, one
// NaN for all.
func plain(s *program.Site, rec []byte) []byte {
	layout := newRecord(s)
	if len(rec) < int(layout.tail) {
		return rec
	}
	clear(rec[ring.RecordTSC:][:8])
	for i := range s.Slots {
		slot := &s.Slots[i]
		fixed := rec[layout.fixed[i]:][:8]
		size := int64(8)
		switch slot.Kind {
		case program.SlotBlock:
			size = slot.Size
		case program.SlotPlace:
			size = program.PlaceSize
		}
		switch {
		case rec[int(layout.status)+i] != 0:
			clear(rec[layout.fixed[i]:][:pad8(size)])
		case slot.Kind == program.SlotPlace:
			plainPlace(rec[layout.fixed[i]:][:program.PlaceSize], slot.Node.Found().Map)
		case slot.Kind == program.SlotBlock:
			clear(rec[int64(layout.fixed[i])+size:][:pad8(size)-size])
		case slot.Kind == program.SlotScalar && isNaN(slot.Node.Type, binary.LittleEndian.Uint64(fixed)):
			binary.LittleEndian.PutUint64(fixed, 0x7FF)
		}
	}
	at := int64(layout.tail)
	for i := range s.Slots {
		if slot := &s.Slots[i]; slot.Kind == program.SlotBytes && rec[int(layout.status)+i] == 0 {
			n := min(int64(binary.LittleEndian.Uint64(rec[layout.fixed[i]:]))*slot.Elem, slot.Max)
			clear(rec[at+n : at+pad8(n)])
			at += pad8(n)
		}
	}
	return rec
}

// plainPlace clears what no entry is known by.
func plainPlace(place []byte, m *program.Map) {
	word := func(off int) []byte { return place[off:][:8] }
	if binary.LittleEndian.Uint64(word(program.PlaceControl)) == 0 {
		clear(place[8:])
	} else if m.Key != program.KeyString {
		clear(word(program.PlaceSought + 8))
		clear(word(program.PlaceSought)) // perhaps the address of a constant
	}
}

func isNaN(t program.Scalar, v uint64) bool {
	switch t {
	case program.F32:
		return math.IsNaN(float64(math.Float32frombits(uint32(v))))
	case program.F64:
		return math.IsNaN(math.Float64frombits(v))
	}
	return false
}

// compare runs one random site on one random state, by machine and by oracle.
func compareOne(t *testing.T, r *rig, seed int64) {
	w := &author{Rand: rand.New(rand.NewSource(seed)), r: r, spans: true}
	r.t = t
	r.env.Slide = uint64(w.Intn(2)) << 30
	r.env.Log = w.Intn(4) > 0
	w.scribble()
	s, live := w.site(), w.live()
	if _, err := Body(r.env, s, live, r.base); errors.Is(err, ErrTooLarge) {
		return
	}
	r.place(s, live)
	for range 4 {
		in := w.state()
		head := uint64(w.Intn(1<<20)) &^ 7
		if w.Intn(4) == 0 {
			head = 1<<20 - uint64(8+8*w.Intn(64)) // at the end of the ring
		}
		r.reset(1, head)
		if w.Intn(2) == 0 {
			r.mem[rigShared+r.env.Layout.Block(1)+ring.Counter(r.env.Probe)+ring.CounterTick] = 0xFF // sampled
		}
		oracle := r.oracle(s, in)
		want := expected{}
		outcome := oracle.Condition(s)
		var wantRec []byte
		if s.Cond != nil {
			want.passes = 1
		}
		switch outcome {
		case interp.Held:
			want.emitted = 1
			if r.env.Log {
				wantRec = plain(s, oracle.Record(s, r.env.Probe, r.env.Site, 0))
			}
		case interp.Error:
			want.errors = 1
		}
		out := r.run(in)
		unchanged(t, "registers", in, out, live)
		if got := r.counts(1); got != want && !r.stray {
			t.Errorf("counted %+v, want %+v", got, want)
		}
		if got := r.record(1, head); !r.stray && !bytes.Equal(plain(s, got), wantRec) {
			t.Errorf("record\n got %x\nwant %x", got, wantRec)
		}
		if t.Failed() {
			t.Fatalf("seed %d: live %+v; log %v; site %s", seed, live, r.env.Log, describe(s))
		}
	}
}

func TestBodiesEqualTheInterpreter(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	for seed := range int64(600) {
		compareOne(t, r, seed)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(int64(1))
	r := newRig(f, 4)
	r.catch()
	f.Fuzz(func(t *testing.T, seed int64) { compareOne(t, r, seed) })
}
