//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// region gives the rig a region of aggregates for its probe.
func (r *rig) region(what *program.Aggregate) []byte {
	r.t.Helper()
	needs := make([]ring.Need, r.env.Probe+1)
	needs[r.env.Probe] = ring.Need{Hist: what.Hist, Signed: what.Number != program.U64, By: what.By != nil, Pair: what.Pair}
	agg, err := ring.NewAggregates(r.env.Layout.Ps, needs)
	if err != nil {
		r.t.Fatal(err)
	}
	mem, err := unix.Mmap(-1, 0, int(agg.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		r.t.Fatal(err)
	}
	agg.Prepare(mem)
	r.env.Agg = &Aggregation{At: uint64(uintptr(unsafe.Pointer(&mem[0]))), Region: agg, What: what, Rate: 0.5}
	return mem
}

// sums reads what was added up on P 1: at the main distribution, or at a row.
func sums(mem []byte, words, positive, negative uint64, n, negN, size int) (s interp.Sums) {
	s.Numbers = ring.NumbersAt(mem, words)
	read := func(at uint64, n int) map[int]uint64 {
		m := map[int]uint64{}
		for i := range n {
			v := uint64(binary.LittleEndian.Uint32(mem[at+uint64(i*size):]))
			if size == 8 {
				v = binary.LittleEndian.Uint64(mem[at+uint64(i*size):])
			}
			if v != 0 {
				m[i] = v
			}
		}
		return m
	}
	s.Positive, s.Negative = read(positive, n), read(negative, negN)
	return s
}

func (r *rig) mainSums(mem []byte) interp.Sums {
	at := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	neg := 0
	if r.env.place().Signed {
		neg = ring.MainBuckets
	}
	return sums(mem, at, at+ring.AreaPositive, at+ring.AreaNegative, ring.MainBuckets, neg, 8)
}

// rows reads the rows of all keys, by name.
func (r *rig) rows(mem []byte) (hists map[string]*interp.Sums, counts map[string]int64) {
	p := r.env.place()
	area := r.env.Agg.Region.AreaOf(r.env.Probe, 1)
	hists, counts = map[string]*interp.Sums{}, map[string]int64{}
	for row := range uint64(ring.Rows) {
		name := ""
		rec := mem[p.Keys+ring.KeyRecords+row*ring.KeyRecord:]
		switch {
		case row == ring.RowOther:
			name = "other"
		case row == ring.RowUnreadable:
			name = interp.KeyUnreadable
		default:
			n := binary.LittleEndian.Uint64(rec)
			name = string(rec[8 : 8+min(n, ring.KeyMax)])
			if n > ring.KeyMax {
				name += "\x00longer"
			}
		}
		if p.Hist {
			at := area + p.Rows + row<<ring.RowShift
			s := sums(mem, at, at+ring.RowPositive, at+ring.RowNegative, ring.RowBuckets, ring.NegBuckets, 4)
			if !reflect.DeepEqual(s, interp.Sums{Positive: map[int]uint64{}, Negative: map[int]uint64{}}) {
				hists[name] = &s
			}
		} else if v := int64(ring.WordAt(mem, area+p.Rows+row<<ring.CountRowShift)); v != 0 {
			counts[name] = v
		}
	}
	return hists, counts
}

// whole gives empty maps to sums that have none.
func whole(s *interp.Sums) *interp.Sums {
	if s.Positive == nil {
		s.Positive, s.Negative = map[int]uint64{}, map[int]uint64{}
	}
	return s
}

func (w *author) key() *program.Key {
	k := &program.Key{Node: w.node(integers[w.Intn(len(integers))], w.Intn(3))}
	if w.Intn(2) == 0 {
		k.Node, k.Len = w.address(w.Intn(2)), constant(program.I64, int64(w.Intn(80)))
		if w.Intn(4) == 0 {
			k.Len = w.node(program.I64, 1)
		}
	}
	return k
}

func compareAggregate(t *testing.T, r *rig, seed int64) {
	w := &author{Rand: rand.New(rand.NewSource(seed)), r: r}
	r.t = t
	r.env.Log = false
	w.scribble()
	what := &program.Aggregate{Hist: w.Intn(4) > 0, Number: []program.Scalar{program.I64, program.U64, program.F64}[w.Intn(3)]}
	s := &program.Site{CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}
	if w.Intn(3) == 0 {
		s.Cond = w.node(program.Bool, 1+w.Intn(4))
	}
	if what.Hist {
		s.Value = w.node(what.Number, w.Intn(4))
	}
	if !what.Hist || w.Intn(2) == 0 {
		s.Key = w.key()
		what.By = s.Key
	}
	mem := r.region(what)
	defer unix.Munmap(mem)
	live := w.live()
	r.place(s, live)
	model := &interp.Aggregate{What: what}
	r.reset(1, 0)
	want := expected{}
	for range 12 {
		in := w.state()
		oracle := r.oracle(s, in)
		if s.Cond != nil {
			want.passes++
		}
		switch oracle.Condition(s) {
		case interp.Held:
			want.emitted++
			model.Hit(oracle, s)
		case interp.Error:
			want.errors++
		}
		if w.Intn(4) == 0 {
			r.mem[rigShared+r.env.Layout.Block(1)+ring.Counter(r.env.Probe)+ring.CounterTick] = 0xFF // sampled
		}
		unchanged(t, "registers", in, r.run(in), live)
	}
	if got := r.counts(1); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
	if what.Hist {
		main := r.mainSums(mem)
		if !reflect.DeepEqual(&main, whole(&model.Main)) {
			t.Errorf("main\n got %+v\nwant %+v", main, model.Main)
		}
	}
	if what.By != nil {
		hists, counts := r.rows(mem)
		for name, s := range model.Rows {
			if hists[name] == nil || !reflect.DeepEqual(hists[name], whole(s)) {
				t.Errorf("row %q\n got %+v\nwant %+v", name, hists[name], s)
			}
		}
		if len(hists) != len(model.Rows) || len(counts) != len(model.Keys) {
			t.Errorf("%d and %d rows, want %d and %d", len(hists), len(counts), len(model.Rows), len(model.Keys))
		}
		for name, n := range model.Keys {
			if counts[name] != n {
				t.Errorf("row %q: %d, want %d", name, counts[name], n)
			}
		}
	}
	if t.Failed() {
		t.Fatalf("seed %d: live %+v; what %+v; value %s; key %+v; site %s", seed, live, *what, show(s.Value), s.Key, describe(s))
	}
}

func TestAggregatesEqualTheInterpreter(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	for seed := range int64(800) {
		compareAggregate(t, r, seed)
	}
}

func FuzzAggregate(f *testing.F) {
	f.Add(int64(1))
	r := newRig(f, 4)
	r.catch()
	f.Fuzz(func(t *testing.T, seed int64) { compareAggregate(t, r, seed) })
}

// More keys than there are rows: each has its own row or is among the others, and
// nothing is lost.
func TestKeysWithoutBound(t *testing.T) {
	r := newRig(t, 4)
	key := &program.Key{Node: reg(program.U64, amd64.RBX)}
	what := &program.Aggregate{By: key}
	mem := r.region(what)
	defer unix.Munmap(mem)
	s := &program.Site{Key: key}
	r.place(s, Live{})
	in := r.start()
	for i := range uint64(5000) {
		in.Regs[amd64.RBX] = i % 2500 * 0x10001
		r.run(in)
	}
	_, counts := r.rows(mem)
	total, keys := int64(0), 0
	for name, n := range counts {
		total += n
		if name != "other" {
			keys++
			if n != 2 {
				t.Errorf("a key has %d hits, want 2", n)
			}
		}
	}
	if total != 5000 || keys > ring.KeysMax || keys < ring.KeysMax-1 {
		t.Errorf("%d hits of %d keys", total, keys)
	}
}

// BenchmarkPairs is a call's start and stop.
func BenchmarkPairs(b *testing.B) {
	for name, live := range map[string]Live{"free": {FlagsDead: true, StackProven: true}, "flags": {StackProven: true}} {
		for _, by := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/by=%v", name, by), func(b *testing.B) {
				r := newRig(b, 4)
				cfa := program.CFA{Reg: amd64.RSP, Offset: 8}
				what := &program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: true}
				start := &program.Site{Role: program.RoleStart, CFA: cfa}
				if by {
					start.Key = &program.Key{Node: reg(program.I64, amd64.R8)}
					what.By = start.Key
				}
				mem := r.region(what)
				defer unix.Munmap(mem)
				r.passes2(b, start, &program.Site{Role: program.RoleStop, CFA: cfa}, live)
			})
		}
	}
}

func BenchmarkAggregates(b *testing.B) {
	best := Live{FlagsDead: true, StackProven: true}
	flags := Live{StackProven: true}
	intKey := &program.Key{Node: reg(program.I64, amd64.R8)}
	textKey := &program.Key{Node: reg(program.U64, amd64.RSI), Len: constant(program.I64, 16)}
	qty := reg(program.I64, amd64.R15)
	for _, c := range []struct {
		name string
		what program.Aggregate
		site program.Site
	}{
		{"none", program.Aggregate{}, program.Site{}},
		{"measure", program.Aggregate{Hist: true, Number: program.I64}, program.Site{Value: qty}},
		{"measure/float", program.Aggregate{Hist: true, Number: program.F64}, program.Site{Value: &program.Node{Op: program.OpConv, Type: program.F64, X: qty}}},
		{"count/by/int", program.Aggregate{By: intKey}, program.Site{Key: intKey}},
		{"count/by/string16", program.Aggregate{By: textKey}, program.Site{Key: textKey}},
		{"measure/by/int", program.Aggregate{Hist: true, Number: program.I64, By: intKey}, program.Site{Value: qty, Key: intKey}},
		{"measure/by/string16", program.Aggregate{Hist: true, Number: program.I64, By: textKey}, program.Site{Value: qty, Key: textKey}},
	} {
		for name, live := range map[string]Live{"free": best, "flags": flags} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				r := newRig(b, 4)
				if c.name == "none" {
					r.passes(b, nil, live)
					return
				}
				mem := r.region(&c.what)
				defer unix.Munmap(mem)
				r.passes(b, &c.site, live)
			})
		}
	}
}
