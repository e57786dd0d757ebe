//go:build linux && amd64

package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// momentsOf are the snapshots of a probe, in the order in which they came.
func (o *observation) momentsOf(id string) (out []*probe.Moment) {
	for _, e := range o.events {
		if m, ok := e.(*probe.Moment); ok && m.Probe == id {
			out = append(out, m)
		}
	}
	return out
}

// argument is a variable of the function of a call's snapshot, as text.
func argument(t *testing.T, m *probe.Moment, name string) string {
	t.Helper()
	for _, v := range m.Frames[0].Variables {
		if v.Name == name {
			return v.Value.String()
		}
	}
	t.Fatalf("%s has no %s: %+v", m.Function, name, m.Frames[0].Variables)
	return ""
}

// jobOf is the number of the job that a call of main.handle was given, all of whose
// values must be what they were then.
func jobOf(t *testing.T, m *probe.Moment) int {
	t.Helper()
	var id int
	if _, err := fmt.Sscanf(argument(t, m, "label"), "label-%d", &id); err != nil {
		t.Errorf("label %q", argument(t, m, "label"))
		return 0
	}
	want := fmt.Sprintf(`&{ID:%d Name:"job-%d" Parts:[%d %d] Tags:map["id":%d] Next:&{ID:-%d Name:"next-%d" Parts:nil Tags:nil Next:nil}}`,
		id, id, id, id+1, id, id, id)
	if got := argument(t, m, "j"); got != want {
		t.Errorf("the job was %s\nwant %s", got, want)
	}
	if !m.Call || m.Duration <= 0 || m.Time.IsZero() {
		t.Errorf("a call of %v at %v", m.Duration, m.Time)
	}
	late(t, m)
	return id
}

// late fails where anything was read after the call had begun.
func late(t *testing.T, m *probe.Moment) {
	t.Helper()
	var look func(v probe.Value)
	look = func(v probe.Value) {
		if v.Late {
			t.Errorf("%s was read late", v)
		}
		for _, f := range v.Fields {
			look(f.Value)
		}
		for _, e := range v.Elems {
			look(e)
		}
	}
	for _, f := range m.Frames {
		for _, v := range f.Variables {
			look(v.Value)
		}
	}
}

// inUse waits until no place for a snapshot is taken, and tells how many are.
func (o *observation) inUse() (n int) {
	s := o.s.live.sums
	for deadline := time.Now().Add(3 * sweepEvery); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		n = 0
		for i := range uint64(s.region.Stages) {
			if s.word(s.region.StateAt+8*i) != ring.StageFree {
				n++
			}
		}
		if n == 0 {
			break
		}
	}
	return n
}

// accounted fails unless every call for which the condition held has a snapshot or
// was counted as one without.
func accounted(t *testing.T, m *probe.Measured, moments int) {
	t.Helper()
	s := m.Snapshots
	if s == nil || s.Taken != uint64(moments) || s.Taken+s.Suppressed+s.Dropped != m.Dist.Count {
		t.Errorf("%d snapshots, %d durations: %+v", moments, m.Dist.Count, s)
	}
}

func TestSlowCallsShowWhatTheyWereGiven(t *testing.T) {
	for _, toolchain := range timeToolchains {
		t.Run("go"+toolchain, func(t *testing.T) {
			if toolchain != "" && testing.Short() {
				t.Skip("one toolchain is enough")
			}
			c := startCalls(t, toolchain)
			o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, If: "$duration > 10ms"},
				probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, If: `how == "grow" && $duration > 10ms`, Watch: []string{"len(j.Parts)"}})
			want := c.truth("jobs", 300)
			if n := o.inUse(); n != 0 {
				t.Errorf("%d places are taken", n)
			}
			o.end()
			final := o.final()
			seen := map[int]bool{}
			for _, m := range o.momentsOf("p1") {
				id := jobOf(t, m)
				seen[id] = true
				// The probe's time has the target's own in it, and what lies between them:
				// on a busy machine another thread, perhaps.
				if own := time.Duration(want.Took[id]); m.Duration <= 10*time.Millisecond || m.Duration < own-own/1000 {
					t.Errorf("job %d took %v, by its snapshot %v", id, own, m.Duration)
				}
			}
			slow := 0
			for id, took := range want.Took {
				if took > int64(11*time.Millisecond) {
					if slow++; !seen[id] {
						t.Errorf("job %d took %v, and has no snapshot", id, time.Duration(took))
					}
				}
			}
			if slow < 30 || len(seen) > 200 {
				t.Errorf("%d calls of 300 were slow, and %d have a snapshot", slow, len(seen))
			}
			accounted(t, final["p1"], len(seen))
			grown := o.momentsOf("p2")
			accounted(t, final["p2"], len(grown))
			if len(grown) < 5 {
				t.Errorf("%d snapshots of calls that let the stack grow", len(grown))
			}
			for _, m := range grown {
				jobOf(t, m)
				if how := argument(t, m, "how"); how != "grow" || len(m.Watches) != 1 || m.Watches[0].Value.Int != 2 {
					t.Errorf("%s: %+v", how, m.Watches)
				}
			}
			checkText(t, c)
		})
	}
}

// The values are right whatever the program was built like.
func TestSlowCallsInEveryBuild(t *testing.T) {
	for _, flags := range [][]string{{"-buildmode=pie"}, {"-gcflags=all=-N -l"}, {"-race"}, {"-trimpath"}} {
		t.Run(flags[0], func(t *testing.T) {
			if testing.Short() {
				t.Skip("one build is enough")
			}
			c := startCalls(t, "", flags...)
			o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, If: "$duration > 10ms"})
			want := c.truth("jobs", 60)
			o.end()
			moments := o.momentsOf("p1")
			accounted(t, o.final()["p1"], len(moments))
			if m := o.final()["p1"]; m.Calls.Returned+m.Calls.Filtered != want.Returned || len(moments) < 6 {
				t.Errorf("%d snapshots of %+v", len(moments), *m.Calls)
			}
			for _, m := range moments {
				jobOf(t, m)
			}
			checkText(t, c)
		})
	}
}

// Calls that end in no return give their places up, and so do those of probes that
// are taken out.
func TestSnapshotsOfCallsDoNotLeak(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true},
		probe.Spec{Kind: probe.Time, At: "main.nested", Calls: true, If: "$duration > 1s"},
		probe.Spec{Kind: probe.Time, At: "main.parked", Calls: true})
	for range 3 {
		c.truth("lostJobs", 500)
		c.truth("nests", 30)
		c.truth("died", 10)
	}
	if n := o.inUse(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
	c.truth("left", 40)
	if err := o.s.Remove("p3"); err != nil {
		t.Error(err)
	}
	if n := o.inUse(); n != 0 {
		t.Errorf("%d places are taken by calls of a probe that is out", n)
	}
	o.end()
	if m := o.final()["p1"]; m.Calls.Panicked != 750 || m.Calls.Goexited != 750 || len(o.momentsOf("p1")) != 0 {
		t.Errorf("%+v, %d snapshots", *m.Calls, len(o.momentsOf("p1")))
	}
	if m := o.final()["p2"]; m.Calls.Filtered != 450 || m.Snapshots.Taken != 0 {
		t.Errorf("%+v %+v", *m.Calls, *m.Snapshots)
	}
	checkText(t, c)
}

func TestNestedCallsShowTheirOwn(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.nested", Calls: true, If: "$duration > 3ms"})
	c.truth("nests", 20)
	o.end()
	moments := o.momentsOf("p1")
	accounted(t, o.final()["p1"], len(moments))
	for _, m := range moments {
		var id, depth int
		fmt.Sscanf(argument(t, m, "j"), "&{ID:%d ", &id)
		fmt.Sscan(argument(t, m, "depth"), &depth)
		if id < 100 || id%100 != 4-depth {
			t.Errorf("job %d at depth %d", id, depth)
		}
		if secret := argument(t, m, "password"); strings.Contains(secret, "hunter2") || !strings.Contains(secret, "redacted") {
			t.Errorf("a password comes out: %s", secret)
		}
	}
	if len(moments) < 40 {
		t.Errorf("%d snapshots", len(moments))
	}
}

// Ten thousand calls at once: what has no room is counted, what has is right.
func TestSnapshotsOfACrowd(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, If: "$duration > 10ms"})
	want := c.truth("crowd", 10_000)
	if n := o.inUse(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
	o.end()
	m := o.final()["p1"]
	moments := o.momentsOf("p1")
	accounted(t, m, len(moments))
	if m.Calls.Returned != want.Returned || m.Snapshots.Dropped == 0 || len(moments) < 100 {
		t.Errorf("%+v %+v", *m.Calls, *m.Snapshots)
	}
	for _, m := range moments {
		jobOf(t, m)
	}
}

// Of many threads at once exactly as many calls are shown as were asked for; then the
// probe ends.
func TestSnapshotsOfCallsAreLimited(t *testing.T) {
	c := startCalls(t, "")
	for _, limit := range []int64{1, 3} {
		o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, Limit: limit})
		c.truth("crowd", 500)
		for deadline := time.Now().Add(10 * time.Second); o.s.State() != nil && len(o.s.State()) > 0 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		end := o.end()["p1"]
		if n := len(o.momentsOf("p1")); int64(n) != limit || end.Reason != probe.EndLimit {
			t.Errorf("%d snapshots, want %d; %+v", n, limit, end)
		}
		accounted(t, o.final()["p1"], int(limit))
	}
}

func TestSnapshotsOfCallsKeepTheirRate(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: "main.handle", Calls: true, Rate: 5})
	c.truth("jobs", 100)
	o.end()
	n := len(o.momentsOf("p1"))
	m := o.final()["p1"]
	accounted(t, m, n)
	if m.Snapshots.Suppressed == 0 || m.Calls.Returned != 100 {
		t.Errorf("%d snapshots: %+v %+v", n, *m.Calls, *m.Snapshots)
	}
}

func TestSnapshotsOfWays(t *testing.T) {
	c := startCalls(t, "")
	o := observe(t, c, probe.Spec{Kind: probe.Time, At: callsMark(t, "from"), To: callsMark(t, "to"), Calls: true})
	want := c.truth("ways", 100)
	o.end()
	moments := o.momentsOf("p1")
	accounted(t, o.final()["p1"], len(moments))
	if uint64(len(moments)) != want.Returned {
		t.Errorf("%d snapshots, want %d", len(moments), want.Returned)
	}
	for _, m := range moments {
		if argument(t, m, "bad") != "false" || argument(t, m, "d") != "10µs" {
			t.Errorf("%s %s", argument(t, m, "bad"), argument(t, m, "d"))
		}
	}
}
