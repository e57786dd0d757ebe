//go:build linux && amd64

package engine

import (
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func (o *observation) spans() (out []*probe.Span) {
	for _, e := range o.events {
		if s, ok := e.(*probe.Span); ok {
			out = append(out, s)
		}
	}
	return out
}

func TestSpansAreTheTargetsCalls(t *testing.T) {
	for _, toolchain := range timeToolchains {
		t.Run("go"+toolchain, func(t *testing.T) {
			c := startCalls(t, toolchain)
			o := observe(t, c,
				probe.Spec{Kind: probe.Trace, At: "main.work", Attrs: []probe.Attr{{Name: "kind", Expr: "kind"}, {Name: "depth", Expr: "depth"}}},
				probe.Spec{Kind: probe.Trace, At: "main.safely"},
				probe.Spec{Kind: probe.Trace, At: "main.spin"})
			want := c.truth("times", 80)
			ends := o.end()
			counts := map[probe.Outcome]uint64{}
			byID := map[string]*probe.Span{}
			for _, s := range o.spans() {
				byID[s.ID] = s
				if s.Function == "main.work" {
					counts[s.Outcome]++
				}
			}
			if counts[probe.Returned] != want.Returned || counts[probe.Panicked] != want.Panicked || counts[probe.Goexited] != want.Goexited {
				t.Errorf("%v, want %d returned, %d panicked, %d ended by Goexit", counts, want.Returned, want.Panicked, want.Goexited)
			}
			if e := ends["p1"]; e.Dropped != 0 || e.Emitted != want.Returned {
				t.Errorf("%+v, want %d", e, want.Returned)
			}
			checkNesting(t, o.spans(), byID)
		})
	}
}

// checkNesting checks that spans lie within those above them.
func checkNesting(t *testing.T, spans []*probe.Span, byID map[string]*probe.Span) {
	t.Helper()
	deepest := 0
	for _, s := range spans {
		deepest = max(deepest, s.Depth)
		above := byID[s.Parent]
		switch {
		case s.Parent == "":
			if s.Depth != 0 {
				t.Errorf("a root of depth %d", s.Depth)
			}
			if s.Creator == nil && s.Goroutine != 1 || s.Creator != nil && s.Creator.Function != "main.times" && s.Creator.Function != "runtime.main" {
				t.Errorf("goroutine %d was started by %+v", s.Goroutine, s.Creator)
			}
		case above == nil:
			t.Errorf("%s has no parent %s", s.Function, s.Parent)
		case above.Goroutine != s.Goroutine || above.TraceID != s.TraceID || s.Start.Before(above.Start) || above.Depth != s.Depth-1:
			t.Errorf("%+v is not within %+v", s, above)
		case above.Outcome == probe.Returned && s.Outcome == probe.Returned && s.Start.Add(s.Duration).After(above.Start.Add(above.Duration)):
			t.Errorf("%s ends after %s, which made it", s.Function, above.Function)
		}
		if s.Function == "main.spin" && (s.Duration < 40*time.Microsecond || above == nil || above.Function != "main.work") {
			t.Errorf("%+v in %+v", s, above)
		}
		if s.Function == "main.work" && s.Attrs[0].Value.String() == "" {
			t.Errorf("attributes %+v", s.Attrs)
		}
	}
	if deepest < 5 {
		t.Errorf("the deepest span has %d above it", deepest)
	}
}

func TestSpansTellErrors(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Trace, At: "main.result", Attrs: []probe.Attr{{Name: "n", Expr: "n"}}})
	c.truth("results", 300)
	o.end()
	bad := 0
	for _, s := range o.spans() {
		n := s.Attrs[0].Value.Int
		if (s.Error != nil) != (n%3 == 0) {
			t.Fatalf("%d: %+v", n, s)
		}
		if s.Error != nil {
			bad++
			t.Log(s.Error.String())
		}
	}
	if bad != 100 {
		t.Errorf("%d errors of %d, want 100 of 300", bad, len(o.spans()))
	}
}

// What the limit refuses comes after all that was told: it makes no span a lost one.
func TestSpansWithinTheLimitAreWhole(t *testing.T) {
	c := startCalls(t, "")
	c.truth("churn", 20)
	for range 10 {
		o := observe(t, c, probe.Spec{Kind: probe.Trace, At: "main.parked", Limit: 45})
		time.Sleep(50 * time.Millisecond)
		end := o.end()["p1"]
		n := map[probe.Outcome]int{}
		for _, s := range o.spans() {
			n[s.Outcome]++
		}
		if n[probe.Lost] != 0 || n[probe.Panicked] != 0 || n[probe.Returned] == 0 || end.Why.Limit == 0 {
			t.Errorf("%v; %+v", n, end)
		}
	}
	checkText(t, c)
}
