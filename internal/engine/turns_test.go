package engine

import (
	"math/rand"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// stage plays a target to a machine whose timers take turns.
type stage struct {
	*testing.T
	m      *machine
	now    time.Time
	rates  []float64 // calls a second
	ns     float64   // a call
	length time.Duration
	totals []Totals
	in     []bool
	open   []bool // calls are timed
	took   float64
	turns  []int // how often each has come
	most   int   // in at once, of those that do not stay
	told   []int // how often each was told of
}

func newStage(t *testing.T, budget float64, rates []float64) *stage {
	s := &stage{T: t, m: &machine{budget: budget}, now: noonOfShed, rates: rates, ns: 80, length: time.Microsecond,
		totals: make([]Totals, len(rates)), in: make([]bool, len(rates)), open: make([]bool, len(rates)), turns: make([]int, len(rates)), told: make([]int, len(rates))}
	for range rates {
		s.m.add(probe.Spec{Kind: probe.Time, Turns: true, For: time.Minute}, s.now)
	}
	s.m.takeTurns()
	s.carryOut(s.m.next())
	s.m.begin(s.now, s.totals)
	return s
}

func (s *stage) carryOut(effects []effect) {
	come, gone := false, map[int]bool{}
	for _, e := range effects {
		switch i := e.probe; e.what {
		case doEnter:
			if s.in[i] || gone[i] { // its calls are given up after the change of the text
				s.Fatalf("%d comes and is in", i)
			}
			s.in[i], s.open[i], come = true, true, true
			s.turns[i]++
		case doCount:
			s.told[i]++
		case doShut:
			s.open[i] = false
		case doLeave, doRemove:
			if e.what == doLeave && (!s.in[i] || s.open[i]) {
				s.Fatalf("%d leaves: in %v, open %v", i, s.in[i], s.open[i])
			}
			s.in[i], s.open[i], gone[i] = false, false, true
		}
	}
	passing := 0
	for i, l := range s.m.lives {
		if s.in[i] && !l.stays {
			passing++
		}
	}
	s.most = max(s.most, passing)
	if come && !s.m.turns.start.IsZero() {
		s.m.entered(s.now, s.totals)
	}
}

// play lets time go by.
func (s *stage) play(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		step := min(s.m.rest(s.now), end.Sub(s.now))
		s.now = s.now.Add(step)
		for i, rate := range s.rates {
			s.totals[i].Open = 0
			switch calls := rate * step.Seconds(); {
			case s.open[i]:
				s.totals[i].Emitted += uint64(calls)
				s.took += calls * s.ns
			case s.in[i]: // those under way
				if s.m.turns.shut && s.now.Sub(s.m.turns.began) < s.length {
					s.totals[i].Open = 1
				}
			}
		}
		s.carryOut(s.m.tick(s.now, s.totals))
	}
}

// Hundreds of timers over the budget come in turns and keep it; those that are seldom
// called stay.
func TestTimersTakeTurnsWithinTheBudget(t *testing.T) {
	r := rand.New(rand.NewSource(4))
	rates := make([]float64, 342)
	for i := range rates {
		switch r.Intn(4) {
		case 0: // never called
		case 1:
			rates[i] = 40
		case 2:
			rates[i] = 4500
		case 3:
			rates[i] = 250_000
		}
	}
	s := newStage(t, 0.01, rates)
	s.play(2 * time.Second)
	for i, n := range s.turns {
		if n == 0 {
			t.Fatalf("%d has had no turn", i)
		}
	}
	first := s.took
	s.play(40 * time.Second)
	if share := s.took / float64(42*time.Second); share > 0.0105 {
		t.Errorf("they took %.2f %% of a core; the first round took %v", 100*share, time.Duration(first))
	}
	if share := (s.took - first) / float64(40*time.Second); share < 0.004 {
		t.Errorf("they took %.2f %% of a core after the first round, of a budget of 1 %%", 100*share)
	}
	for i, l := range s.m.lives {
		switch {
		case rates[i] < 1000 && !l.stays:
			t.Errorf("%d, called %v times a second, does not stay", i, rates[i])
		case rates[i] > 100_000 && (l.stays || s.turns[i] < 2):
			t.Errorf("%d, called %v times a second: stays %v, %d turns", i, rates[i], l.stays, s.turns[i])
		}
	}
	if s.most > turnSize {
		t.Errorf("%d at once", s.most)
	}
}

func TestWithoutABudgetAllStay(t *testing.T) {
	s := newStage(t, 0, []float64{1e6, 1e6, 0, 30})
	s.play(10 * time.Second)
	for i, l := range s.m.lives {
		if !l.stays || s.turns[i] != 1 {
			t.Errorf("%d: stays %v, %d turns", i, l.stays, s.turns[i])
		}
	}
}

// One that stays goes when it has become dear, and comes back in turns.
func TestWhatBecomesDearTakesTurns(t *testing.T) {
	rates := make([]float64, 70)
	s := newStage(t, 0.01, rates)
	s.play(5 * time.Second)
	rates[7] = 1e6
	s.play(2 * time.Second)
	if l := s.m.lives[7]; l.stays {
		t.Error("a million calls a second, and it stays")
	}
	from := s.took
	s.play(20 * time.Second)
	if share := (s.took - from) / float64(20*time.Second); share > 0.01 {
		t.Errorf("%.2f %% of a core", 100*share)
	}
	if s.turns[7] < 2 {
		t.Error("it does not come back")
	}
}

// A turn ends when the calls under way have ended, or after a while.
func TestATurnWaitsForItsCalls(t *testing.T) {
	for _, length := range []time.Duration{2 * time.Millisecond, 50 * time.Millisecond, time.Hour} {
		s := newStage(t, 0.01, []float64{1e6})
		s.length = length
		s.play(turnFor)
		if !s.in[0] || s.open[0] {
			t.Fatalf("after its time: in %v, open %v", s.in[0], s.open[0])
		}
		if s.play(min(length, turnEnd) - time.Millisecond); !s.in[0] {
			t.Errorf("calls of %v: out before they end", length)
		}
		if s.play(2 * pollEvery); s.in[0] {
			t.Errorf("calls of %v: in after they ended", length)
		}
	}
}

func TestTimersEndInAnyPartOfATurn(t *testing.T) {
	for _, after := range []time.Duration{0, turnFor / 2, turnFor, turnFor + time.Millisecond, 3 * time.Second} {
		s := newStage(t, 0.01, []float64{1e6, 1e6, 0})
		s.length = time.Hour
		s.play(after)
		s.m.lives[0].spec.ID = "a"
		s.carryOut(s.m.endNamed([]string{"a"}))
		was := s.turns[0]
		s.play(20 * time.Second)
		if s.in[0] || s.turns[0] != was || s.turns[1] < 2 {
			t.Errorf("removed after %v: in %v, %d turns; the other %d", after, s.in[0], s.turns[0], s.turns[1])
		}
		s.play(time.Minute)
		if s.m.alive() || s.in[1] || s.in[2] {
			t.Errorf("alive %v after all time, in %v", s.m.alive(), s.in)
		}
	}
}

// One that is not called any more is told of once more, which says so, and then left
// alone until it is.
func TestSilenceIsToldOnce(t *testing.T) {
	s := newStage(t, 0.01, []float64{400, 400})
	s.play(5500 * time.Millisecond) // it was called since it was told of
	was := s.told[0]
	s.rates[0] = 0
	if s.play(5 * time.Second); s.told[0] != was+2 {
		t.Errorf("told %d times of its last calls and that there are no more", s.told[0]-was)
	}
	if s.play(10 * time.Second); s.told[0] != was+2 || s.told[1] < 17 {
		t.Errorf("told %d times, the other one, which is called, %d times", s.told[0]-was, s.told[1])
	}
	s.rates[0] = 400
	if s.play(2 * time.Second); s.told[0] < was+3 {
		t.Error("it is called again, and that is not told")
	}
}

// How long calls were timed is what their rate is told by.
func TestTimedIsWhatItWas(t *testing.T) {
	s := newStage(t, 0.01, []float64{1e6, 10})
	s.play(8 * time.Second)
	for i, l := range s.m.lives {
		timed, ok := l.turned(s.now)
		if rate := float64(s.totals[i].Emitted) / timed.Seconds(); !ok || rate < 0.9*s.rates[i]-1 || rate > 1.1*s.rates[i]+1 {
			t.Errorf("%d: %v calls a second in %v, and they are %v", i, rate, timed, s.rates[i])
		}
	}
}

// Calls that are under way of those that go are given up after the change of the text,
// so none of them comes at once: a call that began since would be taken for one of them.
func TestNobodyComesWithTheChangeThatTakesItOut(t *testing.T) {
	rates := make([]float64, turnSize+6)
	for i := range rates {
		rates[i] = 1e5
	}
	s := newStage(t, 0.01, rates)
	s.play(20 * time.Second)
	for i, n := range s.turns {
		if n < 2 {
			t.Errorf("%d has had %d turns", i, n)
		}
	}
}
