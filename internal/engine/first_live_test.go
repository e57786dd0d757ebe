//go:build linux && amd64

package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

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
