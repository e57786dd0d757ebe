package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// topped is what timers on all functions of a package cost a loaded server: by which
// share its throughput is lower with sidelight top at work, from the start of the
// command to its end, than without, half as long before and half as long afterwards.
type topped struct {
	Functions int     `json:"functions"`     // of the package
	Timed     int     `json:"timed"`         // of these, in the last window,
	Turns     int     `json:"turns"`         // in turns, to keep the budget
	Pairs     int     `json:"pairs"`         // of windows
	Window    float64 `json:"window_s"`      // the command, from start to end: median
	Bare      float64 `json:"bare_per_s"`    // requests a second without it: median
	Fall      float64 `json:"fall"`          // of the requests a second, as a share: median of the pairs,
	Low       float64 `json:"fall_low"`      // its confidence interval of 95 %,
	High      float64 `json:"fall_high"`     //
	Starting  float64 `json:"fall_starting"` // until the timers are in,
	Running   float64 `json:"fall_running"`  // from then on
	Request   float64 `json:"request_share"` // what is added to a request's processor time in the server, as a share: median
	Tool      float64 `json:"tool_s"`        // processor time of the tool in a window: median
	Limit     float64 `json:"limit"`         // of the fall, as the project allows
}

// The load, and what observes it.
const (
	connections = 4
	topFor      = 20 * time.Second
	topPattern  = "busy/store"
	allowedFall = 0.03
)

// loaded is a server under load, and the tool.
type loaded struct {
	*drive
	server *child
	tool   string
	env    []string
	row    topped
	pairs  []toppedPair
}

// toppedPair are two neighbouring windows.
type toppedPair struct{ bare, with, starting, running, request, window, tool float64 }

// top measures the throughput with and without, in turn.
func (b *bench) top() error {
	l, err := b.load()
	if err != nil {
		return err
	}
	defer l.server.stop()
	for i := range b.plan.tops {
		say("top: pair %d of %d", i+1, b.plan.tops)
		if err := b.pairOfWindows(l); err != nil {
			_ = l.stop()
			return err
		}
	}
	if err := l.stop(); err != nil {
		return fmt.Errorf("the load: %w", err)
	}
	for _, pid := range running(l.tool) { // the owner of the probes, which has none any more
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	b.report.Topped = append(b.report.Topped, l.sum())
	return nil
}

// load builds and starts the server, its load and the tool.
func (b *bench) load() (*loaded, error) {
	l := &loaded{row: topped{Functions: storeFunctions, Pairs: b.plan.tops, Limit: allowedFall}}
	server, err := buildModule(b.ctx, b.dir, "busy", map[string]string{"main.go": busySource, "store/store.go": storeSource()})
	if err != nil {
		return nil, err
	}
	if l.tool, err = buildTool(b.ctx, b.dir); err != nil {
		return nil, err
	}
	own := filepath.Join(b.dir, "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	l.env = append(os.Environ(), "XDG_RUNTIME_DIR="+own, "SIDELIGHT_CACHE="+filepath.Join(own, "cache"))
	if l.server, err = b.startOf(server); err != nil {
		return nil, err
	}
	if l.drive, err = startDrive(int(l.server.hello[0]), connections); err != nil {
		l.server.stop()
		return nil, err
	}
	time.Sleep(time.Second)
	return l, nil
}

// pairOfWindows measures a window with, and one without of which half is before it and
// half after it, so that a drift of the machine falls out.
func (b *bench) pairOfWindows(l *loaded) error {
	before := l.bare()
	from, cost, tool := l.now(), cpuTime(l.server.pid()), cpuTime(running(l.tool)...)
	ready, out, spent, err := b.runTop(l)
	if err != nil {
		return err
	}
	to := l.now()
	p := toppedPair{tool: spent + cpuTime(running(l.tool)...) - tool, with: from.rate(to), starting: from.rate(ready), running: ready.rate(to),
		window: to.at.Sub(from.at).Seconds()}
	withCost := (cpuTime(l.server.pid()) - cost) / float64(to.answered-from.answered)
	after := l.bare()
	p.bare, p.request = (before.rate+after.rate)/2, 2*withCost/(before.cost+after.cost)-1
	l.pairs = append(l.pairs, p)
	l.row.Timed, l.row.Turns = counted(out)
	return b.ctx.Err()
}

// bareHalf is half of a window without: requests a second, and the processor time of
// one in the server.
type bareHalf struct{ rate, cost float64 }

func (l *loaded) bare() bareHalf {
	from, cost := l.now(), cpuTime(l.server.pid())
	time.Sleep(topFor / 2)
	to := l.now()
	return bareHalf{from.rate(to), (cpuTime(l.server.pid()) - cost) / float64(to.answered-from.answered)}
}

// runTop runs the command as a person does. It gives the moment when the timers were
// in, the table at the end, and the processor time in seconds of the command itself.
func (b *bench) runTop(l *loaded) (ready moment, table string, spent float64, err error) {
	cmd := exec.CommandContext(b.ctx, l.tool, "top", fmt.Sprint(l.server.pid()), topPattern, "--for", topFor.String(), "--every", topFor.String(), "--rows", "0")
	cmd.Env = l.env
	var out bytes.Buffer
	cmd.Stdout = &out
	notes, err := cmd.StderrPipe()
	if err != nil {
		return ready, "", 0, err
	}
	if err := cmd.Start(); err != nil {
		return ready, "", 0, err
	}
	said := ""
	for lines := bufio.NewScanner(notes); lines.Scan(); {
		if said = lines.Text(); strings.Contains(said, " timed in pid ") {
			ready = l.now()
		}
	}
	if err := cmd.Wait(); err != nil {
		return ready, "", 0, fmt.Errorf("sidelight top: %w: %s", err, said)
	}
	if ready.at.IsZero() {
		return ready, "", 0, fmt.Errorf("sidelight top has not said that it times anything: %s", said)
	}
	return ready, out.String(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
}

// rowOfTop is a function in a table of top, and its mark.
var rowOfTop = regexp.MustCompile(`(?m)^ +store\.\S+( ~)? `)

// counted is how many functions the last table of an output has, and how many of these
// were timed in turns.
func counted(out string) (timed, turns int) {
	out = out[max(0, strings.LastIndex(out, "  "+topPattern+"\n")):]
	for _, row := range rowOfTop.FindAllStringSubmatch(out, -1) {
		if timed++; row[1] != "" {
			turns++
		}
	}
	return timed, turns
}

// sum makes the row of the pairs.
func (l *loaded) sum() topped {
	of := func(f func(toppedPair) float64) (out []float64) {
		for _, p := range l.pairs {
			out = append(out, f(p))
		}
		return out
	}
	falls := of(func(p toppedPair) float64 { return 1 - p.with/p.bare })
	t := l.row
	t.Bare = median(of(func(p toppedPair) float64 { return p.bare }))
	t.Window = median(of(func(p toppedPair) float64 { return p.window }))
	t.Fall = median(falls)
	t.Low, t.High = confidence(falls)
	t.Starting = median(of(func(p toppedPair) float64 { return 1 - p.starting/p.bare }))
	t.Running = median(of(func(p toppedPair) float64 { return 1 - p.running/p.bare }))
	t.Request = median(of(func(p toppedPair) float64 { return p.request }))
	t.Tool = median(of(func(p toppedPair) float64 { return p.tool }))
	return t
}
