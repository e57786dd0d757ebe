package dap

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

type points = []map[string]any

func (e *editor) set(list points) []godap.Breakpoint {
	e.t.Helper()
	m := e.ok("setBreakpoints", map[string]any{"source": map[string]any{"path": e.file}, "breakpoints": list})
	return into[godap.SetBreakpointsResponseBody](e.t, m).Breakpoints
}

func TestBreakpointsSayWhatBecameOfThem(t *testing.T) {
	e := connect(t).attach()
	got := e.set(points{
		{"line": 20},
		{"line": 15},
		{"line": 3},
		{"line": 21, "logMessage": "{mistake}"},
		{"line": 22, "hitCondition": "often"},
		{"line": 23, "logMessage": "{x}", "condition": "x > 1"},
	})
	want := []struct {
		verified bool
		line     int
		message  string
	}{
		{true, 20, ""}, {true, 16, "no code on line 15: moved to 16"}, {true, 3, ""},
		{false, 21, "nothing named mistake"}, {false, 22, `hit count "often"`}, {true, 23, ""},
	}
	for i, w := range want {
		if got[i].Verified != w.verified || got[i].Line != w.line || !strings.Contains(got[i].Message, w.message) {
			t.Errorf("breakpoint %d: %+v, want %+v", i, got[i], w)
		}
	}
	m := e.ok("setBreakpoints", map[string]any{"source": map[string]any{"path": "/elsewhere/main.go"}, "breakpoints": points{{"line": 1}}})
	if b := into[godap.SetBreakpointsResponseBody](t, m).Breakpoints[0]; b.Verified || !strings.Contains(b.Message, "no file of this build") {
		t.Errorf("%+v", b)
	}
	m = e.ok("setFunctionBreakpoints", map[string]any{"breakpoints": points{{"name": "main.record"}, {"name": "runtime.mallocgc"}}})
	f := into[godap.SetFunctionBreakpointsResponseBody](t, m).Breakpoints
	if !f[0].Verified || f[1].Verified || !strings.Contains(f[1].Message, "runtime takes no probe") {
		t.Errorf("%+v", f)
	}
	e.ok("disconnect", nil)
	if err := e.ends(); err != nil {
		t.Error(err)
	}
}

// What stays is left alone, what goes is removed, and Probers do not pile up.
func TestBreakpointsComeAndGo(t *testing.T) {
	e := connect(t).attach()
	first := e.set(points{{"line": 20, "logMessage": "a"}, {"line": 30, "logMessage": "b"}})
	e.w.hit(":20")
	second := e.set(points{{"line": 20, "logMessage": "a"}, {"line": 40, "logMessage": "c"}})
	if first[0].Id != second[0].Id || first[1].Id == second[1].Id {
		t.Errorf("%+v, then %+v", first, second)
	}
	list := points{{"line": 20, "logMessage": "a"}}
	for i := range 12 {
		list = append(list, map[string]any{"line": 50 + 10*i, "logMessage": "c", "hitCondition": "> 2"})
		e.set(list)
	}
	e.w.mu.Lock()
	_, s, ok := e.w.spec(":20")
	n := len(e.w.in)
	most := e.w.most
	e.w.mu.Unlock()
	if !ok || n != 13 || most > maxCrews {
		t.Errorf("%d locations, %d Probers at once", n, most)
	}
	if s.Seen != 1 {
		t.Errorf("a breakpoint that was taken over has seen %d hits, want 1", s.Seen)
	}
	e.set(nil)
	left := e.w.locations()
	for end := time.Now().Add(10 * time.Second); left != 0 && time.Now().Before(end); left = e.w.locations() {
		time.Sleep(time.Millisecond) // a Prober closes behind the answer
	}
	if left != 0 {
		t.Errorf("%d locations are left", left)
	}
	e.in.Close()
	_ = e.ends()
}

// A line that a Prober of the session's own holds is no reason to fail: one
// Prober takes over both.
func TestOwnProberIsNoStranger(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20, "logMessage": "a"}})
	got := e.set(points{{"line": 20, "logMessage": "a"}, {"line": 20, "logMessage": "b"}})
	if !got[0].Verified || !got[1].Verified {
		t.Errorf("%+v", got)
	}
	e.in.Close()
	_ = e.ends()
}

func TestBreakpointsBeforeAttach(t *testing.T) {
	e := connect(t)
	e.ok("initialize", nil)
	if got := e.set(points{{"line": 20}}); got[0].Verified {
		t.Errorf("%+v", got)
	}
	from := e.mark()
	e.ok("attach", map[string]any{"pid": 4711})
	b := into[godap.BreakpointEventBody](t, e.event("breakpoint", from)).Breakpoint
	if !b.Verified {
		t.Errorf("%+v", b)
	}
	e.in.Close()
	_ = e.ends()
}

// Where the editor's file is not what was built, breakpoints go to the line that
// it was, and places come back as lines of the editor.
func TestChangedSource(t *testing.T) {
	var text strings.Builder
	for i := 1; i <= 40; i++ {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	e := connect(t)
	local := "// new\n" + strings.Replace(text.String(), "line 30\n", "CHANGED\n", 1)
	if err := os.WriteFile(e.file, []byte(local), 0o644); err != nil {
		t.Fatal(err)
	}
	e.attach()
	got := e.set(points{{"line": 21, "logMessage": "x"}, {"line": 31}, {"line": 26}})
	if !got[0].Verified || got[0].Line != 21 || !strings.Contains(got[0].Message, "differs from what was built: this is line 20 there") {
		t.Errorf("%+v", got[0])
	}
	if got[1].Verified || !strings.Contains(got[1].Message, "does not have this line") {
		t.Errorf("%+v", got[1])
	}
	if !got[2].Verified || got[2].Line != 27 || !strings.Contains(got[2].Message, "no code on line 26: moved to 27") {
		t.Errorf("%+v", got[2])
	}
	from := e.mark()
	e.w.hit(":20")
	m, _ := e.await("the message", from, func(m message) bool { return m.Event == "output" })
	if out := into[godap.OutputEventBody](t, m); out.Line != 21 || out.Source.Path != e.file {
		t.Errorf("%+v", out)
	}
	e.in.Close()
	_ = e.ends()

	e = connect(t)
	if err := os.WriteFile(e.file, []byte("// doubtful\n"+text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	e.attach()
	if b := e.set(points{{"line": 20}})[0]; !b.Verified || !strings.Contains(b.Message, "may differ from what was built (line 7 is blank)") {
		t.Errorf("%+v", b)
	}
	e.in.Close()
	_ = e.ends()
}

func TestLogpoints(t *testing.T) {
	e := connect(t).attach()
	b := e.set(points{{"line": 20, "logMessage": "order\n{o}", "hitCondition": "% 3", "condition": "o.ID > 1"}})
	e.w.mu.Lock()
	_, s, _ := e.w.spec(":20")
	e.w.mu.Unlock()
	if s.Every != 3 || s.After != 0 || s.If != "o.ID > 1" || s.Kind != probe.Log || s.Rate != probe.DefaultRate {
		t.Errorf("%+v", s)
	}
	from := e.mark()
	e.w.hit(":20")
	m, _ := e.await("a message", from, func(m message) bool { return m.Event == "output" })
	out := into[godap.OutputEventBody](t, m)
	if out.Output != "order\\n{o}\n" || out.Line != 20 || out.Source == nil || out.Source.Path != e.file {
		t.Errorf("%+v", out)
	}
	line := e.variables(out.VariablesReference)
	if len(line) != 1 || line[0].Value != `order\n{o}` {
		t.Fatalf("%+v", line)
	}
	values := e.variables(line[0].VariablesReference)
	if len(values) != 1 || values[0].Name != "o" || values[0].Type != "*main.Order" {
		t.Fatalf("%+v", values)
	}
	if fields := e.variables(values[0].VariablesReference); len(fields) != 6 || fields[0].Name != "ID" || fields[0].Value != "7" {
		t.Errorf("%+v", fields)
	}
	e.event("breakpoint", e.mark()) // the hits
	from = e.mark()
	e.w.finish(":20", probe.EndExpired)
	m, _ = e.await("expiry", from, func(m message) bool { return m.Event == "breakpoint" && strings.Contains(string(m.Body), "expired") })
	if over := into[godap.BreakpointEventBody](t, m).Breakpoint; over.Verified || over.Id != b[0].Id || !strings.Contains(over.Message, "1 hit;") {
		t.Errorf("%+v", over)
	}
	e.in.Close()
	_ = e.ends()
}

func (e *editor) variables(ref int) []godap.Variable {
	e.t.Helper()
	return into[godap.VariablesResponseBody](e.t, e.ok("variables", map[string]any{"variablesReference": ref})).Variables
}

type stopped struct {
	Reason            string `json:"reason"`
	Description       string `json:"description"`
	ThreadID          int    `json:"threadId"`
	AllThreadsStopped *bool  `json:"allThreadsStopped"`
}

// A breakpoint's first snapshot is a stopped thread; the others wait; dismissed,
// it shows the next one.
func TestSnapshotsAreThreads(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}})
	from := e.mark()
	e.w.hit(":20")
	st := into[stopped](t, e.event("stopped", from))
	if st.Reason != "breakpoint" || st.Description != "SNAPSHOT · LIVE" || st.AllThreadsStopped == nil || *st.AllThreadsStopped {
		t.Errorf("%+v", st)
	}
	from = e.mark()
	e.w.hit(":20")
	waits := into[momentBody](t, e.event(eventMoment, from))
	if waits.ID != 2 || waits.Opened || waits.Line != 20 {
		t.Errorf("%+v", waits)
	}
	threads := into[godap.ThreadsResponseBody](t, e.ok("threads", nil)).Threads
	if len(threads) != 2 || threads[0].Id != liveThread || !strings.HasPrefix(threads[1].Name, "snapshot 1 · goroutine 18 · ") {
		t.Fatalf("%+v", threads)
	}
	if c := e.ok("continue", map[string]any{"threadId": st.ThreadID}); !strings.Contains(string(c.Body), `"allThreadsContinued":false`) {
		t.Errorf("%s", c.Body)
	}
	m := e.event("thread", from)
	if ev := into[godap.ThreadEventBody](t, m); ev.Reason != "exited" || ev.ThreadId != st.ThreadID {
		t.Errorf("%+v", ev)
	}
	from = e.mark()
	e.w.hit(":20")
	if again := into[stopped](t, e.event("stopped", from)); again.ThreadID == st.ThreadID {
		t.Error("a thread's number is used twice")
	}
	if list := e.ok(requestMoments, nil); strings.Count(string(list.Body), `"title"`) != 3 {
		t.Errorf("%s", list.Body)
	}
	from = e.mark()
	e.ok(requestOpen, map[string]any{"id": 2})
	e.event("stopped", from)
	if m := e.ask(requestOpen, map[string]any{"id": 77}); m.Success || !strings.Contains(m.Message, "no snapshot 77") {
		t.Errorf("%+v", m)
	}
	e.in.Close()
	_ = e.ends()
}

func TestStepsWalkFromSnapshotToSnapshot(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}})
	from := e.mark()
	e.w.hit(":20")
	thread := into[stopped](t, e.event("stopped", from)).ThreadID
	for range 3 {
		from = e.mark()
		e.w.hit(":20")
		e.event(eventMoment, from)
	}
	for _, step := range []struct{ command, want string }{
		{"next", "snapshot 2 "}, {"stepIn", "snapshot 3 "}, {"stepOut", "snapshot 4 "}, {"next", "snapshot 4 "},
		{"stepBack", "snapshot 3 "}, {"reverseContinue", "snapshot 1 "}, {"stepBack", "snapshot 1 "},
	} {
		from = e.mark()
		e.ok(step.command, map[string]any{"threadId": thread})
		if st := into[stopped](t, e.event("stopped", from)); st.ThreadID != thread || st.Reason != "step" {
			t.Errorf("%s: %+v", step.command, st)
		}
		threads := into[godap.ThreadsResponseBody](t, e.ok("threads", nil)).Threads
		if len(threads) != 2 || !strings.HasPrefix(threads[1].Name, step.want) {
			t.Errorf("after %s: %+v", step.command, threads)
		}
	}
	if m := e.ask("next", map[string]any{"threadId": liveThread}); m.Success {
		t.Error("the process takes a step")
	}
	from = e.mark()
	e.ok("pause", map[string]any{"threadId": liveThread})
	if out := into[godap.OutputEventBody](t, e.event("output", from)); !strings.Contains(out.Output, "never pauses") {
		t.Errorf("%+v", out)
	}
	from = e.mark()
	e.w.hit(":20")
	e.event("stopped", from) // armed by pause
	e.in.Close()
	_ = e.ends()
}

func TestStackScopesAndValues(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}})
	from := e.mark()
	e.w.hit(":20")
	thread := into[stopped](t, e.event("stopped", from)).ThreadID
	trace := into[godap.StackTraceResponseBody](t, e.ok("stackTrace", map[string]any{"threadId": thread}))
	if trace.TotalFrames != 2 || trace.StackFrames[0].Name != "main.record" || trace.StackFrames[0].Line != 20 || trace.StackFrames[1].Line != 99 {
		t.Fatalf("%+v", trace)
	}
	if live := into[godap.StackTraceResponseBody](t, e.ok("stackTrace", map[string]any{"threadId": liveThread})); len(live.StackFrames) != 0 {
		t.Errorf("%+v", live)
	}
	frame := trace.StackFrames[0].Id
	scopes := into[godap.ScopesResponseBody](t, e.ok("scopes", map[string]any{"frameId": frame})).Scopes
	var names []string
	for _, s := range scopes {
		names = append(names, s.Name)
	}
	if want := []string{"Arguments", "Locals", "Watches", "Moment"}; !slices.Equal(names, want) {
		t.Fatalf("%v, want %v", names, want)
	}
	o := e.variables(scopes[0].VariablesReference)[0]
	if o.Name != "o" || o.EvaluateName != "o" || o.NamedVariables != 6 {
		t.Errorf("%+v", o)
	}
	fields := e.variables(o.VariablesReference)
	items := fields[2]
	if items.EvaluateName != "o.Items" || items.IndexedVariables != 300 || items.NamedVariables != 0 {
		t.Errorf("%+v", items)
	}
	page := into[godap.VariablesResponseBody](t, e.ok("variables", map[string]any{
		"variablesReference": items.VariablesReference, "filter": "indexed", "start": 290, "count": 100})).Variables
	if len(page) != 10 || page[0].Name != "[290]" || page[0].Value != `"item 290"` || page[9].EvaluateName != "o.Items[299]" {
		t.Errorf("%+v", page)
	}
	if lost := fields[5]; lost.Value != "<optimised out>" || lost.VariablesReference != 0 {
		t.Errorf("%+v", lost)
	}
	if again := e.variables(scopes[0].VariablesReference)[0]; again.VariablesReference != o.VariablesReference {
		t.Error("a value's number changes from question to question")
	}
	e.in.Close()
	_ = e.ends()
}

func TestEvaluate(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}})
	from := e.mark()
	e.w.hit(":20")
	e.event("stopped", from)
	frame := 1<<frameBits | 1
	for _, c := range []struct {
		frame      int
		text, want string
	}{
		{frame, "o.ID", "1"},
		{frame, "n", "2"},
		{frame, "(*o).Name", `"al\"ice"`},
		{frame, `o.Items[299]`, `"item 299"`},
		{frame, `o.Items[n]`, `"item 2"`},
		{frame, `o.attrs["x"]`, "1"},
		{frame, "len(o.Items) > 2 && o.ID == 1", "true"},
		{frame, `o.Name == "al\"ice"`, "true"},
		{frame, "o != nil", "true"},
		{frame, "!(n < 2)", "true"},
		{frame, "o.ID * 2", "2"}, // a watch
		{frame + 1, "up", `"there"`},
		{frame, "up", "error: up was not captured in main.record; there is o, n, n"},
		{frame, "o.Nope", "error: main.Order has no field Nope"},
		{frame, "o.next.ID", "error: what 0xc000 points to was not captured"},
		{frame, "o.lost", "<optimised out>"},
		{frame, "o.lost == 1", "error: optimised out"},
		{frame, "o.Items[300]", "error: index 300 is out of range: the length is 300"},
		{frame, `o.attrs["y"]`, `error: map[string]int has no key "y"`},
		{frame, "o.ID + 1", "error: + is not computed over a snapshot"},
		{frame, "record(o)", "error: no function of the process is ever called"},
		{frame, "o.(", "error: \"o.(\" is no expression"},
		{0, "o", "error: the process runs on"},
		{99 << frameBits, "o", "error: this snapshot is kept no longer"},
	} {
		m := e.ask("evaluate", map[string]any{"expression": c.text, "frameId": c.frame, "context": "watch"})
		got := "error: " + m.Message
		if m.Success {
			got = into[godap.EvaluateResponseBody](t, m).Result
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	e.in.Close()
	_ = e.ends()
}

func TestConsole(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}, {"line": 21, "logMessage": "{mistake}"}})
	say := func(text string) string {
		m := e.ask("evaluate", map[string]any{"expression": text, "context": "repl"})
		if !m.Success {
			return "error: " + m.Message
		}
		return into[godap.EvaluateResponseBody](t, m).Result
	}
	for _, c := range []struct{ text, want string }{
		{"help", "Sidelight looks into a process"},
		{"snapshots", "no snapshot was taken"},
		{"open x", "error: which one?"},
		{"probes", "snapshot " + e.file + ":20: 0 hits"},
		{"count main.record for 5s", "counting main.record for 5s"},
		{"count main.x if mistake", "error: nothing named mistake"},
		{"count", "error: count LOCATION"},
		{"count x for ever", "error: for ever"},
		{"where main.record", "error: this sidelight has no"},
		{"unknown words", "error: the process runs on"},
	} {
		if got := say(c.text); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	from := e.mark()
	e.w.finish("main.record", probe.EndExpired)
	e.await("the count", from, func(m message) bool {
		return m.Event == "output" && strings.Contains(string(m.Body), "main.record: 0 hits in")
	})
	e.in.Close()
	_ = e.ends()
}

func TestHitCounts(t *testing.T) {
	for text, want := range map[string]hitCount{
		"": {}, " 3 ": {after: 2, once: true}, "== 3": {after: 2, once: true}, "1": {once: true}, ">5": {after: 5}, "> 5": {after: 5},
		">= 5": {after: 4}, "% 7": {every: 7}, "%7": {every: 7}, "> 0": {},
	} {
		if got, err := parseHitCount(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"0", "% 0", "< 3", "-1", "x", "%", "3 3", "> -1", "99999999999999999999"} {
		if got, err := parseHitCount(text); err == nil {
			t.Errorf("%q is accepted: %+v", text, got)
		}
	}
}

func TestSubstitutePath(t *testing.T) {
	c := config{subst: []substitution{{"/home/me/app", "/builds/7"}, {"/src", ""}, {"/root/go/pkg/mod/", "/mod"}}}
	for path, want := range map[string]string{
		"/home/me/app/a.go": "/builds/7/a.go", "/home/me/apple/a.go": "/home/me/apple/a.go", "/home/me/app": "/builds/7",
		"/src/fmt/print.go": "fmt/print.go", "/root/go/pkg/mod/x@v1/y.go": "/mod/x@v1/y.go",
	} {
		if got := c.toBuild(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if back := c.toEditor(want); back != path {
			t.Errorf("%s: back to %s, want %s", want, back, path)
		}
	}
}

func TestConfigurationMistakesAreExplained(t *testing.T) {
	for text, want := range map[string]string{
		`{"for":"long"}`: `"for": "long"`, `{"limit":-1}`: "not negative", `{"budget":"5"}`: "percent",
		`{"substitutePath":[{}]}`: "substitutePath", `{"redact":"/nowhere"}`: "redact", `{"depth":"x"}`: "not understood",
		`{"maxTime":"2s"}`: `"maxTime": "2s"`, `{"symbols":"/nowhere"}`: "a .debug file", `{"symbols":[7]}`: "not understood",
	} {
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	c, err := parseConfig([]byte(`{"target":4711,"for":"10m","limit":5,"rate":0,"budget":"2%","depth":4,"maxTime":"0","watch":["a"],"symbols":["/","/tmp"],"type":"sidelight"}`))
	if err != nil || c.target != "4711" || c.limit != 5 || c.rate != 0 || c.budget != 0.02 || c.bounds.Depth != 4 || c.bounds.MaxTime != probe.NoMaxTime || len(c.symbols) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parseConfig([]byte(`{"symbols":"/tmp"}`)); err != nil || len(c.symbols) != 1 {
		t.Errorf("one path of symbols: %+v, %v", c, err)
	}
}
