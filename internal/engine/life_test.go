package engine

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

var epoch = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

func at(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }

func show(effects []effect) string {
	var s []string
	for _, e := range effects {
		switch e.what {
		case doRemove:
			s = append(s, fmt.Sprintf("remove %d %s", e.probe, e.reason))
		case doRefill:
			s = append(s, fmt.Sprintf("refill %d %d", e.probe, e.tokens))
		case doThrottle:
			s = append(s, fmt.Sprintf("throttle %d %v", e.probe, e.on))
		case doCount:
			s = append(s, fmt.Sprintf("count %d", e.probe))
		}
	}
	return strings.Join(s, "; ")
}

func TestLifeEndsByLimitAndExpiry(t *testing.T) {
	m := &machine{}
	m.add(probe.Spec{Kind: probe.Log, Limit: 3, For: time.Minute}, at(0))
	m.add(probe.Spec{Kind: probe.Count, For: 2 * time.Second}, at(0))
	for _, step := range []struct {
		ms      int
		emitted uint64
		want    string
	}{
		{10, 2, ""},
		{20, 3, "remove 0 limit"},
		{30, 3, ""},
		{1000, 3, "count 1"},
		{1999, 3, ""},
		{2000, 3, "remove 1 expired"},
		{9000, 3, ""},
	} {
		got := show(m.tick(at(step.ms), []Totals{{Emitted: step.emitted}, {Emitted: 7}}))
		if got != step.want {
			t.Errorf("at %d ms: %q, want %q", step.ms, got, step.want)
		}
	}
	if m.alive() {
		t.Error("still alive after both ends")
	}
}

func TestRateIsRefilledOnceASecond(t *testing.T) {
	m := &machine{}
	m.add(probe.Spec{Kind: probe.Log, Rate: 50}, at(0))
	n := 0
	for ms := 0; ms <= 10_000; ms += 7 {
		if strings.Contains(show(m.tick(at(ms), make([]Totals, 1))), "refill 0 50") {
			n++
		}
	}
	if n != 9 && n != 10 {
		t.Errorf("%d refills in 10 s", n)
	}
}

// hot is the totals of a log that takes so many nanoseconds a pass.
func hot(passes uint64, ns float64) Totals {
	return Totals{Passes: passes, Emitted: passes, Cycles: ns * 100, Samples: 100}
}

func TestBudgetThrottlesTheDearestThenRemoves(t *testing.T) {
	m := &machine{budget: 0.01}
	m.add(probe.Spec{Kind: probe.Log}, at(0))
	m.add(probe.Spec{Kind: probe.Log}, at(0))
	m.add(probe.Spec{Kind: probe.Count}, at(0))
	// In 500 ms at 1 % there are 5 ms: probe 1 takes 100 ms, the others little.
	totals := []Totals{hot(1000, 20), hot(5_000_000, 20), hot(1000, 1)}
	if got := show(m.tick(at(500), totals)); got != "throttle 1 true" {
		t.Fatalf("first: %q", got)
	}
	// Throttled it still takes 20 ms: only then does it go (probe 0 is throttled before).
	totals[1] = hot(6_000_000, 20)
	totals[0] = hot(2000, 20)
	if got := show(m.tick(at(1000), totals)); got != "throttle 0 true; count 2" && got != "count 2; throttle 0 true" {
		t.Fatalf("second: %q", got)
	}
	totals[1] = hot(7_000_000, 20)
	if got := show(m.tick(at(1500), totals)); got != "remove 1 budget" {
		t.Fatalf("third: %q", got)
	}
	// Quiet again: the throttle of probe 0 is lifted when its time is over.
	if got := show(m.tick(at(2200), totals)); got != "count 2" {
		t.Fatalf("fourth: %q", got)
	}
	if got := show(m.tick(at(3200), totals)); !strings.Contains(got, "throttle 0 false") {
		t.Fatalf("fifth: %q", got)
	}
}

func TestTrapsAreChargedToTheBudget(t *testing.T) {
	m := &machine{budget: 0.01}
	m.add(probe.Spec{Kind: probe.Count}, at(0))
	// 5,000 traps of 2.5 µs in 500 ms are 2.5 %.
	if got := show(m.tick(at(500), []Totals{{Emitted: 5000, Traps: 5000}})); got != "remove 0 budget" {
		t.Errorf("got %q", got)
	}
}

func TestNoBudgetIsNoLimit(t *testing.T) {
	m := &machine{}
	m.add(probe.Spec{Kind: probe.Count}, at(0))
	if got := show(m.tick(at(600), []Totals{hot(1<<40, 100)})); got != "" {
		t.Errorf("got %q", got)
	}
}

// TestRandomLives drives the machine with random time and counters and holds it
// to what must be true after every step.
func TestRandomLives(t *testing.T) {
	for seed := range int64(200) {
		r := rand.New(rand.NewSource(seed))
		m := &machine{budget: float64(r.Intn(3)) / 100}
		n := 1 + r.Intn(5)
		totals := make([]Totals, n)
		for range n {
			kind := []probe.Kind{probe.Log, probe.Count}[r.Intn(2)]
			m.add(probe.Spec{Kind: kind, Limit: int64(r.Intn(3) * 1000), Rate: int64(r.Intn(2) * 10),
				For: time.Duration(1+r.Intn(20)) * time.Second}, at(0))
		}
		removed := make([]int, n)
		for ms := 0; ms < 25_000; ms += 1 + r.Intn(400) {
			for i := range totals {
				p := uint64(r.Intn(100_000))
				totals[i].Passes += p
				totals[i].Emitted += p
				totals[i].Samples += p / 256
				totals[i].Cycles += float64(p/256) * 20
			}
			for _, e := range m.tick(at(ms), totals) {
				if removed[e.probe] > 0 {
					t.Fatalf("seed %d: %s after its removal", seed, show([]effect{e}))
				}
				if e.what == doRemove {
					removed[e.probe]++
				}
				if e.what == doThrottle && m.lives[e.probe].spec.Kind != probe.Log {
					t.Fatalf("seed %d: a count was throttled", seed)
				}
			}
		}
		if m.alive() {
			t.Fatalf("seed %d: alive after every expiry", seed)
		}
	}
}
