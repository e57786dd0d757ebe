package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 1, 2, 15, 4, 5, 123456789, time.UTC)

// session is every kind of event, with what a hostile target may put into it.
func session() []probe.Event {
	hit := func(seq uint64, message string, values ...probe.NamedValue) *probe.Hit {
		return &probe.Hit{Probe: "p1", Location: "orders.go:42", Seq: seq,
			Time: noon.Add(time.Duration(seq) * time.Millisecond), PID: 7, Goroutine: 16 + seq*seq, Function: "main.handle",
			File: "/src/shop/orders.go", Line: 42, Message: message, Values: values}
	}
	return []probe.Event{
		&probe.Ready{PID: 7, Pause: 640 * time.Microsecond, Probes: []probe.Report{
			{Probe: "p1", Location: "orders.go:42", Sites: 3, Jumps: 2, Traps: 1,
				Issues: []probe.Issue{{Code: probe.IssueTrap, Message: "one copy costs a trap"}}},
			{Probe: "p2", Location: "main.(*Cart).Add", Sites: 1, Jumps: 1},
			{Probe: "p3", Location: "gone.go:1", Issues: []probe.Issue{{Code: probe.IssueNoCode, Message: "no code\nat \x1b[2J it"}}},
		}},
		hit(1, "order 7 x3 for <alice> & \"bob\"",
			probe.NamedValue{Name: "o.ID", Value: probe.Value{Shape: probe.Int, Type: "int", Int: 7}},
			probe.NamedValue{Name: "name", Value: probe.Value{Shape: probe.String, Type: "string", Data: []byte("<alice>"), Len: 7}},
			probe.NamedValue{Name: "cut", Value: probe.Value{Shape: probe.String, Type: "string", Data: []byte("abc"), Len: 300, Truncated: true}},
			probe.NamedValue{Name: "raw", Value: probe.Value{Shape: probe.String, Type: "string", Data: []byte("\xff\x00"), Len: 2}},
			probe.NamedValue{Name: "ratio", Value: probe.Value{Shape: probe.Float, Type: "float64", Float: math.Inf(-1), Bits: 64}},
			probe.NamedValue{Name: "gone", Value: probe.Value{Shape: probe.Unreadable, Text: "optimised out"}}),
		hit(9, "evil \x1b[2Jclear\r\nnext\u202e line \xff"),
		&probe.CountNow{Probe: "p2", Location: "main.(*Cart).Add", Time: noon.Add(time.Second), Count: 1203},
		&probe.CountNow{Probe: "p2", Location: "main.(*Cart).Add", Time: noon.Add(2 * time.Second), Count: 1234567},
		&probe.End{Probe: "p1", Location: "orders.go:42", Reason: probe.EndLimit, Hits: 1010, Emitted: 1000,
			Suppressed: 7, Dropped: 3, ConditionErrors: 2, CostNS: 21.349, Samples: 4, Pause: 640 * time.Microsecond},
		&probe.End{Probe: "p2", Location: "main.(*Cart).Add", Reason: probe.EndExited, Hits: 5, Emitted: 5,
			CostNS: math.NaN()},
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (go test -update writes it):\n%s", path, got)
	}
}

func TestGolden(t *testing.T) {
	var text, notes, color, lines bytes.Buffer
	sinks := map[string]Sink{
		"text":  NewText(&text, TextOptions{Zone: time.UTC, Notes: &notes}),
		"color": NewText(&color, TextOptions{Zone: time.UTC, Color: true, Named: true}),
		"json":  NewJSON(&lines),
	}
	for _, e := range session() {
		for name, s := range sinks {
			if err := s.Event(e); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	golden(t, "text.golden", text.String())
	golden(t, "notes.golden", notes.String())
	golden(t, "color.golden", color.String())
	golden(t, "json.golden", lines.String())
}

func TestJSONKeepsTheOrderOfTheTemplate(t *testing.T) {
	var out bytes.Buffer
	named := func(name string) probe.NamedValue { return probe.NamedValue{Name: name} }
	e := &probe.Hit{Values: []probe.NamedValue{named("z"), named("a < b"), named("m"), named("z")}}
	if err := NewJSON(&out).Event(e); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(out.String()[strings.Index(out.String(), `"values":`)+9:]))
	var names []string
	depth := 0
	for {
		tok, err := dec.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
		switch d, ok := tok.(json.Delim); {
		case ok && (d == '{' || d == '['):
			depth++
		case ok:
			depth--
		case depth == 1 && isName(tok):
			names = append(names, tok.(string))
		}
		if depth == 0 {
			break
		}
	}
	if got := strings.Join(names, ";"); got != "z;a < b;m" {
		t.Errorf("order of values: %s", got)
	}
	if strings.Contains(out.String(), `\u003c`) {
		t.Errorf("HTML escapes in %s", out.String())
	}
}

// isName tells the names of this test's values from what the values hold.
func isName(tok json.Token) bool {
	s, ok := tok.(string)
	return ok && (s == "z" || s == "m" || s == "a < b")
}

// oneWrite counts writes, and fails from one on.
type oneWrite struct {
	writes int
	fail   error
}

func (w *oneWrite) Write(b []byte) (int, error) {
	w.writes++
	if b[len(b)-1] != '\n' || bytes.Count(b, []byte("\n")) != 1 {
		return 0, errors.New("not one whole line")
	}
	return len(b), w.fail
}

func TestJSONWritesWholeLines(t *testing.T) {
	w := &oneWrite{}
	s := NewJSON(w)
	for _, e := range session() {
		if err := s.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if w.writes != len(session()) {
		t.Errorf("%d writes for %d events", w.writes, len(session()))
	}
}

func TestErrorsOfTheReaderArePassedOn(t *testing.T) {
	gone := errors.New("gone")
	for _, e := range session()[1:] {
		if err := NewJSON(&oneWrite{fail: gone}).Event(e); !errors.Is(err, gone) {
			t.Errorf("JSON, %T: %v", e, err)
		}
		if err := NewText(&oneWrite{fail: gone}, TextOptions{}).Event(e); !errors.Is(err, gone) {
			t.Errorf("text, %T: %v", e, err)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", 123456: "123,456"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %s, want %s", n, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"plain", "tab\there", "\x1b[31mred", "\u202eevil", "\xff\xfe", "naïve 日本語 \\n", "\u0085\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Escape(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q becomes invalid UTF-8", s)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }); i >= 0 {
			t.Errorf("%q keeps a control character: %q", s, got)
		}
		if again := Escape(got); again != got {
			t.Errorf("escaping twice changes %q to %q", got, again)
		}
	})
}

// The clock of times is told to programs, and to people where it is not the usual one.
func TestClockIsTold(t *testing.T) {
	var lines, notes, top bytes.Buffer
	e := &probe.Ready{PID: 7, Clock: probe.ClockVDSO, ClockNote: "no \x1b counter"}
	for _, s := range []Sink{NewJSON(&lines), NewText(io.Discard, TextOptions{Notes: &notes}), NewTop(io.Discard, TopOptions{TextOptions: TextOptions{Notes: &top}})} {
		if err := s.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if want := `"clock":"vdso","clock_note":"no \u001b counter"}`; !strings.HasSuffix(lines.String(), want+"\n") {
		t.Errorf("%s does not end with %s", lines.String(), want)
	}
	for name, text := range map[string]string{"text": notes.String(), "top": top.String()} {
		if !strings.Contains(text, "note: no ") || strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
