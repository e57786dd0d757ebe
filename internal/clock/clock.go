// Package clock turns the processor's time-stamp counter, which probes record,
// into time. Raw counter values come in with every record; wall-clock time goes
// out to decode, and cycles go out as nanoseconds to engine.
//
// The rate is learnt by watching the counter beside the system's monotonic
// clock, and grows more exact the longer a session lives. It holds only where
// the counter runs at one rate on all cores and in all sleep states: Check.
package clock

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// pair is one look at both clocks.
type pair struct {
	tsc  uint64
	wall time.Time // with its monotonic reading
}

// Clock is a calibrated time-stamp counter. It is safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	first pair
	last  pair
	rate  float64 // nanoseconds a cycle
}

// learn is how long the first calibration watches both clocks.
const learn = 20 * time.Millisecond

// New calibrates a clock, which takes about 20 ms.
func New() *Clock {
	c := &Clock{first: look()}
	time.Sleep(learn)
	c.Sync()
	return c
}

// look reads both clocks as near together as it can: of several tries it keeps
// the one in which the counter advanced least around the reading.
func look() pair {
	var best pair
	least := ^uint64(0)
	for range 8 {
		before := Counter()
		now := time.Now()
		after := Counter()
		if after-before < least {
			least = after - before
			best = pair{before + (after-before)/2, now}
		}
	}
	return best
}

// Sync looks at both clocks again; At is most exact soon after it.
func (c *Clock) Sync() {
	p := look()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = p
	if d := p.tsc - c.first.tsc; d > 0 {
		c.rate = float64(p.wall.Sub(c.first.wall)) / float64(d)
	}
}

// At is the wall-clock time at which the counter read tsc.
func (c *Clock) At(tsc uint64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := int64(tsc - c.last.tsc) // wraps to a negative number for the past
	return c.last.wall.Add(time.Duration(float64(d) * c.rate))
}

// Nanoseconds is the length of so many cycles.
func (c *Clock) Nanoseconds(cycles float64) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cycles * c.rate
}

// UnstableError says that the counter of this machine is no clock.
type UnstableError struct{ Missing string }

func (e *UnstableError) Error() string {
	return fmt.Sprintf("the processor's time-stamp counter cannot be used as a clock here (%s missing in /proc/cpuinfo): logs need it; counts do not", e.Missing)
}

// Check tells whether the time-stamp counter runs at one rate always:
// constant_tsc (at every frequency) and nonstop_tsc (in every sleep state), as
// Linux reports them in /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h).
func Check() error {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return fmt.Errorf("reading the processor's features: %w", err)
	}
	return check(string(b))
}

func check(cpuinfo string) error {
	_, flags, _ := strings.Cut(cpuinfo, "\nflags")
	flags, _, _ = strings.Cut(flags, "\n")
	have := strings.Fields(flags)
	for _, want := range []string{"constant_tsc", "nonstop_tsc"} {
		if !slices.Contains(have, want) {
			return &UnstableError{want}
		}
	}
	return nil
}
