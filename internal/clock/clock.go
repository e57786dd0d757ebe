// Package clock turns what probes read when they record a time, the processor's
// time-stamp counter or the kernel's monotonic clock, into time. Raw values come in
// with every record; wall-clock time goes out to decode, and cycles go out as
// nanoseconds to engine.
//
// The rate of the time-stamp counter is learnt by watching it beside the system's
// monotonic clock, and grows more exact the longer a session lives. It holds only
// where the counter runs at one rate on all cores and in all sleep states: Check.
package clock

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// pair is one look at both clocks.
type pair struct {
	tsc  uint64
	wall time.Time // with its monotonic reading
}

// Clock is a counter whose rate is known. It is safe for concurrent use.
type Clock struct {
	counter func() uint64
	exact   bool // the rate is no matter of learning

	mu    sync.Mutex
	first pair
	last  pair
	rate  float64 // nanoseconds a tick
}

// learn is how long the first calibration watches both clocks.
const learn = 20 * time.Millisecond

// New calibrates the time-stamp counter, which takes about 20 ms.
func New() *Clock {
	c := &Clock{counter: Counter}
	c.first = c.look()
	time.Sleep(learn)
	c.Sync()
	return c
}

// Monotonic is the kernel's monotonic clock, which counts nanoseconds.
func Monotonic() *Clock {
	c := &Clock{counter: monotonic, exact: true, rate: 1}
	c.Sync()
	return c
}

func monotonic() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // Linux has this clock
	return uint64(ts.Nano())
}

// Resolution is that of the kernel's monotonic clock.
func Resolution() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGetres(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// Now is what the counter reads.
func (c *Clock) Now() uint64 { return c.counter() }

// look reads both clocks as near together as it can: of several tries it keeps
// the one in which the counter advanced least around the reading.
func (c *Clock) look() pair {
	var best pair
	least := ^uint64(0)
	for range 8 {
		before := c.counter()
		now := time.Now()
		after := c.counter()
		if after-before < least {
			least = after - before
			best = pair{before + (after-before)/2, now}
		}
	}
	return best
}

// Sync looks at both clocks again; At is most exact soon after it.
func (c *Clock) Sync() {
	p := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = p
	if d := p.tsc - c.first.tsc; d > 0 && !c.exact {
		c.rate = float64(p.wall.Sub(c.first.wall)) / float64(d)
	}
}

// At is the wall-clock time at which the counter read so.
func (c *Clock) At(tsc uint64) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := int64(tsc - c.last.tsc) // wraps to a negative number for the past
	return c.last.wall.Add(time.Duration(float64(d) * c.rate))
}

// Nanoseconds is the length of so many ticks.
func (c *Clock) Nanoseconds(cycles float64) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cycles * c.rate
}

// UnstableError says that the counter of this machine is no clock.
type UnstableError struct{ Why string }

func (e *UnstableError) Error() string {
	return fmt.Sprintf("the processor's time-stamp counter is no clock here: %s", e.Why)
}

// sources lists the clocks that the kernel would take
// (Documentation/ABI/testing/sysfs-devices-system-clocksource). One that it found to
// be unstable is not among them.
const sources = "/sys/devices/system/clocksource/clocksource0/available_clocksource"

// Check tells whether the time-stamp counter runs at one rate always:
// constant_tsc (at every frequency) and nonstop_tsc (in every sleep state), as
// Linux reports them in /proc/cpuinfo (arch/x86/include/asm/cpufeatures.h), and
// nothing that the kernel has seen of it since.
func Check() error {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return fmt.Errorf("reading the processor's features: %w", err)
	}
	available, err := os.ReadFile(sources)
	if err != nil {
		available = nil // no sysfs: the features have to do
	}
	return check(string(b), string(available))
}

func check(cpuinfo, available string) error {
	_, flags, _ := strings.Cut(cpuinfo, "\nflags")
	flags, _, _ = strings.Cut(flags, "\n")
	have := strings.Fields(flags)
	for _, want := range []string{"constant_tsc", "nonstop_tsc"} {
		if !slices.Contains(have, want) {
			return &UnstableError{want + " is missing in /proc/cpuinfo"}
		}
	}
	if list := strings.Fields(available); len(list) > 0 && !slices.Contains(list, "tsc") {
		return &UnstableError{"the kernel does not count it among its clocks (" + strings.Join(list, ", ") + ")"}
	}
	return nil
}
