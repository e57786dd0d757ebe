package value

import (
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// chained is memory of the structs of tPtr, from 0x20000 on one behind the other, each
// of which points to the next, and V says how many come before it.
func chained(addr uint64, n int64) []byte {
	var b []byte
	for a := addr; a < addr+uint64(n); a += 16 {
		b = append(b, words((a-0x20000)/16, a+16)...)
	}
	return b
}

// nodes are the structs of a chain, up to the pointer that was not followed, and
// why it was not.
func nodes(v probe.Value) (list []probe.Value, why string) {
	for len(v.Elems) == 1 {
		s := v.Elems[0]
		list = append(list, s)
		v = s.Fields[1].Value
	}
	return list, v.Cut
}

// TestRest: what a hit had no more time for is read after it, marked, and within
// the bounds that the hit had; what it did copy stays exact.
func TestRest(t *testing.T) {
	one := block{addr: 0x20000, data: chained(0x20000, 16), depth: 1}
	for _, tc := range []struct {
		name   string
		bounds probe.Bounds
		past   bool
		nodes  int
		why    string
	}{
		{"depth", probe.Bounds{}, false, 3, "deeper than --depth 3"},
		{"objects", probe.Bounds{Depth: 50, MaxItems: 11}, false, 11, "more than --max-items 11 objects"},
		{"bytes", probe.Bounds{Depth: 50, MaxBytes: 16 + 5*16}, false, 6, "more than --max-bytes 96"},
		{"a call that began long ago", probe.Bounds{}, true, 1, "more than --max-time 20µs"},
	} {
		r := New(Config{Image: imageOf(t, ring.CutTime, at(0x20000), one), Bounds: tc.bounds, Late: chained, Past: tc.past})
		// The variable itself lies in the image's first object, which is none of the chain's.
		r.rest.objects.left, r.rest.bytes.left = r.rest.objects.left+1, r.rest.bytes.left+8
		v := r.Value(tPtr, Place{Addr: 0x10000}, Exact)
		list, why := nodes(v)
		if len(list) != tc.nodes || why != tc.why || v.Late {
			t.Errorf("%s: %d nodes, then %q: %s", tc.name, len(list), why, v)
		}
		for i, s := range list {
			if late := i > 0; s.Fields[0].Value.Int != int64(i) || s.Late != late || s.Fields[0].Value.Late != late {
				t.Errorf("%s: node %d: %+v", tc.name, i, s)
			}
		}
	}
	whole := New(Config{Image: imageOf(t, 0, at(0x20000), one), Late: chained})
	if list, why := nodes(whole.Value(tPtr, Place{Addr: 0x10000}, Exact)); len(list) != 1 || why != WhyNot {
		t.Errorf("an image that had time: %d nodes, then %q", len(list), why)
	}
}

// TestRestOfCopied: what was copied is shown however deep it lies, and what was not
// for another reason than time is not read.
func TestRestOfCopied(t *testing.T) {
	deep := block{addr: 0x20000, data: chained(0x20000, 5*16), depth: 1}
	r := New(Config{Image: imageOf(t, ring.CutTime, at(0x20000), deep), Late: chained})
	list, why := nodes(r.Value(tPtr, Place{Addr: 0x10000}, Exact))
	if len(list) != 5 || list[4].Late || why != "deeper than --depth 3" {
		t.Errorf("%d nodes, then %q", len(list), why)
	}
	short := imageOf(t, ring.CutTime, at(0x20000, 5, 5), block{addr: 0x20000, data: words(1, 2), depth: 1, short: true})
	v := New(Config{Image: short, Object: 16, Late: chained}).Value(tInts, Place{Addr: 0x10000}, Exact)
	if len(v.Elems) != 2 || v.Elems[1].Late || v.Cut != "more than 16 bytes of one object for --max-bytes 32768" {
		t.Errorf("%+v", v)
	}
	m := imageOf(t, ring.CutTime)
	_, hi := m.Stack()
	if v := New(Config{Image: m, Late: chained}).Value(tInt, Place{Addr: hi}, Exact); v.Text != WhyStack(probe.Bounds{}) {
		t.Errorf("the stack is read after the hit: %+v", v)
	}
	list, _ = nodes(New(Config{Image: m, Late: chained}).Value(tPtr, Place{Addr: 0x20008}, Outer))
	if len(list) != 3 || !list[2].Late {
		t.Errorf("of a calling frame: %d nodes", len(list))
	}
}

// TestRestIsShared: a variable that leads far leaves to the others what they need.
func TestRestIsShared(t *testing.T) {
	r := New(Config{Image: imageOf(t, ring.CutTime, at(0x20000)), Bounds: probe.Bounds{Depth: 20, MaxItems: 13}, Late: chained})
	r.Expect(3)
	for i, want := range []int{4, 4, 4} { // of 13 less the one that was copied
		list, why := nodes(r.Value(tPtr, Place{Addr: 0x30008 + uint64(i)<<16}, Outer))
		if len(list) != 20 {
			t.Fatalf("of a calling frame: %d nodes, then %q", len(list), why)
		}
		begin := 0x20000 + uint64(i)<<16
		p := Place{Bytes: words(begin), Have: []bool{true, true, true, true, true, true, true, true}}
		if list, why := nodes(r.Value(tPtr, p, Exact)); len(list) != want || why != "more than --max-items 13 objects" {
			t.Errorf("variable %d: %d nodes, then %q", i, len(list), why)
		}
	}
}

// TestRestOfErrors: a message of which a part was read after the hit is not of the
// hit.
func TestRestOfErrors(t *testing.T) {
	failure := ptr(structOf("errors.errorString", "s", tString))
	failure.Name = "*errors.errorString"
	cfg := Config{Image: imageOf(t, ring.CutTime, at(0x500010, 0x20000), block{addr: 0x20000, data: words(0x30000, 4), depth: 1}),
		Type: func(uint64) *program.Type { return failure }, Listed: func(uint64) bool { return true },
		Late: func(_ uint64, n int64) []byte { return append([]byte("oops"), make([]byte, n-4)...) }}
	if v := New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); v.Text != "oops" || !v.Late {
		t.Errorf("%+v", v)
	}
	cfg.Image = imageOf(t, ring.CutTime, at(0x500010, 0x20000), block{addr: 0x20000, data: words(0x30000, 4), depth: 1},
		block{addr: 0x30000, data: binary.LittleEndian.AppendUint32(nil, 0x6b6f2d), depth: 1})
	if v := New(cfg).Value(tAny, Place{Addr: 0x10000}, Exact); v.Text != "-ok\x00" || v.Late {
		t.Errorf("%+v", v)
	}
}
