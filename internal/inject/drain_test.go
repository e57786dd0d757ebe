//go:build linux && amd64

package inject

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"golang.org/x/arch/x86/x86asm"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// fields reads the offsets of a struct's fields from a target's DWARF.
func fields(t testing.TB, exe, name string) map[string]int64 {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			t.Fatalf("no struct %s: %v", name, err)
		}
		if e.Tag != dwarf.TagStructType || e.Val(dwarf.AttrName) != name {
			continue
		}
		typ, err := d.Type(e.Offset)
		if err != nil {
			t.Fatal(err)
		}
		out := make(map[string]int64)
		for _, f := range typ.(*dwarf.StructType).Field {
			out[f.Name] = f.ByteOffset
		}
		return out
	}
}

func runtimeOf(t testing.TB, exe string, slide uint64) Runtime {
	t.Helper()
	g, m := fields(t, exe, "runtime.g"), fields(t, exe, "runtime.m")
	allgs, _ := symbol(t, exe, "runtime.allgs")
	allglen, _ := symbol(t, exe, "runtime.allglen")
	return Runtime{Allgs: allgs + slide, Allglen: allglen + slide,
		GStackLo: g["stack"], GStackHi: g["stack"] + 8, GSchedSP: g["sched"], GStatus: g["atomicstatus"],
		GAsyncSafePoint: g["asyncSafePoint"], GM: g["m"], MCurg: m["curg"], MProcid: m["procid"]}
}

// window is two short instructions in the loop of a function.
type window struct {
	site  uint64
	insts [][]byte
}

func (w window) interior() uint64 { return w.site + uint64(len(w.insts[0])) }

// loopWindows finds the windows in a loop of which the second instruction is no
// jump target.
func loopWindows(t testing.TB, exe, name string) (out []window) {
	t.Helper()
	addr, size := symbol(t, exe, name)
	code := textOf(t, exe, addr, size)
	starts, head, end := []uint64{}, uint64(0), uint64(0)
	for off := uint64(0); off < size; {
		in, err := x86asm.Decode(code[off:], 64)
		if err != nil {
			t.Skipf("%s cannot be decoded: %v", name, err)
		}
		if rel, ok := in.Args[0].(x86asm.Rel); ok && rel < 0 {
			head, end = off+uint64(in.Len)+uint64(int64(rel)), off
		}
		starts = append(starts, off)
		off += uint64(in.Len)
	}
	for i, off := range starts {
		if off < head || i+2 >= len(starts) || starts[i+2] > end-3 { // the comparison is jumped to
			continue
		}
		a, b := code[off:starts[i+1]], code[starts[i+1]:starts[i+2]]
		if len(a) < 5 && len(a)+len(b) >= 5 && len(b) < 8 {
			out = append(out, window{addr + off, [][]byte{a, b}})
		}
	}
	return out
}

// busiest returns the window in which most goroutines are parked just now:
// processors take interrupts only at some instructions.
func busiest(t testing.TB, p *Proc, exe string, slide uint64, rt Runtime) (best window) {
	t.Helper()
	most := 0
	for _, w := range loopWindows(t, exe, "main.mix") {
		w.site += slide
		n := 0
		for range 10 {
			n += parked(t, p.Drained([]uint64{w.interior()}, rt))
			time.Sleep(time.Millisecond)
		}
		if n > most {
			most, best = n, w
		}
	}
	if most == 0 {
		t.Skip("this processor parks no goroutine inside a window")
	}
	return best
}

func textOf(t testing.TB, exe string, addr, size uint64) []byte {
	t.Helper()
	f, err := elf.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := f.Section(".text")
	b := make([]byte, size)
	if _, err := s.ReadAt(b, int64(addr-s.Addr)); err != nil {
		t.Fatal(err)
	}
	return b
}

// parked counts goroutines that hold the address on their stack, the naive way:
// it shows that the danger is there.
func parked(t testing.TB, d *Drain) (n int) {
	t.Helper()
	all, err := d.list()
	if err != nil {
		t.Fatal(err)
	}
	gs, err := d.read(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range gs {
		if x.status&^gScan == gRunning || x.sp == 0 {
			continue
		}
		raw := make([]byte, min(x.hi-x.sp, preemptFrames)&^7)
		if d.p.ReadAt(raw, x.sp) != nil {
			continue
		}
		for i := 0; i < len(raw); i += 8 {
			if d.inside(binary.LittleEndian.Uint64(raw[i:])) {
				n++
				break
			}
		}
	}
	return n
}

// TestDrained turns traps into jumps over an interior boundary at which
// goroutines are parked: written without waiting, the jump would let them wake up
// inside it.
func TestDrained(t *testing.T) {
	exe := programBuild(t, "spin")
	tg := start(t, exe, "20")
	p := open(t, tg)
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	rt := runtimeOf(t, exe, text.Slide)
	w := busiest(t, p, exe, text.Slide, rt)
	site, insts, interior := w.site, w.insts, []uint64{w.interior()}
	defer lock(t, p)()
	seen, slowest := 0, time.Duration(0)
	for i := range count("INJECT_DRAINS", 10) {
		layout, _ := ring.NewLayout(4, 1, 0)
		b, err := p.NewBay(layout)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.InstallHandlers(fields(t, exe, "runtime.g")["stackguard0"]); err != nil {
			t.Fatal(err)
		}
		orig := append(append([]byte(nil), insts[0]...), insts[1]...)
		tramp := countTrampoline(b.Control()+ring.TrapCountOff, site+uint64(len(orig)), orig, b.Text())
		if err := p.WriteAt(tramp, b.Text()); err != nil {
			t.Fatal(err)
		}
		if err := b.Enter([]Entry{{Key: site, Target: b.Text(), Kind: ring.KindTrap}}); err != nil {
			t.Fatal(err)
		}
		trap := append([]byte{int3}, orig[1:5]...)
		if err := b.Patch([]Edit{{site, orig[:5], trap}}); err != nil {
			t.Fatal(err)
		}
		d := p.Drained(interior, rt)
		seen += parked(t, d)
		began := time.Now()
		for clean := false; !clean; {
			if clean, _, err = d.Step(); err != nil {
				t.Fatal(err)
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("round %d: the window does not drain", i)
			}
			time.Sleep(2 * time.Millisecond)
		}
		slowest = max(slowest, time.Since(began))
		if n := parked(t, d); n != 0 {
			t.Logf("round %d: %d stacks still hold the address, in dead words", i, n)
		}
		e := &emitter{at: site}
		e.put(0xE9)
		e.rel(b.Text(), 0)
		for _, now := range [][]byte{e.code, orig[:5]} {
			if err := b.Patch([]Edit{{site, orig[:5], now}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	sameText(t, p)
	t.Logf("%d parked goroutines held the interior address; slowest drain %v; longest pause %v", seen, slowest, p.LongestPause())
	tg.end()
}

// TestMain's directory also holds the plain builds of other targets.
func programBuild(t testing.TB, name string) string {
	t.Helper()
	exe := buildDir + "/" + name
	if _, err := os.Stat(exe); err == nil {
		return exe
	}
	goBuild(t, exe, "./testdata/"+name)
	return exe
}
