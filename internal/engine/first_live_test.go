//go:build linux && amd64

package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestNextCommandCleansTheFirstStub kills a tool in its very first call, when it has
// no bay yet and a stub lies in the program's own pages.
func TestNextCommandCleansTheFirstStub(t *testing.T) {
	eachFirstStub(t, func(t *testing.T, c *child) {
		o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
		n := c.run("leaf", 1000)
		checkSums(t, o.end()["p1"], n)
		checkText(t, c)
	})
}

// TestGuardCleansTheFirstStub is the same with nobody but the guard after it.
func TestGuardCleansTheFirstStub(t *testing.T) {
	eachFirstStub(t, func(t *testing.T, c *child) {
		if err := Clear(context.Background(), c.cmd.Process.Pid, 0); err != nil {
			t.Fatal(err)
		}
		if n := changed(t, c); n != 0 {
			t.Errorf("%d places of the text are not as in the file", n)
		}
		c.run("leaf", 100)
	})
}

// eachFirstStub runs f with targets in which a tool has left its first stub: in unused
// bytes, and in code that has run.
func eachFirstStub(t *testing.T, f func(t *testing.T, c *child)) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full=%v", full), func(t *testing.T) {
			exe := buildTarget(t, nil)
			if full {
				exe = buildFull(t)
			}
			for range 30 {
				c := startTarget(t, exe)
				if killInFirstCall(t, c, full) && changed(t, c) > 0 { // else it was just done
					f(t, c)
					return
				}
			}
			t.Skip("no tool could be killed at the right moment")
		})
	}
}

// buildFull builds the target without unused bytes in its code.
func buildFull(t *testing.T) string {
	needC(t)
	return testprog.Fill(t, buildTarget(t, []string{"CGO_ENABLED=1"}, external))
}

// TestProgramWithoutRoomForAFirstStub puts probes into a program that has none.
func TestProgramWithoutRoomForAFirstStub(t *testing.T) {
	c := startTarget(t, buildFull(t))
	for range 2 { // the second finds what the first has mapped
		o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
		n := c.run("leaf", 5000)
		checkSums(t, o.end()["p1"], n)
		checkText(t, c)
	}
}

// killInFirstCall starts a tool and kills it as soon as a page changes where its
// first stub may stand. It tells whether that came first.
func killInFirstCall(t *testing.T, c *child, full bool) bool {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	pages := firstStubPages(t, c, full)
	read := func(b []byte) []byte {
		for i, at := range pages {
			if _, err := mem.ReadAt(b[i<<12:(i+1)<<12], at); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	before, now := read(make([]byte, len(pages)<<12)), make([]byte, len(pages)<<12)
	cmd, out := startTool(t, c, "alone", "leaf")
	installed := make(chan bool)
	go func() {
		for out.Scan() && out.Text() != "installed" {
		}
		close(installed)
	}()
	for {
		hit := !bytes.Equal(before, read(now))
		select {
		case <-installed:
		default:
			if !hit {
				continue
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-installed
		return hit
	}
}

// firstStubPages are the first and the last page of the program's text, or that of
// code which has run.
func firstStubPages(t *testing.T, c *child, full bool) []int64 {
	t.Helper()
	if full {
		b, err := debuginfo.Open(c.path)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		edge, _, ok := b.Once()
		if !ok {
			t.Fatal("no code runs once")
		}
		return []int64{int64(edge[0] &^ 4095)}
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " r-xp ") && strings.Contains(line, c.path) {
			var first, end int64
			fmt.Sscanf(line, "%x-%x", &first, &end)
			return []int64{first, end - 4096}
		}
	}
	t.Fatal("the program's text is not found")
	return nil
}

// TestAbandonedDescriptors leaves a descriptor open in a target, as an installation
// does whose calls were given up: the guard closes it while the tool lives on, and
// the next command does where nobody guarded.
func TestAbandonedDescriptors(t *testing.T) {
	for _, guarded := range []bool{true, false} {
		c := startTarget(t, buildTarget(t, nil))
		s := open(t, c, Options{})
		defer s.Close()
		unlock, err := s.proc.Lock(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		const memfdCreate = 319
		_, err = s.proc.Call([]inject.Syscall{inject.Sys(memfdCreate, inject.Data([]byte("sidelight\x00")), inject.Num(0))})
		if err != nil || leaked(t, c) != 1 {
			t.Fatalf("%d descriptors, %v", leaked(t, c), err)
		}
		if guarded {
			g, err := startGuard([]string{os.Args[0], "guard"}, s.proc.PID, s.proc.StartTime())
			if err != nil {
				t.Fatal(err)
			}
			s.abandon(&live{guard: g}, fmt.Errorf("a call: %w", inject.ErrBusy))
			unlock()
			for range 200 {
				if leaked(t, c) == 0 {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
		} else {
			unlock()
			observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")}).end()
		}
		if n := leaked(t, c); n != 0 {
			t.Errorf("guarded %v: %d descriptors stay open", guarded, n)
		}
	}
}

// leaked counts the target's descriptors of a Sidelight's memory.
func leaked(t *testing.T, c *child) (n int) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd/", c.cmd.Process.Pid)
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, err := os.Readlink(dir + e.Name()); err == nil && strings.HasPrefix(to, "/memfd:sidelight ") {
			n++
		}
	}
	return n
}
