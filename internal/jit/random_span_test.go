//go:build linux && amd64

package jit

import (
	"math/rand"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// span looks for a span in a random chain of contexts.
func (w *author) span(depth int) *program.Node {
	slide := w.r.env.Slide
	// Types are known by their addresses alone, so that any number will do.
	kind := func(i int) uint64 { return 0x700000 + uint64(i)<<8 }
	c := &program.Chain{Value: kind(0) - slide, Next: 8 * int64(w.Intn(2)), Key: 24, Val: 48, SpanKey: kind(1) - slide, Max: int64(w.Intn(8))}
	for i := range w.Intn(4) {
		c.Contexts = append(c.Contexts, program.Link{Type: kind(2+i) - slide, Off: int64(8*w.Intn(6) - 8)})
		c.Spans = append(c.Spans, program.Link{Type: kind(8+i) - slide, Off: int64(8*w.Intn(40) - 8)})
	}
	tab, data := uint64(w.Intn(2)*w.Intn(5000)), w.pointer() // around the outermost
	for range w.Intn(10) {
		t, at := w.alloc(16), w.alloc(64)
		which := w.Intn(6)
		off := uint64(c.Next)
		if which >= 2 {
			off = uint64(8 * w.Intn(6))
			for _, l := range c.Contexts {
				if l.Type+slide == kind(which) && l.Off >= 0 {
					off = uint64(l.Off)
				}
			}
		} else {
			which = 0
			w.set(at+uint64(c.Key), kind(w.Intn(2)*w.Intn(2)))
			w.set(at+uint64(c.Val), kind(7+w.Intn(6)))
			w.set(at+uint64(c.Val)+8, w.pointer())
		}
		w.set(t+8, kind(which))
		w.set(at+off, tab)
		w.set(at+off+8, data)
		tab, data = t, at
	}
	x, y := constant(program.U64, int64(tab)), constant(program.U64, int64(data))
	if w.Intn(10) == 0 {
		x = w.node(program.U64, depth)
		x = masked(x, w.r.base)
	}
	return &program.Node{Op: program.OpSpan, Type: program.U64, X: x, Y: y, Chain: c}
}

func TestSpanEqualsTheInterpreter(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	outcomes := map[program.Status]int{}
	for seed := range int64(1000) {
		w := &author{Rand: rand.New(rand.NewSource(seed)), r: r}
		r.t, r.env.Log, r.env.Slide = t, true, uint64(w.Intn(2))<<16
		w.scribble()
		n := w.span(2)
		s := &program.Site{CFA: program.CFA{Reg: 4, Offset: 16}, Slots: []program.Slot{{Kind: program.SlotScalar, Node: n, Size: 8}}}
		live := w.live()
		r.place(s, live)
		in := w.state()
		r.reset(1, 0)
		oracle := r.oracle(s, in)
		_, st := oracle.Eval(n)
		if r.stray {
			continue
		}
		outcomes[st]++
		want := plain(s, oracle.Record(s, r.env.Probe, r.env.Site, 0))
		unchanged(t, "registers", in, r.run(in), live)
		if got := plain(s, r.record(1, 0)); string(got) != string(want) {
			t.Fatalf("seed %d: record\n got %x\nwant %x\n%+v %s", seed, got, want, n.Chain, describe(s))
		}
	}
	for _, st := range []program.Status{program.StatusOK, program.StatusKey, program.StatusType, program.StatusLarge, program.StatusFault} {
		if outcomes[st] < 20 {
			t.Errorf("%d searches ended in status %d", outcomes[st], st)
		}
	}
}
