//go:build linux && amd64

package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestMain lets the test binary be its own guard.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		if err := Guard(os.Args[2:], os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "guard:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) > 1 && os.Args[1] == "tool" {
		tool(os.Args[2:])
	}
	code := m.Run()
	for _, path := range built {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

const targetSource = "testdata/target/main.go"

// child is a running target of a test.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	path string

	symbols []string // where its debug information is, if it has none itself
}

// startTarget runs the target program with its own counts.
func startTarget(t *testing.T, path string, env ...string) *child {
	t.Helper()
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), env...)
	return startChild(t, path, cmd)
}

// startTargetArgs runs a program with arguments.
func startTargetArgs(t *testing.T, path string, args ...string) *child {
	t.Helper()
	return startChild(t, path, exec.Command(path, args...))
}

func startChild(t *testing.T, path string, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{t: t, path: path, cmd: cmd}
	c.cmd.Stderr = os.Stderr
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
	c.out.Buffer(nil, 64<<20)
	if c.line() != "ready" {
		t.Fatal("the target did not start")
	}
	return c
}

func (c *child) line() string {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("the target is gone: %v", c.cmd.Wait())
	}
	return c.out.Text()
}

// run lets the target run a scenario and returns its own count.
func (c *child) run(name string, n int) uint64 {
	c.t.Helper()
	c.say("run %s %d", name, n)
	return c.answer(name)
}

func (c *child) say(format string, args ...any) {
	c.t.Helper()
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *child) answer(name string) uint64 {
	c.t.Helper()
	var count uint64
	if _, err := fmt.Sscanf(c.line(), "done "+name+" %d", &count); err != nil {
		c.t.Fatalf("scenario %s: %q: %v", name, c.out.Text(), err)
	}
	return count
}

// mark is the location of a line of the target.
func mark(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(targetSource)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(text), "\n") {
		if strings.HasSuffix(line, "// mark:"+name) {
			return fmt.Sprintf("main.go:%d", i+1)
		}
	}
	t.Fatalf("no mark %s", name)
	return ""
}

var built = map[string]string{}

// asTest, as the first flag, lets buildTarget make a test binary of the target.
const asTest = "test"

// buildTarget builds the target with debug information.
func buildTarget(t *testing.T, env []string, flags ...string) string {
	t.Helper()
	key := strings.Join(append(append([]string{}, env...), flags...), " ")
	if path := built[key]; path != "" {
		return path
	}
	dir, err := os.MkdirTemp("", "sidelight-engine")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "target")
	src, err := filepath.Abs(targetSource)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"build", "-o", path}, flags...)
	if len(flags) > 0 && flags[0] == asTest {
		// go test links without debug information, unless it is asked for.
		args = append([]string{"test", "-c", "-ldflags=-w=0", "-o", path}, flags[1:]...)
		args = append(args, strings.TrimSuffix(src, ".go")+"_test.go")
	}
	cmd := exec.Command("go", append(args, src)...)
	cmd.Env = append(append(os.Environ(), "GOFLAGS=-buildvcs=false"), env...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the target: %v\n%s", err, out)
	}
	built[key] = path
	return path
}

// needC skips a test whose target is partly C where there is no compiler for it.
func needC(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed: the target cannot be built")
	}
}

// observation is a session of a test, its events collected.
type observation struct {
	t      *testing.T
	s      *Session
	ready  *probe.Ready
	events []probe.Event
	done   chan struct{}
}

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

func open(t *testing.T, c *child, opt Options) *Session {
	t.Helper()
	opt.Log = quiet()
	opt.Symbols = append(opt.Symbols, c.symbols...)
	if opt.Guard == nil {
		opt.Guard = []string{os.Args[0], "guard"}
	}
	s, err := Open(context.Background(), c.cmd.Process.Pid, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// observe installs probes in a child, without a budget.
func observe(t *testing.T, c *child, specs ...probe.Spec) *observation {
	t.Helper()
	o := &observation{t: t, s: open(t, c, Options{}), done: make(chan struct{})}
	o.receive(specs...)
	return o
}

// receive installs probes and collects what they tell.
func (o *observation) receive(specs ...probe.Spec) {
	o.t.Helper()
	go func() {
		defer close(o.done)
		for e := range o.s.Events() {
			o.events = append(o.events, e)
		}
	}()
	for i := range specs {
		if specs[i].ID == "" {
			specs[i].ID = fmt.Sprintf("p%d", i+1)
		}
		if b := &specs[i].Bounds; b.MaxTime == 0 { // a test machine may be slow
			b.MaxTime = probe.NoMaxTime
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var err error
	if o.ready, err = o.s.Install(ctx, specs); err != nil {
		o.t.Fatal(err)
	}
}

// end closes the session and returns the End of each probe by its id.
func (o *observation) end() map[string]*probe.End {
	o.t.Helper()
	if err := o.s.Close(); err != nil {
		o.t.Fatal(err)
	}
	<-o.done
	ends := map[string]*probe.End{}
	for _, e := range o.events {
		if end, ok := e.(*probe.End); ok {
			ends[end.Probe] = end
		}
	}
	return ends
}

// checkText compares the target's text with its file.
func checkText(t *testing.T, c *child) {
	t.Helper()
	s := open(t, c, Options{})
	defer s.Close()
	diffs, err := s.proc.CompareText()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diffs {
		t.Errorf("text at %#x is % x, and % x in the file", d.Addr, d.Memory, d.File)
	}
}

func TestCountsAreTheTargetsOwn(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	for _, tc := range []struct {
		mark, scenario string
		n              int
	}{
		{"leaf", "leaf", 300_000},
		{"handle", "handle", 100_000},
		{"inlined", "inlined", 100_000},
		{"method", "method", 100_000},
		{"closure", "closure", 100_000},
		{"nil", "nil", 10_000},
		{"deep", "deep", 50},
		{"caller", "caller", 10_000},
		{"leaf", "parallel", 200_000},
		{"float", "float", 10_000},
	} {
		t.Run(tc.mark+"/"+tc.scenario, func(t *testing.T) {
			o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, tc.mark)})
			want := c.run(tc.scenario, tc.n)
			end := o.end()["p1"]
			t.Logf("%+v", o.ready.Probes[0])
			if end == nil || end.Hits != want {
				t.Fatalf("counted %+v, the target %d", end, want)
			}
			if c.run(tc.scenario, 10) == 0 {
				t.Error("the target does not go on")
			}
			checkText(t, c)
		})
	}
}
