package clock

import (
	"errors"
	"testing"
	"time"
)

func TestAtFollowsTheSystemClock(t *testing.T) {
	c := New()
	before := time.Now()
	tsc := Counter()
	after := time.Now()
	got := c.At(tsc)
	// The counter was read between the two; allow what calibration may err.
	const slack = time.Millisecond
	if got.Before(before.Add(-slack)) || got.After(after.Add(slack)) {
		t.Errorf("At = %v, want between %v and %v", got, before, after)
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
		missing string
	}{
		{"model name\t: x\nflags\t\t: fpu tsc constant_tsc nonstop_tsc\nbugs\t: a\n", ""},
		{"model name\t: x\nflags\t\t: fpu tsc constant_tsc\nbugs\t: nonstop_tsc\n", "nonstop_tsc"},
		{"model name\t: x\nflags\t\t: fpu constant_tsc_not nonstop_tsc\n", "constant_tsc"},
		{"", "constant_tsc"},
	} {
		var unstable *UnstableError
		err := check(tc.info)
		if tc.missing == "" && err != nil {
			t.Errorf("%q: %v", tc.info, err)
		}
		if tc.missing != "" && (!errors.As(err, &unstable) || unstable.Missing != tc.missing) {
			t.Errorf("%q: got %v, want %s missing", tc.info, err, tc.missing)
		}
	}
}
