//go:build linux && amd64

package inject

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestInnermost(t *testing.T) {
	for _, c := range []struct {
		nspid string
		want  uint64
		ok    bool
	}{{"4711", 4711, true}, {"4711\t12\t1", 1, true}, {"", 0, false}, {"x", 0, false}} {
		if got, ok := innermost(c.nspid); got != c.want || ok != c.ok {
			t.Errorf("%q: %d %v", c.nspid, got, ok)
		}
	}
	if n := (&tidMap{same: true}).ours(1 << 40); n != 0 {
		t.Errorf("a word that is no thread's number: %d", n)
	}
}

// TestDrainedInNamespace drains a program that spins in a PID namespace of its own:
// its runtime knows its threads by other numbers than we do.
func TestDrainedInNamespace(t *testing.T) {
	if out, err := exec.Command("unshare", "-pf", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no namespaces here: %v %s", err, out)
	}
	exe := programBuild(t, "spin")
	tg := start(t, "/usr/bin/env", "unshare", "-pf", "--mount-proc", exe, "4")
	outer := readFile("/proc/" + itoa(tg.cmd.Process.Pid) + "/task/" + itoa(tg.cmd.Process.Pid) + "/children")
	p, err := Open(atoi(strings.TrimSpace(outer)))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	defer lock(t, p)()
	m, err := p.mapTids(nil)
	if err != nil || m.same || m.ours(1) != p.PID {
		t.Fatalf("%+v %v", m, err)
	}
	// An address at which nobody is: a goroutine that runs must be seen outside.
	at, _ := symbol(t, exe, "runtime.text")
	d := p.Drained([]uint64{at + text.Slide}, runtimeOf(t, exe, text.Slide))
	if _, _, err := d.Step(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !seenRunning(t, d); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("no thread that runs a goroutine was found")
		}
	}
	tg.end()
}

// seenRunning tells whether any of the running goroutines was found on its thread.
func seenRunning(t *testing.T, d *Drain) bool {
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
		if x.status&^gScan != gRunning {
			continue
		}
		if ok, err := d.look(x); err != nil {
			t.Fatal(err)
		} else if ok {
			return true
		}
	}
	return false
}
