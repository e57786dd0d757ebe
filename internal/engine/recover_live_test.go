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
type tally struct{ Returned, Recovered, Panicked, Goexited uint64 }

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
			n := tally{c.Returned, c.Recovered, c.Panicked, c.Goexited}
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
		seen := timedTallies
		if kind == probe.Trace {
			seen = tracedTallies
		}
		ask := func(names ...string) {
			t.Helper()
			var specs []probe.Spec
			for _, name := range names {
				specs = append(specs, probe.Spec{Kind: kind, At: "main." + name})
			}
			n := n
			if len(names) > 2 && kind == probe.Trace {
				n /= 10 // a ring holds no more
			}
			o := observe(t, c, specs...)
			want := c.tallies(n)
			for id, e := range o.end() {
				if e.Dropped != 0 {
					t.Errorf("%s: %+v", id, e)
				}
			}
			got := seen(o)
			for _, name := range names {
				if got[name] != want[name] {
					t.Errorf("%s of %s, with %d others: %+v, want %+v", kind, name, len(names)-1, got[name], want[name])
				}
				if w := want[name]; w.Recovered == 0 && name != "inlined" && name != "last" || w.Returned == 0 {
					t.Errorf("the calls of %s are no test: %+v", name, w)
				}
			}
		}
		ask(functions...)
		for _, name := range functions {
			ask(name)
		}
	}
	checkText(t, c)
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
