package engine

import (
	"slices"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// TestSpansEndWithTheLimit: past its limit a probe records beginnings alone.
// Calls that follow each other must not become calls within each other by that.
func TestSpansEndWithTheLimit(t *testing.T) {
	type call struct {
		probe, goid int
		role        program.Role
	}
	const begins, ends = program.RoleStart, program.RoleStop
	for name, c := range map[string]struct {
		limit int64
		calls []call
		want  []string
	}{
		"two in a row": {2,
			[]call{{0, 1, begins}, {0, 1, ends}, {1, 1, begins}, {1, 1, ends}, {0, 1, begins}, {0, 1, ends}, {1, 1, begins}, {1, 1, ends},
				{0, 1, begins}, {1, 1, begins}, {0, 1, begins}, {1, 1, begins}},
			[]string{"p0 returned 0", "p1 returned 0", "p0 returned 0", "p1 returned 0"}},
		"under way elsewhere": {1,
			[]call{{0, 1, begins}, {0, 2, begins}, {0, 1, ends}, {1, 2, begins}, {1, 2, ends}},
			[]string{"p0 returned 0", "p0 unfinished 0", "p1 returned 0"}},
		"no limit": {0,
			[]call{{0, 1, begins}, {0, 1, ends}, {0, 1, begins}, {1, 1, begins}, {1, 1, ends}, {0, 1, ends}},
			[]string{"p0 returned 0", "p1 returned 1", "p0 returned 0"}},
	} {
		var got []string
		pl := func(id string) *planned { return &planned{spec: probe.Spec{ID: id, Kind: probe.Trace, Limit: c.limit}} }
		tr := &tracing{plan: &plan{probes: []*planned{pl("p0"), pl("p1")}}, open: map[uint64][]*begun{}, told: map[int]int64{},
			creator: func(uint64) string { return "" },
			out:     func(s *probe.Span) { got = append(got, s.Probe+" "+string(s.Outcome)+" "+string(rune('0'+s.Depth))) }}
		for i, e := range c.calls {
			h := &probe.Hit{Goroutine: uint64(e.goid), Time: time.Unix(int64(i), 0), Values: make([]probe.NamedValue, compile.TraceAttrs+1)}
			h.Values[len(h.Values)-1].Value.Shape = probe.Nil
			tr.record(spanRecord{hit: h, role: e.role, i: e.probe, lost: losses{make([]uint64, 2), make([]uint64, 2), make([]bool, 2)}})
		}
		tr.leave(func(uint64) bool { return false })
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A call that something comes in the place of was ended by a panic, unless its end may
// have been lost: then nobody knows. What was lost at the look before the last is older.
func TestSpansThatMayHaveLostTheirEnds(t *testing.T) {
	for _, c := range []struct {
		before, by uint64 // what probe 0 had lost when its call began and at the next record
		next       int    // whose record that is
		want       probe.Outcome
	}{{0, 0, 0, probe.Panicked}, {0, 0, 1, probe.Panicked}, {5, 5, 1, probe.Panicked}, {0, 1, 0, probe.Lost}, {0, 1, 1, probe.Lost}} {
		var got []probe.Outcome
		tr := &tracing{plan: &plan{probes: []*planned{{}, {}}}, open: map[uint64][]*begun{}, told: map[int]int64{},
			creator: func(uint64) string { return "" }, out: func(s *probe.Span) { got = append(got, s.Outcome) }}
		record := func(i int, depth uint64) {
			h := &probe.Hit{Goroutine: 1, Values: make([]probe.NamedValue, compile.TraceAttrs+1)}
			h.Values[compile.TraceDepth].Value.Uint = depth
			tr.record(spanRecord{hit: h, role: program.RoleStart, i: i, lost: losses{[]uint64{c.before, 0}, []uint64{c.by, 0}, make([]bool, 2)}})
		}
		record(0, 16)
		record(c.next, 8)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// What ends a call ends perhaps a later one, unless nothing can have been dropped between
// the two: because nothing was, or because the ring of both had no room again meanwhile.
func TestSpansEndByTheirOwnEnds(t *testing.T) {
	for _, c := range []struct {
		by   uint64 // what the probe had lost at the end
		lap  lap
		want probe.Outcome
	}{{0, lap{}, probe.Returned}, {0, lap{ring: 1}, probe.Returned}, {7, lap{}, probe.Returned}, {7, lap{ring: 1}, probe.Lost}, {7, lap{n: 1}, probe.Lost}} {
		var got []probe.Outcome
		tr := &tracing{plan: &plan{probes: []*planned{{}}}, open: map[uint64][]*begun{}, told: map[int]int64{},
			creator: func(uint64) string { return "" }, out: func(s *probe.Span) { got = append(got, s.Outcome) }}
		record := func(role program.Role, by uint64, l lap) {
			h := &probe.Hit{Goroutine: 1, Values: make([]probe.NamedValue, compile.TraceAttrs+1)}
			tr.record(spanRecord{hit: h, role: role, lost: losses{[]uint64{0}, []uint64{by}, []bool{false}}, lap: l})
		}
		record(program.RoleStart, 0, lap{})
		record(program.RoleStop, c.by, c.lap)
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A lap ends where a ring may have been full: behind what there was room for when space
// was handed back, and where little of that is left.
func TestLapsEndWhereRingsAreFull(t *testing.T) {
	l := lap{}
	step := func(position, room uint64, want int) {
		t.Helper()
		l.pass(position)
		if l.n != want {
			t.Errorf("at %d: lap %d, want %d", position, l.n, want)
		}
		l.before = room
	}
	step(900, 1000, 0) // the first look: nothing was handed back yet
	step(1000, 1000, 0)
	step(1001, 1900, 1)
	step(1800, 2000, 1)
	step(2001, 3000, 2)
}
