package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/dap"
	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// editor is a client of the debug adapter.
type editor struct {
	t    *testing.T
	in   io.WriteCloser
	got  chan map[string]any
	seq  int
	done chan error
}

// builtCode is a build whose source is the editor's.
type builtCode struct{ *engine.Code }

func (builtCode) Source(string, string) (dap.Text, error) { return dap.Text{}, os.ErrNotExist }

// editWith starts a debug adapter with the real engine.
func editWith(t *testing.T) *editor {
	t.Helper()
	in, w := io.Pipe()
	r, out := io.Pipe()
	e := &editor{t: t, in: w, got: make(chan map[string]any, 1000), done: make(chan error, 1)}
	a := &dap.Adapter{
		Host: target.Local(),
		Open: func(ctx context.Context, pid int, opt dap.Options) (dap.Prober, error) {
			return engine.Open(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Symbols: opt.Symbols})
		},
		Code: func(pid int, symbols []string) (dap.Code, error) {
			c, err := engine.OpenCode(pid, symbols...)
			return builtCode{c}, err
		},
	}
	go func() {
		e.done <- a.Serve(context.Background(), in, out)
		out.Close()
	}()
	go func() {
		defer close(e.got)
		b := bufio.NewReader(r)
		for {
			header, err := b.ReadString('\n')
			if err != nil {
				return
			}
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(header, "Content-Length:")))
			text := make([]byte, 2+n)
			if _, err := io.ReadFull(b, text); err != nil {
				return
			}
			m := map[string]any{}
			if err := json.Unmarshal(text[2:], &m); err != nil {
				t.Error(err)
			}
			e.got <- m
		}
	}()
	return e
}

// ask sends a request and returns the body of its answer; of the messages in
// between those that see wants are passed to it.
func (e *editor) ask(command string, arguments any, see func(event string, body map[string]any)) map[string]any {
	e.t.Helper()
	e.seq++
	b, err := json.Marshal(map[string]any{"seq": e.seq, "type": "request", "command": command, "arguments": arguments})
	if err != nil {
		e.t.Fatal(err)
	}
	fmt.Fprintf(e.in, "Content-Length: %d\r\n\r\n%s", len(b), b)
	return e.until(command, see, func(m map[string]any) bool {
		if m["type"] != "response" || int(m["request_seq"].(float64)) != e.seq {
			return false
		}
		if m["success"] != true {
			e.t.Fatalf("%s: %v", command, m["message"])
		}
		return true
	})
}

func (e *editor) until(what string, see func(string, map[string]any), fits func(map[string]any) bool) map[string]any {
	e.t.Helper()
	late := time.After(30 * time.Second)
	for {
		select {
		case m, ok := <-e.got:
			if !ok {
				e.t.Fatalf("the adapter has ended before %s came", what)
			}
			body, _ := m["body"].(map[string]any)
			if name, _ := m["event"].(string); name != "" && see != nil {
				see(name, body)
			}
			if fits(m) {
				return body
			}
		case <-late:
			e.t.Fatalf("%s did not come", what)
		}
	}
}

func (e *editor) event(name string) map[string]any {
	e.t.Helper()
	return e.until(name, nil, func(m map[string]any) bool { return m["event"] == name })
}

// An editor looks into a real process: breakpoints that come one after another,
// every third hit, a moment with its values, and nothing left at the end.
func TestEditorLooksIntoAProcess(t *testing.T) {
	program, err := buildTarget("plain")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, filepath.Join(t.TempDir(), "pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	code, err := engine.OpenCode(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	source := ""
	for _, f := range code.Files() {
		if strings.HasSuffix(f, "/main.go") {
			source = f
		}
	}
	code.Close()
	e := editWith(t)
	e.ask("initialize", map[string]any{"linesStartAt1": true}, nil)
	e.ask("attach", map[string]any{"target": cmd.Process.Pid}, nil)

	var lines []map[string]any
	set := func(more map[string]any) {
		lines = append(lines, more)
		body := e.ask("setBreakpoints", map[string]any{"source": map[string]any{"path": source}, "breakpoints": lines}, nil)
		for i, b := range body["breakpoints"].([]any) {
			if b.(map[string]any)["verified"] != true {
				t.Fatalf("breakpoint %d: %v", i, b)
			}
		}
	}
	set(map[string]any{"line": 18, "logMessage": "call {n}", "hitCondition": "% 3"})
	var seen []int
	for len(seen) < 3 {
		out := e.event("output")
		var n int
		if _, err := fmt.Sscanf(fmt.Sprint(out["output"]), "call %d", &n); err == nil {
			seen = append(seen, n)
		}
	}
	if seen[1]-seen[0] != 3 || seen[2]-seen[1] != 3 {
		t.Errorf("every third hit: %v", seen)
	}
	// On neighbouring lines, so that Probers get into each other's way.
	for _, n := range []int{27, 28} {
		set(map[string]any{"line": n, "logMessage": fmt.Sprintf("line %d", n)})
	}
	set(map[string]any{"line": 18, "condition": "n > 0"})
	stop := e.event("stopped")
	trace := e.ask("stackTrace", map[string]any{"threadId": stop["threadId"]}, nil)
	frames := trace["stackFrames"].([]any)
	frame := frames[0].(map[string]any)
	if frame["name"] != "main.main" || frame["line"] != 18.0 {
		t.Errorf("%v", frame)
	}
	if got := e.ask("evaluate", map[string]any{"expression": "n > 0", "frameId": frame["id"], "context": "watch"}, nil); got["result"] != "true" {
		t.Errorf("%v", got)
	}
	e.in.Close() // the editor is gone
	for range e.got {
	}
	if err := <-e.done; err != nil {
		t.Error(err)
	}
	checkTextIsTheFiles(t, cmd.Process.Pid)
}

// An editor's configuration says where the debug information of a stripped program
// is, whose variables are known then.
func TestEditorBringsSymbols(t *testing.T) {
	whole, err := buildTarget("plain")
	if err != nil {
		t.Fatal(err)
	}
	stripped := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", stripped, ".")
	build.Dir = filepath.Dir(whole)
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	t.Setenv("SIDELIGHT_SYMBOLS", t.TempDir()) // nothing is kept elsewhere
	cmd := exec.Command(stripped, filepath.Join(t.TempDir(), "pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	for _, known := range []bool{false, true} {
		with := map[string]any{"target": cmd.Process.Pid}
		if known {
			with["symbols"] = whole
		}
		e := editWith(t)
		e.ask("initialize", map[string]any{"linesStartAt1": true}, nil)
		e.ask("attach", with, nil)
		body := e.ask("setFunctionBreakpoints", map[string]any{"breakpoints": []any{map[string]any{"name": "main.work", "condition": "n >= 0"}}}, nil)
		point := body["breakpoints"].([]any)[0].(map[string]any)
		if point["verified"] != known {
			t.Errorf("with debug information %v: %v", known, point)
		}
		if known {
			e.event("stopped")
		}
		e.in.Close()
		for range e.got {
		}
		if err := <-e.done; err != nil {
			t.Error(err)
		}
	}
}

// checkTextIsTheFiles looks whether a process's code is its file's again: the
// engine refuses to work on one whose code is not, and a site that is still held
// would be told.
func checkTextIsTheFiles(t *testing.T, pid int) {
	t.Helper()
	s, err := engine.Open(context.Background(), pid, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for range s.Events() {
		}
	}()
	var specs []probe.Spec
	for i, line := range []int{18, 27, 28} {
		specs = append(specs, probe.Spec{ID: fmt.Sprint(i), Kind: probe.Count, At: fmt.Sprintf("main.go:%d", line), For: time.Minute})
	}
	ready, err := s.Install(context.Background(), specs)
	if err != nil {
		t.Errorf("the process's code: %v", err)
	} else {
		for _, p := range ready.Probes {
			if p.Sites == 0 {
				t.Errorf("%+v", p)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenIsForLoopbackAndTheUser(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", "192.168.1.1:0", ":x", "4711", "[::]:0", "example.com:1"} {
		if l, err := listenLoopback(address); err == nil {
			l.Close()
			t.Errorf("%s is served", address)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "localhost:0", ":0", "[::1]:0"} {
		l, err := listenLoopback(address)
		if err != nil {
			if address == "[::1]:0" {
				continue // a machine without IPv6
			}
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		uid, err := peerUser("/proc", s)
		if err != nil || uid != os.Geteuid() {
			t.Errorf("%s: the peer is user %d, %v", address, uid, err)
		}
		c.Close()
		s.Close()
		l.Close()
	}
}
