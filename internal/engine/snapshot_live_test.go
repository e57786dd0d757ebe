//go:build linux && amd64

package engine

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func TestSnapshotIsTakenOnce(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	for _, tc := range []struct {
		mark, scenario string
		n              int
	}{
		{"leaf", "parallel", 200_000},
		{"handle", "handle", 1000},
		{"inlined", "inlined", 1000},
		{"method", "method", 1000},
		{"closure", "closure", 1000},
		{"deep", "deep", 50},
		{"float", "float", 1000},
	} {
		t.Run(tc.mark, func(t *testing.T) {
			o := observe(t, c, probe.Spec{Kind: probe.Snapshot, At: mark(t, tc.mark), Limit: 1})
			want := c.run(tc.scenario, tc.n)
			end := o.end()["p1"]
			t.Logf("%+v %+v", o.ready.Probes[0], end)
			if end == nil || end.Emitted != 1 {
				t.Fatalf("ended with %+v; the target passed it %d times", end, want)
			}
			if c.run(tc.scenario, 10) == 0 {
				t.Error("the target does not go on")
			}
			checkText(t, c)
		})
	}
}
