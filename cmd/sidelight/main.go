// Command sidelight asks running Go programs new questions, without stopping
// them: see package cli, which is joined to the engine here.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/cli"
	"github.com/sidelight-dev/sidelight/internal/daemon"
	"github.com/sidelight-dev/sidelight/internal/dap"
	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/source"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// self runs this very program, also when its file was replaced or removed.
const self = "/proc/self/exe"

var owner = &daemon.Client{Start: []string{self, "daemon"}}

func main() {
	app := cli.New()
	app.Open = func(ctx context.Context, pid int, opt cli.Options) (cli.Prober, error) {
		return open(ctx, pid, opt.Target, opt.Direct, daemon.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Owner: opt.Owner, Symbols: opt.Symbols})
	}
	app.Examine = func(path string, symbols []string) (cli.Examiner, error) {
		return engine.Examine(path, cache.Default(), symbols...)
	}
	app.DAP = &dap.Adapter{
		Open: func(ctx context.Context, pid int, opt dap.Options) (dap.Prober, error) {
			return open(ctx, pid, opt.Target, opt.Direct, daemon.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Owner: opt.Owner, Symbols: opt.Symbols})
		},
		Code: func(pid int, symbols []string) (dap.Code, error) {
			c, err := engine.OpenCode(pid, symbols...)
			return code{c}, err
		},
	}
	app.Owner = owner
	app.Daemon = func(ctx context.Context) error { return (&daemon.Daemon{Open: attach}).Run(ctx) }
	app.Guard = func(args []string) error { return engine.Guard(args, os.Stdin) }
	os.Exit(app.Main(context.Background(), os.Args[1:]))
}

// code is a build as editors want to know it.
type code struct{ *engine.Code }

// Source finds the text that a file was built from.
func (c code) Source(file, dir string) (dap.Text, error) {
	s := c.Code.Source(file, dir)
	t := dap.Text{Content: string(s.Text), Path: s.Path}
	switch s.Verdict {
	case source.Missing:
		return t, fmt.Errorf("the source of %s is not to be had: %s", file, strings.Join(s.Why, "; "))
	case source.Differs:
		t.Doubt = strings.Join(s.Why, "; ")
	}
	return t, nil
}

// open opens a process by the daemon, so that its list has all probes. Where the
// daemon cannot be had, or may not do what this process may, the work is done
// here: with the same result, or the error that is this process's own. A daemon of
// another build lists these probes, too.
func open(ctx context.Context, pid int, target string, direct bool, opt daemon.Options) (daemon.Prober, error) {
	var err error
	if opt.Symbols, err = symbol.Resolve(ctx, fmt.Sprintf("/proc/%d/exe", pid), symbol.Options{Given: opt.Symbols, Log: opt.Log}); err != nil {
		return nil, err
	}
	if direct {
		return attach(ctx, pid, opt)
	}
	s, err := owner.Open(ctx, pid, target, opt)
	if err == nil {
		return s, nil
	}
	var away *daemon.UnavailableError
	var refused interface{ Refused() bool }
	if errors.As(err, &away) || errors.As(err, &refused) && refused.Refused() {
		opt.Log.Debug("working without the daemon", "because", err)
		p, err := attach(ctx, pid, opt)
		if err != nil {
			return nil, err
		}
		return owner.Announce(p, pid, target, opt.Owner), nil
	}
	return nil, err
}

// builds are those that this process has read, as the owner of the probes does for one
// command after the other.
var builds engine.Builds

// attach opens a session of the engine in this process. Its guard is this
// program again.
func attach(ctx context.Context, pid int, opt daemon.Options) (daemon.Prober, error) {
	s, err := engine.Open(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Symbols: opt.Symbols, Guard: []string{self, "guard"}, Builds: &builds})
	if err != nil {
		return nil, err
	}
	return s, nil
}
