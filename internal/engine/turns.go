package engine

import (
	"cmp"
	"slices"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// turns are those of timers that share a budget which does not suffice for all of
// them: hundreds of timers whose code is in no cache can halve the speed of a loaded
// program, and a timer costs something also at calls that it leaves out. So a few
// come at a time, for a moment, and go; the text that they leave costs nothing. Those
// that cost next to nothing stay. This part is pure, as the machine is.
type turns struct {
	queue []int // whose turn comes, the first one next
	in    []int // whose turn it is
	began time.Time
	shut  bool      // no call is timed that begins now: those under way end
	after time.Time // when the next turn may begin
	start time.Time // of the first one
	spent float64   // nanoseconds that the turns took in the target since then
}

// Of turns.
const (
	turnSize  = 64                     // timers
	turnFor   = 30 * time.Millisecond  // calls that begin are timed,
	turnEnd   = 100 * time.Millisecond // and those that do not end within this time are given up
	turnGap   = 5 * time.Second        // between the turns, once all have had one: each takes the tool more than it takes the target
	shutEvery = 5 * time.Millisecond   // calls under way are looked for, while a turn ends
	turnsPart = 0.5                    // of the budget; the rest is for those that stay
	callCost  = 150.0                  // nanoseconds of a call, both ends: of hundreds whose code is in no cache, 80 to 180 were measured
)

// takeTurns lets all timers come in turns.
func (m *machine) takeTurns() {
	m.turns = &turns{}
	for i, l := range m.lives {
		l.out = true
		if !l.ended {
			m.turns.queue = append(m.turns.queue, i)
		}
	}
}

// turn says who comes and who goes.
func (m *machine) turn(now time.Time, totals []Totals) []effect {
	t := m.turns
	since := now.Sub(t.began)
	switch {
	case t.shut && since < turnEnd && slices.ContainsFunc(t.in, func(i int) bool { return !m.lives[i].ended && totals[i].Open > 0 }):
		return nil
	case t.shut:
		return m.leave(now)
	case len(t.in) > 0 && since < turnFor:
		return nil
	case len(t.in) > 0:
		return m.judge(now, totals)
	case now.Before(t.after) || len(t.queue) == 0:
		return m.thin(now, totals)
	}
	return m.next()
}

// rest is how long nobody needs to look at the counters. A look takes every line of
// them away from the target's processors, which keep writing there, and the processor
// from one of its threads.
func (m *machine) rest(now time.Time) time.Duration {
	t := m.turns
	switch {
	case t == nil:
		return pollEvery
	case t.shut:
		return shutEvery
	}
	next := now.Add(budgetWindow)
	if len(t.in) > 0 {
		next = t.began.Add(turnFor)
	} else if len(t.queue) > 0 && t.after.Before(next) {
		next = t.after
	}
	return max(next.Sub(now), time.Millisecond)
}

// next lets those come in who have waited longest.
func (m *machine) next() (out []effect) {
	t := m.turns
	t.in = nil
	for len(t.queue) > 0 && len(t.in) < turnSize {
		i := t.queue[0]
		t.queue = t.queue[1:]
		if l := m.lives[i]; !l.ended {
			l.out = false
			t.in = append(t.in, i)
			out = append(out, effect{what: doEnter, probe: i})
		}
	}
	return out
}

// entered says when those whose turn it is have come, and the counters as they were.
func (m *machine) entered(now time.Time, totals []Totals) {
	t := m.turns
	if t.start.IsZero() {
		t.start = now
	}
	t.began = now
	for _, i := range t.in {
		m.lives[i].entered, m.lives[i].past = now, totals[i]
	}
}

// putOff lets some whose turn it is wait for the next one.
func (m *machine) putOff(probes []int, now time.Time) {
	t := m.turns
	t.in = slices.DeleteFunc(t.in, func(i int) bool { return slices.Contains(probes, i) })
	t.queue = append(t.queue, probes...)
	for _, i := range probes {
		m.lives[i].out, m.lives[i].tried = true, true
	}
	if len(t.in) == 0 {
		m.pause(now)
	}
}

// judge ends a turn: those that cost little stay.
func (m *machine) judge(now time.Time, totals []Totals) []effect {
	t := m.turns
	took := m.took(t.in, totals)
	elapsed := float64(now.Sub(t.began))
	for _, ns := range took {
		t.spent += ns
	}
	slices.SortStableFunc(t.in, func(a, b int) int { return cmp.Compare(took[a], took[b]) })
	var leaving []int
	for _, i := range t.in {
		l := m.lives[i]
		share := took[i] / elapsed
		switch {
		case l.ended:
		case m.mayStay(l, share):
			l.stays, l.share = true, share
		default:
			leaving = append(leaving, i)
		}
		l.tried = true
	}
	return m.close(leaving, now)
}

// mayStay tells whether a timer that takes such a share of a core stays in. Until all
// have had a turn, each has its own part of the budget.
func (m *machine) mayStay(l *life, share float64) bool {
	limit := m.budget * (1 - turnsPart)
	if m.budget <= 0 || share <= limit/float64(2*len(m.lives)) {
		return true
	}
	for _, other := range m.lives {
		if !other.ended && !other.tried && !l.tried {
			return false
		}
		if !other.ended && other.stays {
			share += other.share
		}
	}
	return share <= limit
}

// close lets no more calls of some be timed, and waits for those under way.
func (m *machine) close(probes []int, now time.Time) (out []effect) {
	t := m.turns
	for _, i := range probes {
		l := m.lives[i]
		l.timed, l.entered, l.stays = l.timed+now.Sub(l.entered), time.Time{}, false
		out = append(out, effect{what: doShut, probe: i})
	}
	t.in, t.shut, t.began = probes, len(probes) > 0, now
	if !t.shut {
		m.pause(now)
	}
	return out
}

// leave takes those out whose turn has ended, and may let others come by the same
// change of the text. None of those who go is among these: their calls under way are
// given up after the change, and one that began since would be taken for one of them.
func (m *machine) leave(now time.Time) (out []effect) {
	t := m.turns
	var gone []int
	for _, i := range t.in {
		if l := m.lives[i]; !l.ended {
			l.out = true
			gone = append(gone, i)
			out = append(out, effect{what: doLeave, probe: i})
		}
	}
	t.in, t.shut = nil, false
	if m.pause(now); !now.Before(t.after) {
		out = append(out, m.next()...)
	}
	t.queue = append(t.queue, gone...)
	return out
}

// pause says when the next turn may begin: at once, until all have had one; then when
// the budget allows what they have taken.
func (m *machine) pause(now time.Time) {
	t := m.turns
	t.after = now
	if slices.ContainsFunc(m.lives, func(l *life) bool { return !l.ended && !l.tried }) {
		return
	}
	t.after = now.Add(turnGap)
	if m.budget > 0 {
		if paid := t.start.Add(time.Duration(t.spent / (m.budget * turnsPart))); paid.After(t.after) {
			t.after = paid
		}
	}
}

// thin takes out the dearest of those that stay, if they have become too many.
func (m *machine) thin(now time.Time, totals []Totals) []effect {
	elapsed := now.Sub(m.window)
	if elapsed < budgetWindow {
		return nil
	}
	m.window = now
	var stay []int
	for i, l := range m.lives {
		if l.stays && !l.ended {
			stay = append(stay, i)
		}
	}
	took := m.took(stay, totals)
	var sum float64
	for _, i := range stay {
		m.lives[i].share, m.lives[i].past = took[i]/float64(elapsed), totals[i]
		sum += m.lives[i].share
	}
	const slack = 1.5 // a load that goes up and down moves none of them
	limit := m.budget * (1 - turnsPart)
	if m.budget <= 0 || sum <= slack*limit {
		return nil
	}
	slices.SortStableFunc(stay, func(a, b int) int { return cmp.Compare(m.lives[b].share, m.lives[a].share) })
	n := 0
	for ; n < len(stay) && sum > limit; n++ {
		sum -= m.lives[stay[n]].share
	}
	return m.close(stay[:n], now)
}

// took is what timers took since their counters were looked at last, in nanoseconds by
// their numbers. The samples of a moment are few, and leave out the way there and back
// and what the code of the timers drives out of the caches.
func (m *machine) took(probes []int, totals []Totals) map[int]float64 {
	out := map[int]float64{}
	for _, i := range probes {
		past := m.lives[i].past
		out[i] = callCost*float64(totals[i].passes()-past.passes()) + trapCost*float64(totals[i].Traps-past.Traps)
	}
	return out
}

// turned is how long calls of a timer were timed, if it comes in turns.
func (l *life) turned(now time.Time) (timed time.Duration, ok bool) {
	if !l.spec.Turns {
		return 0, false
	}
	if timed = l.timed; !l.entered.IsZero() {
		timed += now.Sub(l.entered)
	}
	return timed, true
}

// inTurns tells whether all of some probes are timers that may come in turns.
func inTurns(probes []*planned) bool {
	return len(probes) > 0 && !slices.ContainsFunc(probes, func(pl *planned) bool { return !pl.spec.Turns || pl.spec.Kind != probe.Time || pl.spec.Calls })
}
