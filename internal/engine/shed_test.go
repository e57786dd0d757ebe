package engine

import (
	"math/rand"
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

// Snapshots of calls take what the budget leaves them and no more, whatever they cost,
// however many calls there are, and however late the tool looks.
func TestSnapshotsOfCallsKeepToTheBudget(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	for _, ns := range []float64{700, 5000, 60_000, 2e6} {
		for _, calls := range []int64{1, 40, 1 << 40} { // wanted in each 20 ms
			at := noonOfShed
			m := &machine{budget: 0.01}
			m.add(probe.Spec{Kind: probe.Time, Calls: true}, at)
			m.add(probe.Spec{Kind: probe.Time}, at)
			var total Totals
			left := firstStages(m.budget, len(m.lives))
			wanted := int64(0)
			for at.Sub(noonOfShed) < 20*time.Second {
				look := pollEvery
				if r.Intn(50) == 0 {
					look = 700 * time.Millisecond
				}
				at = at.Add(look)
				take := min(left, calls*int64(look/pollEvery))
				wanted += min(calls, 1<<30) * int64(look/pollEvery)
				left -= take
				total.Staged += uint64(take)
				total.StageCycles += float64(take) * ns
				for _, e := range m.tick(at, []Totals{total, {}}) {
					if e.what == doAllow {
						left = e.tokens
					}
				}
			}
			allowed := 0.0025 * float64(at.Sub(noonOfShed)) // half of the half
			if total.StageCycles > allowed+0.0025*float64(saved)+2*ns+float64(firstStages(0.01, 2))*ns {
				t.Errorf("%d calls of %v ns: %v of work, and %v are allowed", calls, ns, total.StageCycles, allowed)
			}
			if got := float64(total.Staged); got < 0.8*min(float64(wanted), allowed/ns) {
				t.Errorf("%d calls of %v ns: %v snapshots of %v wanted and %v allowed", calls, ns, got, wanted, allowed/ns)
			}
		}
	}
}

func TestNoBudgetAllowsAllSnapshots(t *testing.T) {
	m := &machine{}
	m.add(probe.Spec{Kind: probe.Time, Calls: true}, noonOfShed)
	if effects := m.tick(noonOfShed, []Totals{{Staged: 1 << 40, StageCycles: 1 << 50}}); len(effects) != 0 || firstStages(0, 1) < 1<<60 {
		t.Errorf("without a budget: %+v, %d at first", effects, firstStages(0, 1))
	}
}

func TestCallsEndByTheirSnapshots(t *testing.T) {
	at := noonOfShed
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

// What the installation cost, and one sample that an interrupt came into, put no
// probe out; and a crowd over the budget is looked at again soon.
func TestWhatIsPastOrRareSaysLittle(t *testing.T) {
	m := &machine{budget: 0.01}
	at := noonOfShed
	totals := make([]Totals, 20)
	for i := range totals {
		m.add(probe.Spec{ID: string(rune('a' + i)), Kind: probe.Time}, at)
		totals[i] = Totals{Emitted: 1000, Traps: 2000, Samples: 4, Cycles: 4000} // 5 ms each
	}
	at = at.Add(time.Second)
	m.begin(at, totals)
	step := func(after time.Duration, calls uint64) []effect {
		at = at.Add(after)
		for i := range totals {
			totals[i].Emitted += calls
			totals[i].Samples++
			totals[i].Cycles += 50
		}
		return m.tick(at, totals)
	}
	totals[3].Cycles += 1500
	if got := budgeted(step(100*time.Millisecond, 200)); len(got) != 0 {
		t.Errorf("after the installation: %+v", got)
	}
	for i, calls := range []uint64{100_000, 400_000, 400_000} { // once it fitted, every half second
		if got := budgeted(step(budgetWindow, calls)); len(got) == 0 {
			t.Errorf("look %d: nothing of 20 probes that are over the budget", i)
		}
	}
}

// budgeted are those effects that the budget has.
func budgeted(all []effect) (out []effect) {
	for _, e := range all {
		if e.what != doCount {
			out = append(out, e)
		}
	}
	return out
}

func TestManyAreLookedAtUntilTheyFit(t *testing.T) {
	m := &machine{budget: 0.01}
	at := noonOfShed
	totals := make([]Totals, 20)
	for i := range totals {
		m.add(probe.Spec{ID: string(rune('a' + i)), Kind: probe.Time}, at)
	}
	m.begin(at, totals)
	looks := 0
	for range 5 {
		at = at.Add(earlyWindow)
		for i := range totals {
			totals[i].Emitted += 100_000
			totals[i].Samples += 400
			totals[i].Cycles += 400 * 50
		}
		if len(budgeted(m.tick(at, totals))) > 0 {
			looks++
		}
	}
	if looks != len(samples) || m.alive() { // sampled, sampled less, taken out
		t.Errorf("%d looks did something; alive: %v", looks, m.alive())
	}
}
