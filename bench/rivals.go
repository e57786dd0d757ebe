package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// delve is the debugger that is compared with.
const delve = "github.com/go-delve/delve/cmd/dlv@v1.27.2"

// Times that rivals may take.
const (
	installWithin = 4 * time.Minute
	attachWithin  = 30 * time.Second
	detachWithin  = 10 * time.Second
)

// rival is another way to the same log.
type rival struct {
	name string
	by   string
	path string // executable
	why  string // why it cannot run; empty: it can
	args func(pid int) []string
	load load
	says string // what its output of a hit has in it
	once bool   // it says so only once, and adds up the rest, which it tells at the end
	on   string // executable that it runs on, if not the bench's target
}

// prepareRivals finds or installs what is compared with.
func (b *bench) prepareRivals() []rival {
	const script = `uprobe:/proc/%d/exe:main.handle { printf("order %%d x%%d for %%s at %%d\n", ` +
		`*(int64*)reg("ax"), *(int64*)(reg("ax")+8), str(reg("bx"), reg("cx")), reg("di")); }`
	uprobe := rival{name: "the same log by a kernel uprobe", by: "bpftrace", says: "x3 for a name of",
		load: load{how: "solo", scenario: "handle", calls: 500, batches: b.plan.batches, rest: restOfLog, warm: 1},
		args: func(pid int) []string { return []string{"-p", fmt.Sprint(pid), "-e", fmt.Sprintf(script, pid)} }}
	sums := func(name, script string) rival {
		return rival{name: name, by: "bpftrace", says: "attached", once: true,
			load: load{how: "solo", scenario: "handle", calls: 500, batches: b.plan.batches, rest: restOfOther, warm: 1},
			args: func(pid int) []string { // unsafe: to believe us that the address is that of an instruction
				exe := fmt.Sprintf("/proc/%d/exe", pid)
				return []string{"--unsafe", "-p", fmt.Sprint(pid), "-e", strings.ReplaceAll(script, "EXE", exe)}
			}}
	}
	const first = `if (@first == 0) { @first = 1; printf("attached\n"); }`
	hist := sums("the same measure by a kernel uprobe (hist)", `uprobe:EXE:main.handle { @ = hist(*(int64*)(reg("ax")+8)); `+first+` }`)
	pair, errPair := b.pair(sums, first)
	if errPair != nil {
		pair.why = errPair.Error()
	}
	trace := rival{name: "the same log by a debugger", by: "dlv trace", says: "main.handle(",
		load: load{how: "solo", scenario: "handle", calls: 20, batches: 4, rest: time.Millisecond, warm: 1},
		args: func(pid int) []string { return []string{"trace", "-p", fmt.Sprint(pid), `^main\.handle$`} }}
	var err error
	for _, r := range []*rival{&uprobe, &hist, &pair} {
		if r.path, err = b.bpftrace(); err != nil {
			r.why = err.Error()
		}
	}
	if trace.path, err = b.delve(); err != nil {
		trace.why = err.Error()
	}
	return []rival{uprobe, hist, pair, trace}
}

// bpftrace finds Debian's package of it, or installs that.
func (b *bench) bpftrace() (string, error) {
	if _, err := os.Stat("/sys/bus/event_source/devices/uprobe"); err != nil {
		return "", errors.New("this kernel has no uprobes")
	}
	if os.Geteuid() != 0 {
		return "", errors.New("bpftrace needs root: run the benchmark as root")
	}
	if path, err := exec.LookPath("bpftrace"); err == nil {
		return path, nil
	}
	say("installing bpftrace")
	if err := b.install(nil, "apt-get", "install", "-y", "--no-install-recommends", "bpftrace"); err != nil {
		if err := b.install(nil, "apt-get", "update"); err != nil {
			return "", fmt.Errorf("bpftrace is not here, and its package cannot be had: %w", err)
		}
		if err := b.install(nil, "apt-get", "install", "-y", "--no-install-recommends", "bpftrace"); err != nil {
			return "", fmt.Errorf("bpftrace is not here, and cannot be installed: %w", err)
		}
	}
	return exec.LookPath("bpftrace")
}

// delve builds the debugger for this run.
func (b *bench) delve() (string, error) {
	say("installing %s", delve)
	env := []string{"GOBIN=" + b.dir, "GOFLAGS=", "GOWORK=off"}
	if err := b.install(env, "go", "install", delve); err != nil {
		return "", fmt.Errorf("delve cannot be installed: %w", err)
	}
	return filepath.Join(b.dir, "dlv"), nil
}

// install runs a command that installs something. The error has its last line.
func (b *bench) install(env []string, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(b.ctx, installWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.dir
	cmd.Env = append(append(os.Environ(), "DEBIAN_FRONTEND=noninteractive"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, args[0], err, lastLine(out))
	}
	return nil
}

func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndex(text, "\n")+1:]
}

// rivals measures each of them against a target of its own. One that cannot
// run gets a row that says why.
func (b *bench) rivals() error {
	for _, r := range b.prepareRivals() {
		row := &cost{Name: r.name, By: r.by}
		if r.why == "" {
			say("rival: %s", r.by)
			found, note, err := b.rival(r)
			if b.ctx.Err() != nil {
				return b.ctx.Err()
			}
			if err != nil {
				r.why = err.Error()
			} else {
				row = costOf(r.name, r.by, found)
				row.Note = note
			}
		}
		if r.why != "" {
			row.Note = "cannot run: " + r.why
		}
		b.report.Costs = append(b.report.Costs, row)
	}
	return nil
}

// rival times calls before a rival attaches and after. The note says how many
// of the hits it told.
func (b *bench) rival(r rival) (*series, string, error) {
	c, err := b.startOf(cmp.Or(r.on, b.target))
	if err != nil {
		return nil, "", err
	}
	defer c.stop()
	bare := r.load
	bare.calls = callsOfOther
	without, err := c.time(bare)
	if err != nil {
		return nil, "", err
	}
	tool, err := b.attach(r, c)
	if err != nil {
		return nil, "", err
	}
	defer tool.detach()
	var s series
	made := uint64(tool.tries)
	for range b.plan.pairs {
		with, err := c.time(r.load)
		if err != nil {
			return nil, "", err
		}
		s.add(without, with)
		made += r.load.made()
	}
	tool.detach()
	if told := r.told(tool.said()); told < made {
		return &s, fmt.Sprintf("told %d of %d hits", told, made), nil
	}
	return &s, "", nil
}

// told is how many hits a rival's whole output tells.
func (r rival) told(out []byte) (n uint64) {
	if !r.once {
		return uint64(bytes.Count(out, []byte(r.says)))
	}
	for _, bar := range histogramBar.FindAllSubmatch(out, -1) {
		k, err := strconv.ParseUint(string(bar[1]), 10, 64)
		if err != nil {
			return 0
		}
		n += k
	}
	return n
}

// histogramBar is a line of bpftrace's hist, as "[8K, 16K)  8998 |@@@@|".
var histogramBar = regexp.MustCompile(`(?m)^[\[(].*[\])]\s+(\d+) \|`)

// attached is a rival at work.
type attached struct {
	cmd  *exec.Cmd
	out  *os.File
	path string
	done chan error
	once sync.Once

	tries int // hits told before any was timed
}

// attach starts a rival on a target and waits until its output tells a hit.
func (b *bench) attach(r rival, c *child) (*attached, error) {
	a := &attached{path: filepath.Join(b.dir, filepath.Base(r.path)+".out"), done: make(chan error, 1)}
	var err error
	if a.out, err = os.Create(a.path); err != nil {
		return nil, err
	}
	a.cmd = exec.CommandContext(b.ctx, r.path, r.args(c.pid())...)
	a.cmd.Stdout, a.cmd.Stderr = a.out, a.out
	if err := a.cmd.Start(); err != nil {
		a.out.Close()
		return nil, err
	}
	go func() { a.done <- a.cmd.Wait() }()
	for until := time.Now().Add(attachWithin); time.Now().Before(until); {
		select {
		case err := <-a.done:
			a.done <- err
			a.detach()
			return nil, fmt.Errorf("it ended (%v): %s", err, lastLine(a.said()))
		case <-time.After(200 * time.Millisecond):
		}
		if _, err := c.ask("solo handle 1 1 0"); err != nil {
			a.detach()
			return nil, err
		}
		time.Sleep(100 * time.Millisecond) // for it to tell
		if n := bytes.Count(a.said(), []byte(r.says)); n > 0 {
			a.tries = n
			return a, nil
		}
	}
	a.detach()
	return nil, fmt.Errorf("no hit within %v: %s", attachWithin, lastLine(a.said()))
}

// said is what the rival has said so far.
func (a *attached) said() []byte {
	b, err := os.ReadFile(a.path)
	if err != nil {
		return nil
	}
	return b
}

// detach ends the rival as a person would, and by force if it does not listen.
func (a *attached) detach() {
	a.once.Do(func() {
		_ = a.cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-a.done:
		case <-time.After(detachWithin):
			_ = a.cmd.Process.Kill()
			<-a.done
		}
		a.out.Close()
	})
}
