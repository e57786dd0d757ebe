//go:build linux && amd64

package engine

import (
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// One probe goes by its name and keeps its account; its neighbour on the same
// line counts on, and the state tells of those that live.
func TestRemoveLeavesTheNeighbours(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c,
		probe.Spec{ID: "first", Kind: probe.Count, At: mark(t, "handle")},
		probe.Spec{ID: "second", Kind: probe.Log, At: mark(t, "handle"), Message: "{name}"})
	before := c.run("handle", 1000)
	eventually(t, "the state tells the hits", func() bool {
		s := o.s.State()
		return len(s) == 2 && s[0].Probe == "first" && s[0].Hits == before && s[1].Hits == before && s[1].Emitted+s[1].Dropped == before && !s[0].Started.IsZero()
	})
	if err := o.s.Remove("first", "nobody"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the state tells of one", func() bool { return len(o.s.State()) == 1 })
	after := c.run("handle", 1000)
	ends := o.end()
	if e := ends["first"]; e == nil || e.Reason != probe.EndRemoved || e.Hits != before {
		t.Errorf("first ended with %+v, want removed after %d hits", e, before)
	}
	if e := ends["second"]; e == nil || e.Reason != probe.EndInterrupted || e.Hits != before+after {
		t.Errorf("second ended with %+v, want %d hits", e, before+after)
	}
	if len(o.s.State()) != 0 {
		t.Error("the state tells of probes that have ended")
	}
	checkText(t, c)
}

func TestRemoveOfTheLastEndsTheSession(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{ID: "only", Kind: probe.Count, At: mark(t, "handle")})
	for range 2 { // the second finds nobody
		if err := o.s.Remove("only"); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-o.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the session goes on without a probe")
	}
	o.end()
	checkText(t, c)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it never came that %s", what)
}
