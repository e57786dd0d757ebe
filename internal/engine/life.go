package engine

import (
	"slices"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// trapCost is what a trap site pays beyond its body, in nanoseconds: the
// kernel's way into the handler and back, which no counter in the target can
// see. Measured: 1,100 on one virtual machine, 2,400 to 2,800 on another, both
// with Linux 6.18. The budget charges the dearer one.
const trapCost = 2500

// Totals are the counters of one probe, summed over all blocks.
type Totals struct {
	Passes     uint64 // evaluations of the condition, or hits where there is none
	Emitted    uint64
	Taken      uint64 // of a log's limit: emitted, or written and then found damaged
	Suppressed uint64
	Dropped    uint64
	Why        probe.Refusals // of those two: what is counted
	Reasoned   bool           // it is counted
	Errors     uint64
	Cycles     float64 // nanoseconds of the sampled passes
	Samples    uint64
	Traps      uint64

	Filtered    uint64  // of a time: calls that the condition on their duration left out
	Told        uint64  // snapshots of its calls that were told,
	Staged      uint64  // that were taken,
	StageCycles float64 // and the nanoseconds that it took

	Open uint64 // of a time that is shut: calls under way
}

// Hits is every pass whose condition held.
func (t Totals) Hits() uint64 { return t.Emitted + t.Suppressed + t.Dropped }

// why is why hits of a probe of some kind were not recorded, where the target
// counts that.
func (t Totals) why(k probe.Kind) probe.Refusals {
	w := t.Why
	if !t.Reasoned || !k.Records() {
		return probe.Refusals{}
	}
	if known := w.Limit + w.Budget + w.Passed; known <= t.Suppressed {
		w.Rate = t.Suppressed - known
	}
	if w.Full <= t.Dropped {
		w.Moment = t.Dropped - w.Full
	}
	return w
}

// Cost is the sampled mean cost of a pass in nanoseconds, traps included.
func (t Totals) Cost() float64 {
	var cost float64
	if t.Samples > 0 {
		cost = t.Cycles / float64(t.Samples)
	}
	if n := t.passes(); n > 0 {
		cost += (trapCost*float64(t.Traps) + t.StageCycles) / float64(n)
	}
	return cost
}

func (t Totals) passes() uint64 { return max(t.Passes, t.Hits()+t.Errors) }

// life is the state of one probe, from its installation to its end.
type life struct {
	spec      probe.Spec
	started   time.Time
	refilled  time.Time // start of the running second of its rate
	counted   time.Time // last count event
	ended     bool
	throttled bool
	retry     time.Duration // how long the next throttle lasts
	until     time.Time     // when the throttle is lifted
	past      Totals        // at the start of the budget's window
	level     int           // of a time: how seldom its calls are timed, by samples
	mean      float64       // nanoseconds a pass, lately
	full      float64       // likewise before it was sampled
	stages    allowance     // of snapshots of calls

	// Of those that come in turns.
	out     bool          // its sites are not in the text
	tried   bool          // it has had a turn
	stays   bool          // it costs so little that it stays
	share   float64       // of a core, lately
	entered time.Time     // since when its calls are timed; zero: they are not
	timed   time.Duration // how long they were timed before
	said    uint64        // its calls as they were told last,
	still   bool          // and that they were no more than the time before
}

// tells tells whether the probe says from time to time what it has.
func (l *life) tells() bool { return l.spec.Kind == probe.Count || l.spec.Kind.Aggregates() }

// machine decides what becomes of the probes of one target. It is pure: time
// and counters come in, effects go out, and the session carries them out.
type machine struct {
	budget float64 // share of one core for all probes together; 0: no limit
	lives  []*life
	window time.Time // start of the budget's window
	fits   bool      // a window was within the budget
	turns  *turns    // nil: all are in at once
}

// Periods of the machine.
const (
	second       = time.Second
	budgetWindow = 500 * time.Millisecond
	earlyWindow  = 100 * time.Millisecond // of many probes at once, until they fit
	many         = 16
	firstRetry   = 2 * time.Second
	maxRetry     = time.Minute
)

// effect is something that the session must do.
type effect struct {
	what   effectKind
	probe  int
	on     bool         // throttle
	tokens int64        // refill
	reason probe.Reason // remove
}

type effectKind uint8

const (
	doRemove   effectKind = iota // take the probe out and report its end
	doRefill                     // set the tokens of a rated log
	doThrottle                   // suppress every hit, or stop doing so
	doCount                      // report the running count
	doSample                     // time only some calls from now on
	doAllow                      // let so many snapshots of calls be taken
	doEnter                      // put a timer in, whose turn it is
	doShut                       // time no more calls that begin
	doLeave                      // take the timer out until its next turn
)

// add takes a probe in; it lives from now on.
func (m *machine) add(spec probe.Spec, now time.Time) {
	if m.window.IsZero() {
		m.window = now
	}
	m.lives = append(m.lives, &life{spec: spec, started: now, refilled: now, counted: now, retry: firstRetry})
}

// begin opens the budget's first window with the counters as they are: what was paid
// while the probes came, when every site was a trap, says nothing of what is to come.
func (m *machine) begin(now time.Time, totals []Totals) {
	m.window = now
	for i, l := range m.lives {
		l.past = totals[i]
	}
	if m.turns != nil {
		m.entered(now, totals)
	}
}

// alive tells whether any probe is still in.
func (m *machine) alive() bool {
	for _, l := range m.lives {
		if !l.ended {
			return true
		}
	}
	return false
}

// tick looks at the counters at a moment and decides.
func (m *machine) tick(now time.Time, totals []Totals) []effect {
	var out []effect
	for i, l := range m.lives {
		if !l.ended {
			out = append(out, m.one(i, l, now, totals[i])...)
		}
	}
	if m.turns != nil {
		return append(out, m.turn(now, totals)...)
	}
	return append(out, m.spend(now, totals)...)
}

// one decides for one probe, but for the budget that it shares with the others.
func (m *machine) one(i int, l *life, now time.Time, t Totals) []effect {
	var out []effect
	switch {
	case l.spec.Limit > 0 && l.taken(t) >= uint64(l.spec.Limit):
		return m.end(i, probe.EndLimit)
	case l.spec.For > 0 && now.Sub(l.started) >= l.spec.For:
		return m.end(i, probe.EndExpired)
	}
	if (l.spec.Kind.Records() || l.spec.Calls) && l.spec.Rate > 0 && now.Sub(l.refilled) >= second {
		l.refilled = l.refilled.Add(now.Sub(l.refilled).Truncate(second))
		out = append(out, effect{what: doRefill, probe: i, tokens: l.spec.Rate})
	}
	if period := l.spec.Told(); l.tells() && now.Sub(l.counted) >= period {
		l.counted = l.counted.Add(now.Sub(l.counted).Truncate(period))
		was := l.still
		l.still = m.turns != nil && t.passes() == l.said && l.said > 0
		if was && l.still { // there is no news of hundreds, and that is told once
			return out
		}
		l.said = t.passes()
		out = append(out, effect{what: doCount, probe: i})
	}
	if l.spec.Calls && m.budget > 0 {
		if tokens, news := l.stages.allow(m.budget/2/float64(len(m.lives)), now, t); news {
			out = append(out, effect{what: doAllow, probe: i, tokens: tokens})
		}
	}
	return out
}

// taken is how much of its limit a probe has used.
func (l *life) taken(t Totals) uint64 {
	if l.spec.Calls {
		return t.Told
	}
	return max(t.Emitted, t.Taken)
}

// end takes one probe out.
func (m *machine) end(i int, why probe.Reason) []effect {
	m.lives[i].ended = true
	return []effect{{what: doRemove, probe: i, reason: why}}
}

// endAll takes every probe out.
func (m *machine) endAll(why probe.Reason) []effect {
	var out []effect
	for i, l := range m.lives {
		if !l.ended {
			out = append(out, m.end(i, why)...)
		}
	}
	return out
}

// endNamed takes those probes out that live and have one of these names.
func (m *machine) endNamed(ids []string) []effect {
	var out []effect
	for i, l := range m.lives {
		if !l.ended && slices.Contains(ids, l.spec.ID) {
			out = append(out, m.end(i, probe.EndRemoved)...)
		}
	}
	return out
}

// spend holds the probes to the budget: over it, the dearest log or snapshot is throttled
// first, which leaves its count exact; if counting alone is too much, the
// dearest probe goes.
func (m *machine) spend(now time.Time, totals []Totals) []effect {
	elapsed := now.Sub(m.window)
	if elapsed < budgetWindow && (m.fits || len(m.lives) < many || elapsed < earlyWindow) {
		return nil
	}
	m.window = now
	shares, sum := m.shares(elapsed, totals)
	if m.budget <= 0 {
		return nil
	}
	m.fits = m.fits || sum <= m.budget
	if sum <= m.budget {
		return m.lift(now)
	}
	if i := dearest(shares, func(i int) bool { return m.canThrottle(i) }); i >= 0 {
		l := m.lives[i]
		l.throttled, l.until = true, now.Add(l.retry)
		l.retry = min(2*l.retry, maxRetry)
		return []effect{{what: doThrottle, probe: i, on: true}}
	}
	return m.shed(shares, sum)
}

// samples are what of the calls of a time over the budget is timed, by how often it
// was found over it: the bits of the pass's number that choose one (see jit).
var samples = []byte{0, 0x3E, 0xFE}

// shed takes out what cannot be throttled until the rest fits: of times, most calls
// at first, else the probe.
func (m *machine) shed(shares []float64, sum float64) (out []effect) {
	now := map[int]bool{} // whose sampling changed just now
	for sum > m.budget {
		i := dearest(shares, func(i int) bool {
			l := m.lives[i]
			return !l.ended && l.spec.Kind == probe.Time && l.level+1 < len(samples) && !now[i]
		})
		if i >= 0 && shares[i] > m.budget/float64(4*len(m.lives)) {
			l := m.lives[i]
			if l.level == 0 {
				l.full = l.mean
			}
			l.level++
			now[i] = true
			sum -= sampledSaves * shares[i]
			out = append(out, effect{what: doSample, probe: i, tokens: int64(samples[l.level])})
			continue
		}
		if i = dearest(shares, func(i int) bool { return !m.lives[i].ended && !now[i] }); i < 0 {
			break
		}
		sum -= shares[i]
		out = append(out, m.end(i, probe.EndBudget)...)
	}
	return out
}

// sampledSaves is about what sampling saves of a time's cost.
const sampledSaves = 0.75

func (m *machine) canThrottle(i int) bool {
	l := m.lives[i]
	return !l.ended && !l.throttled && l.spec.Kind.Records()
}

// lift ends the throttles whose time is over.
func (m *machine) lift(now time.Time) []effect {
	var out []effect
	for i, l := range m.lives {
		if !l.ended && l.throttled && !now.Before(l.until) {
			l.throttled = false
			out = append(out, effect{what: doThrottle, probe: i, on: false})
		}
	}
	return out
}

// shares is what each probe took of one core since the window began, and the
// sum of those that live.
func (m *machine) shares(elapsed time.Duration, totals []Totals) ([]float64, float64) {
	shares := make([]float64, len(m.lives))
	usual := m.usual(totals)
	var sum float64
	for i, l := range m.lives {
		t, past := totals[i], l.past
		l.past = t
		passes := float64(t.passes() - past.passes())
		mean := t.since(past, usual[l.spec.Kind])
		took := mean*passes + trapCost*float64(t.Traps-past.Traps)
		if passes > 0 {
			l.mean = took / passes
		}
		if l.level > 0 { // the sampled passes are not the timed ones
			took += l.full * float64(t.Emitted+t.Filtered-past.Emitted-past.Filtered)
		}
		took += t.StageCycles - past.StageCycles
		shares[i] = took / float64(elapsed)
		if !l.ended {
			sum += shares[i]
		}
	}
	return shares, sum
}

// usual is the mean of the passes that were sampled in this window of each kind whose
// passes all do about the same.
func (m *machine) usual(totals []Totals) map[probe.Kind]float64 {
	all := map[probe.Kind]Totals{}
	for i, l := range m.lives {
		if !l.spec.Kind.Aggregates() {
			continue
		}
		t := all[l.spec.Kind]
		t.Cycles += totals[i].Cycles - l.past.Cycles
		t.Samples += totals[i].Samples - l.past.Samples
		all[l.spec.Kind] = t
	}
	usual := map[probe.Kind]float64{}
	for kind, t := range all {
		if t.Samples > 0 {
			usual[kind] = t.Cycles / float64(t.Samples)
		}
	}
	return usual
}

// few samples say little: one of a pass whose code was in no cache yet, or that an
// interrupt came into, would cost a probe its place. So many of the usual ones of its
// kind are added to its own.
const few = 4

// since is the mean of the passes after past in nanoseconds; where none was sampled,
// of all before. usual is 0 where passes of a kind differ.
func (t Totals) since(past Totals, usual float64) float64 {
	cycles, samples := t.Cycles-past.Cycles, float64(t.Samples-past.Samples)
	switch {
	case usual > 0:
		return (cycles + few*usual) / (samples + few)
	case samples > 0:
		return cycles / samples
	case t.Samples > 0:
		return t.Cycles / float64(t.Samples)
	}
	return 0
}

// dearest is the index of the largest share among those that may be chosen and
// cost anything, or -1.
func dearest(shares []float64, may func(int) bool) int {
	best := -1
	for i, s := range shares {
		if s > 0 && may(i) && (best < 0 || s > shares[best]) {
			best = i
		}
	}
	return best
}
