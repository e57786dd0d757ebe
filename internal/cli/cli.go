// Package cli is Sidelight at the command line.
//
// Arguments, signals and probe files come in; specs of probes go to a Prober
// (package engine, behind an interface that is owned here), and what the probes
// tell goes to package sink. Package target finds the processes, package demo
// brings the sample service; cmd/sidelight stands before this package.
package cli

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/sidelight-dev/sidelight/internal/daemon"
	"github.com/sidelight-dev/sidelight/internal/dap"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// Prober puts probes into one process. The engine implements it.
type Prober interface {
	// Install puts all probes in, or none where one of them is mistaken. A
	// probe that this build cannot serve is no mistake: its report has no sites
	// and says why. It returns soon after its context ends, with that error.
	Install(context.Context, []probe.Spec) (*probe.Ready, error)
	// Events returns what the probes tell. It is closed after the last End.
	Events() <-chan probe.Event
	// Close removes all probes and lets the process go; their Ends still
	// arrive before Events is closed, which must be received meanwhile. It is
	// called once, after Install has returned.
	Close() error
}

// Options is how a process is to be opened.
type Options struct {
	Budget float64       // share of one core that all probes together may take; 0: no limit
	Log    *slog.Logger  // what the engine does, for those who want to know; never nil
	Redact *redact.Rules // what is not shown, and where no probe goes; nil: the default rules
	Target string        // its name, for the list of probes
	Owner  string        // who asks, likewise
	Direct bool          // hold the probes in this process, not in the daemon
	// Symbols are where debug information is looked for instead of the usual places.
	Symbols []string
}

// Owner knows the probes that all commands and editors of this user have put
// in; *daemon.Client does.
type Owner interface {
	List(context.Context) ([]daemon.Entry, error)
	Remove(ctx context.Context, names []string) (int, error)
}

// App is the program: what it stands on, replaceable in tests.
type App struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Host   *target.Host
	Open   func(ctx context.Context, pid int, opt Options) (Prober, error)
	// Examine opens the build in a file, with the debug information of some paths;
	// nil: nothing can be examined.
	Examine func(path string, symbols []string) (Examiner, error)
	Guard   func(args []string) error   // the hidden command that removes a dead tool's probes; may be nil
	DAP     *dap.Adapter                // for editors; may be nil
	Owner   Owner                       // may be nil
	Daemon  func(context.Context) error // the hidden command that owns the probes; may be nil
	Symbols []string                    // --symbols: where debug information is, for builds that have none
}

// New returns the program on this machine's streams and processes.
func New() *App {
	return &App{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Host: target.Local()}
}

// Main runs a command line, without the program's name, and returns the exit
// code: 0 done, 1 error, 2 usage, 3 refused.
func (a *App) Main(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	a.report(cmd, err)
	return exitCode(err)
}
