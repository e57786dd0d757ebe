//go:build linux && amd64

package engine

// The tests of this file and of the hazard_*_live_test.go beside it put probes
// where a careless engine breaks its target. The comment of each names the
// careless way that it fails on. The target checks itself: it ends, and with it
// the test, as soon as a result is wrong.

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// hazardTarget builds one of the programs in testdata with debug information.
func hazardTarget(t *testing.T, name string) string {
	t.Helper()
	if path := built[name]; path != "" {
		return path
	}
	dir, err := os.MkdirTemp("", "sidelight-engine")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", path, "./testdata/"+name)
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		if name == "hazardcgo" {
			t.Skipf("cgo does not work here: %v\n%s", err, out)
		}
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	built[name] = path
	return path
}

// startHazard runs testdata/hazard.
func startHazard(t *testing.T) *child {
	t.Helper()
	return startTarget(t, hazardTarget(t, "hazard"))
}

// startTo runs a target that writes its complaints to w.
func startTo(t *testing.T, path string, w io.Writer) *child {
	t.Helper()
	c := &child{t: t, path: path, cmd: exec.Command(path)}
	c.cmd.Stderr = w
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	c.out = bufio.NewScanner(out)
	if c.line() != "ready" {
		t.Fatal("the target did not start")
	}
	return c
}

// lineOf is the location of a marked line of the hazard programs.
func lineOf(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob("testdata/hazard*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.HasSuffix(line, "// mark:"+name) {
				return fmt.Sprintf("%s:%d", filepath.Base(file), i+1)
			}
		}
	}
	t.Fatalf("no mark %s", name)
	return ""
}

func counts(t *testing.T, marks ...string) []probe.Spec {
	t.Helper()
	var specs []probe.Spec
	for _, m := range marks {
		specs = append(specs, probe.Spec{ID: m, Kind: probe.Count, At: lineOf(t, m)})
	}
	return specs
}

// collecting is an observation of a session without probes yet.
func collecting(t *testing.T, c *child) *observation {
	t.Helper()
	o := &observation{t: t, s: open(t, c, Options{}), done: make(chan struct{})}
	go func() {
		defer close(o.done)
		for e := range o.s.Events() {
			o.events = append(o.events, e)
		}
	}()
	return o
}

// install does what Session.Install does with a plan of the test's own making.
func (o *observation) install(p *plan) {
	o.t.Helper()
	specs := []probe.Spec{}
	for _, pl := range p.probes {
		specs = append(specs, pl.spec)
	}
	if err := o.s.checkClock(specs); err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	l, err := o.s.install(ctx, p)
	if err != nil {
		o.t.Fatal(err)
	}
	o.ready = o.s.ready(l)
	o.s.live = l
	go o.s.run(l)
}

// trap makes traps of all windows, also where jumps fit.
func (p *plan) trap(t *testing.T) {
	t.Helper()
	for _, w := range p.windows {
		k := w.points[0].inst // the window may begin before its site
		if w.points[len(w.points)-1].inst != k {
			t.Fatal("neighbours share a window: ask for them one by one")
		}
		for i := range w.points {
			w.points[i].inst = 0
		}
		w.Insts = w.Insts[k : k+1]
		w.Addr, w.flagsDead = w.Insts[0].PC, w.points[0].live.FlagsDead
		w.Len, w.Jump, w.Interior, w.Spill = w.Insts[0].Len, false, nil, 0
	}
}

// observeTraps observes with traps only.
func observeTraps(t *testing.T, c *child, specs ...probe.Spec) *observation {
	t.Helper()
	o := collecting(t, c)
	p, err := newPlanner(o.s.build).plan(specs)
	if err != nil {
		t.Fatal(err)
	}
	p.trap(t)
	o.install(p)
	return o
}

// planAt plans a probe at each of the addresses, each like spec.
func (o *observation) planAt(spec probe.Spec, pcs []uint64) *plan {
	o.t.Helper()
	out := &plan{}
	pr := newPlanner(o.s.build)
	for i, pc := range pcs {
		fn := o.s.build.FuncAt(pc)
		spec.ID = fmt.Sprintf("%s+%#x", fn.Name, pc-fn.Entry)
		spec.At = spec.ID
		where := &locate.Result{Sites: []locate.Site{{PC: pc, Func: fn, Function: fn.Name}}}
		prog, issues, err := compile.Compile(o.s.build, spec, i, where)
		if err != nil {
			o.t.Fatal(err)
		}
		out.probes = append(out.probes, &planned{spec: spec, program: prog, issues: issues})
	}
	pr.windows(out)
	return out
}

// instructions are the addresses of the instructions of functions that may take
// a probe, by the start of the functions' names.
func (o *observation) instructions(prefix string, is func(amd64.Inst) bool) []uint64 {
	o.t.Helper()
	var out []uint64
	pr := newPlanner(o.s.build)
	for _, fn := range o.s.build.Funcs() {
		if !strings.HasPrefix(fn.Name, prefix) || locate.Refused(fn) != "" {
			continue
		}
		f, err := pr.function(fn.Entry)
		if err != nil {
			continue
		}
		for _, inst := range f.graph.Insts {
			if is(inst) {
				out = append(out, inst.PC)
			}
		}
	}
	return out
}

// sum is the number of hits of a probe, whose arithmetic is checked.
func (o *observation) sum(ends map[string]*probe.End, id string) uint64 {
	o.t.Helper()
	e := ends[id]
	if e == nil {
		o.t.Fatalf("%s: no end", id)
	}
	if e.Hits != e.Emitted+e.Suppressed+e.Dropped || e.Reason != probe.EndInterrupted {
		o.t.Errorf("%s: %+v", id, e)
	}
	return e.Hits
}

// cycles installs and removes the probes n times while the target is at work.
func cycles(t *testing.T, c *child, n int, specs ...probe.Spec) {
	t.Helper()
	for i := range n {
		o := observe(t, c, specs...)
		time.Sleep(5 * time.Millisecond)
		ends := o.end()
		for _, s := range specs {
			o.sum(ends, s.ID)
		}
		if t.Failed() {
			t.Fatalf("in cycle %d", i)
		}
	}
	checkText(t, c)
}

// anyInst is true of every instruction.
func anyInst(amd64.Inst) bool { return true }
