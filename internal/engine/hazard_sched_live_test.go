//go:build linux && amd64

package engine

import (
	"math/rand"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestHotTrapLetsTheSchedulerWork keeps 20 goroutines busy at a trap. Naively
// the request to yield is delivered when the trap's handler returns, always with
// a trampoline as the place, where the runtime refuses it: nobody else ever
// runs again, this program's main included.
func TestHotTrapLetsTheSchedulerWork(t *testing.T) {
	c := startHazard(t)
	o := observeTraps(t, c, counts(t, "leaf")...)
	if o.ready.Probes[0].Traps == 0 {
		t.Fatal("no traps: the test shows nothing")
	}
	c.say("go spinon 20")
	c.run("ticks", 20)
	c.run("collect", 3)
	c.run("endstorm", 1)
	want := c.answer("spinon")
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	checkText(t, c)
}

// TestHotProbeLetsTheCollectorWork collects garbage while 20 goroutines are in
// a probed loop most of the time. Naively a goroutine inside a trampoline cannot
// be stopped, and each collection waits for seconds.
func TestHotProbeLetsTheCollectorWork(t *testing.T) {
	c := startHazard(t)
	for name, spec := range map[string]probe.Spec{
		"count":     {Kind: probe.Count},
		"condition": {Kind: probe.Count, If: "n*n*n*n % 7 == 3 || n*n % 11 == 5 || n % 13 == 1"},
		"log":       {Kind: probe.Log, Message: "{n} {$goroutine}"},
		"rated":     {Kind: probe.Log, Message: "{n} {$goroutine}", Rate: 10},
	} {
		t.Run(name, func(t *testing.T) {
			spec.ID, spec.At = "leaf", lineOf(t, "leaf")
			o := observe(t, c, spec)
			c.say("go spinon 20")
			began := time.Now()
			c.run("collect", 5)
			t.Logf("5 collections took %v", time.Since(began))
			c.run("endstorm", 1)
			want := c.answer("spinon")
			if got := o.sum(o.end(), "leaf"); spec.If == "" && got != want || got == 0 {
				t.Errorf("counted %d of %d", got, want)
			}
		})
	}
	checkText(t, c)
}

// TestParkedInsideWindows takes windows while 200 goroutines are preempted
// between their instructions. Naively, a jump is written as soon as no thread is
// inside; then a parked goroutine wakes up in the middle of it.
func TestParkedInsideWindows(t *testing.T) {
	c := startHazard(t)
	c.say("go mixers 200")
	lines := []string{"mix1", "mix2", "mix3", "mix4", "mix5", "mix6"}
	jumps, interior := 0, 0
	for i := range 3 {
		for _, specs := range [][]probe.Spec{counts(t, lines[2*i]), counts(t, lines[1], lines[3], lines[5])} {
			o := observe(t, c, specs...)
			for _, site := range o.s.live.sites {
				if interior += len(site.w.Interior); site.jump {
					jumps++
				}
			}
			for id, e := range o.end() {
				if e.Hits == 0 {
					t.Errorf("%s was not passed", id)
				}
			}
		}
	}
	if interior == 0 {
		t.Error("no window has an inside: the test shows nothing")
	}
	t.Logf("%d jumps in 6 rounds over windows with %d addresses inside", jumps, interior)
	checkText(t, c)
	c.run("endstorm", 1)
	c.answer("mixers")
}

// TestWindowsOfALoop does the same for instructions that no line begins with.
func TestWindowsOfALoop(t *testing.T) {
	c := startHazard(t)
	c.say("go mixers 20")
	o := collecting(t, c)
	pcs := o.instructions("main.mix", anyInst)
	_ = o.s.Close()
	for range 6 {
		pc := pcs[rand.Intn(len(pcs))]
		o := collecting(t, c)
		o.install(o.planAt(probe.Spec{Kind: probe.Count}, []uint64{pc}))
		if len(o.ready.Probes) != 1 || o.ready.Probes[0].Sites == 0 {
			_ = o.s.Close()
			continue
		}
		o.end()
	}
	checkText(t, c)
	c.run("endstorm", 1)
	c.answer("mixers")
}

// TestStacksGrowInProbedFrames lets stacks be copied while probed frames are on
// them, and bodies run where little stack is left. Naively a body writes below
// the stack's end, or keeps an address in it.
func TestStacksGrowInProbedFrames(t *testing.T) {
	c := startHazard(t)
	for _, spec := range []probe.Spec{
		{Kind: probe.Count},
		{Kind: probe.Count, If: "$goroutine > 0 && $line > 0"},
		{Kind: probe.Log, Message: "{$goroutine} {$function}"},
	} {
		spec.ID, spec.At = "deep", lineOf(t, "deep")
		o := observe(t, c, spec)
		if o.ready.Probes[0].Sites == 0 {
			t.Fatalf("%+v", o.ready.Probes[0])
		}
		want := c.run("deep", 100)
		if got := o.sum(o.end(), "deep"); got != want {
			t.Errorf("%v: counted %d of %d", spec, got, want)
		}
	}
	checkText(t, c)
}

// TestProfilersSeeProbes runs the CPU profiler and the execution tracer, and
// reads all stacks, while probes are hit. Naively their walk of a stack that
// begins in a trampoline throws.
func TestProfilersSeeProbes(t *testing.T) {
	c := startHazard(t)
	log := probe.Spec{ID: "leaf", Kind: probe.Log, At: lineOf(t, "leaf"), Message: "{n}", Rate: 1000}
	o := observe(t, c, log)
	want := c.run("profile", 300_000) + c.run("stacks", 100_000)
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	o = observeTraps(t, c, counts(t, "leaf")...)
	want = c.run("profile", 5000) + c.run("stacks", 5000)
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	checkText(t, c)
}

// TestProcessorsChange changes GOMAXPROCS to more and less than there were at
// installation. Naively counters are kept for as many as there were, and passes
// of the others are lost or written elsewhere.
func TestProcessorsChange(t *testing.T) {
	c := startHazard(t)
	o := observe(t, c, counts(t, "leaf")...)
	want := c.run("procs", 50_000)
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	o = observe(t, c, probe.Spec{ID: "leaf", Kind: probe.Log, At: lineOf(t, "leaf"), Message: "{n}", If: "n % 2 == 0"})
	want = c.run("procs", 20_000)
	end := o.end()
	if got := o.sum(end, "leaf"); got != want/2 {
		t.Errorf("counted %d of %d; %+v", got, want/2, end["leaf"])
	}
	if got := len(o.hits("leaf")); uint64(got) != end["leaf"].Emitted {
		t.Errorf("%d hits, %+v", got, end["leaf"])
	}
	checkText(t, c)
}

// TestLockedAndDyingThreads passes probes in goroutines that own a thread, and in
// threads that are born and die while probes come and go.
func TestLockedAndDyingThreads(t *testing.T) {
	c := startHazard(t)
	for _, s := range []string{"locked", "births"} {
		o := observe(t, c, counts(t, "leaf")...)
		want := c.run(s, 300)
		if got := o.sum(o.end(), "leaf"); got != want {
			t.Errorf("%s: counted %d of %d", s, got, want)
		}
	}
	c.say("go births 3000")
	cycles(t, c, 10, counts(t, "leaf")...)
	c.answer("births")
}
