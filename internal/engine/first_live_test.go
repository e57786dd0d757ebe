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

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestNextCommandCleansTheFirstStub kills a tool in its very first call, when it has
// no bay yet and a stub lies in the program's own pages.
func TestNextCommandCleansTheFirstStub(t *testing.T) {
	exe := buildTarget(t, nil)
	for range 30 {
		c := startTarget(t, exe)
		if !killInFirstCall(t, c) {
			continue
		}
		if changed(t, c) == 0 {
			continue // it was just done
		}
		o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
		n := c.run("leaf", 1000)
		checkSums(t, o.end()["p1"], n)
		checkText(t, c)
		return
	}
	t.Skip("no tool could be killed at the right moment")
}

// TestGuardCleansTheFirstStub is the same with nobody but the guard after it.
func TestGuardCleansTheFirstStub(t *testing.T) {
	exe := buildTarget(t, nil)
	for range 30 {
		c := startTarget(t, exe)
		if !killInFirstCall(t, c) || changed(t, c) == 0 {
			continue
		}
		if err := Clear(context.Background(), c.cmd.Process.Pid, 0); err != nil {
			t.Fatal(err)
		}
		if n := changed(t, c); n != 0 {
			t.Errorf("%d places of the text are not as in the file", n)
		}
		c.run("leaf", 100)
		return
	}
	t.Skip("no tool could be killed at the right moment")
}

// killInFirstCall starts a tool and kills it as soon as the first page of the
// program's text changes. It tells whether that came first.
func killInFirstCall(t *testing.T, c *child) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, " r-xp ") && strings.Contains(line, c.path) {
			fmt.Sscanf(line, "%x-", &at)
			break
		}
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	before, now := make([]byte, 4096), make([]byte, 4096)
	if _, err := mem.ReadAt(before, at); err != nil {
		t.Fatal(err)
	}
	cmd, out := startTool(t, c, "alone", "leaf")
	installed := make(chan bool)
	go func() {
		for out.Scan() && out.Text() != "installed" {
		}
		close(installed)
	}()
	for {
		if _, err := mem.ReadAt(now, at); err != nil {
			t.Fatal(err)
		}
		hit := !bytes.Equal(before, now)
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
