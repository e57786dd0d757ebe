//go:build linux && amd64

package engine

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

const hourSource = "testdata/hour/main.go"

// TestPairsDoNotLeak makes an hour's worth of the calls of a busy service: 36 million,
// which are 10,000 a second, of a million goroutines, with recursion, panics, Goexit,
// growing stacks and calls that go on on other threads. Every one is accounted for, and
// nothing stays in the table. Without SIDELIGHT_HOUR=1 it is six minutes' worth.
func TestPairsDoNotLeak(t *testing.T) {
	goroutines := 100_000
	if os.Getenv("SIDELIGHT_HOUR") != "" {
		goroutines = 1_000_000
	}
	c := startProgram(t, hourSource, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.call"}, probe.Spec{Kind: probe.Time, At: "main.saved"},
		probe.Spec{Kind: probe.Time, At: "main.call", By: "kind"})
	began := time.Now()
	want := c.truth("hour", goroutines)
	all := want.Returned + want.Saved + want.Recovered + want.Panicked + want.Goexited
	t.Logf("%d calls of %d goroutines in %v", all, goroutines, time.Since(began))
	if all != 36*uint64(goroutines) {
		t.Errorf("the target says that it made %d calls, want 36 by each of %d goroutines", all, goroutines)
	}
	sums := o.s.live.sums
	held := 0
	// What ended with its goroutine after a panic, and passed no site since, is taken out
	// by the next sweep.
	for deadline := time.Now().Add(3 * sweepEvery); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if held = taken(sums); held == 0 {
			break
		}
	}
	if held != 0 {
		t.Errorf("%d words of the table of %d are taken, and no call is under way", held, ring.PairBuckets*ring.PairWays)
	}
	o.end()
	final := o.final()
	call := probe.Calls{Returned: want.Returned, Panicked: want.Panicked, Goexited: want.Goexited}
	for id, want := range map[string]probe.Calls{
		"p1": call, "p2": {Returned: want.Saved, Recovered: want.Recovered}, "p3": call,
	} {
		if got := *final[id].Calls; got != want { // nothing lost, unmatched, running or backwards
			t.Errorf("%s: %+v\nwant %+v", id, got, want)
		}
		if n := final[id].Dist.Count; n != want.Returned+want.Recovered {
			t.Errorf("%s: %d durations, want %d", id, n, want.Returned+want.Recovered)
		}
	}
	checkText(t, c)
}

// taken counts the words of the table of calls under way that are in use.
func taken(s *sums) (n int) {
	for range s.region.Held(s.mem) {
		n++
	}
	return n
}

// TestDurationsLieBetweenTheTargetsOwn holds a distribution against a program that
// reads its own clock as the first and the last thing in each call, and around it. What
// Sidelight takes for the call's time lies between: so of sorted durations, each lies
// between those of the program that have the same rank, whatever else the machine does.
// That is within the cost of the probe and of two readings of the clock of the exact
// time; what is left is the error of the histogram, and of two clocks.
func TestDurationsLieBetweenTheTargetsOwn(t *testing.T) {
	const (
		clocks  = 0.001 // the system's clock may be slewed by 0.05 %
		buckets = 0.0055
	)
	c := startProgram(t, hourSource, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.(*tally).timed"})
	want := c.truth("durations", 10_000)
	o.end()
	m := o.final()["p1"]
	became(t, m, want)
	n := len(want.Inner)
	between := func(what string, got, inner, outer, error float64) {
		t.Helper()
		if got < inner*(1-error) || got > outer*(1+error) {
			t.Errorf("%s is %v, and by the target from %v to %v", what, time.Duration(got), time.Duration(inner), time.Duration(outer))
		}
	}
	at := func(i int) (inner, outer float64) { return float64(want.Inner[i]), float64(want.Outer[i]) }
	widest := 0.0
	for _, q := range []float64{0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999} {
		inner, outer := at(int(math.Ceil(q*float64(n))) - 1)
		between(fmt.Sprintf("the %v quantile", q), m.Dist.Quantile(q), inner, outer, clocks+buckets)
		widest = max(widest, outer/inner-1)
	}
	t.Logf("of %d durations, the target's own two differ by %.2f %% at most", n, 100*widest)
	inner, outer := at(0)
	between("the least", m.Dist.Min.Number(), inner, outer, clocks)
	inner, outer = at(n - 1)
	between("the greatest", m.Dist.Max.Number(), inner, outer, clocks)
	inner, outer = 0, 0
	for i := range n {
		inner, outer = inner+float64(want.Inner[i]), outer+float64(want.Outer[i])
	}
	between("the mean", m.Dist.Mean(), inner/float64(n), outer/float64(n), clocks)
}
