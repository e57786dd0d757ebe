package patch

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// stretches is a text whose padding is known.
func stretches(all ...[2]uint64) *Padding {
	return NewPadding(func(lo, hi uint64) (out [][2]uint64) {
		for _, s := range all {
			if s[0] < hi && lo < s[1] {
				out = append(out, s)
			}
		}
		return out
	})
}

func TestPlanHops(t *testing.T) {
	push1 := []byte{0x55}                   // push rbp
	back := slices.Concat(load3, jump8(-5)) // a loop of two short instructions
	for _, c := range []struct {
		name     string
		code     []byte
		site     uint64
		pad      [][2]uint64
		rules    Rules
		hop      uint64
		length   int
		interior []uint64
	}{
		{name: "ahead", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{0x20, 0x30}}, hop: 0x2B, length: 2},
		{name: "behind", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{^uint64(0x1F), ^uint64(0x0F)}}, hop: ^uint64(0x14), length: 2},
		{name: "last in reach ahead", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{5 + 127, 5 + 132}}, hop: 5 + 127, length: 2},
		{name: "out of reach ahead", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{5 + 128, 5 + 133}}, length: 2},
		{name: "partly in reach", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{5 + 120, 5 + 160}}, hop: 5 + 127, length: 2},
		{name: "out of reach behind", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{^uint64(200), ^uint64(123)}}, length: 2},
		{name: "last in reach behind", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{^uint64(122), ^uint64(117)}}, hop: ^uint64(122), length: 2},
		{name: "too small", code: slices.Concat(back, ret1), site: 3, pad: [][2]uint64{{0x20, 0x24}}, length: 2},
		{name: "five bytes fit: no hop", code: slices.Concat(mov7, ret1), pad: [][2]uint64{{0x20, 0x30}}, length: 7},
		{name: "branch inside", code: slices.Concat(push1, load3, jump8(-5), ret1), pad: [][2]uint64{{0x20, 0x30}}, length: 1},
		{name: "two instructions", code: slices.Concat(push1, load3, ret1), rules: Rules{DeferReturn: base + 4}, pad: [][2]uint64{{0x20, 0x30}}, hop: 0x2B, length: 4, interior: []uint64{base + 1}},
		{name: "recovery inside", code: slices.Concat(push1, load3, ret1), rules: Rules{DeferReturn: base + 1}, pad: [][2]uint64{{0x20, 0x30}}, length: 1},
		{name: "a call returns behind", code: slices.Concat(call2, mov7, ret1), pad: [][2]uint64{{0x20, 0x30}}, hop: 0x2B, length: 2},
		{name: "spills a byte", code: slices.Concat(mov7, ret1), site: 7, rules: Rules{PaddingAfter: 3}, pad: [][2]uint64{{8, 11}, {0x20, 0x30}}, hop: 0x2B, length: 1},
		{name: "not into its own spill", code: slices.Concat(mov7, ret1), site: 7, rules: Rules{PaddingAfter: 1}, pad: [][2]uint64{{8, 13}}, length: 1},
		{name: "behind its own spill", code: slices.Concat(mov7, ret1), site: 7, rules: Rules{PaddingAfter: 1}, pad: [][2]uint64{{8, 14}}, hop: 9, length: 1},
		{name: "unknown jumps, one instruction", code: slices.Concat(load3, indir2), pad: [][2]uint64{{0x20, 0x30}}, hop: 0x2B, length: 3},
	} {
		for i := range c.pad {
			c.pad[i] = [2]uint64{base + c.pad[i][0], base + c.pad[i][1]}
		}
		c.rules.Graph, c.rules.Hop = graph(t, c.code, amd64.FlowOptions{}), stretches(c.pad...).Hop
		w, err := Plan(c.rules, base+c.site)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want := c.hop
		if want != 0 {
			want += base
		}
		if w.Hop != want || w.Len != c.length || !slices.Equal(w.Interior, c.interior) || w.Jump != (w.Why == "") || w.Hop != 0 && !w.Jump {
			t.Errorf("%s: hop %#x, %d bytes, interior %#x, jump %v (%s); want %#x, %d, %#x",
				c.name, w.Hop, w.Len, w.Interior, w.Jump, w.Why, want, c.length, c.interior)
		}
		if w.Hop == 0 {
			continue
		}
		if _, err := Short(w.Addr, w.Hop); err != nil || w.Room() != ShortLen {
			t.Errorf("%s: %d bytes, %v", c.name, w.Room(), err)
		}
	}
}

// Whatever takes padding, nothing overlaps, all of it is padding, and what was
// given back can be taken again.
func TestPaddingNeverOverlaps(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var all [][2]uint64
		for at := uint64(base); len(all) < 20; {
			at += 1 + r.Uint64N(64)
			n := 1 + r.Uint64N(31)
			all = append(all, [2]uint64{at, at + n})
			at += n
		}
		p := stretches(all...)
		owner := map[uint64]int{}
		claim := func(who int, lo, hi uint64) {
			p.Take(lo, hi)
			for a := lo; a < hi; a++ {
				inside := slices.ContainsFunc(all, func(s [2]uint64) bool { return s[0] <= a && a < s[1] })
				if owner[a] != 0 || !inside {
					t.Fatalf("%#x is %d's, and no padding or %d's", a, who, owner[a])
				}
				owner[a] = who
			}
		}
		for i := range 100 {
			s := all[r.IntN(len(all))]
			if n := uint64(p.After(s[0])); r.IntN(3) == 0 && n > 0 {
				claim(i+1, s[0], s[0]+1+r.Uint64N(n))
				continue
			}
			lo := base + r.Uint64N(600)
			at, ok := p.Hop(lo, lo+127)
			if !ok {
				continue
			}
			if at < lo || at > lo+127 {
				t.Fatalf("%#x is out of [%#x,%#x]", at, lo, lo+127)
			}
			if claim(i+1, at, at+JumpLen); r.IntN(4) == 0 {
				p.Give(at, at+JumpLen)
				for a := at; a < at+JumpLen; a++ {
					delete(owner, a)
				}
			}
		}
	}
}

func TestShort(t *testing.T) {
	for _, c := range []struct {
		to   uint64
		want [2]byte
		ok   bool
	}{{base + 2, [2]byte{0xEB, 0}, true}, {base + 129, [2]byte{0xEB, 127}, true}, {base - 126, [2]byte{0xEB, 0x80}, true},
		{base + 130, [2]byte{}, false}, {base - 127, [2]byte{}, false}} {
		if got, err := Short(base, c.to); got != c.want || (err == nil) != c.ok {
			t.Errorf("%#x: % x, %v", c.to, got, err)
		}
	}
}
