//go:build linux && amd64

package engine

import (
	"bufio"
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// tool is a Sidelight of its own, to be killed: it installs counts at the given
// locations, says so, and waits.
func tool(args []string) {
	pid, _ := strconv.Atoi(args[0])
	opt := Options{}
	if args[1] == "guarded" {
		opt.Guard = []string{os.Args[0], "guard"}
	}
	s, err := Open(context.Background(), pid, opt)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var specs []probe.Spec
	for i, at := range args[2:] {
		specs = append(specs, probe.Spec{ID: strconv.Itoa(i), Kind: probe.Count, At: at})
	}
	fmt.Println("start")
	if _, err := s.Install(context.Background(), specs); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("installed")
	for range s.Events() {
	}
}

// startTool runs tool on a child; lines are what it says.
func startTool(t *testing.T, c *child, mode string, marks ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	args := []string{"tool", strconv.Itoa(c.cmd.Process.Pid), mode}
	for _, m := range marks {
		args = append(args, mark(t, m))
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// changed counts the places where the text is not the file's.
func changed(t *testing.T, c *child) int {
	t.Helper()
	s := open(t, c, Options{})
	defer s.Close()
	diffs, err := s.proc.CompareText()
	if err != nil {
		t.Fatal(err)
	}
	return len(diffs)
}

// awaitClean waits until somebody has put the text back.
func awaitClean(t *testing.T, c *child) {
	t.Helper()
	for range 200 {
		if changed(t, c) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nobody has put the text back")
}

var churnMarks = []string{"leaf", "step", "allot", "echo", "nil", "deep", "handle"}

func TestGuardTakesOutWhatAKilledToolLeft(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	c.say("load")
	c.answer("load")
	cmd, out := startTool(t, c, "guarded", churnMarks...)
	for out.Scan() && out.Text() != "installed" {
		if out.Text() != "start" {
			t.Fatal(out.Text())
		}
	}
	if changed(t, c) == 0 {
		t.Fatal("nothing was installed")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	awaitClean(t, c)
	c.run("leaf", 1000)
}

func TestNextCommandClearsWhatNobodyGuarded(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	cmd, out := startTool(t, c, "alone", "leaf", "handle")
	for out.Scan() && out.Text() != "installed" {
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	c.run("leaf", 1000) // the probes are quiet, the target goes on
	if changed(t, c) == 0 {
		t.Fatal("nothing was left: the test shows nothing")
	}
	o := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
	n := c.run("leaf", 5000)
	checkSums(t, o.end()["p1"], n)
	checkText(t, c)
}

func TestSecondSidelightWorksBesideTheFirst(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil))
	first := observe(t, c, probe.Spec{Kind: probe.Count, At: mark(t, "leaf")})
	second := observe(t, c, probe.Spec{ID: "free", Kind: probe.Count, At: mark(t, "handle")},
		probe.Spec{ID: "taken", Kind: probe.Count, At: mark(t, "leaf")})
	for _, r := range second.ready.Probes {
		if r.Probe == "taken" && (r.Sites != 0 || len(r.Issues) != 1 || r.Issues[0].Code != probe.IssueTaken) {
			t.Errorf("%+v", r)
		}
	}
	third := open(t, c, Options{})
	go func() {
		for range third.Events() {
		}
	}()
	_, err := third.Install(context.Background(), []probe.Spec{{ID: "x", Kind: probe.Count, At: mark(t, "leaf")}})
	if r, ok := err.(interface{ Refused() bool }); !ok || !r.Refused() {
		t.Errorf("a site of another Sidelight: %v", err)
	}
	third.Close()
	n, k := c.run("leaf", 1000), c.run("handle", 500)
	checkSums(t, first.end()["p1"], n)
	checkSums(t, second.end()["free"], k)
	checkText(t, c)
}

// TestChurn installs and removes over and over in a busy process, some of the
// tools killed on the way. SIDELIGHT_CHURN sets how often.
func TestChurn(t *testing.T) {
	cycles := 40
	if n, err := strconv.Atoi(os.Getenv("SIDELIGHT_CHURN")); err == nil {
		cycles = n
	} else if testing.Short() {
		cycles = 10
	}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	c := startTarget(t, buildTarget(t, nil))
	c.say("load")
	c.answer("load")
	maps := 0
	for i := range cycles {
		if i%10 == 9 {
			killOne(t, c, r)
			continue
		}
		var specs []probe.Spec
		for _, m := range churnMarks {
			s := probe.Spec{ID: m, Kind: probe.Count, At: mark(t, m)}
			if r.Intn(3) == 0 {
				s.Kind, s.Message = probe.Log, "{$goroutine}"
			}
			specs = append(specs, s)
		}
		o := observe(t, c, specs...)
		n := uint64(1000 + r.Intn(100_000))
		if got := c.run("leaf", int(n)); got != n {
			t.Fatalf("the target counted %d of %d", got, n)
		}
		ends := o.end()
		checkSums(t, ends["leaf"], n)
		for _, m := range churnMarks {
			if e := ends[m]; e == nil || e.Hits != e.Emitted+e.Suppressed+e.Dropped {
				t.Fatalf("cycle %d: %+v", i, e)
			}
		}
		if got := mappings(t, c); maps == 0 {
			maps = got
		} else if got > maps+8 { // of the killed ones' bays, at most one more at a time
			t.Fatalf("cycle %d: %d mappings of Sidelight, %d after the first", i, got, maps)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	awaitClean(t, c)
}

// killOne kills a tool at a random moment of its life.
func killOne(t *testing.T, c *child, r *rand.Rand) {
	t.Helper()
	cmd, out := startTool(t, c, "guarded", churnMarks...)
	if out.Scan() && out.Text() != "start" {
		t.Fatal(out.Text())
	}
	time.Sleep(time.Duration(r.Intn(60_000)) * time.Microsecond)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if r.Intn(2) == 0 {
		awaitClean(t, c) // the guard's work; else the next command races with it
	}
}

// mappings counts what Sidelight has mapped in the target.
func mappings(t *testing.T, c *child) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if len(s.Text()) > 73 && s.Text()[73:] == "/memfd:sidelight (deleted)" {
			n++
		}
	}
	return n
}

// TestThreadsHeldUpInsideWindows: the runtime parks no goroutine in a nosplit
// function, but the kernel takes processors away anywhere. A jump that is written
// without a look at the threads there sends one into its own middle.
func TestThreadsHeldUpInsideWindows(t *testing.T) {
	c := startTarget(t, buildTarget(t, nil), "GOMAXPROCS=5")
	c.say("mix 8")
	c.answer("mix")
	cycles := 12
	if testing.Short() {
		cycles = 4
	}
	for range cycles {
		var specs []probe.Spec
		for _, m := range []string{"mix1", "mix2", "mix3", "mix4"} {
			specs = append(specs, probe.Spec{Kind: probe.Count, At: mark(t, m)})
		}
		o := observe(t, c, specs...)
		for id, end := range o.end() {
			if end.Hits == 0 {
				t.Errorf("probe %s of a hot loop has no hits: %+v", id, o.ready)
			}
		}
	}
	checkText(t, c)
}
