package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestMain lets the test binary be the guard of its own probes.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		if err := engine.Guard(os.Args[2:], os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "guard:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// small is a run of little work, with a target.
func small(t *testing.T) *bench {
	t.Helper()
	b := &bench{ctx: context.Background(), plan: plan{rounds: 1, batches: 1, pairs: 1, cycles: 1, repeats: 1},
		dir: t.TempDir(), self: os.Args[0], report: newReport()}
	var err error
	if b.target, err = buildTarget(b.ctx, b.dir); err != nil {
		t.Fatal(err)
	}
	return b
}

func started(t *testing.T, b *bench) *child {
	t.Helper()
	c, err := b.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

func TestTheTargetAnswers(t *testing.T) {
	c := started(t, small(t))
	for _, tc := range []struct {
		ask     string
		numbers int // -1: any even number
	}{
		{"solo handle 10 3 0", 3},
		{"solo leaf 10 1 0", 1},
		{"solo leave 10 1 0", 1},
		{"duo handle 10 2 0", -1},
		{"gaps 5", -1},
		{"sleepers 12", 1},
	} {
		got, err := c.ask("%s", tc.ask)
		if err != nil || (tc.numbers >= 0 && len(got) != tc.numbers) || (tc.numbers < 0 && len(got)%2 != 0) {
			t.Errorf("%s: %v, %v", tc.ask, got, err)
		}
	}
	for _, ask := range []string{"solo nothing 1 1 0", "solo leaf", "gaps", "gaps x", "nothing"} {
		if got, err := c.ask("%s", ask); err == nil {
			t.Errorf("%s: %v", ask, got)
		}
	}
	if _, err := c.ask("solo leaf 1 1 0"); err != nil {
		t.Errorf("after mistakes: %v", err)
	}
}

// TestVariantsAreWhatTheySay runs each once, for its account and its kind of
// site.
func TestVariantsAreWhatTheySay(t *testing.T) {
	b := small(t)
	c := started(t, b)
	for _, v := range variants(1) {
		v.load.calls, v.load.warm, v.load.batches = 20, 0, 1
		if v.ended {
			v.spec.Limit = 1 << 30 // or it is out before anything is seen
		}
		var s series
		note, err := b.round(c, v, &s)
		// The scheduler may want the processor at any hit, which then is dropped.
		fine := note == "" || strings.HasPrefix(note, "forced") || strings.Contains(note, "scheduler waiting")
		if err != nil || !fine || len(s.hits) != 1 {
			t.Errorf("%s: %q, %v, %+v", v.name, note, err, s)
		}
	}
}

func TestProbesComeAndGo(t *testing.T) {
	b := small(t)
	c := started(t, b)
	pauses, err := b.comeAndGo(c, nil, 1, cycleTime)
	if err != nil || len(pauses) != 1 {
		t.Errorf("%v, %v", pauses, err)
	}
}

func TestAccountsTellWhatIsMissing(t *testing.T) {
	plain, never := variant{}, variant{spec: probe.Spec{If: "false"}}
	for _, tc := range []struct {
		v    variant
		end  probe.End
		want string
	}{
		{plain, probe.End{Hits: 100, Emitted: 100}, ""},
		{plain, probe.End{Hits: 99}, "counted 99 of 100 calls"},
		{plain, probe.End{Hits: 100, Dropped: 2}, "2 of 100 hits found the ring full or the scheduler waiting"},
		{never, probe.End{}, ""},
		{never, probe.End{Hits: 1}, "counted 1 hits of a condition that is never true"},
	} {
		if got := accounts(tc.v, &tc.end, 100); got != tc.want {
			t.Errorf("%+v: %q, want %q", tc.end, got, tc.want)
		}
	}
}

func TestARivalThatCannotRunSaysWhy(t *testing.T) {
	b := small(t)
	c := started(t, b)
	mute := filepath.Join(b.dir, "mute")
	if err := os.WriteFile(mute, []byte("#!/bin/sh\necho no permission at all >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := rival{path: mute, says: "hit", args: func(int) []string { return nil }}
	if _, err := b.attach(r, c); err == nil || !strings.Contains(err.Error(), "no permission at all") {
		t.Errorf("a rival that ends: %v", err)
	}
	r.path = filepath.Join(b.dir, "none")
	if _, err := b.attach(r, c); err == nil {
		t.Error("a rival that is not there")
	}
}

func TestARivalsOutputIsCounted(t *testing.T) {
	bars := "attached\n@: \n[0]                   1 |@  |\n[8K, 16K)          8998 |@@@|\n[16K, 32K)           12 |   |\n\n\n"
	if n := (rival{once: true, says: "attached"}).told([]byte(bars)); n != 9011 {
		t.Errorf("%d hits in bars", n)
	}
	if n := (rival{says: "hit"}).told([]byte("hit 1\nhit 2\n")); n != 2 {
		t.Errorf("%d hits in lines", n)
	}
}

// TestEndsOfAFunction holds the offsets against the target's own bytes, and lets
// the copy without sections run.
func TestEndsOfAFunction(t *testing.T) {
	b := small(t)
	file, err := os.ReadFile(b.target)
	if err != nil {
		t.Fatal(err)
	}
	entry, returns, err := ends(b.target, "main.handle")
	if err != nil || len(returns) != 1 || returns[0] <= entry || file[returns[0]] != 0xC3 {
		t.Errorf("%#x, %#x, %v", entry, returns, err)
	}
	if _, _, err := ends(b.target, "main.nothing"); err == nil {
		t.Error("a function that is not there has ends")
	}
	bare := filepath.Join(b.dir, "bare")
	if err := withoutSections(b.target, bare); err != nil {
		t.Fatal(err)
	}
	c, err := b.startOf(bare)
	if err != nil {
		t.Fatal(err)
	}
	c.stop()
	if _, _, err := ends(bare, "main.handle"); err == nil {
		t.Error("the copy still has symbols")
	}
}

// TestTheBusyServerAnswers holds the server and its load to what top needs of them.
func TestTheBusyServerAnswers(t *testing.T) {
	b := small(t)
	server, err := buildModule(b.ctx, b.dir, "busy", map[string]string{"main.go": busySource, "store/store.go": storeSource()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.startOf(server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.stop()
	d, err := startDrive(int(c.hello[0]), 2)
	if err != nil {
		t.Fatal(err)
	}
	from := d.now()
	for until := time.Now().Add(20 * time.Second); d.answered.Load() < 10 && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := d.stop(); err != nil || from.rate(d.now()) <= 0 {
		t.Errorf("%v, %d answers", err, d.answered.Load())
	}
	if n := strings.Count(storeSource(), "\nfunc "); n != storeFunctions {
		t.Errorf("%d functions are generated, want %d", n, storeFunctions)
	}
	if pids := running(server); len(pids) != 1 || pids[0] != c.pid() || cpuTime(os.Getpid(), 1<<30) == 0 {
		t.Errorf("processes %v run the server, which is %d", pids, c.pid())
	}
	c.stop()
	if d, err := startDrive(int(c.hello[0]), 1); err == nil {
		_ = d.stop()
		t.Error("a server that is gone takes connections")
	}
}

func TestFunctionsOfATableAreCounted(t *testing.T) {
	const out = "15:04:05  busy/store\n  function  calls/s\n  store.hash0  1  2\n\n" +
		"15:04:07  busy/store\n  function          calls/s  calls    total\n  store.Serve ~       1,376  2,548   3.50 s\n" +
		"  store.line0         1,377  2,548   3.18 s\n~ 1 timed in turns\n"
	if timed, turns := counted(out); timed != 2 || turns != 1 {
		t.Error(timed, turns)
	}
}

func TestStatistics(t *testing.T) {
	xs := []float64{5, 1, 4, 2}
	if median(xs) != 3 || median(xs[:3]) != 4 || least(xs) != 1 || nth(xs, 2) != 4 || nth(xs, 5) != 0 || above(xs, 3) != 2 {
		t.Error(median(xs), median(xs[:3]), least(xs), nth(xs, 2), nth(xs, 5), above(xs, 3))
	}
	var s series
	s.add([]float64{2, 3, 4}, []float64{12, 13, 90})
	s.add(nil, []float64{1})
	s.add([]float64{1, 2, 3}, []float64{14, 14, 14})
	if low, high := confidence([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9}); low < 1 || low > 4 || high < 6 || high > 9 {
		t.Error(low, high)
	}
	if hit, low := s.hit(); hit != 11 || low != 11 || number(median(nil)) != 0 {
		t.Error(hit, low)
	}
	var g gaps
	g.add([]float64{200e3, 150e3, 50e3, 0, 120e3, 0}, 2, 1)
	if (g != gaps{Nth: 120e3, Long: 2, OwnNth: 50e3, OwnLong: 1}) {
		t.Errorf("%+v", g)
	}
}

func TestContention(t *testing.T) {
	bare := [2][]float64{{2, 2}, {3, 3}}
	got := contended(bare, [2][]float64{{12, 12}, {14, 14}})
	if got.One != 10 || got.Two != 11 || got.Ratio != 1.1 || got.Overlapped != 1 || got.Note != "" {
		t.Errorf("%+v", got)
	}
	got = contended(bare, [2][]float64{{12, 12}, nil})
	if got.Ratio != 0 || got.Note == "" || verdict(times, got.Ratio, got.Limit) != "" {
		t.Errorf("nothing overlapped: %+v", got)
	}
}

func sample() *report {
	r := &report{Date: "2026-01-02", CPU: "a processor", CPUs: 2, Kernel: "Linux 6", Go: "go1.26", Load: "0.10",
		Costs: []*cost{
			{Name: "unprobed", Call: 2, bare: 2},
			{Name: "log", By: "Sidelight", Call: 14, Hit: 12, Least: 11, bare: 2, Limit: 25},
			{Name: "counter", By: "Sidelight", Call: 6, Hit: 4, Least: 3, bare: 2, Limit: 3},
			{Name: "uprobe", By: "bpftrace", Call: 6002, Hit: 6000, Least: 5000, bare: 2},
			{Name: "debugger", By: "dlv trace", Note: "cannot run: not here"},
		},
		Contention: []contention{{Name: "log", One: 12, Two: 12.6, Ratio: 1.05, BareOne: 2, BareTwo: 2, Limit: 1.2}},
		Topped: []topped{{Functions: 342, Timed: 300, Turns: 280, Pairs: 12, Bare: 3000, Fall: 0.021, Low: 0.01, High: 0.034,
			Starting: 0.08, Running: 0.015, Request: 0.01, Tool: 0.25, Window: 8.4, Limit: 0.03}},
		Pauses: []pause{{Threads: 10, Cycles: 60, Made: 55, None: gaps{50e3, 7, 40e3, 6}, Probes: gaps{60e3, 9, 100e3, 8},
			Ratio: 1.2, OwnRatio: 2.5, Limit: 2, Reported: 200, Middle: 150}},
	}
	r.compare()
	return r
}

func TestReports(t *testing.T) {
	r := sample()
	for name, text := range map[string]string{"text": r.text(), "markdown": r.markdown()} {
		for _, want := range []string{"6.0 µs", "500", "25.0 ns: held", "3.0 ns: missed", "cannot run: not here", "1.05", "60.0 µs / 9", "2.00: missed", "55 of 60", "a processor",
			"1.0 % to 3.4 %", "3.0 %: held", "280"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %q:\n%s", name, want, text)
			}
		}
	}
	var out strings.Builder
	if err := r.json(&out); err != nil || !strings.Contains(out.String(), `"to_log": 500`) {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestOnlyWhatWasMeasuredIsShown(t *testing.T) {
	r := sample()
	r.Contention, r.Topped, r.Pauses = nil, nil, nil
	if text := r.text(); strings.Contains(text, "threads") || strings.Contains(text, "Gaps") {
		t.Error(text)
	}
	p := plan{only: []string{"costs"}}
	if !p.has("costs") || p.has("pauses") || !(plan{}).has("pauses") {
		t.Error("steps")
	}
}
