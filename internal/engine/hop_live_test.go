//go:build linux && amd64

package engine

import (
	"math/rand"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

func hopSpecs(t *testing.T) []probe.Spec {
	t.Helper()
	return []probe.Spec{
		{ID: "short", Kind: probe.Count, At: lineOf(t, "short")},
		{ID: "shorter", Kind: probe.Count, At: lineOf(t, "shorter")},
	}
}

// hopsOf are the hops of an observation, as running.
func hopsOf(o *observation) (addrs []uint64) {
	for _, site := range o.s.live.sites {
		if site.hop != nil && site.jump {
			addrs = append(addrs, site.hop.addr)
		}
	}
	return addrs
}

func checkHits(t *testing.T, ends map[string]*probe.End, want uint64) {
	t.Helper()
	for id, want := range map[string]uint64{"short": want, "shorter": want / 2} {
		if ends[id] == nil || ends[id].Hits != want {
			t.Fatalf("%s: %+v; the target counted %d", id, ends[id], want)
		}
	}
}

// TestHops installs and removes short jumps while two threads run over them and
// the process is profiled and collected. Naively, a signal that finds a thread in
// padding ends the process; and one that was held up there meets an int3 of
// nobody.
func TestHops(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardhop"))
	c.say("busy")
	r := rand.New(rand.NewSource(1))
	for i := range 12 {
		o := observe(t, c, hopSpecs(t)...)
		if n := len(hopsOf(o)); n < 2 {
			t.Fatalf("%d hops: the test shows nothing (%+v)", n, o.ready.Probes)
		}
		want := c.run("work", 2000+r.Intn(2000))
		checkHits(t, o.end(), want)
		checkText(t, c)
		if t.Failed() {
			t.Fatalf("cycle %d", i)
		}
	}
	// While the threads are at it.
	for range 12 {
		c.say("run work 8000")
		o := observe(t, c, hopSpecs(t)...)
		o.end()
		c.answer("work")
		checkText(t, c)
	}
}

// TestHopsOfKilledTools ends tools at random moments over hot short jumps.
func TestHopsOfKilledTools(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardhop"))
	c.say("busy")
	r := rand.New(rand.NewSource(2))
	for i := range 12 {
		mode := []string{"guarded", "alone"}[i%2]
		c.say("run work 30000")
		cmd, out := startToolAt(t, c, mode, lineOf(t, "short"), lineOf(t, "shorter"))
		for out.Scan() && out.Text() != "start" {
			t.Fatal(out.Text())
		}
		time.Sleep(time.Duration(r.Intn(60_000)) * time.Microsecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if mode == "guarded" {
			awaitClean(t, c)
		}
		c.answer("work")
		o := observe(t, c, hopSpecs(t)...) // clears what is left
		want := c.run("work", 500)
		checkHits(t, o.end(), want)
		checkText(t, c)
	}
}

// TestHopsBesideAnother: two Sidelights need the same padding; one moves.
func TestHopsBesideAnother(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardhop"))
	specs := hopSpecs(t)
	first := observe(t, c, specs[0])
	second := observe(t, c, specs[1])
	a, b := hopsOf(first), hopsOf(second)
	for _, x := range a {
		for _, y := range b {
			if x < y+patch.JumpLen && y < x+patch.JumpLen {
				t.Errorf("hops at %#x and %#x overlap", x, y)
			}
		}
	}
	want := c.run("work", 500)
	if e := first.end()["short"]; e.Hits != want {
		t.Errorf("%+v, want %d", e, want)
	}
	if e := second.end()["shorter"]; e.Hits != want/2 {
		t.Errorf("%+v, want %d", e, want/2)
	}
	checkText(t, c)
}

// A plan moves its hops out of what others hold, and does without where there is
// no room.
func TestPlanAvoidsHeldPadding(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardhop"))
	s := open(t, c, Options{})
	defer s.Close()
	p, err := newPlanner(s.build).plan(hopSpecs(t)[:1])
	if err != nil || !p.hops() {
		t.Fatal("no hops", err)
	}
	const slide = 0x1000_0000
	was := map[*window]uint64{}
	var held []inject.Held
	for _, w := range p.windows {
		if was[w] = w.Hop; w.Hop != 0 {
			held = append(held, inject.Held{Lo: w.Hop + slide + 1, Hi: w.Hop + slide + 3, PID: 7})
		}
	}
	p.avoid(held, slide)
	for _, w := range p.windows {
		if w.Hop != 0 && (w.Hop == was[w] || overlapping(held, w.Hop+slide, patch.JumpLen) != 0) {
			t.Errorf("the hop at %#x stayed (was at %#x)", w.Hop, was[w])
		}
	}
	p.avoid([]inject.Held{{Lo: s.build.Text.Addr + slide, Hi: s.build.Text.Addr + s.build.Text.Size + slide, PID: 7}}, slide)
	for _, w := range p.windows {
		if was[w] != 0 && (w.Hop != 0 || w.Jump || w.Why == "" || w.Room() != 1) {
			t.Errorf("%+v has room where all is taken", w.Window)
		}
	}
	if p.hops() || len(p.probes[0].issues) == 0 {
		t.Errorf("nothing is said about it: %+v", p.probes[0].issues)
	}
}
