//go:build linux && amd64

package inject

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/ring"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestCleanCave leaves a stub in the cave of a fresh process, as a tool does that
// is killed in its first call.
func TestCleanCave(t *testing.T) {
	for _, kind := range []string{"static", "pie", "external", "full"} {
		t.Run(kind, func(t *testing.T) {
			exe := busyBuild(t, strings.Replace(kind, "full", "external", 1))
			if kind == "full" {
				exe = testprog.Fill(t, exe)
			}
			tg := start(t, exe, "2")
			p := open(t, tg)
			p.Lend(func() (Once, bool) { return onceOf(t, exe), true })
			defer lock(t, p)()
			c, err := p.cave()
			if err != nil {
				t.Fatal(err)
			}
			stub, err := c.bootstrap(c.parts[0].addr&^4095, 1).build(saved{})
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range stub {
				if err := p.WriteAt(part.code, part.at); err != nil {
					t.Fatal(err)
				}
			}
			if diffs, err := p.CompareText(); err != nil || len(diffs) == 0 {
				t.Fatalf("the stub is not seen: %v", err)
			}
			if err := p.CleanCave(); err != nil {
				t.Fatal(err)
			}
			sameText(t, p)
			tg.end()
		})
	}
}

// TestForeignCave finds in the cave what some other tool has written there: it may
// run it, so it must stay.
func TestForeignCave(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p := open(t, tg)
	defer lock(t, p)()
	c, err := p.cave()
	if err != nil {
		t.Fatal(err)
	}
	theirs := []byte{0x90, 0x90, 0xC3}
	if err := p.WriteAt(theirs, c.parts[0].addr); err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := p.CleanCave(); !errors.As(err, &changed) {
		t.Errorf("clean: %v", err)
	}
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); !errors.As(err, &changed) {
		t.Errorf("call: %v", err)
	}
	now := make([]byte, len(theirs))
	if err := p.ReadAt(now, c.parts[0].addr); err != nil || !bytes.Equal(now, theirs) {
		t.Errorf("% x %v", now, err)
	}
	tg.end()
}

// TestMappedTwice attaches to a program that maps its own file elsewhere.
func TestMappedTwice(t *testing.T) {
	exe := programBuild(t, "odd")
	tg := start(t, exe, "self")
	p := open(t, tg)
	defer lock(t, p)()
	text, err := p.Text()
	if err != nil || text.Slide != 0 || text.Hi-text.Lo > 1<<30 {
		t.Fatalf("%+v %v", text, err)
	}
	layout, _ := ring.NewLayout(2, 1, 0)
	b, err := p.NewBay(layout)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	sameText(t, p)
	tg.end()
}

func TestEntryPoint(t *testing.T) {
	aux := make([]byte, 64)
	aux[0], aux[8] = 3, 0x40
	aux[16], aux[24], aux[25] = 9, 0x80, 0x60
	if got := entryPoint(aux); got != 0x6080 {
		t.Errorf("%#x", got)
	}
	if got := entryPoint(aux[:16]); got != 0 {
		t.Errorf("%#x", got)
	}
}
