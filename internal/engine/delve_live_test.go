//go:build linux && amd64

package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// witness is a program that both the debugger and Sidelight look into. It does
// the same in every run: all it does comes from its standard input.
type witness struct {
	name  string
	path  string
	stdin string
	pkgs  []string // where its breakpoints lie
	build *debuginfo.Build
}

// stop is a line at which the debugger stopped, and what it saw.
type stop struct {
	at     string // file:line
	pc     uint64
	frames []delveFrame
}

// TestDelveSeesTheSame holds snapshots against what a debugger reads at the
// same hits: variables of all frames, functions and lines of the stack.
func TestDelveSeesTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes: hundreds of stops of a debugger")
	}
	seed := uint64(1) // SIDELIGHT_SEED chooses other lines
	if n, err := strconv.ParseUint(os.Getenv("SIDELIGHT_SEED"), 10, 64); err == nil {
		seed = n
	}
	var all comparison
	stops := 0
	for _, w := range witnesses(t) {
		t.Run(w.name, func(t *testing.T) {
			seen := w.debug(t, w.candidates(t, seed, 400), 90)
			stops += len(seen)
			for len(seen) > 0 {
				n := min(8, len(seen))
				w.compare(t, seen[:n], &all)
				seen = seen[n:]
			}
		})
	}
	t.Logf("%d stops: %d values alike, %d differ, %d only in the debugger, %d only here, %d late, %d shown in another form",
		stops, all.equal, len(all.differ), all.onlyDelve, all.onlyOurs, all.late, all.special)
	for why, n := range all.missing {
		t.Logf("only in the debugger: %d at the line itself, %d in callers: %s", n[0], n[1], why)
	}
	if all.equal < 1000 {
		t.Errorf("only %d values were compared", all.equal)
	}
}

func witnesses(t *testing.T) []*witness {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src", "go", "parser", "resolver.go")
	list := []*witness{
		{name: "words", path: buildPackage(t, "testdata/words"), stdin: src,
			pkgs: []string{"main", "encoding/json", "text/template", "regexp", "text/tabwriter", "sort", "strconv", "reflect"}},
		{name: "gofmt", path: buildPackage(t, "cmd/gofmt"), stdin: src,
			pkgs: []string{"main", "go/parser", "go/scanner", "go/printer", "go/ast", "go/token", "text/tabwriter"}},
		{name: "target", path: buildPackage(t, "testdata/target"), stdin: script(t),
			pkgs: []string{"main", "bufio"}},
	}
	for _, w := range list {
		b, err := debuginfo.Open(w.path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		w.build = b
	}
	return list
}

// script lets the target run its scenarios, one after the other.
func script(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "script")
	text := ""
	for _, s := range []string{"leaf", "handle", "inlined", "method", "closure", "nil", "deep", "caller", "float"} {
		text += "run " + s + " 20\n"
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// buildPackage builds a folder of this one, or a package of the toolchain.
func buildPackage(t *testing.T, pkg string) string {
	t.Helper()
	if path := built[pkg]; path != "" {
		return path
	}
	dir, err := os.MkdirTemp("", "sidelight-engine")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, pkg)
	if strings.HasPrefix(pkg, "testdata/") {
		cmd.Args[len(cmd.Args)-1] = "./" + pkg
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	built[pkg] = path
	return path
}

// anyOrder are files and functions that do something else at their first hit in
// every run: they range over a map, or a pool of the processor at hand calls them.
func anyOrder(f *debuginfo.Func, file string) bool {
	return strings.HasSuffix(file, "text/template/funcs.go") || strings.Contains(f.Name, ".init.func") || strings.Contains(f.Name, ".init.0.func")
}

// calledInAnyOrder tells whether a function of anyOrder is on the stack.
func calledInAnyOrder(frames []delveFrame) bool {
	return slices.ContainsFunc(frames, func(f delveFrame) bool { return strings.HasSuffix(f.File, "text/template/funcs.go") })
}

// candidates are lines of one site each, in a random order that is the same
// every time.
func (w *witness) candidates(t *testing.T, seed uint64, most int) []stop {
	t.Helper()
	var lines []string
	known := map[string]bool{}
	for _, f := range w.build.Funcs() {
		for _, pkg := range w.pkgs {
			if f.Package != pkg {
				continue
			}
			for _, row := range w.build.Lines(f) {
				at := fmt.Sprintf("%s:%d", row.File, row.Line)
				if row.Stmt && !known[at] && !anyOrder(f, row.File) {
					known[at] = true
					lines = append(lines, at)
				}
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(lines))))
	r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
	var out []stop
	for _, at := range lines {
		where, err := locate.Resolve(w.build, at)
		if err != nil || len(where.Sites) != 1 {
			continue
		}
		if out = append(out, stop{at: at, pc: where.Sites[0].PC}); len(out) == most {
			break
		}
	}
	return out
}

// debug runs the program in the debugger and notes what it sees at the first
// hit of each line, until enough were hit.
func (w *witness) debug(t *testing.T, candidates []stop, enough int) []stop {
	t.Helper()
	d := startDebugger(t, w.path, w.stdin)
	d.untilInput(w.build.FuncNamed("os.(*File).Read").Entry)
	byPC := map[uint64]*stop{}
	for i := range candidates {
		if err := d.breakAt(candidates[i].pc); err == nil {
			byPC[candidates[i].pc] = &candidates[i]
		}
	}
	var seen []stop
	for len(seen) < enough {
		state, err := d.goOn()
		if err != nil || state.Exited || state.CurrentThread == nil || state.CurrentThread.Breakpoint == nil {
			break
		}
		s := byPC[state.CurrentThread.PC]
		if s == nil || s.frames != nil {
			continue
		}
		if s.frames, err = d.stack(50); err != nil {
			t.Fatal(err)
		}
		if !calledInAnyOrder(s.frames) {
			seen = append(seen, *s)
		}
		if err := d.clear(state.CurrentThread.Breakpoint.ID); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < enough/2 {
		t.Errorf("only %d lines of %d were hit", len(seen), len(candidates))
	}
	return seen
}

// compare takes snapshots at the first hit of some lines, in a run of their own.
func (w *witness) compare(t *testing.T, stops []stop, all *comparison) {
	t.Helper()
	moments, ends := w.snapshots(t, stops)
	for i := range stops {
		s := &stops[i]
		m := moments[fmt.Sprint(i)]
		if m == nil {
			if end := ends[fmt.Sprint(i)]; end == nil || end.Dropped == 0 {
				t.Errorf("%s: the debugger stopped there, and no snapshot was taken: %+v", s.at, end)
			}
			continue // the scheduler waited for the goroutine at that very moment
		}
		if len(m.Frames) == 0 {
			t.Errorf("%s: a moment without frames", s.at)
			continue
		}
		var c comparison
		frames := fromAsked(s.frames, m.Frames[0].Function)
		c.stack(frames, m.Frames)
		c.variables("", &frames[0], &m.Frames[0])
		for _, d := range c.differ {
			t.Errorf("%s (%#x): %s", s.at, s.pc, d)
		}
		all.equal += c.equal
		all.onlyDelve += c.onlyDelve
		all.onlyOurs += c.onlyOurs
		all.late += c.late
		all.special += c.special
		all.differ = append(all.differ, c.differ...)
		all.lack(&c)
		for _, o := range c.ours {
			t.Logf("%s: %s", s.at, o)
		}
	}
}

// fromAsked are the frames from the function that was asked for: the debugger begins
// with calls inlined at the very instruction, which have not begun yet.
func fromAsked(frames []delveFrame, function string) []delveFrame {
	for i := range frames {
		if frames[i].Function != nil && frames[i].Function.Name == function {
			return frames[i:]
		}
	}
	return frames
}

// awaitInput waits until a thread of a process reads its standard input.
func awaitInput(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		for _, path := range calls {
			if text, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(text), "0 0x0 ") { // read, of 0
				return
			}
		}
	}
	t.Fatal("the program does not read its input")
}

// snapshots runs the program with a snapshot at each stop.
func (w *witness) snapshots(t *testing.T, stops []stop) (moments map[string]*probe.Moment, ends map[string]*probe.End) {
	t.Helper()
	cmd := exec.Command(w.path)
	cmd.Env = sameRun()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	awaitInput(t, cmd.Process.Pid)
	s, err := Open(context.Background(), cmd.Process.Pid, Options{Log: quiet(), Guard: []string{os.Args[0], "guard"}})
	if err != nil {
		t.Fatal(err)
	}
	moments, ends = map[string]*probe.Moment{}, map[string]*probe.End{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range s.Events() {
			switch e := e.(type) {
			case *probe.Moment:
				moments[e.Probe] = e
			case *probe.End:
				ends[e.Probe] = e
			}
		}
	}()
	var specs []probe.Spec
	for i := range stops {
		specs = append(specs, probe.Spec{ID: fmt.Sprint(i), Kind: probe.Snapshot, At: stops[i].at, Limit: 1,
			Bounds: probe.Bounds{Frames: 30, MaxBytes: 64 << 10, MaxItems: 1000, MaxTime: probe.NoMaxTime}})
	}
	if _, err := s.Install(context.Background(), specs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.stdin)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write(text)
	_ = in.Close()
	_ = cmd.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	return moments, ends
}
