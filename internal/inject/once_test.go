//go:build linux && amd64

package inject

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// onceOf finds code in a program that runs only when it starts.
func onceOf(t testing.TB, exe string) Once {
	t.Helper()
	b, err := debuginfo.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	rt, err := b.Runtime()
	if err != nil {
		t.Fatal(err)
	}
	edge, middle, ok := b.Once()
	if !ok {
		t.Fatal("nothing runs once")
	}
	return Once{Edge: edge, Middle: middle, Ran: rt.Allglen}
}

// fullBuild is the busy target without unused bytes for a first stub.
func fullBuild(t testing.TB) string { return testprog.Fill(t, busyBuild(t, "external")) }

// TestFirstStubWithoutRoom makes the first call in code that has run.
func TestFirstStubWithoutRoom(t *testing.T) {
	exe := fullBuild(t)
	tg := start(t, exe, "2")
	p := open(t, tg)
	defer lock(t, p)()
	var none *RefusedError
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); !errors.As(err, &none) || none.Code != CodeMemory {
		t.Fatalf("without a place: %v", err)
	}
	if err := p.CleanCave(); err != nil {
		t.Fatal(err)
	}
	once := onceOf(t, exe)
	p.Lend(func() (Once, bool) { return once, true })
	c, err := p.cave()
	if err != nil || !c.lent {
		t.Fatalf("%+v, %v", c, err)
	}
	for i, x := range c.extents() {
		if in := [][2]uint64{once.Edge, once.Middle}[i]; x.lo < in[0] || x.hi > in[1] {
			t.Errorf("%#x of %#x", x, in)
		}
	}
	r, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)})
	if err != nil || r.Results[0] != int64(p.PID) {
		t.Fatalf("%+v %v", r, err)
	}
	sameText(t, p)
	noDescriptors(t, p)
	tg.end()
}

// TestFirstStubWhileTheProgramStarts leaves code alone that may not have run yet.
func TestFirstStubWhileTheProgramStarts(t *testing.T) {
	exe := fullBuild(t)
	tg := start(t, exe)
	p := open(t, tg)
	defer lock(t, p)()
	for what, find := range map[string]func() (Once, bool){
		"starting":  func() (Once, bool) { o := onceOf(t, exe); o.Ran = zeroWord(t, p); return o, true },
		"not known": func() (Once, bool) { o := onceOf(t, exe); o.Ran = 0; return o, true },
		"small":     func() (Once, bool) { o := onceOf(t, exe); o.Middle[1] = o.Middle[0] + middleMax - 1; return o, true },
		"elsewhere": func() (Once, bool) { o := onceOf(t, exe); o.Edge = [2]uint64{o.Ran, o.Ran + 4096}; return o, true },
	} {
		p.Lend(find)
		_, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)})
		var refused *RefusedError
		if busy := errors.Is(err, ErrBusy); busy != (what == "starting") || !busy && !errors.As(err, &refused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	sameText(t, p)
	tg.end()
}

// zeroWord finds a word of the target that is zero.
func zeroWord(t *testing.T, p *Proc) uint64 {
	t.Helper()
	img, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for at := img.Hi - 4096; at > img.Lo; at -= 4096 {
		if p.ReadAt(b, at) == nil && bytes.Equal(b[:8], make([]byte, 8)) {
			return at - img.Slide
		}
	}
	t.Fatal("no word is zero")
	return 0
}

// TestBeginningOfAStubIsOnOnePage puts the code that is lent across pages.
func TestBeginningOfAStubIsOnOnePage(t *testing.T) {
	img := &image{slide: 0x10000, text: []Mapping{{Lo: 0x10000, Hi: 0x20000}}}
	for lo, want := range map[uint64]uint64{0x1000: 0x11000, 0xFF0: 0x10FF0, 0xFF3: 0x10FF3, 0xFF4: 0x11000, 0xFFF: 0x11000} {
		var c cave
		ok := c.borrow(img, func() (Once, bool) {
			return Once{Edge: [2]uint64{lo, 0x1000 + edgeMax}, Middle: [2]uint64{0x2000, 0x2000 + middleMax}, Ran: 8}, true
		})
		if !ok || c.ran != 0x10008 || c.parts[0].addr != want || c.parts[1].addr != 0x12000 {
			t.Errorf("%#x: %+v, %v", lo, c, ok)
		}
	}
}

// TestMiddleAlone finds the middle of a stub without its edge, which no Sidelight
// leaves: the edge is written first, and goes last.
func TestMiddleAlone(t *testing.T) {
	exe := fullBuild(t)
	tg := start(t, exe)
	p := open(t, tg)
	defer lock(t, p)()
	p.Lend(func() (Once, bool) { return onceOf(t, exe), true })
	c, err := p.cave()
	if err != nil {
		t.Fatal(err)
	}
	middle := c.parts[1]
	if err := p.WriteAt([]byte{0x90, 0x90}, middle.addr); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := p.CleanCave(); !errors.As(err, &changed) || changed.Addr != middle.addr {
		t.Errorf("%v", err)
	}
	tg.end()
}

// TestOnceRunsNoMore lets the code that is lent trap while the target does all it can.
func TestOnceRunsNoMore(t *testing.T) {
	for _, kind := range []string{"static", "pie", "external"} {
		t.Run(kind, func(t *testing.T) {
			exe := busyBuild(t, kind)
			tg := start(t, exe, "2")
			p := open(t, tg)
			once := onceOf(t, exe)
			text, err := p.Text()
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range [][2]uint64{once.Edge, once.Middle} {
				traps := bytes.Repeat([]byte{int3}, int(x[1]-x[0]))
				if err := p.WriteAt(traps, x[0]+text.Slide); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(count("INJECT_SECONDS", 1)) * time.Second)
			tg.end()
		})
	}
}

// TestProfiledInFirstStub profiles threads at the edges of stubs in code that is lent,
// and on their way. The program's handler unwinds what it interrupts, by the table of
// the function that it finds there; it never finds the middle.
func TestProfiledInFirstStub(t *testing.T) {
	exe := programBuild(t, "odd")
	tg := start(t, exe, "profile")
	p := open(t, tg)
	defer lock(t, p)()
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := lentCave(t, p, exe)
	stub := c.bootstrap(p.resident.base, 1) // which finds its place taken, and leaves
	for range count("INJECT_CALLS", 300) {
		tid, err := p.borrow(func(tid int) error {
			sample := func() { _ = unix.Tgkill(p.PID, tid, unix.SIGPROF) }
			_, err := p.divert(tid, func(s saved) ([]chunk, error) {
				sample() // comes when the thread is at the first instruction
				return stub.build(s)
			})
			sample()
			return err
		})
		if err == nil {
			err = p.awaitAllClear(c.extents()...)
		}
		if err != nil {
			t.Fatalf("thread %d: %v", tid, err)
		}
	}
	if err := p.cleanCave(c); err != nil {
		t.Fatal(err)
	}
	sameText(t, p)
	tg.in.Close()
	rest, _ := io.ReadAll(tg.out)
	err := tg.cmd.Wait()
	for _, want := range []string{"done", "seen main.down true", "seen runtime.rt0_go true", "seen runtime.check false"} {
		if err != nil || !strings.Contains(string(rest), want) {
			t.Errorf("%v, %s: want %s", err, rest, want)
		}
	}
}

// lentCave is code that has run of a program that has other room, too.
func lentCave(t *testing.T, p *Proc, exe string) (c cave) {
	t.Helper()
	f, e, err := p.elf()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := p.image(f, e)
	if err != nil || !c.borrow(img, func() (Once, bool) { return onceOf(t, exe), true }) {
		t.Fatal("nothing is lent", err)
	}
	for _, q := range c.parts {
		if err := img.fileAt(f, q.file, q.addr); err != nil {
			t.Fatal(err)
		}
	}
	return c
}
