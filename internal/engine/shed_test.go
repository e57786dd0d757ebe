package engine

import (
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

var noonOfShed = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
