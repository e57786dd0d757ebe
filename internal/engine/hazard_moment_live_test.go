//go:build linux && amd64

package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// eachValue visits every shape of a value, with all that is in it.
func eachValue(v *probe.Value, visit func(*probe.Value)) {
	visit(v)
	for i := range v.Elems {
		eachValue(&v.Elems[i], visit)
	}
	for i := range v.Fields {
		eachValue(&v.Fields[i].Value, visit)
	}
	for i := range v.Entries {
		eachValue(&v.Entries[i].Key, visit)
		eachValue(&v.Entries[i].Value, visit)
	}
}

// moments are the snapshots that were taken, with the End of their probe.
func (o *observation) moments() (list []*probe.Moment, end *probe.End) {
	end = o.end()["p1"]
	for _, e := range o.events {
		if m, ok := e.(*probe.Moment); ok {
			list = append(list, m)
		}
	}
	return list, end
}

// TestBadMoments takes snapshots of what nothing should follow blindly: the
// target lives on with every result right, each snapshot is bounded, and what
// cannot be read says so.
func TestBadMoments(t *testing.T) {
	c := startHazard(t)
	for _, tc := range []struct {
		scenario, mark string
		n              int
		bounds         probe.Bounds
		check          func(t *testing.T, m *probe.Moment)
	}{
		{"cyclic", "look", 50, probe.Bounds{Depth: 1 << 20, MaxItems: 500}, cyclicMoment},
		{"corrupt", "look", 200, probe.Bounds{}, nil},
		{"corrupt", "bad", 200, probe.Bounds{}, corruptMoment},
		{"freed", "look", 3000, probe.Bounds{}, nil},
		{"written", "look", 3000, probe.Bounds{}, nil},
		{"written", "both", 3000, probe.Bounds{Depth: 5}, writtenMoment},
		{"huge", "huge", 100, probe.Bounds{MaxItems: 1000}, hugeMoment},
		{"crowd", "look", 10_000, probe.Bounds{}, nil},
		{"receivers", "receiver", 300, probe.Bounds{}, nil},
	} {
		t.Run(tc.scenario+"/"+tc.mark, func(t *testing.T) {
			o := observe(t, c, probe.Spec{Kind: probe.Snapshot, At: lineOf(t, tc.mark), Rate: 500, Bounds: tc.bounds})
			want := c.run(tc.scenario, tc.n)
			moments, end := o.moments()
			if end == nil || end.Hits != want || end.Emitted == 0 || end.Emitted != uint64(len(moments)) ||
				end.Hits != end.Emitted+end.Suppressed+end.Dropped {
				t.Fatalf("%d moments, %+v; the target passed it %d times", len(moments), end, want)
			}
			slowest := time.Duration(0)
			for _, m := range moments {
				slowest = max(slowest, m.Took)
				if len(m.Frames) == 0 || len(m.Frames[0].Variables) == 0 {
					t.Fatalf("a moment without variables: %+v", m)
				}
				if tc.check != nil {
					tc.check(t, m)
				}
			}
			t.Logf("%d moments of %d passes, the slowest took %v", len(moments), want, slowest)
			checkText(t, c)
		})
	}
}

// value is a variable of the innermost frame.
func valueOf(t *testing.T, m *probe.Moment, name string) *probe.Value {
	t.Helper()
	for i := range m.Frames[0].Variables {
		if v := &m.Frames[0].Variables[i]; v.Name == name {
			return &v.Value
		}
	}
	t.Fatalf("no variable %s in %+v", name, m.Frames[0])
	return nil
}

// cyclicMoment: the ring is cut, says so, and no node comes twice.
func cyclicMoment(t *testing.T, m *probe.Moment) {
	t.Helper()
	if len(m.Cuts) == 0 {
		t.Fatal("half a million nodes are missing, and nothing says so")
	}
	ids := map[int64]int{}
	eachValue(valueOf(t, m, "v"), func(v *probe.Value) {
		for i := range v.Fields {
			if f := &v.Fields[i]; f.Name == "id" && f.Value.Shape == probe.Int {
				ids[f.Value.Int]++
			}
		}
	})
	for id, n := range ids {
		if n > 1 {
			t.Fatalf("node %d is shown %d times", id, n)
		}
	}
	if len(ids) < 10 {
		t.Errorf("only %d nodes are shown", len(ids))
	}
}

// corruptMoment: nothing of an impossible header is shown as a value.
func corruptMoment(t *testing.T, m *probe.Moment) {
	t.Helper()
	for _, name := range []string{"s", "list", "odd"} {
		eachValue(valueOf(t, m, name), func(v *probe.Value) {
			if v.Shape == probe.String && int64(len(v.Data)) > v.Len || v.Shape == probe.List && v.Len > 1<<50 && len(v.Elems) > 0 {
				t.Fatalf("%s: %v", name, v)
			}
		})
	}
}

// writtenMoment: whatever was torn, entries have keys that the program uses.
func writtenMoment(t *testing.T, m *probe.Moment) {
	t.Helper()
	eachValue(valueOf(t, m, "m"), func(v *probe.Value) {
		for _, e := range v.Entries {
			if e.Key.Shape == probe.Int && (e.Key.Int < 0 || e.Key.Int >= 5000) {
				t.Fatalf("key %v, note %q", e.Key, v.Note)
			}
		}
	})
}

// hugeMoment: a gigabyte is shown by its length and its beginning, and all 512
// pointers of the struct are there.
func hugeMoment(t *testing.T, m *probe.Moment) {
	t.Helper()
	mem := valueOf(t, m, "mem")
	if mem.Len != 1<<30 || !mem.Truncated {
		t.Fatalf("the gigabyte is %.80s", fmt.Sprint(mem))
	}
	n := 0
	eachValue(valueOf(t, m, "w"), func(v *probe.Value) {
		for i := range v.Fields {
			if v.Fields[i].Name == "id" {
				n++
			}
		}
	})
	if n == 0 {
		t.Error("nothing of the wide struct is shown")
	}
}
