//go:build linux && amd64

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestForksWhileProbesComeAndGo forks and executes without a pause meanwhile.
// Naively a thread is borrowed that waits for its vfork child and never stops, or
// a descriptor of the tool's leaks into the children.
func TestForksWhileProbesComeAndGo(t *testing.T) {
	c := startHazard(t)
	c.say("go fork 150")
	cycles(t, c, 8, counts(t, "leaf")...)
	c.answer("fork")
	o := observe(t, c, counts(t, "leaf")...)
	want := c.run("fork", 20)
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
}

// TestChildrenThatForkWithoutExec runs the patched text in copies of the target.
// Naively a child adds to the counters that it shares with its parent, and goes
// astray when the parent's probes are taken out or their memory is given back.
func TestChildrenThatForkWithoutExec(t *testing.T) {
	for name, observe := range map[string]func(*testing.T, *child, ...probe.Spec) *observation{"jump": observe, "trap": observeTraps} {
		t.Run(name, func(t *testing.T) {
			c := startHazard(t)
			o := observe(t, c, counts(t, "leaf")...)
			want := c.run("clone", 1000) + c.run("clone", 2000)
			time.Sleep(50 * time.Millisecond) // for the children to pass, too
			if got := o.sum(o.end(), "leaf"); got != want {
				t.Errorf("counted %d of %d", got, want)
			}
			o = observe(t, c, counts(t, "deep")...) // takes the memory for other code
			c.run("deep", 3)
			if n := c.run("release", 0); n != 2 {
				t.Errorf("%d of 2 children did well", n)
			}
			o.end()
			checkText(t, c)
		})
	}
}

// TestExecInPlace lets the target become another image of the same program, with
// the same addresses. Naively the tool goes on to write to whatever has the pid.
func TestExecInPlace(t *testing.T) {
	c := startHazard(t)
	o := observe(t, c, probe.Spec{ID: "leaf", Kind: probe.Log, At: lineOf(t, "leaf"), Message: "{n}"},
		probe.Spec{ID: "deep", Kind: probe.Count, At: lineOf(t, "deep")})
	c.say("run exec 77")
	if line := c.line(); line != "ready" {
		t.Fatalf("the new image says %q", line)
	}
	<-o.done
	ends := o.end()
	if e := ends["leaf"]; e == nil || e.Reason != probe.EndExited || e.Hits != 77 || len(o.hits("leaf")) != 77 {
		t.Errorf("%+v, %d hits", e, len(o.hits("leaf")))
	}
	if e := ends["deep"]; e == nil || e.Reason != probe.EndExited {
		t.Errorf("%+v", e)
	}
	checkText(t, c)
	o = observe(t, c, counts(t, "leaf")...)
	want := c.run("spinners", 100)
	if got := o.sum(o.end(), "leaf"); got != want {
		t.Errorf("in the new image counted %d of %d", got, want)
	}
}

// trace attaches to a thread of the child as another debugger until release.
func trace(t *testing.T, tid int) (release func()) {
	t.Helper()
	attached, done, ended := make(chan error), make(chan bool), make(chan bool)
	ptrace := func(req, sig uintptr) unix.Errno {
		_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, req, uintptr(tid), 0, sig, 0, 0)
		return e
	}
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if e := ptrace(unix.PTRACE_SEIZE, 0); e != 0 {
			attached <- e
			return
		}
		attached <- nil
		next := uintptr(unix.PTRACE_CONT)
		for { // a debugger hands on the signals that stop what it traces
			select {
			case <-done:
				done, next = nil, unix.PTRACE_DETACH
				ptrace(unix.PTRACE_INTERRUPT, 0)
			case <-time.After(time.Millisecond):
			}
			var ws unix.WaitStatus
			if n, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOHANG, nil); err != nil || n != tid || !ws.Stopped() {
				continue
			}
			sig := uintptr(ws.StopSignal())
			if ws>>16 != 0 { // an event's stop is no signal's
				sig = 0
			}
			if ptrace(next, sig); next == unix.PTRACE_DETACH {
				return
			}
		}
	}()
	if err := <-attached; err != nil {
		t.Fatal(err)
	}
	return func() { close(done); <-ended }
}

// TestAnotherDebugger attaches one before, and one while probes are in.
func TestAnotherDebugger(t *testing.T) {
	c := startHazard(t)
	pid := c.cmd.Process.Pid
	release := trace(t, pid)
	_, err := Open(context.Background(), pid, Options{})
	var refused *inject.RefusedError
	if !errors.As(err, &refused) || !refused.Refused() || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("traced by %d: %v", os.Getpid(), err)
	}
	release()
	o := observe(t, c, counts(t, "leaf")...)
	release = trace(t, pid)
	want := c.run("spinners", 1000)
	got := o.sum(o.end(), "leaf") // another thread does what must be done
	release()
	if got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	checkText(t, c)
}

// storm sends signals to the child until stop; it says how many of each.
func storm(pid int, signals ...syscall.Signal) (stop func() map[syscall.Signal]int) {
	done, sent := make(chan bool), make(chan map[syscall.Signal]int)
	go func() {
		n := map[syscall.Signal]int{}
		for {
			select {
			case <-done:
				sent <- n
				return
			default:
				s := signals[rand.Intn(len(signals))]
				if syscall.Kill(pid, s) == nil {
					n[s]++
				}
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	return func() map[syscall.Signal]int { close(done); return <-sent }
}

// TestSignalsWhileProbesComeAndGo lets signals rain. Naively a stop that is a
// signal's is taken for the tool's own, and the signal is lost or comes twice.
func TestSignalsWhileProbesComeAndGo(t *testing.T) {
	c := startHazard(t)
	c.run("signals", 1)
	stop := storm(c.cmd.Process.Pid, syscall.SIGURG, syscall.SIGUSR1, syscall.SIGCHLD)
	c.say("go restarts 100")
	cycles(t, c, 10, counts(t, "leaf", "deep")...)
	sent := stop()
	c.answer("restarts")
	for s, n := range sent {
		if got := c.run("heard", int(s)); got == 0 {
			t.Errorf("%v was sent %d times and never heard of", s, n)
		}
	}
}

// TestNotifiedOfTrapsAndFaults lets the program listen for the very signals whose
// handlers are stood before, while sites trap and displaced instructions fail.
// Naively a signal that somebody sends is taken for a site's, or the program's
// own is swallowed.
func TestNotifiedOfTrapsAndFaults(t *testing.T) {
	c := startHazard(t)
	c.run("nil", 1)
	o := observeTraps(t, c, counts(t, "leaf", "nil")...)
	c.run("signals", 1) // after the handlers have been installed
	c.say("go spinon 4")
	signals := []syscall.Signal{syscall.SIGTRAP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE}
	for _, s := range signals {
		for i := range 20 {
			if err := syscall.Kill(c.cmd.Process.Pid, s); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				if c.run("heard", int(s)) > uint64(i) {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
		if got := c.run("heard", int(s)); got != 20 {
			t.Errorf("of 20 %v the program heard %d", s, got)
		}
	}
	wantNil := c.run("nil", 100)
	c.run("endstorm", 1)
	want := c.answer("spinon")
	ends := o.end()
	if got := o.sum(ends, "leaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
	if got := o.sum(ends, "nil"); got != wantNil {
		t.Errorf("counted %d of %d", got, wantNil)
	}
	checkText(t, c)
}

// TestSystemCallsRestart interrupts sleeps and waits over and over. Naively a
// call that was interrupted for the tool comes back early or with EINTR.
func TestSystemCallsRestart(t *testing.T) {
	c := startHazard(t)
	c.say("go restarts 150")
	cycles(t, c, 15, counts(t, "leaf")...)
	c.answer("restarts")
}

// TestCalledFromC passes probes in callbacks from C, in threads of C, and beside
// children that C forks. Naively a probe expects a goroutine's thread, or a
// displaced instruction fails where no Go code called.
func TestCalledFromC(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardcgo"))
	for name, observe := range map[string]func(*testing.T, *child, ...probe.Spec) *observation{"jump": observe, "trap": observeTraps} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []string{"callback", "cthread", "cfork"} {
				o := observe(t, c, counts(t, "cleaf", "cnil")...)
				want := c.run(s, 100)
				if got := o.sum(o.end(), "cleaf"); got != want {
					t.Errorf("%s: counted %d of %d", s, got, want)
				}
			}
			checkText(t, c)
		})
	}
}

// TestThreadsThatBlockTraps refuses a program in which Go code runs on a thread
// that blocks SIGTRAP. Naively the first trap there kills it.
func TestThreadsThatBlockTraps(t *testing.T) {
	c := startTarget(t, hazardTarget(t, "hazardcgo"))
	c.run("deafc", 1) // a thread of C's own may
	c.run("deaf", 1)
	s := open(t, c, Options{})
	_, err := s.Install(context.Background(), counts(t, "cleaf"))
	var refused *inject.RefusedError
	if !errors.As(err, &refused) || refused.Code != inject.CodeSignals {
		t.Errorf("%v", err)
	}
	_ = s.Close()
	checkText(t, c)
	c.run("deaf", 0)
	o := observe(t, c, counts(t, "cleaf")...)
	want := c.run("callback", 100)
	if got := o.sum(o.end(), "cleaf"); got != want {
		t.Errorf("counted %d of %d", got, want)
	}
}
