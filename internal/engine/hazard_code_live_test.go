//go:build linux && amd64

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// both runs a test with the site as it is, and as a trap.
func both(t *testing.T, f func(t *testing.T, observe func(*testing.T, *child, ...probe.Spec) *observation)) {
	t.Run("jump", func(t *testing.T) { f(t, observe) })
	t.Run("trap", func(t *testing.T) { f(t, observeTraps) })
}

// TestDisplacedCalls collects garbage, grows the stack and walks it while a
// displaced call is on it. Naively the CALL runs in the trampoline and leaves a
// return address there: the runtime finds no function for it and throws.
func TestDisplacedCalls(t *testing.T) {
	for _, traps := range []bool{false, true} {
		c := startHazard(t)
		c.run("calltrace", 1) // the target remembers its caller as it is without a probe
		for _, tc := range []struct{ function, scenario string }{
			{"main.callsGC", "callgc"}, {"main.callsGrow", "callgrow"}, {"main.callsClosure", "callclosure"},
			{"main.callsMethod", "callmethod"}, {"main.callsTrace", "calltrace"},
		} {
			t.Run(fmt.Sprintf("%s/traps=%v", tc.function, traps), func(t *testing.T) {
				o := collecting(t, c)
				isCall := func(i amd64.Inst) bool {
					fn := o.s.build.FuncAt(i.Target)
					return i.Kind == amd64.CallInd || i.Kind == amd64.Call && fn != nil && strings.HasPrefix(fn.Name, "main.")
				}
				calls := o.instructions(tc.function, isCall)
				p := o.planAt(probe.Spec{Kind: probe.Count}, calls)
				if len(calls) != 1 || len(p.windows) != 1 {
					t.Fatalf("%d calls, %d windows: the test shows nothing", len(calls), len(p.windows))
				}
				if traps {
					p.trap(t)
				}
				o.install(p)
				want := c.run(tc.scenario, 30)
				t.Logf("%+v", o.ready.Probes)
				for id, e := range o.end() {
					if e.Hits != want {
						t.Errorf("%s counted %d of %d", id, e.Hits, want)
					}
				}
				checkText(t, c)
			})
		}
	}
}

// TestFaultsOfDisplacedInstructions lets an instruction inside a window of
// several fail. Naively the runtime sees the fault in a trampoline, which belongs
// to no function, and throws "unexpected signal" or "unknown caller pc" where the
// program would have recovered; or it recovers and tells another line.
func TestFaultsOfDisplacedInstructions(t *testing.T) {
	c := startHazard(t)
	c.run("nil", 1) // the target remembers the line as it is without a probe
	for _, tc := range []struct{ function, scenario string }{{"main.nilAt", "nil"}, {"main.faultAt", "fault"}} {
		for _, kind := range []probe.Kind{probe.Count, probe.Log} {
			t.Run(string(kind)+"/"+tc.scenario, func(t *testing.T) {
				behind := 0
				for _, pc := range before(t, c, tc.function) {
					o := collecting(t, c)
					p := o.planAt(probe.Spec{Kind: kind, Message: "{$goroutine}", Rate: 0}, []uint64{pc})
					if len(p.windows) == 0 {
						t.Fatalf("no window at %#x", pc)
					}
					behind += faulting(p.windows[0])
					o.install(p)
					want := c.run(tc.scenario, 100)
					for id, e := range o.end() {
						if e.Hits == 0 || e.Hits > want {
							t.Errorf("%s counted %d, the line is passed %d times", id, e.Hits, want)
						}
					}
				}
				if behind == 0 {
					t.Error("nothing that may fault was displaced behind another instruction: the test shows nothing")
				}
				checkText(t, c)
			})
		}
	}
}

// faulting counts the instructions behind the first of a window that may fault.
func faulting(w *window) (n int) {
	for _, inst := range w.Insts[1:] {
		if w.Jump && inst.MayFault {
			n++
		}
	}
	return n
}

// before are the addresses of the instructions of a function that may fault, and
// of those before them.
func before(t *testing.T, c *child, function string) (out []uint64) {
	t.Helper()
	o := collecting(t, c)
	defer o.s.Close()
	last := uint64(0)
	o.instructions(function, func(i amd64.Inst) bool {
		if fn := o.s.build.FuncAt(i.PC); fn.Name == function && i.MayFault && !i.Mem.RIPRel && last != 0 {
			out = append(out, last, i.PC)
		}
		last = i.PC
		return false
	})
	return slices.Compact(out)
}

var numbers = regexp.MustCompile(`0x[0-9a-f]+|goroutine \d+|pid \d+|\{[^}]*\}`)

// dying runs the target into a panic that nobody recovers, and returns what it
// prints, without the numbers that differ from run to run.
func dying(t *testing.T, during func(*child)) string {
	t.Helper()
	var said bytes.Buffer
	path := hazardTarget(t, "hazard")
	c := startTo(t, path, &said)
	during(c)
	c.say("run crash 3")
	for c.out.Scan() {
	}
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("the target ended with %v, not with the runtime's status 2", err)
	}
	return numbers.ReplaceAllString(said.String(), "…")
}

// TestUnrecoveredPanicPrintsTheSame compares what a dying program says. Naively
// it dies of an unknown address instead of its own panic.
func TestUnrecoveredPanicPrintsTheSame(t *testing.T) {
	want := dying(t, func(*child) {})
	if !strings.Contains(want, "panic: runtime error: invalid memory address") || !strings.Contains(want, "main.dies") {
		t.Fatalf("the target says %s", want)
	}
	var o *observation
	got := dying(t, func(c *child) { o = observe(t, c, counts(t, "crash")...) })
	if got != want {
		t.Errorf("with a probe:\n%s\nwithout:\n%s", got, want)
	}
	<-o.done
	if e := o.end()["crash"]; e == nil || e.Hits != 1 || e.Reason != probe.EndExited {
		t.Errorf("%+v", e)
	}
}

// TestPanicsPassThroughProbedFrames lets panics, recover and Goexit go through
// lines with probes: deferred calls, loops of them, open-coded ones, and the way
// back behind a recover. Naively a jump covers the address at which a recovered
// panic goes on (the function's deferreturn), or a displaced call hides its
// frame from the unwinder.
func TestPanicsPassThroughProbedFrames(t *testing.T) {
	both(t, func(t *testing.T, observe func(*testing.T, *child, ...probe.Spec) *observation) {
		c := startHazard(t)
		for _, tc := range []struct {
			scenario string
			want     map[string]int // how often a line is passed in one turn; -1: is not asked
		}{
			{"defers", map[string]int{"recovers": 1, "loopdefer": -1, "panics": 1}},
			{"open", map[string]int{"open1": -1, "open2": -1, "open3": -1, "open4": 2}},
			{"goexit", map[string]int{"goexit": 1, "exiting": 20}},
			{"through", map[string]int{"through": 30}},
		} {
			for line, times := range tc.want {
				o := observe(t, c, counts(t, line)...)
				c.run(tc.scenario, 100)
				got := o.sum(o.end(), line)
				if times >= 0 && got != uint64(100*times) {
					t.Errorf("%s: %s counted %d of %d; %+v", tc.scenario, line, got, 100*times, o.ready.Probes[0])
				}
				if times < 0 && got == 0 {
					t.Errorf("%s: %s was never passed", tc.scenario, line)
				}
			}
		}
		checkText(t, c)
	})
}
