//go:build linux && amd64

package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// TestCaddyTakesSnapshots takes deep and large snapshots at random lines of a
// server that answers requests, over and over: every answer stays right, every
// snapshot can be written, and the text is whole afterwards.
func TestCaddyTakesSnapshots(t *testing.T) {
	c, url := startCaddy(t)
	rounds, r := roundsAndRandom(t, 3)
	o := collecting(t, c)
	lines := o.lines()
	_ = o.s.Close()
	out := sink.NewJSON(io.Discard)
	var hot []string
	for round := range rounds {
		stop := busy(t, url)
		var specs []probe.Spec
		for i := range 30 {
			at := lines[r.Intn(len(lines))]
			if len(hot) > 0 && i%2 == 0 {
				at = hot[r.Intn(len(hot))]
			}
			specs = append(specs, probe.Spec{ID: fmt.Sprint(i), Kind: probe.Snapshot, At: at, Rate: 50, Limit: 40,
				Bounds: probe.Bounds{Depth: 10, MaxItems: 5000, MaxBytes: 1 << 20, Frames: 40, MaxTime: []time.Duration{probe.NoMaxTime, 0}[round%2]}})
		}
		o := collecting(t, c)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		ready, err := o.s.Install(ctx, specs)
		cancel()
		if err != nil {
			stop()
			_ = o.s.Close()
			if !strings.Contains(err.Error(), "ask for fewer") {
				t.Fatalf("round %d: %v", round, err)
			}
			t.Logf("round %d: %v", round, err)
			checkText(t, c)
			continue
		}
		time.Sleep(time.Second)
		ends := o.end()
		stop()
		slowest, moments := time.Duration(0), 0
		for _, e := range o.events {
			if m, ok := e.(*probe.Moment); ok {
				moments++
				slowest = max(slowest, m.Took)
				if err := out.Event(m); err != nil || len(m.Frames) == 0 {
					t.Errorf("%s: %d frames, %v", m.Location, len(m.Frames), err)
				}
			}
		}
		for _, p := range ready.Probes {
			if e := ends[p.Probe]; e != nil && e.Hits > 0 && !slices.Contains(hot, p.Location) {
				hot = append(hot, p.Location)
			}
		}
		t.Logf("round %d: %d moments, the slowest took %v in the target; %d hot lines", round, moments, slowest, len(hot))
		checkText(t, c)
		if t.Failed() {
			t.FailNow()
		}
	}
}
