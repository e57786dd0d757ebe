//go:build linux && amd64

package engine

import (
	"fmt"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// A log that means only some of its hits emits exactly those, also where several
// threads pass at once; the others are counted as suppressed.
func TestChosenHitsAreExact(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	for _, tc := range []struct {
		scenario           string
		n                  int
		after, every, want int64 // want: emitted
		limit              int64
	}{
		{"leaf", 100, 90, 0, 10, 0},
		{"leaf", 100, 0, 7, 14, 0},
		{"leaf", 100, 41, 0, 1, 1}, // the 42nd only
		{"parallel", 50_000, 0, 1000, -1, 0},
		{"parallel", 50_000, 12_345, 500, -1, 0},
	} {
		t.Run(fmt.Sprintf("%s/%d/%d", tc.scenario, tc.after, tc.every), func(t *testing.T) {
			o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, "leaf"), Message: "{n}",
				After: tc.after, Every: tc.every, Limit: tc.limit})
			passes := int64(c.run(tc.scenario, tc.n))
			end := o.end()["p1"]
			if tc.want < 0 {
				tc.want = (passes - tc.after) / tc.every
			}
			if int64(end.Emitted) != tc.want || tc.limit == 0 && int64(end.Hits) != passes || end.Dropped > 0 {
				t.Errorf("of %d passes: %+v, want %d emitted", passes, end, tc.want)
			}
			checkText(t, c)
		})
	}
}
