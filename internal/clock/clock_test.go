package clock

import (
	"errors"
	"testing"
	"time"
)

func TestAtFollowsTheSystemClock(t *testing.T) {
	for name, c := range map[string]*Clock{"tsc": New(), "monotonic": Monotonic()} {
		before := time.Now()
		now := c.Now()
		after := time.Now()
		got := c.At(now)
		// The counter was read between the two; allow what calibration may err.
		const slack = time.Millisecond
		if got.Before(before.Add(-slack)) || got.After(after.Add(slack)) {
			t.Errorf("%s: At = %v, want between %v and %v", name, got, before, after)
		}
	}
}

func TestMonotonicCountsNanoseconds(t *testing.T) {
	c := Monotonic()
	c.Sync()
	if n := c.Nanoseconds(1000); n != 1000 {
		t.Errorf("1000 ticks are %v ns", n)
	}
	if r := Resolution(); r < 1 || r > time.Second {
		t.Errorf("the resolution is %v", r)
	}
}

func TestAtOrdersThePast(t *testing.T) {
	c := New()
	tsc := Counter()
	if a, b := c.At(tsc-1_000_000), c.At(tsc); !a.Before(b) {
		t.Errorf("an earlier counter value is not earlier: %v, %v", a, b)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		info    string
		sources string
		why     string
	}{
		{"model name\t: x\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\nbugs\t: a\n", "", ""},
		{"model name\t: x\nflags\t\t: constant_tsc nonstop_tsc\n", "kvm-clock tsc acpi_pm\n", ""},
		{"model name\t: x\nflags\t\t: constant_tsc nonstop_tsc\n", "hpet acpi_pm\n", "the kernel does not count it among its clocks (hpet, acpi_pm)"},
		{"model name\t: x\nflags\t\t: fpu tsc constant_tsc\nbugs\t: nonstop_tsc\n", "", "nonstop_tsc is missing in /proc/cpuinfo"},
		{"model name\t: x\nflags\t\t: fpu constant_tsc_not nonstop_tsc\n", "tsc", "constant_tsc is missing in /proc/cpuinfo"},
		{"", "", "constant_tsc is missing in /proc/cpuinfo"},
	} {
		var unstable *UnstableError
		err := check(tc.info, tc.sources)
		if tc.why == "" && err != nil {
			t.Errorf("%q: %v", tc.info, err)
		}
		if tc.why != "" && (!errors.As(err, &unstable) || unstable.Why != tc.why) {
			t.Errorf("%q: got %v, want %s", tc.info, err, tc.why)
		}
	}
}
