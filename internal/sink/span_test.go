package sink

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const appTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// joinedSpans are a root that joins the application's trace, a call in it, one
// in a newer span of the application, and one that cannot be placed.
func joinedSpans() []*probe.Span {
	at := func(id, parent, above, app string, depth int) *probe.Span {
		s := spanForTest(id, parent, "main."+id, time.Millisecond)
		s.TraceID, s.Above, s.Depth = appTrace, above, depth
		s.Joined = &probe.Joined{TraceID: probe.TraceID{Trace: appTrace, Span: app}, Flags: 1}
		return s
	}
	lone := spanForTest("d", "", "main.d", time.Millisecond)
	lone.Root, lone.Unjoined = "d", "too far"
	unsampled := at("e", "", "s", "s", 0)
	unsampled.Root, unsampled.Joined.Flags, unsampled.Joined.Remote = "e", 0, true
	return []*probe.Span{at("c", "b", "y", "y", 2), at("b", "a", "a", "x", 1), at("a", "", "x", "x", 0), lone, unsampled}
}

func TestSpansNameTheTraceThatTheyJoin(t *testing.T) {
	var text, tree, objects bytes.Buffer
	sinks := []Sink{NewText(&text, TextOptions{Zone: time.UTC}), NewTrees(&tree, TextOptions{Zone: time.UTC}), NewJSON(&objects)}
	for _, s := range sinks {
		for _, e := range joinedSpans() {
			if err := s.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Event(&probe.End{Probe: "p1", Location: "main.f", Reason: probe.EndLimit, Hits: 12, Emitted: 5, Suppressed: 4, Dropped: 3,
			Why: probe.Refusals{Limit: 3, Rate: 1, Full: 3}}); err != nil {
			t.Fatal(err)
		}
	}
	end := "12 hits = 5 emitted + 4 suppressed (rate 1, limit 3) + 3 dropped (buffer full); longest pause 0 µs\n" +
		"  1 span did not join the trace of their context: too far\n"
	for what, lists := range map[string][2][]string{
		text.String(): {{"main.c  1.00 ms  trace " + appTrace + "\n", "  main.b  1.00 ms\n", "main.a  1.00 ms  trace " + appTrace + "\n", "main.d  1.00 ms\n",
			"main.e  1.00 ms  trace " + appTrace + " (not sampled)\n", end}, nil},
		tree.String(): {{"g0  trace " + appTrace + "\nmain.a  1.00 ms\n└─ main.b  1.00 ms  100 %\n   └─ main.c  1.00 ms  100 %  by way of the application's span y\n", end}, nil},
		objects.String(): {{`"span_id":"c","parent_id":"b","parent_span_id":"y"`, `"span_id":"b","parent_id":"a","parent_span_id":"a"`,
			`"span_id":"a","parent_id":"","parent_span_id":"x"`, `"joined":{"trace_id":"` + appTrace + `","span_id":"s","sampled":false,"remote":true}`,
			`"unjoined":"too far"`, `"suppressed_by":{"limit":3,"rate":1},"dropped_by":{"buffer_full":3}`}, {`"unjoined":""`}},
	} {
		for _, want := range lists[0] {
			if !strings.Contains(what, want) {
				t.Errorf("%q is not in\n%s", want, what)
			}
		}
		for _, not := range lists[1] {
			if strings.Contains(what, not) {
				t.Errorf("%q is in\n%s", not, what)
			}
		}
	}
}
