package moment

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestBrokenStacks reads images whose stacks hold anything: the moment ends soon,
// with what it has, and nothing makes it panic.
func TestBrokenStacks(t *testing.T) {
	b, err := debuginfo.Open(testprog.Dir(t, "testdata/values", testprog.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	funcs := b.Funcs()
	late := func(addr uint64, n int64) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = byte(rnd.Uint32())
		}
		return out
	}
	n := 2000
	if testing.Short() {
		n = 300
	}
	deep := 0
	for i := range n {
		f := funcs[rnd.IntN(len(funcs))]
		pc := f.Entry + rnd.Uint64N(f.End-f.Entry)
		site := &program.Site{PC: pc, Function: f.Name, CFA: program.CFA{Reg: rsp, Offset: rnd.Int64N(512)}}
		for range rnd.IntN(8) {
			site.Vars = append(site.Vars, randomVar(rnd, b, funcs))
		}
		img, err := image.Parse(randomImage(rnd, funcs))
		if err != nil {
			t.Fatal(err)
		}
		var m probe.Moment
		begin := time.Now()
		r := New(b, uint64(rnd.IntN(2))<<12, late)
		r.Fill(Hit{Program: &program.Program{Image: &program.Image{}}, Site: site, Image: img}, &m)
		if d := time.Since(begin); d > 20*time.Second {
			t.Fatalf("%d: %v in %s", i, d, f.Name)
		}
		if deep = max(deep, len(m.Frames)); len(m.Frames) > probe.DefaultFrames {
			t.Fatalf("%d frames", len(m.Frames))
		}
	}
	if deep < 5 {
		t.Errorf("the deepest stack had %d frames: the test looks at too little", deep)
	}
}

// randomVar is a variable of some function, at places of any kind.
func randomVar(rnd *rand.Rand, b *debuginfo.Build, funcs []*debuginfo.Func) program.Var {
	for {
		f := funcs[rnd.IntN(len(funcs))]
		scope := b.Scope(f.Entry)
		if len(scope) == 0 {
			continue
		}
		v := scope[rnd.IntN(len(scope))]
		out := program.Var{Name: v.Name, Type: v.Type, Dict: rnd.IntN(3), Indirect: rnd.IntN(4) == 0, DerefOff: rnd.Int64N(64)}
		for range 1 + rnd.IntN(4) {
			out.Pieces = append(out.Pieces, program.Piece{Kind: program.PieceKind(rnd.IntN(9)), Reg: program.Reg(rnd.IntN(20)),
				Off: rnd.Int64N(600) - 100, Size: []int64{1, 4, 8, 16, 24, 1 << 20, -1}[rnd.IntN(7)], Const: rnd.Uint64()})
		}
		return out
	}
}

// randomImage has a stack of return addresses, pointers into itself, and noise.
func randomImage(rnd *rand.Rand, funcs []*debuginfo.Func) []byte {
	const base = 0x7f0000000000
	regs := make([]byte, program.RegsSize)
	for i := range 16 {
		binary.LittleEndian.PutUint64(regs[8*i:], base+8*rnd.Uint64N(512))
	}
	binary.LittleEndian.PutUint64(regs[8*rsp:], base)
	stack := make([]byte, 4096)
	for i := range len(stack) / 8 {
		word := rnd.Uint64()
		switch rnd.IntN(4) {
		case 0, 1:
			f := funcs[rnd.IntN(len(funcs))]
			word = f.Entry + rnd.Uint64N(f.End-f.Entry)
		case 2:
			word = base + 8*rnd.Uint64N(512)
		}
		binary.LittleEndian.PutUint64(stack[8*i:], word)
	}
	b := make([]byte, ring.ImageHeader)
	for _, o := range []struct {
		addr uint64
		data []byte
	}{{0, regs}, {1 << 40, stack[:512]}, {base, stack}} {
		h := make([]byte, ring.ObjectHeader)
		binary.LittleEndian.PutUint64(h[ring.ObjectAddr:], o.addr)
		binary.LittleEndian.PutUint32(h[ring.ObjectBytes:], uint32(len(o.data)))
		b = append(append(b, h...), o.data...)
	}
	binary.LittleEndian.PutUint32(b[ring.ImageSize:], uint32(len(b)))
	return b
}
