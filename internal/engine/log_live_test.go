//go:build linux && amd64

package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// hits are the emitted hits of a probe.
func (o *observation) hits(id string) []*probe.Hit {
	var out []*probe.Hit
	for _, e := range o.events {
		if h, ok := e.(*probe.Hit); ok && h.Probe == id {
			out = append(out, h)
		}
	}
	return out
}

// checkSums holds an End to its own arithmetic and to the target's count.
func checkSums(t *testing.T, end *probe.End, hits uint64) {
	t.Helper()
	if end == nil {
		t.Fatal("no end")
	}
	if end.Hits != hits || end.Hits != end.Emitted+end.Suppressed+end.Dropped {
		t.Errorf("%+v; the target counted %d", end, hits)
	}
}

func TestLogTellsTheValues(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, "handle"), Message: "order {o.ID} x{o.Qty} for {name} at {price}"})
	n := c.run("handle", 1000)
	end := o.end()["p1"]
	checkSums(t, end, n)
	hits := o.hits("p1")
	// A hit where the runtime waits to preempt, and cannot, is dropped.
	if uint64(len(hits)) != end.Emitted || len(hits) < 500 {
		t.Fatalf("%d hits, %+v", len(hits), end)
	}
	names := []string{"alice", "bob", "a name of twenty b.."}
	for i, h := range hits {
		var id int
		if _, err := fmt.Sscanf(h.Message, "order %d", &id); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("order %d x3 for %s at %d", id, names[id%3], id%10); h.Message != want {
			t.Fatalf("hit %d: %q, want %q", i, h.Message, want)
		}
		if h.Seq != uint64(i+1) || h.Goroutine != 1 || h.Function != "main.handle" || time.Since(h.Time) > time.Minute {
			t.Fatalf("hit %d: %+v", i, h)
		}
	}
	if b, err := json.Marshal(hits[0].Values[1].Value); err != nil || string(b) != "3" {
		t.Errorf("value %s, %v", b, err)
	}
	checkText(t, c)
}

func TestLogLimits(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	for name, tc := range map[string]struct {
		spec    probe.Spec
		emitted uint64
		reason  probe.Reason
		held    func(n uint64) uint64
	}{
		"limit":     {probe.Spec{Limit: 5}, 5, probe.EndLimit, nil},
		"rate":      {probe.Spec{Rate: 100}, 100, probe.EndInterrupted, func(n uint64) uint64 { return n }},
		"condition": {probe.Spec{If: "o.ID % 100 == 7 && len(name) > 3"}, 0, probe.EndInterrupted, nil},
		"string":    {probe.Spec{If: `name == "bob"`}, 0, probe.EndInterrupted, func(n uint64) uint64 { return (n + 1) / 3 }},
		"float":     {probe.Spec{If: `float64(price) * 1.5 > 12.0`}, 0, probe.EndInterrupted, func(n uint64) uint64 { return n / 10 }},
	} {
		t.Run(name, func(t *testing.T) {
			spec := tc.spec
			spec.Kind, spec.At, spec.Message = probe.Log, mark(t, "handle"), "{o.ID}"
			o := observe(t, c, spec)
			n := c.run("handle", 2000)
			time.Sleep(100 * time.Millisecond)
			end := o.end()["p1"]
			if end == nil || end.Reason != tc.reason {
				t.Fatalf("end %+v", end)
			}
			if tc.held != nil {
				checkSums(t, end, tc.held(n))
			}
			if tc.emitted > 0 && end.Emitted != tc.emitted {
				t.Errorf("emitted %d, want %d", end.Emitted, tc.emitted)
			}
			if got := len(o.hits("p1")); uint64(got) != end.Emitted {
				t.Errorf("%d hits came of %d emitted", got, end.Emitted)
			}
			checkText(t, c)
		})
	}
}

func TestConditionErrorsAreCounted(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "handle"), If: "100/price > 10 && *o.Note == \"x\""})
	c.run("handle", 1000)
	end := o.end()["p1"]
	if end.Hits != 0 || end.ConditionErrors == 0 {
		t.Errorf("%+v", end)
	}
	t.Logf("%+v", end)
}

func TestLastRecordsOutliveTheTarget(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, "handle"), Message: "{o.ID}"},
		probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
	c.say("run handle 500")
	c.say("run leaf 777")
	c.say("exit 0")
	c.answer("handle")
	c.answer("leaf")
	_ = c.cmd.Wait()
	<-o.done
	ends := o.end()
	if e := ends["p1"]; e == nil || e.Reason != probe.EndExited || e.Hits != 500 || e.Emitted == 0 || uint64(len(o.hits("p1"))) != e.Emitted {
		t.Errorf("log: %+v, %d hits", e, len(o.hits("p1")))
	}
	if e := ends["p2"]; e == nil || e.Reason != probe.EndExited || e.Hits != 777 {
		t.Errorf("count: %+v", e)
	}
}

func TestManyProbesAtOnce(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	var specs []probe.Spec
	for _, m := range []string{"leaf", "handle", "rare", "inlined", "method", "range", "generic", "nil", "deep", "bottom", "caller", "closure", "float"} {
		for i := range 4 { // several on one line share a window
			s := probe.Spec{ID: fmt.Sprintf("%s%d", m, i), Kind: probe.Count, At: mark(t, m)}
			if i%2 == 1 {
				s.Kind, s.Message = probe.Log, "{$goroutine} {$line}"
			}
			specs = append(specs, s)
		}
	}
	o := observe(t, c, specs...)
	want := map[string]uint64{}
	for _, s := range []string{"handle", "inlined", "method", "generic", "nil", "deep", "closure", "float"} {
		want[s] = c.run(s, 40)
	}
	want["leaf"] = c.run("leaf", 99)
	ends := o.end()
	for name, n := range want {
		for i := range 4 {
			e := ends[fmt.Sprintf("%s%d", name, i)]
			if name == "generic" {
				continue // its own count is of the loop's turns
			}
			checkSums(t, e, n)
		}
	}
	checkText(t, c)
}

// TestLineOfAnInlinedCallHasItsOwnScope: the line's first instruction is the
// callee's, and the callee has a variable of the same name.
func TestLineOfAnInlinedCallHasItsOwnScope(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, "calls"), Message: "{$function} {n}"})
	c.run("inlined", 10)
	o.end()
	for i, h := range o.hits("p1") {
		var n int
		if _, err := fmt.Sscanf(h.Message, "main.useInlined %d", &n); err != nil || n >= 10 {
			t.Errorf("hit %d: %q", i, h.Message)
		}
	}
	if len(o.hits("p1")) == 0 {
		t.Error("no hits")
	}
}

// TestProbesLeaveDeadRegistersToOthers: at the entry of outer a register that
// the function never reads again holds an argument. A body that takes it for
// free spoils the value for the next probe.
func TestProbesLeaveDeadRegistersToOthers(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c,
		probe.Spec{ID: "count", Kind: probe.Count, At: "main.outer"},
		probe.Spec{ID: "log", Kind: probe.Log, At: mark(t, "outer"), Message: "{n} {who}"})
	n := c.run("outer", 100)
	ends := o.end()
	checkSums(t, ends["count"], n)
	for i, h := range o.hits("log") {
		if !strings.HasSuffix(h.Message, " nobody reads this") {
			t.Fatalf("hit %d: %q", i, h.Message)
		}
	}
	if len(o.hits("log")) == 0 {
		t.Errorf("%+v", ends["log"])
	}
}

// TestFragmentsAreNoValues: of a variable of several words the compiler keeps
// those that are still used, and its location list does not say which they are.
func TestFragmentsAreNoValues(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, "fragment"), Message: "{len(s)} {s} {len(xs)} {cap(xs)}"})
	c.run("fragment", 30)
	o.end()
	right := map[string]bool{"alice": true, "bob": true, "a name of twenty b..": true, "<optimised out>": true}
	if len(o.hits("p1")) == 0 {
		t.Error("no hits")
	}
	for _, h := range o.hits("p1") {
		m := strings.ReplaceAll(h.Message, "optimised out", "lost")
		f := strings.Fields(strings.ReplaceAll(m, "a name of twenty b..", "a_name"))
		ok := len(f) == 4 && (f[0] == "<lost>" || f[0] == "3" || f[0] == "5" || f[0] == "20") &&
			(f[1] == "<lost>" || f[1] == "a_name" || right[f[1]]) && (f[2] == "<lost>" || f[2] == "2") && (f[3] == "<lost>" || f[3] == "5")
		if !ok {
			t.Fatalf("wrong value: %q", h.Message)
		}
	}
}
