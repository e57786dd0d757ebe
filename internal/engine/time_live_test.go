//go:build linux && amd64

package engine

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// became compares what became of calls with the target's own word.
func became(t *testing.T, m *probe.Measured, want truth) {
	t.Helper()
	if m == nil || m.Calls == nil {
		t.Fatalf("no calls: %+v", m)
	}
	got := *m.Calls
	got.Unmatched, got.Restarted = 0, 0
	if w := (probe.Calls{Returned: want.Returned, Recovered: want.Recovered, Panicked: want.Panicked, Goexited: want.Goexited, Running: want.Running}); got != w {
		t.Errorf("%s: %+v\nwant %+v", m.Location, got, w)
	}
	if m.Dist.Count != want.Returned+want.Recovered {
		t.Errorf("%s: %d durations, want %d", m.Location, m.Dist.Count, want.Returned+want.Recovered)
	}
	in := m.Dist.Zero + m.Dist.Under + m.Dist.Over
	for _, b := range m.Dist.Buckets {
		in += b.Count
	}
	if in != m.Dist.Count {
		t.Errorf("%s: %d durations are in the histogram, of %d", m.Location, in, m.Dist.Count)
	}
}

var timeToolchains = []string{"", "go1.22.12", "go1.24.11"}

func TestTimesAreTheTargetsOwn(t *testing.T) {
	for _, toolchain := range timeToolchains {
		t.Run("go"+toolchain, func(t *testing.T) {
			if toolchain != "" && testing.Short() {
				t.Skip("one toolchain is enough")
			}
			c := startCalls(t, toolchain)
			o := observe(t, c,
				probe.Spec{Kind: probe.Time, At: "main.work"},
				probe.Spec{Kind: probe.Time, At: "main.work", By: "kind", If: `kind != "recurse"`},
				probe.Spec{Kind: probe.Time, At: "main.work", If: `kind == "plain" && $duration > 300us`})
			want := c.truth("times", 400)
			ends := o.end()
			final := o.final()
			t.Logf("%+v", o.ready.Probes)
			became(t, final["p1"], want)
			part := want
			part.Returned -= want.By["recurse"]
			became(t, final["p2"], part)
			for _, r := range final["p2"].By.Rows {
				if key := r.Key.String(); key == "plain" && r.Count != want.By[key] {
					t.Errorf("row %s: %d calls, want %d", key, r.Count, want.By[key])
				}
			}
			if n := final["p3"].Calls.Filtered + final["p3"].Dist.Count; n != uint64(len(want.Durations)) {
				t.Errorf("%d calls were decided by their duration, want %d", n, len(want.Durations))
			}
			if ends["p1"].Hits != want.Returned || ends["p1"].Dropped != 0 {
				t.Errorf("%+v, want %d hits", ends["p1"], want.Returned)
			}
			checkText(t, c)
		})
	}
}

func TestCallsOfEveryKindEnd(t *testing.T) {
	everyKind(t, startCalls(t, ""), nil)
}

// kindsOfEnds are the scenarios of the program, with the function to be timed.
var kindsOfEnds = []struct {
	at, scenario string
	n            int
}{
	{"main.saved", "recovering", 3000},
	{"main.parked", "many", 10_000},
	{"main.parked", "left", 50},
	{"main.work", "died", 2000},
	{"main.inlinee", "inlines", 10_000},
	{"main.never", "nevers", 100},
	{"main.inliner", "fast", 200_000},
	{"main.result", "results", 10_000},
	{"main.inliner", "profiled", 200_000},
}

// A return after a recovery is told from others in builds, too, where they are one
// instruction: since Go 1.25 without optimisation, and with the race detector.
func TestRecoveriesAreToldInEveryBuild(t *testing.T) {
	unoptimised := []string{"-gcflags=all=-N -l"}
	for _, b := range []struct {
		name, toolchain string
		flags           []string
	}{
		{"unoptimised", "", unoptimised},
		{"unoptimised, position independent", "", append([]string{"-buildmode=pie"}, unoptimised...)},
		{"race", "", []string{"-race"}},
		{"unoptimised, go1.22", "go1.22.12", unoptimised},
		{"unoptimised, go1.24", "go1.24.11", unoptimised},
	} {
		t.Run(b.name, func(t *testing.T) {
			if b.name != "unoptimised" && testing.Short() {
				t.Skip("one way of building is enough")
			}
			c := startCalls(t, b.toolchain, b.flags...)
			for _, fn := range []struct{ at, scenario string }{{"main.saved", "recovering"}, {"main.savedTwice", "twice"}} {
				o := observe(t, c, probe.Spec{Kind: probe.Time, At: fn.at}, probe.Spec{Kind: probe.Trace, At: fn.at})
				want := c.truth(fn.scenario, 300)
				end := o.end()["p2"]
				became(t, o.final()["p1"], want)
				got := map[probe.Outcome]uint64{}
				for _, e := range o.events {
					if s, ok := e.(*probe.Span); ok {
						got[s.Outcome]++
					}
				}
				// A span is lost with its record where a preemption was pending; what is without
				// an end for want of another record is told as lost, two spans at most.
				lost := got[probe.Lost]
				most := max(uint64(end.Dropped), lost)
				returned, recovered := want.Returned-got[probe.Returned], want.Recovered-got[probe.Recovered]
				delete(got, probe.Lost)
				if len(got) != 2 || lost > 2*uint64(end.Dropped) || returned+recovered > most || max(returned, recovered) > most {
					t.Errorf("%s: spans %v, want %d returned and %d recovered; %+v", fn.at, got, want.Returned, want.Recovered, end)
				}
				checkText(t, c)
			}
		})
	}
}

// Of many times at once, too, all tell Goexit from a panic.
func TestManyTimesTellEndsApart(t *testing.T) {
	c := startCalls(t, "")
	specs := make([]probe.Spec, hooked+3)
	for i := range specs {
		specs[i] = probe.Spec{Kind: probe.Time, At: "main.work"}
	}
	o := observe(t, c, specs...)
	want := c.truth("times", 100)
	o.end()
	if want.Goexited == 0 || want.Panicked == 0 {
		t.Fatalf("%+v", want)
	}
	for _, m := range o.final() {
		became(t, m, want)
	}
	if n := len(o.final()); n != len(specs) {
		t.Errorf("%d probes, want %d", n, len(specs))
	}
	checkText(t, c)
}

// A call that is under way while its probe is taken out, and ends then, was running:
// nobody saw how it ended.
func TestNoCallEndsByThatItsProbeIsTakenOut(t *testing.T) {
	c := startCalls(t, "")
	c.truth("churn", 20)
	for range 10 {
		o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.parked"})
		time.Sleep(20 * time.Millisecond)
		o.end()
		if m := o.final()["p1"]; m.Calls.Panicked != 0 || m.Calls.Returned == 0 {
			t.Errorf("%+v, and none panics", *m.Calls)
		}
	}
	checkText(t, c)
}

// everyKind compares what becomes of all kinds of calls with the program's own word.
func everyKind(t *testing.T, c *child, but []string) {
	t.Helper()
	for _, tc := range kindsOfEnds {
		if slices.Contains(but, tc.scenario) {
			continue
		}
		t.Run(tc.at+"/"+tc.scenario, func(t *testing.T) {
			o := observe(t, c, probe.Spec{Kind: probe.Time, At: tc.at})
			want := c.truth(tc.scenario, tc.n)
			end := o.end()["p1"]
			t.Logf("%+v %+v", o.ready.Probes[0], end)
			became(t, o.final()["p1"], want)
			checkText(t, c)
		})
	}
}

func TestWaysAreTheTargetsOwn(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: callsMark(t, "from"), To: callsMark(t, "to")})
	want := c.truth("ways", 1000)
	o.end()
	m := o.final()["p1"]
	if m.Calls.Returned != want.Returned || m.Calls.Restarted+m.Calls.Running != 1000-want.Returned {
		t.Errorf("%+v, want %d gone to the end of 1000", m.Calls, want.Returned)
	}
	if q := m.Dist.Quantile(0.5); q < 10_000 || q > 20_000 {
		t.Errorf("a way takes %v", time.Duration(q))
	}
}

func TestTimesThatCannotBe(t *testing.T) {
	c := startCalls(t, "")
	s := open(t, c, Options{})
	defer s.Close()
	for _, tc := range []struct{ at, cond, by string }{
		{callsMark(t, "order"), "", ""},
		{"main.work", "$duration > d", ""},
		{"main.work", "$duration > 5", "depth * 1.5"},
		{"main.work", "$duration", ""},
	} {
		_, err := newPlanner(s.build).plan([]probe.Spec{{ID: "p1", Kind: probe.Time, At: tc.at, If: tc.cond, By: tc.by}})
		if err == nil {
			t.Errorf("%+v: no error", tc)
		}
		t.Log(fmt.Sprint(err))
	}
}

// TestCallsAreTimedWholeOrNot: where another Sidelight holds the entry of a
// function, its returns alone tell nothing.
func TestCallsAreTimedWholeOrNot(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	first := observe(t, c, probe.Spec{Kind: probe.Count, At: "main.handle"})
	second := observe(t, c, probe.Spec{ID: "free", Kind: probe.Count, At: mark(t, "leaf")},
		probe.Spec{ID: "time", Kind: probe.Time, At: "main.handle"}, probe.Spec{ID: "trace", Kind: probe.Trace, At: "main.handle"})
	for _, r := range second.ready.Probes {
		if r.Probe == "free" {
			if r.Sites == 0 {
				t.Errorf("%+v", r)
			}
			continue
		}
		if r.Sites != 0 || len(r.Issues) != 1 || r.Issues[0].Code != probe.IssueTaken {
			t.Errorf("%+v", r)
		}
	}
	second.end()
	first.end()
	checkText(t, c)
}
