package dap

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// world is a process that is not there, and all that was put into it.
type world struct {
	t  *testing.T
	mu sync.Mutex

	probers []*fakeProber
	most    int             // Probers at once
	in      map[string]bool // locations that have a probe
	refuse  error           // of Open
	slow    time.Duration   // each installation takes so long
}

// fakeProber is one Prober of the world. A location says what becomes of a
// probe: "mistake" in a message is one, a line below 10 has no code, a second
// Prober on a line in use is told so.
type fakeProber struct {
	w      *world
	events chan probe.Event
	specs  map[string]probe.Spec
	hits   map[string]uint64
	closed bool
}

type fakeMistake struct{ id string }

func (e *fakeMistake) Error() string   { return "nothing named mistake is in scope" }
func (e *fakeMistake) ProbeID() string { return e.id }

func (w *world) open(context.Context, int, Options) (Prober, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		return nil, w.refuse
	}
	p := &fakeProber{w: w, events: make(chan probe.Event, 100_000), specs: map[string]probe.Spec{}, hits: map[string]uint64{}}
	w.probers = append(w.probers, p)
	n := 0
	for _, p := range w.probers {
		if !p.closed {
			n++
		}
	}
	w.most = max(w.most, n)
	return p, nil
}

func (p *fakeProber) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	select {
	case <-time.After(p.w.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	ready := &probe.Ready{PID: 1}
	for _, s := range specs {
		if strings.Contains(s.Message+s.If, "mistake") {
			return nil, &fakeMistake{s.ID}
		}
	}
	for _, s := range specs {
		r := probe.Report{Probe: s.ID, Location: s.At, Sites: 1, Jumps: 1}
		switch {
		case p.w.in[s.At] && !p.has(s.At):
			r.Sites, r.Issues = 0, []probe.Issue{{Code: probe.IssueTaken, Message: "taken"}}
		case strings.Contains(s.At, "runtime."):
			r.Sites, r.Issues = 0, []probe.Issue{{Code: probe.IssueRefusedCode, Message: "code of the runtime takes no probe"}}
		default:
			p.specs[s.ID], p.w.in[s.At] = s, true
		}
		ready.Probes = append(ready.Probes, r)
	}
	return ready, nil
}

func (p *fakeProber) has(at string) bool {
	for _, s := range p.specs {
		if s.At == at {
			return true
		}
	}
	return false
}

func (p *fakeProber) Events() <-chan probe.Event { return p.events }

func (p *fakeProber) Remove(ids ...string) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for _, id := range ids {
		p.end(id, probe.EndRemoved)
	}
	return nil
}

func (p *fakeProber) end(id string, why probe.Reason) {
	s, ok := p.specs[id]
	if !ok || p.closed {
		return
	}
	delete(p.specs, id)
	if !p.has(s.At) {
		delete(p.w.in, s.At)
	}
	p.events <- &probe.End{Probe: id, Location: s.At, Reason: why, Hits: p.hits[id], Emitted: p.hits[id]}
}

func (p *fakeProber) State() []probe.State {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	var all []probe.State
	for id, s := range p.specs {
		all = append(all, probe.State{Probe: id, Kind: s.Kind, Location: s.At, Hits: p.hits[id], Emitted: p.hits[id]})
	}
	return all
}

func (p *fakeProber) Close() error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.closed {
		return errors.New("closed twice")
	}
	for id := range p.specs {
		p.end(id, probe.EndInterrupted)
	}
	p.closed = true
	close(p.events)
	return nil
}

// spec is the probe at a location, and its Prober.
func (w *world) spec(at string) (*fakeProber, probe.Spec, bool) {
	for _, p := range w.probers {
		for _, s := range p.specs {
			if strings.HasSuffix(s.At, at) && !p.closed {
				return p, s, true
			}
		}
	}
	return nil, probe.Spec{}, false
}

// hit lets a probe at a location be hit.
func (w *world) hit(at string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	p, s, ok := w.spec(at)
	if !ok {
		w.t.Fatalf("no probe is at %s", at)
	}
	p.hits[s.ID]++
	file, _, _ := strings.Cut(s.At, ":")
	if s.Kind == probe.Log {
		p.events <- &probe.Hit{Probe: s.ID, Location: s.At, Seq: p.hits[s.ID], File: file, Line: lineOf(s.At), Message: s.Message,
			Values: []probe.NamedValue{{Name: "o", Value: orderOf(7)}}}
		return
	}
	p.events <- fakeMoment(s, p.hits[s.ID])
}

// finish ends a probe as if by itself.
func (w *world) finish(at string, why probe.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p, s, ok := w.spec(at); ok {
		p.end(s.ID, why)
	}
}

func (w *world) locations() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.in)
}

func lineOf(at string) int {
	n := 0
	_, _ = fmt.Sscanf(at[strings.LastIndexByte(at, ':')+1:], "%d", &n)
	return n
}

func intValue(n int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: n} }
func textValue(s string) probe.Value {
	return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}

// orderOf is a value to unfold: a pointer to a struct with a list and a map.
func orderValue(id int64) probe.Value {
	items := probe.Value{Shape: probe.List, Type: "[]string", Len: 300}
	for i := range 300 {
		items.Elems = append(items.Elems, textValue(fmt.Sprint("item ", i)))
	}
	return probe.Value{Shape: probe.Struct, Type: "main.Order", Fields: []probe.NamedValue{
		{Name: "ID", Value: intValue(id)},
		{Name: "Name", Value: textValue("al\"ice")},
		{Name: "Items", Value: items},
		{Name: "attrs", Value: probe.Value{Shape: probe.Map, Type: "map[string]int", Len: 1, Entries: []probe.Entry{{Key: textValue("x"), Value: intValue(1)}}}},
		{Name: "next", Value: probe.Value{Shape: probe.Pointer, Type: "*main.Order", Uint: 0xc000}},
		{Name: "lost", Value: probe.Why("optimised out")},
	}}
}

func orderOf(id int64) probe.Value {
	return probe.Value{Shape: probe.Pointer, Type: "*main.Order", Uint: 0xc000, Elems: []probe.Value{orderValue(id)}}
}

func fakeMoment(s probe.Spec, n uint64) *probe.Moment {
	file, _, _ := strings.Cut(s.At, ":")
	at := time.Date(2026, 1, 2, 12, 1, int(n), 0, time.UTC)
	return &probe.Moment{Probe: s.ID, Location: s.At, Seq: n, Time: at, Goroutine: 17 + n, Function: "main.record", File: file, Line: lineOf(s.At),
		Frames: []probe.Frame{
			{Function: "main.record", File: file, Line: lineOf(s.At), PC: 0x1234, Variables: []probe.Variable{
				{Name: "o", Role: probe.RoleArgument, Value: orderOf(int64(n))},
				{Name: "n", Role: probe.RoleLocal, Value: intValue(1)},
				{Name: "n", Role: probe.RoleLocal, Value: intValue(2)}, // shadows the other
			}},
			{Function: "main.main", File: file, Line: 99, Variables: []probe.Variable{{Name: "up", Role: probe.RoleLocal, Value: textValue("there")}}},
		},
		Watches: []probe.NamedValue{{Name: "o.ID * 2", Value: intValue(int64(2 * n))}},
	}
}

// fakeHost has one process.
type fakeHost struct{}

func (fakeHost) Resolve(text string) (target.Process, error) {
	if text != "shop" && text != "4711" {
		return target.Process{}, &target.NotFoundError{Text: text}
	}
	return target.Process{PID: 4711, Name: "shop"}, nil
}

func (h fakeHost) List(bool) ([]target.Process, error) {
	p, err := h.Resolve("shop")
	return []target.Process{p, {PID: 1, Name: "sidelight"}}, err
}

// fakeCode is a build with one file, whose lines have code from 10 to 2000, but
// for those that end in 5.
type fakeCode struct{ file string }

func (c fakeCode) File(path string) (string, error) {
	if path != c.file {
		return "", fmt.Errorf("%s is no file of this build", base(path))
	}
	return path, nil
}

func (c fakeCode) NextLine(_ string, line int) int {
	switch {
	case line < 10 || line > 2000:
		return 0
	case line%10 == 5:
		return line + 1
	}
	return line
}

func (c fakeCode) Files() []string { return []string{c.file} }
func (c fakeCode) Close() error    { return nil }

// Source is what is on disk, but for a file whose first line says what was
// built before it was changed.
func (c fakeCode) Source(file, _ string) (Text, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Text{}, err
	}
	if first, rest, _ := strings.Cut(string(b), "\n"); first == "// new" {
		return Text{Content: strings.ReplaceAll(rest, "CHANGED", "original"), Path: file}, nil
	} else if first == "// doubtful" {
		return Text{Content: string(b), Path: file, Doubt: "line 7 is blank"}, nil
	}
	return Text{Content: string(b), Path: file}, nil
}

// editor is the client of a test.
type editor struct {
	t      *testing.T
	w      *world
	in     *io.PipeWriter
	seq    int
	mu     sync.Mutex
	got    []message
	more   *sync.Cond
	served chan error
	file   string
}

type message struct {
	Seq        int             `json:"seq"`
	Type       string          `json:"type"`
	Command    string          `json:"command"`
	Event      string          `json:"event"`
	RequestSeq int             `json:"request_seq"`
	Success    bool            `json:"success"`
	Message    string          `json:"message"`
	Body       json.RawMessage `json:"body"`
}

// connect starts a session with an editor that is not yet attached.
func connect(t *testing.T) *editor {
	t.Helper()
	file := t.TempDir() + "/main.go"
	if err := os.WriteFile(file, []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	e := &editor{t: t, w: &world{t: t, in: map[string]bool{}}, served: make(chan error, 1), file: file}
	e.more = sync.NewCond(&e.mu)
	in, w := io.Pipe()
	r, out := io.Pipe()
	e.in = w
	a := &Adapter{Host: fakeHost{}, Open: e.w.open, Code: func(int, []string) (Code, error) { return fakeCode{file}, nil }}
	go func() {
		e.served <- a.Serve(context.Background(), in, out)
		in.Close()
		out.Close()
	}()
	go e.read(r)
	t.Cleanup(func() { w.Close() })
	return e
}

func (e *editor) read(r io.Reader) {
	b := bufio.NewReader(r)
	for {
		content, err := readMessage(b)
		if err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(content, &m); err != nil {
			e.t.Errorf("%s: %v", content, err)
		}
		e.mu.Lock()
		e.got = append(e.got, m)
		e.more.Broadcast()
		e.mu.Unlock()
	}
}

// attach brings the editor to where breakpoints can be set.
func (e *editor) attach() *editor {
	e.t.Helper()
	e.ok("initialize", map[string]any{"adapterID": "sidelight", "linesStartAt1": true})
	e.ok("attach", map[string]any{"target": "shop"})
	return e
}

func (e *editor) raw(text string) {
	_, _ = io.WriteString(e.in, text)
}

func (e *editor) send(command string, arguments any) int {
	e.seq++
	b, err := json.Marshal(map[string]any{"seq": e.seq, "type": "request", "command": command, "arguments": arguments})
	if err != nil {
		e.t.Fatal(err)
	}
	e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(b), b))
	return e.seq
}

// await waits for a message that fits, the first from number from on.
func (e *editor) await(what string, from int, fits func(message) bool) (message, int) {
	e.t.Helper()
	late := time.AfterFunc(20*time.Second, func() {
		e.mu.Lock()
		e.got = append(e.got, message{Type: "late"})
		e.more.Broadcast()
		e.mu.Unlock()
	})
	defer late.Stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := from; ; i++ {
		for i >= len(e.got) {
			e.more.Wait()
		}
		if fits(e.got[i]) {
			return e.got[i], i
		}
		if e.got[i].Type == "late" {
			e.t.Fatalf("%s did not come; the last messages: %s", what, e.tail())
		}
	}
}

func (e *editor) tail() string {
	var b strings.Builder
	for _, m := range e.got[max(0, len(e.got)-8):] {
		fmt.Fprintf(&b, "\n  %s %s%s %v %s %.300s", m.Type, m.Command, m.Event, m.Success, m.Message, m.Body)
	}
	return b.String()
}

func (e *editor) ask(command string, arguments any) message {
	e.t.Helper()
	seq := e.send(command, arguments)
	m, _ := e.await("the answer to "+command, 0, func(m message) bool { return m.Type == "response" && m.RequestSeq == seq })
	return m
}

func (e *editor) ok(command string, arguments any) message {
	e.t.Helper()
	m := e.ask(command, arguments)
	if !m.Success {
		e.t.Fatalf("%s failed: %s", command, m.Message)
	}
	return m
}

// mark is the number of messages so far.
func (e *editor) mark() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.got)
}

func (e *editor) event(name string, from int) message {
	e.t.Helper()
	m, _ := e.await("the event "+name, from, func(m message) bool { return m.Event == name })
	return m
}

func into[T any](t *testing.T, m message) (v T) {
	t.Helper()
	if err := json.Unmarshal(m.Body, &v); err != nil {
		t.Fatalf("%s: %v", m.Body, err)
	}
	return v
}

// ends waits for the end of the session, and says that nothing was left.
func (e *editor) ends() error {
	e.t.Helper()
	select {
	case err := <-e.served:
		if n := e.w.locations(); n != 0 {
			e.t.Errorf("%d probes are left", n)
		}
		return err
	case <-time.After(20 * time.Second):
		e.t.Fatal("the session does not end")
		return nil
	}
}
