package sink

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func measuredForTest() *probe.Measured {
	evil := probe.Value{Shape: probe.String, Type: "string", Data: []byte("evil\x1b[2J\xff"), Len: 9}
	row := &probe.Distribution{Count: 2, Sum: big.NewInt(-6), Min: probe.Value{Shape: probe.Int, Int: -4}, Max: probe.Value{Shape: probe.Int, Int: -2},
		Last: probe.Value{Shape: probe.Int, Int: -2}, Scale: 3, Buckets: []probe.Bucket{{From: -4, To: -2, Count: 2}}}
	huge, _ := new(big.Int).SetString("-36893488147419103232", 10)
	return &probe.Measured{Kind: probe.Measure, Probe: "p1", Location: "a.go:1", Time: noon, Final: true, Expr: "x", Type: "int",
		Dist: probe.Distribution{Count: 7, Sum: huge, Min: probe.Value{Shape: probe.Int, Int: math.MinInt64}, Max: probe.Value{Shape: probe.Int, Int: 100},
			Last: probe.Value{Shape: probe.Int, Int: 3}, Zero: 1, NaN: 2, Inf: 3, Unreadable: 4, Scale: 6,
			Buckets: []probe.Bucket{{From: -math.Ldexp(1, 63), To: -math.Ldexp(0.98, 63), Count: 2}, {From: 2.98, To: 3.01, Count: 3}, {From: 99.2, To: 100.3, Count: 1}}},
		By: &probe.Rows{Expr: "k", Rows: []probe.Row{{Key: evil, Count: 2, Dist: row}}, Other: probe.Row{Count: 5}}}
}

func TestAggregatesControlNoTerminal(t *testing.T) {
	var text, object bytes.Buffer
	for _, s := range []Sink{NewText(&text, TextOptions{}), NewJSON(&object)} {
		for _, e := range []probe.Event{measuredForTest(), spanForTest("a", "", "evil\x1b[2J", time.Millisecond)} {
			if err := s.Event(e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if strings.ContainsAny(text.String(), "\x1b") || !utf8.ValidString(text.String()) {
		t.Errorf("%q", text.String())
	}
	for _, want := range []string{"count 7", "sum -36893488147419103232", "2 NaN, 3 infinite, 4 unreadable", "(others)", `evil\x1b[2J`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	dec := json.NewDecoder(&object)
	var o struct {
		Sum     json.Number
		Min     json.Number
		Buckets []struct{ From, To, Count float64 }
		Other   int
	}
	if err := dec.Decode(&o); err != nil || o.Sum != "-36893488147419103232" || o.Min != "-9223372036854775808" || len(o.Buckets) != 3 || o.Other != 5 {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestAggregatesOfNothing(t *testing.T) {
	var text, object bytes.Buffer
	e := &probe.Measured{Kind: probe.Time, Probe: "p1", Location: "main.f", Time: noon, Final: true, Calls: &probe.Calls{Running: 2}}
	if err := NewText(&text, TextOptions{}).Event(e); err != nil || !strings.Contains(text.String(), "no number") || !strings.Contains(text.String(), "2 still running") {
		t.Errorf("%v %s", err, text.String())
	}
	if err := NewJSON(&object).Event(e); err != nil || !json.Valid(object.Bytes()) || !strings.Contains(object.String(), `"mean":null,"min":null`) {
		t.Errorf("%v %s", err, object.String())
	}
}

func spanForTest(id, parent, function string, took time.Duration) *probe.Span {
	return &probe.Span{Probe: "p1", Location: "main.f", TraceID: "t", ID: id, Parent: parent, Root: "a", Function: function, File: "/a.go", Line: 3,
		Start: noon, Duration: took, Outcome: probe.Returned}
}

func TestTreeAndProfileNestSpans(t *testing.T) {
	spans := []*probe.Span{ // as they end
		spanForTest("c", "b", "main.c", 2*time.Millisecond),
		spanForTest("b", "a", "main.b", 5*time.Millisecond),
		spanForTest("d", "a", "main.c", time.Millisecond),
		spanForTest("a", "", "main.a", 10*time.Millisecond),
	}
	var tree, file bytes.Buffer
	trees, prof := NewTrees(&tree, TextOptions{Zone: time.UTC}), NewPprof()
	for _, s := range spans {
		prof.Add(s)
		if err := trees.Event(s); err != nil {
			t.Fatal(err)
		}
	}
	const want = "main.a  10.0 ms\n├─ main.b  5.00 ms  50 %\n│  └─ main.c  2.00 ms  20 %\n└─ main.c  1.00 ms  10 %\n"
	if _, got, _ := strings.Cut(tree.String(), "\n"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if err := prof.Write(&file, time.Second); err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(&file)
	if err != nil {
		t.Fatal(err)
	}
	own := map[string]int64{}
	for _, s := range p.Sample {
		var names []string
		for _, l := range s.Location {
			names = append(names, l.Line[0].Function.Name)
		}
		own[strings.Join(names, " < ")] = s.Value[1]
	}
	for stack, ns := range map[string]int64{"main.a": 4e6, "main.b < main.a": 3e6, "main.c < main.b < main.a": 2e6, "main.c < main.a": 1e6} {
		if own[stack] != ns {
			t.Errorf("%s took %d itself, want %d", stack, own[stack], ns)
		}
	}
}

func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		v    float64
		typ  string
		want string
	}{
		{0, durationName, "0.00 ns"}, {999, durationName, "999 ns"}, {999.7, durationName, "1.00 µs"}, {1.5e6, durationName, "1.50 ms"},
		{-2e9, durationName, "-2.00 s"}, {3.6e12, durationName, "1h0m0s"}, {3, "int", "3"}, {1234567, "int", "1,234,567"},
		{0.12345, "float64", "0.1235"}, {43598.4, "float64", "43,598"}, {-9999.6, "float64", "-10,000"}, {9999.4, "float64", "9,999"}, {999.9, "float64", "999.9"}, {math.NaN(), "int", "-"}, {math.Inf(1), "float64", "+Inf"},
	} {
		if got := Quantity(c.v, c.typ); got != c.want {
			t.Errorf("%v %s: %q, want %q", c.v, c.typ, got, c.want)
		}
	}
}

// TestCallsAreDocumented: the contract of the output names every way that a
// call can go.
func TestCallsAreDocumented(t *testing.T) {
	contract, err := os.ReadFile("../../docs/output.md")
	if err != nil {
		t.Fatal(err)
	}
	_, row, _ := strings.Cut(string(contract), "| `calls` |")
	row, _, _ = strings.Cut(row, "\n")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[callsObject]()) {
		if name := f.Tag.Get("json"); !strings.Contains(row, "`"+name+"`") {
			t.Errorf("docs/output.md does not name %q of calls", name)
		}
	}
}

// A table that is too wide for the terminal keeps the column that sorts it.
func TestTablesFit(t *testing.T) {
	rows := func() [][]string {
		return [][]string{{"function", "calls", "total", "mean", "p99"}, {"main.(*Server).handle", "1,000", "33.2 ms", "7.50 µs", "53.6 µs"}}
	}
	for _, c := range []struct {
		width int
		keep  string
		want  string
	}{
		{0, "p99", "[main.(*Server).handle 1,000 33.2 ms 7.50 µs 53.6 µs]"},
		{60, "p99", "[main.(*Server).handle 1,000 33.2 ms 7.50 µs 53.6 µs]"},
		{56, "p99", "[main.(*Server).handle 1,000 33.2 ms 53.6 µs]"},
		{40, "total", "[main.(*Server).handle 1,000 33.2 ms]"},
		{38, "p99", "[main.(*Server).handle 53.6 µs]"},
		{20, "p99", "[…).handle 53.6 µs]"},
		{3, "p99", "[… 53.6 µs]"},
	} {
		got := fit(rows(), c.width, c.keep)
		if fmt.Sprint(got[1]) != c.want || len(got[0]) != len(got[1]) {
			t.Errorf("%d columns: %v, want %s", c.width, got, c.want)
		}
	}
}
