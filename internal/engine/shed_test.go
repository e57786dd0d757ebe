package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Many times over the budget are sampled first, and left out if that is not enough.
func TestTimesAreSampledThenLeftOut(t *testing.T) {
	m := &machine{budget: 0.01}
	at := noonOfShed
	totals := make([]Totals, 20)
	for i := range totals {
		m.add(probe.Spec{ID: string(rune('a' + i)), Kind: probe.Time}, at)
	}
	step := func(calls uint64, ns float64) map[effectKind]int {
		at = at.Add(600 * time.Millisecond)
		for i := range totals {
			totals[i].Emitted += calls
			totals[i].Samples++
			totals[i].Cycles += ns
		}
		seen := map[effectKind]int{}
		for _, e := range m.tick(at, totals) {
			seen[e.what]++
		}
		return seen
	}
	if got := step(1000, 50); got[doSample]+got[doRemove] != 0 {
		t.Errorf("within the budget: %v", got)
	}
	if got := step(20_000, 50); got[doSample] == 0 || got[doRemove] != 0 {
		t.Errorf("over the budget: %v", got)
	}
	removed := 0
	for range 4 {
		removed += step(2_000_000, 10)[doRemove]
	}
	if removed == 0 || removed > 20 {
		t.Errorf("far over the budget, although sampled: %d left out", removed)
	}
}

// Snapshots of calls take what the budget leaves: before any was taken, and by what
// they have cost since.
func TestSnapshotsOfCallsKeepToTheBudget(t *testing.T) {
	at := noonOfShed
	for _, tc := range []struct {
		budget, ns float64
		probes     int
		least      int64
		most       int64
	}{
		{budget: 0, ns: 1e6, probes: 1, least: 1 << 60, most: 1 << 62},
		{budget: 0.01, ns: 1000, probes: 1, least: 100, most: 100},
		{budget: 0.01, ns: 20_000, probes: 1, least: 5, most: 5},
		{budget: 0.01, ns: 20_000, probes: 5, least: 1, most: 1},
		{budget: 0.01, ns: 1, probes: 1, least: 200, most: 200}, // no snapshot is that cheap
		{budget: 0.01, ns: 1e9, probes: 1, least: 1, most: 1},
	} {
		m := &machine{budget: tc.budget}
		totals := make([]Totals, tc.probes)
		for range totals {
			m.add(probe.Spec{Kind: probe.Time, Calls: true}, at)
		}
		if effects := m.tick(at, totals); len(effects) != 0 {
			t.Errorf("nothing was taken, and %+v", effects)
		}
		totals[0].Staged, totals[0].StageCycles = 10, 10*tc.ns
		effects := m.tick(at, totals)
		if len(effects) != 1 || effects[0].what != doAllow || effects[0].tokens < tc.least || effects[0].tokens > tc.most {
			t.Errorf("%+v: %+v", tc, effects)
		}
		if effects := m.tick(at, totals); len(effects) != 0 {
			t.Errorf("nothing was taken since, and %+v", effects)
		}
	}
	m := &machine{}
	m.add(probe.Spec{Kind: probe.Time, Calls: true, Limit: 2}, at)
	if effects := m.tick(at, []Totals{{Emitted: 50, Told: 1}}); len(effects) != 0 || !m.alive() {
		t.Errorf("one snapshot of two: %+v", effects)
	}
	if effects := m.tick(at, []Totals{{Emitted: 51, Told: 2}}); len(effects) != 1 || effects[0].reason != probe.EndLimit {
		t.Errorf("two snapshots of two: %+v", effects)
	}
}

// What a condition on the duration leaves out has cost what it costs all the same.
func TestCallsLeftOutAreCharged(t *testing.T) {
	at := noonOfShed
	m := &machine{budget: 0.01}
	m.add(probe.Spec{Kind: probe.Time, If: "$duration > 1s"}, at)
	m.tick(at, make([]Totals, 1))
	total := Totals{Passes: 1_000_000, Filtered: 1_000_000, Samples: 10, Cycles: 500}
	effects := m.tick(at.Add(time.Second), []Totals{total})
	if !slices.ContainsFunc(effects, func(e effect) bool { return e.what == doSample }) {
		t.Errorf("five times the budget, and %+v", effects)
	}
}

var noonOfShed = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
