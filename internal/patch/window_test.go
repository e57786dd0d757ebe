package patch

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

const base = 0x401000

// graph reads a function that the bytes make up.
func graph(t *testing.T, code []byte, opt amd64.FlowOptions) *amd64.Graph {
	t.Helper()
	g, err := amd64.Flow(code, base, opt)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	load3  = []byte{0x48, 0x89, 0xC3}             // mov rbx, rax
	add4   = []byte{0x48, 0x83, 0xC0, 0x01}       // add rax, 1
	mov7   = []byte{0x48, 0xC7, 0xC0, 1, 0, 0, 0} // mov rax, 1
	ret1   = []byte{0xC3}
	call2  = []byte{0xFF, 0xD1}             // call rcx
	call5  = []byte{0xE8, 0, 1, 0, 0}       // call elsewhere
	sysc2  = []byte{0x0F, 0x05}             // syscall
	ud2    = []byte{0x0F, 0x0B}             // ud2
	indir2 = []byte{0xFF, 0xE0}             // jmp rax
	table3 = []byte{0xFF, 0x24, 0xC8}       // jmp [rax+rcx*8]
	lea7   = []byte{0x48, 0x8D, 0x05, 0, 0} // lea rax, [rip+…], cut
)

func jump8(rel int8) []byte { return []byte{0x75, byte(rel)} }

func TestPlan(t *testing.T) {
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	for _, c := range []struct {
		name     string
		code     []byte
		site     uint64
		rules    Rules
		length   int
		insts    int
		interior []uint64
		why      string // of a trap; "" for a jump
	}{
		{name: "one long instruction", code: join(mov7, ret1), length: 7, insts: 1},
		{name: "several", code: join(load3, add4, ret1), length: 7, insts: 2, interior: []uint64{base + 3}},
		{name: "call last", code: join(load3, call5, ret1), length: 8, insts: 2, interior: []uint64{base + 3}},
		{name: "call inside", code: join(load3[:0], call2, mov7, ret1), length: 2, insts: 1, why: "a call returns"},
		{name: "short call at the end of the window", code: join(load3, call2, ret1), length: 5, insts: 2, interior: []uint64{base + 3}},
		{name: "branch into it", code: join(load3, add4, jump8(-6), ret1), length: 3, insts: 1, why: "control comes from elsewhere"},
		{name: "branch to its start", code: join(load3, add4, jump8(-9), ret1), length: 7, insts: 2, interior: []uint64{base + 3}},
		{name: "branch to its end", code: join(load3, add4, jump8(-2), ret1), length: 7, insts: 2, interior: []uint64{base + 3}},
		{name: "recovery inside", code: join(load3, add4, ret1), rules: Rules{DeferReturn: base + 3}, length: 3, insts: 1, why: "control comes from elsewhere"},
		{name: "recovery at its start", code: join(load3, add4, ret1), rules: Rules{DeferReturn: base}, length: 7, insts: 2, interior: []uint64{base + 3}},
		{name: "behind a neighbour", code: join(add4, load3, jump8(-2), ret1), site: base + 4, length: 7, insts: 2, interior: []uint64{base + 4}},
		{name: "behind a call", code: join(call5, load3, ret1), site: base + 5, length: 3, insts: 1, why: "the function ends"},
		{name: "behind a neighbour that is taken", code: join(add4, load3, ret1), site: base + 4, rules: Rules{From: base + 4}, length: 3, insts: 1, why: "the function ends"},
		{name: "behind a neighbour, but a target", code: join(add4, load3, jump8(-5), ret1), site: base + 4, length: 5, insts: 2, interior: []uint64{base + 7}},
		{name: "function ends", code: join(load3, ret1), length: 3, insts: 1, why: "the function ends"},
		{name: "padding after it", code: join(load3, ret1), rules: Rules{PaddingAfter: 1}, length: 4, insts: 2, interior: []uint64{base + 3}},
		{name: "too little padding", code: join(load3, ret1), site: base + 3, rules: Rules{PaddingAfter: 3}, length: 1, insts: 1, why: "the function ends"},
		{name: "enough padding", code: join(load3, ret1), site: base + 3, rules: Rules{PaddingAfter: 4}, length: 1, insts: 1},
		{name: "no end", code: load3, rules: Rules{PaddingAfter: 9}, length: 3, insts: 1, why: "runs past its end"},
		{name: "system call inside", code: join(load3, sysc2, ret1), length: 3, insts: 1, why: "cannot run elsewhere"},
		{name: "stop inside", code: join(load3, ud2), length: 3, insts: 1, why: "cannot run elsewhere"},
		{name: "unknown jumps", code: join(load3, add4, indir2), length: 3, insts: 1, why: "not known"},
		{name: "unknown jumps, long instruction", code: join(mov7, indir2), length: 7, insts: 1},
	} {
		c.rules.Graph = graph(t, c.code, amd64.FlowOptions{})
		if c.site == 0 {
			c.site = base
		}
		w, err := Plan(c.rules, c.site)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if w.Len != c.length || len(w.Insts) != c.insts || !slices.Equal(w.Interior, c.interior) {
			t.Errorf("%s: %d bytes, %d instructions, interior %#x; want %d, %d, %#x",
				c.name, w.Len, len(w.Insts), w.Interior, c.length, c.insts, c.interior)
		}
		if w.Jump != (c.why == "") || !strings.Contains(w.Why, c.why) {
			t.Errorf("%s: jump %v, why %q; want %q", c.name, w.Jump, w.Why, c.why)
		}
	}
}

// A table's targets are hidden from the code: the window that is blind to them
// would have its middle jumped into.
func TestPlanSeesJumpTables(t *testing.T) {
	code := slices.Concat(lea7, []byte{0, 0}, table3, load3, add4, ret1)
	code[3], code[4] = 0x00, 0x10 // the table lies at base+7+0x1000
	inside := uint64(base + 7 + 3 + 3)
	read := func(addr uint64, n int) ([]byte, error) {
		words := map[uint64]uint64{base + 7 + 0x1000: base + 10, base + 7 + 0x1008: inside}
		v, ok := words[addr]
		if !ok || n != 8 {
			return nil, errors.New("no data there")
		}
		return []byte{byte(v), byte(v >> 8), byte(v >> 16), 0, 0, 0, 0, 0}, nil
	}
	for _, known := range []bool{true, false} {
		opt := amd64.FlowOptions{}
		if known {
			opt.Read = read
		}
		g := graph(t, code, opt)
		w, err := Plan(Rules{Graph: g}, base+10)
		if err != nil || w.Jump {
			t.Errorf("table known %v: %+v, %v; want a trap", known, w, err)
		}
		targets, ok := g.Targets(1)
		if ok != known || known && !slices.Equal(targets, []uint64{base + 10, inside}) {
			t.Errorf("table known %v: targets %#x %v", known, targets, ok)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	g := graph(t, slices.Concat(mov7, sysc2, ud2), amd64.FlowOptions{})
	for _, site := range []uint64{base - 1, base + 1, base + 7, base + 9, base + 11} {
		var refused *RefusedError
		if w, err := Plan(Rules{Graph: g}, site); !errors.As(err, &refused) {
			t.Errorf("%#x: %+v, %v; want it refused", site, w, err)
		}
	}
}

func TestWindowFalls(t *testing.T) {
	for _, c := range []struct {
		code []byte
		want bool
	}{{mov7, true}, {call5, false}, {[]byte{0xE9, 0, 0, 0, 0}, false}, {slices.Concat(add4, ret1), false}} {
		g := graph(t, slices.Concat(c.code, mov7, ret1), amd64.FlowOptions{})
		w, err := Plan(Rules{Graph: g}, base)
		if err != nil || w.Falls() != c.want {
			t.Errorf("% x: falls %v, %v", c.code, w.Falls(), err)
		}
	}
}
