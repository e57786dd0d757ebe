//go:build linux && amd64

package engine

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/clock"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Where the time-stamp counter is no clock the kernel's is read, and everything else
// stays as it is: in programs of all kinds, and while they are profiled.
func TestTimesByTheKernelsClock(t *testing.T) {
	t.Setenv(clockVariable, probe.ClockVDSO)
	for _, b := range []struct {
		name, toolchain string
		flags           []string
		but             []string // scenarios that are not run
	}{
		{"local", "", nil, nil},
		{"go1.22", "go1.22.12", nil, nil},
		{"go1.24", "go1.24.11", nil, nil},
		// With cgo, too; 10,000 goroutines take the detector too long.
		{"race", "", []string{"-race"}, []string{"many"}},
		{"pie", "", []string{"-buildmode=pie"}, nil},
		{"external", "", []string{external}, nil},
	} {
		t.Run(b.name, func(t *testing.T) {
			if b.name != "local" && testing.Short() {
				t.Skip("one way of building is enough")
			}
			c := startCalls(t, b.toolchain, b.flags...)
			o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.work"})
			if o.ready.Clock != probe.ClockVDSO || !strings.Contains(o.ready.ClockNote, clockVariable) {
				t.Errorf("the clock is %q, %q", o.ready.Clock, o.ready.ClockNote)
			}
			want := c.truth("times", 400)
			o.end()
			became(t, o.final()["p1"], want)
			everyKind(t, c, b.but)
		})
	}
}

const external = "-ldflags=-linkmode=external"

// The kernel's clock tells durations as the target does, and when hits were.
func TestKernelsClockTellsTheTime(t *testing.T) {
	t.Setenv(clockVariable, probe.ClockVDSO)
	c := startCalls(t, "")
	began := time.Now()
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.work", If: `kind == "plain"`},
		probe.Spec{ID: "log", Kind: probe.Log, At: "main.work", Message: "{kind}", Limit: 50})
	want := c.truth("times", 2000)
	o.end()
	ended := time.Now()
	d := o.final()["p1"].Dist
	slices.Sort(want.Durations)
	for _, q := range []float64{0.05, 0.25, 0.5, 0.75, 0.9} {
		exact := float64(want.Durations[int(math.Ceil(q*float64(len(want.Durations))))-1])
		if got := d.Quantile(q); math.Abs(got-exact) > 0.011*exact+2000 {
			t.Errorf("the %v quantile is %v, and %v by the target", q, time.Duration(got), time.Duration(exact))
		}
	}
	hits := 0
	for _, e := range o.events {
		h, ok := e.(*probe.Hit)
		if !ok {
			continue
		}
		hits++
		if h.Time.Before(began) || h.Time.After(ended) {
			t.Errorf("a hit was at %v, between %v and %v", h.Time, began, ended)
		}
	}
	if hits != 50 {
		t.Errorf("%d hits, want 50", hits)
	}
}

// What tells no time needs no clock, and says none; the others name theirs.
func TestClockIsNamed(t *testing.T) {
	if err := clock.Check(); err != nil {
		t.Skip("this machine's time-stamp counter is no clock: ", err)
	}
	c := startCalls(t, "")
	for kind, want := range map[probe.Kind]string{probe.Count: "", probe.Time: probe.ClockTSC} {
		o := observe(t, c, probe.Spec{Kind: kind, At: "main.work"})
		if o.ready.Clock != want || o.ready.ClockNote != "" {
			t.Errorf("%v: the clock is %q, %q", kind, o.ready.Clock, o.ready.ClockNote)
		}
		o.end()
	}
}
