//go:build linux && amd64

package engine

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// tally is what the programs in testdata/recovers and recoversrange say of a function.
type tally struct {
	Returned, Recovered, Panicked, Goexited uint64

	lost uint64 // of a trace: spans whose end was, perhaps
}

// tallies runs the program's calls n times.
func (c *child) tallies(n int) map[string]tally {
	c.t.Helper()
	c.say("run %d", n)
	out := map[string]tally{}
	if err := json.Unmarshal([]byte(c.line()), &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// recoverBuilds are ways of building in which functions go on differently after they
// have recovered from a panic.
var recoverBuilds = []struct {
	name, toolchain string
	flags           []string
}{
	{"local", "", nil},
	{"unoptimized", "", []string{"-gcflags=all=-N -l"}},
	{"race", "", []string{"-race"}},
	{"pie", "", []string{"-buildmode=pie"}},
	{"go1.22", "go1.22.12", nil},
	{"go1.22-unoptimized", "go1.22.12", []string{"-gcflags=all=-N -l"}},
	{"go1.23", "go1.23.12", nil},
	{"go1.24", "go1.24.11", nil},
	{"go1.24-race", "go1.24.11", []string{"-race"}},
	{"go1.25", "go1.25.5", nil},
}

// eachRecovering runs f with targets of all builds of a program.
func eachRecovering(t *testing.T, source string, f func(t *testing.T, c *child)) {
	for _, b := range recoverBuilds {
		t.Run(b.name, func(t *testing.T) {
			if b.name != "local" && testing.Short() {
				t.Skip("one way of building is enough")
			}
			if b.toolchain == "go1.22.12" && strings.Contains(source, "range") {
				t.Skip("the language has no loops over functions yet")
			}
			f(t, startProgram(t, source, b.toolchain, b.flags...))
		})
	}
}

// timedTallies are what times of functions made of their calls. Where there are many
// at once, the last calls that a panic ended may not be known to be gone.
func timedTallies(o *observation) map[string]tally {
	out := map[string]tally{}
	for _, m := range o.final() {
		if c := m.Calls; c != nil {
			n := tally{Returned: c.Returned, Recovered: c.Recovered, Panicked: c.Panicked, Goexited: c.Goexited}
			if len(o.final()) > hooked {
				n.Panicked += c.Running
			}
			out[strings.TrimPrefix(m.Location, "main.")] = n
		}
	}
	return out
}

// tracedTallies are what traces of functions made of their calls.
func tracedTallies(o *observation) map[string]tally {
	out := map[string]tally{}
	for _, e := range o.events {
		s, ok := e.(*probe.Span)
		if !ok {
			continue
		}
		n := out[strings.TrimPrefix(s.Location, "main.")]
		switch s.Outcome {
		case probe.Returned:
			n.Returned++
		case probe.Recovered:
			n.Recovered++
		case probe.Panicked, probe.Unfinished: // nothing went on as deep after the last one
			n.Panicked++
		case probe.Goexited:
			n.Goexited++
		case probe.Lost:
			n.lost++
		}
		out[strings.TrimPrefix(s.Location, "main.")] = n
	}
	return out
}

// recoversAsTold compares what times and traces of all functions make of calls with
// the program's own word: all of them at once, then each by itself.
func recoversAsTold(t *testing.T, c *child, functions []string, n int) {
	t.Helper()
	for _, kind := range []probe.Kind{probe.Time, probe.Trace} {
		if fewer := n / 10; kind == probe.Trace && len(functions) > 2 {
			compareTallies(t, c, kind, functions, fewer) // a ring holds no more
		} else {
			compareTallies(t, c, kind, functions, n)
		}
		for _, name := range functions {
			compareTallies(t, c, kind, []string{name}, n)
		}
	}
	checkText(t, c)
}

func compareTallies(t *testing.T, c *child, kind probe.Kind, names []string, n int) {
	t.Helper()
	var specs []probe.Spec
	for _, name := range names {
		specs = append(specs, probe.Spec{Kind: kind, At: "main." + name})
	}
	o := observe(t, c, specs...)
	want := c.tallies(n)
	dropped := uint64(0)
	for id, e := range o.end() {
		if dropped += e.Dropped; e.Dropped != 0 && (kind == probe.Time || e.Why.Full != 0) {
			t.Errorf("%s: %+v", id, e)
		}
	}
	got := timedTallies(o)
	if kind == probe.Trace {
		got = tracedTallies(o)
	}
	for _, name := range names {
		w, g := want[name], got[name]
		if g != w && (dropped == 0 || !g.within(w)) {
			t.Errorf("%s of %s, with %d others: %+v, want %+v; %d records dropped", kind, name, len(names)-1, g, w, dropped)
		}
		if w.Recovered == 0 && name != "inlined" && name != "last" || w.Returned == 0 {
			t.Errorf("the calls of %s are no test: %+v", name, w)
		}
	}
}

// within tells whether calls were left out, at most, of which a record was dropped
// because a preemption was pending, which is seldom; and of those around it that a
// panic ended it may not be known.
func (n tally) within(w tally) bool {
	left := func(a, b uint64) bool { return a <= b && b-a <= 5+n.lost }
	return left(n.Returned, w.Returned) && left(n.Recovered, w.Recovered) && left(n.Panicked, w.Panicked) && left(n.Goexited, w.Goexited)
}

func TestRecoveriesAreToldFromReturns(t *testing.T) {
	eachRecovering(t, "testdata/recovers/main.go", func(t *testing.T, c *child) {
		names := slices.Sorted(maps.Keys(c.tallies(1000)))
		recoversAsTold(t, c, names, 1000)
	})
}

func TestRecoveriesInLoopsOverFunctions(t *testing.T) {
	eachRecovering(t, "testdata/recoversrange/main.go", func(t *testing.T, c *child) {
		recoversAsTold(t, c, []string{"only", "ranging"}, 1000)
	})
}
