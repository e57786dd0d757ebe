package cli

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func TestParseProbes(t *testing.T) {
	specs, _, err := parseProbes("f.yaml", []byte(`
defaults: &never
probes: []
`))
	if err == nil {
		t.Fatalf("unknown key accepted: %+v", specs)
	}
	specs, lines, err := parseProbes("f.yaml", []byte(`
probes:
  - id: orders
    kind: log
    at: &here orders.go:42
    message: 'order {o.ID} x{o.Qty}'
    if: o.Qty > 10
    for: 90s
    limit: 100
    rate: 0
  - kind: log
    at: *here
    message: again
  - kind: count
    at: main.(*Cart).Add
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []probe.Spec{
		{ID: "orders", Kind: probe.Log, At: "orders.go:42", Message: "order {o.ID} x{o.Qty}", If: "o.Qty > 10",
			For: 90 * time.Second, Limit: 100},
		{ID: "p2", Kind: probe.Log, At: "orders.go:42", Message: "again", For: probe.DefaultFor, Rate: probe.DefaultRate},
		{ID: "p3", Kind: probe.Count, At: "main.(*Cart).Add", For: probe.DefaultFor},
	}
	if lines["orders"] != 3 || lines["p3"] != 14 {
		t.Errorf("lines of the probes: %v", lines)
	}
	if len(specs) != len(want) {
		t.Fatalf("%d probes, want %d", len(specs), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(specs[i], want[i]) {
			t.Errorf("probe %d:\n got %+v\nwant %+v", i, specs[i], want[i])
		}
	}
}

func TestParseProbesMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", `f.yaml: the file is empty; it begins with "probes:"`},
		{"- kind: log", `f.yaml:1: the file begins with "probes:"`},
		{"probes:", `f.yaml:1: "probes:" needs a list`},
		{"probes: {}", `needs a list`},
		{"prob:\n  - kind: log", `f.yaml:1: unknown key "prob" (did you mean "probes"?); the file may have: probes`},
		{"probes:\n  - kind: log\n    at: a.go:1\n    message: {n} took", `f.yaml:4: the text of message begins with a brace: put it in quotes`},
		{"probes:\n- x", `f.yaml:2: a probe is written as keys and values`},
		{"probes:\n- at: a.go:1", `f.yaml:2: this probe has no kind`},
		{"probes:\n- kind: metric\n  at: a.go:1", `f.yaml:2: unknown kind "metric": it is log, snapshot, count, measure, time or trace`},
		{"probes:\n- kind: measure\n  at: a.go:1", `f.yaml:2: this measure has no number: add "expression: o.Total"`},
		{"probes:\n- kind: log\n  at: a.go:1\n  message: x\n  by: y", `f.yaml:5: a log has no by: it is for count, measure and time`},
		{"probes:\n- kind: time\n  at: a.go:1\n  every: 1ms", `f.yaml:4: every "1ms" is no duration of a tenth of a second or more: write such as 1s or 1m`},
		{"probes:\n- kind: time\n  at: main.f\n  depth: 3", `f.yaml:4: a time has no depth; add "snapshot: true", or remove it`},
		{"probes:\n- kind: time\n  at: main.f\n  rate: 3", `f.yaml:4: a time has no rate`},
		{"probes:\n- kind: time\n  at: main.f\n  snapshot: yes", `f.yaml:4: snapshot is true or false, not "yes"`},
		{"probes:\n- kind: count\n  at: main.f\n  snapshot: true", `f.yaml:4: a count has no snapshot: it is for time`},
		{"probes:\n- kind: trace\n  at: main.f\n  attributes: x", `f.yaml:4: attributes are written as "name: expression", one a line`},
		{"probes:\n- kind: count", `f.yaml:2: this probe has no location`},
		{"probes:\n- kind: log\n  at: a.go:1", `this log has no message`},
		{"probes:\n- kind: count\n  at: a.go:1\n  message: x", `f.yaml:4: a count has no message`},
		{"probes:\n- kind: count\n  at: a.go:1\n  rate: 3", `f.yaml:4: a count has no rate`},
		{"probes:\n- kind: count\n  at: a.go:1\n  limit: many", `f.yaml:4: limit "many" is no number of hits`},
		{"probes:\n- kind: count\n  at: a.go:1\n  limit: -1", `limit "-1" is no number of hits`},
		{"probes:\n- kind: count\n  at: a.go:1\n  for: 10", `f.yaml:4: for "10" is no duration: write such as 30s`},
		{"probes:\n- kind: count\n  at: a.go:1\n  if:", `the condition is empty`},
		{"probes:\n- kind: count\n  at: a.go:1\n  at: a.go:2", `f.yaml:4: "at" is given twice (first in line 3)`},
		{"probes:\n- kind: count\n  at: [a.go:1]", `f.yaml:3: "at" takes one value`},
		{"probes:\n- kind: count\n  at: a.go:1\n  id: ' '", `the id is empty`},
		{"probes:\n- kind: count\n  at: a.go:1\n  id: p2\n- kind: count\n  at: a.go:2", `f.yaml:5: the id "p2" is taken by the probe in line 4`},
	} {
		_, _, err := parseProbes("f.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"mesage", "message", 1}, {"kitten", "sitting", 3}, {"at", "at", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Whatever a file holds, the answer is probes that can be installed or a
// mistake that names the file.
func FuzzParseProbes(f *testing.F) {
	f.Add("probes:\n  - kind: log\n    at: orders.go:42\n    message: 'order {o.ID}'\n")
	f.Add("probes:\n  - &a {kind: count, at: main.f, for: 1h}\n  - *a\n")
	f.Add("probes: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		specs, _, err := parseProbes("f.yaml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f.yaml") {
				t.Errorf("the mistake does not name its file: %v", err)
			}
			return
		}
		ids := map[string]bool{}
		for _, s := range specs {
			if ids[s.ID] || s.ID == "" || s.At == "" || s.For <= 0 || s.Limit < 0 || s.Rate < 0 {
				t.Errorf("not to be installed: %+v", s)
			}
			ids[s.ID] = true
		}
	})
}
