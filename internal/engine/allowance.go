package engine

import (
	"math"
	"time"
)

// allowance is how many snapshots of calls the budget allows a probe: what time brings
// in, less what they have cost. It is spent before it is known which of them are
// wanted, so the target cannot take more than it was given.
type allowance struct {
	credit float64 // nanoseconds of work
	at     time.Time
	cost   float64 // of all snapshots so far, when that was,
	staged uint64  // how many they were,
	tokens int64   // and how many more were allowed then
}

const (
	// firstStage is what a snapshot is thought to cost before any was taken, in
	// nanoseconds, and leastStage the least that one is charged.
	firstStage = 5000
	leastStage = 500
	// saved is how long credit is kept: so much work may come at once.
	saved = 500 * time.Millisecond
)

// firstStages is how many may be taken before the tool looks first.
func firstStages(budget float64, probes int) int64 {
	if budget <= 0 {
		return math.MaxInt64 / 2
	}
	return max(1, int64(budget/2/float64(probes)*float64(pollEvery)/firstStage))
}

// allow is how many may be taken until the next look, if that is news to the target;
// share is the part of one core that they may take.
func (a *allowance) allow(share float64, now time.Time, t Totals) (tokens int64, news bool) {
	if a.at.IsZero() {
		a.at = now
	}
	a.credit += share*float64(now.Sub(a.at)) - (t.StageCycles - a.cost)
	a.credit = min(a.credit, share*float64(saved))
	mean := float64(firstStage)
	if t.Staged > 0 {
		mean = max(t.StageCycles/float64(t.Staged), leastStage)
	}
	if tokens = int64(math.Ceil(a.credit / mean)); tokens < 0 {
		tokens = 0
	}
	news = tokens != a.tokens || t.Staged != a.staged
	a.at, a.cost, a.staged, a.tokens = now, t.StageCycles, t.Staged, tokens
	return tokens, news
}
