//go:build linux && amd64

package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Timers of a program's functions that are called all the time come and go under full
// load; what they tell is so of the moments in which they were in, and those that are
// seldom called miss nothing.
func TestTimersTakeTurnsInAProgram(t *testing.T) {
	const hot, times = 150, 1000
	for _, toolchain := range []string{"", "go1.22.12"} {
		t.Run("go"+toolchain, func(t *testing.T) {
			if toolchain != "" && testing.Short() {
				t.Skip("one toolchain is enough")
			}
			c := startProgram(t, "testdata/turns/main.go", toolchain)
			specs := append(takingTurns("rare", 2), takingTurns("hot", hot)...) // the rare ones have had their turn when others have
			o := &observation{t: t, s: open(t, c, Options{Budget: DefaultBudget}), done: make(chan struct{})}
			o.receive(specs...)
			o.untilAllHit(hot)
			var from, to, called uint64
			c.say("rare %d", times)
			_, _ = fmt.Sscan(c.line(), &from, &called)
			began := time.Now()
			time.Sleep(3 * time.Second)
			c.say("")
			_, _ = fmt.Sscan(c.line(), &to, &called)
			rate := float64(to-from) / time.Since(began).Seconds()
			o.end()
			checkText(t, c)
			final := o.final()
			for _, name := range []string{"rare0", "rare1"} {
				if m := final[name]; m == nil || m.Dist.Count != times || m.Calls.Returned != times || m.Calls.Running != 0 {
					t.Errorf("%s: %+v, and it was called %d times", name, m, called)
				}
			}
			var ratios []float64
			for i := range hot {
				m := final[fmt.Sprintf("hot%d", i)]
				if m == nil || !m.Turns || m.Timed <= 0 || m.Timed > 2*time.Second {
					t.Fatalf("hot%d: %+v", i, m)
				}
				if k := m.Calls; k.Returned != m.Dist.Count || k.Panicked+k.Goexited+k.Recovered+k.Abandoned+k.Lost+k.Backwards != 0 {
					t.Errorf("hot%d: %+v of %d durations", i, *k, m.Dist.Count)
				}
				ratios = append(ratios, float64(m.Dist.Count)/m.Timed.Seconds()/rate)
			}
			slices.Sort(ratios)
			t.Logf("rates as told, of the program's own: %.2f, %.2f, %.2f", ratios[0], ratios[hot/2], ratios[hot-1])
			// Timers slow the program down while they are in, and so does a busy machine at
			// another time: what is held is the order of magnitude.
			if middle := ratios[hot/2]; middle < 0.1 || middle > 4 {
				t.Errorf("the rates that are told are %.2f of the program's own", middle)
			}
		})
	}
}

// No call is timed whose sites trap because their timers have just come: it would take
// a hundred times what it takes, and where calls are seldom, such ones were every tenth.
func TestCallsThatTrapAreNotTimedInTurns(t *testing.T) {
	const hot = 150
	c := startProgram(t, "testdata/turns/main.go", "")
	c.say("seldom")
	c.line()
	o := &observation{t: t, s: open(t, c, Options{Budget: DefaultBudget}), done: make(chan struct{})}
	o.receive(takingTurns("hot", hot)...)
	o.untilAllHit(hot)
	o.end()
	checkText(t, c)
	var trapped, all uint64
	for _, m := range o.final() {
		for _, b := range m.Dist.Buckets {
			all += b.Count
			if b.From > trapCost/4 { // the functions take tens of nanoseconds
				trapped += b.Count
			}
		}
	}
	if all < hot || trapped > all/20 {
		t.Errorf("%d calls of %d were timed with their traps", trapped, all)
	}
}

// takingTurns are timers of the target's functions of a name and a number.
func takingTurns(name string, n int) []probe.Spec {
	specs := make([]probe.Spec, n)
	for i := range specs {
		id := fmt.Sprint(name, i)
		specs[i] = probe.Spec{ID: id, Kind: probe.Time, At: "main." + id, Own: true, Turns: true, For: time.Minute}
	}
	return specs
}

// Another command may take the site of a timer while that is out: the timer waits
// until the site is free, and the others go on.
func TestATimerWhoseSiteIsTakenWaits(t *testing.T) {
	const hot = 150
	c := startProgram(t, "testdata/turns/main.go", "")
	specs := takingTurns("hot", hot)
	o := &observation{t: t, s: open(t, c, Options{Budget: 0.5}), done: make(chan struct{})}
	o.receive(specs...)
	o.untilAllHit(hot)
	var other *Session
	taken := -1
	for taken < 0 || other == nil {
		taken = (taken + 1) % hot
		s := open(t, c, Options{})
		go func() {
			for range s.Events() {
			}
		}()
		_, err := s.Install(context.Background(), []probe.Spec{{ID: "other", Kind: probe.Count, At: specs[taken].At}})
		if err == nil {
			other = s
		} else if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	o.untilComeAgain(func(i int) bool { return i == taken })
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	o.untilComeAgain(func(i int) bool { return i != taken })
	for id, e := range o.end() {
		if e.Reason != probe.EndInterrupted {
			t.Errorf("%s: %+v", id, e)
		}
	}
	checkText(t, c)
}

// untilComeAgain waits until all probes have new hits, but for those that are left out.
func (o *observation) untilComeAgain(but func(i int) bool) {
	o.t.Helper()
	before := o.s.State()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now, still := o.s.State(), 0
		if len(now) != len(before) {
			o.t.Fatalf("%d probes of %d live", len(now), len(before))
		}
		for i := range now {
			if now[i].Hits == before[i].Hits && !but(i) {
				still++
			}
		}
		switch {
		case still == 0:
			return
		case time.Now().After(deadline):
			o.t.Fatalf("%d probes had no turn", still)
		}
	}
}

// untilAllHit waits until so many probes have hits.
func (o *observation) untilAllHit(n int) {
	o.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		hit := 0
		for _, s := range o.s.State() {
			if s.Hits > 0 {
				hit++
			}
		}
		switch {
		case hit >= n:
			return
		case time.Now().After(deadline):
			o.t.Fatalf("%d probes of %d were hit", hit, n)
		}
	}
}
