// Package dap is Sidelight inside editors: a debug adapter that stops nothing.
//
// Requests of the Debug Adapter Protocol come in, on standard input or on a
// connection; specs of probes go to Probers (package engine, or the daemon's
// client, behind an interface that is owned here), and what the probes tell
// goes back as output, as breakpoints that change, and as stopped threads that
// are snapshots, while the process runs on. Package cli stands before this
// package, package target finds the processes.
//
// One goroutine, the loop of a session, owns all state. Reading, writing and
// everything that takes time happens beside it, so that neither a slow editor
// nor a slow process keeps probes from being removed.
package dap

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// Prober puts probes into one process.
type Prober interface {
	// Install puts all probes in, or none where one of them is mistaken.
	Install(context.Context, []probe.Spec) (*probe.Ready, error)
	// Events is what the probes tell; it is closed after the last End.
	Events() <-chan probe.Event
	// Remove takes some probes out; their Ends come as events.
	Remove(ids ...string) error
	// State is how those that live are doing.
	State() []probe.State
	// Close takes all out. Events must be received meanwhile.
	Close() error
}

// Code knows where the source of a build has code.
type Code interface {
	// File is the build's name of the file that an editor knows by path.
	File(path string) (string, error)
	// NextLine is the first line behind one without code that has some, within
	// the same function; 0: there is none.
	NextLine(file string, line int) int
	// Files are all files of the build that have code.
	Files() []string
	// Source finds the text that a file was built from, the program's own tree
	// at dir or above it. It may take a while, and is called beside the loop.
	Source(file, dir string) (Text, error)
	Close() error
}

// Text is the source of a file of a build.
type Text struct {
	Content string
	Path    string // where it was found; empty: nowhere
	Doubt   string // why it may not be what was built; empty: it is
}

// Options is how a process is to be opened.
type Options struct {
	Budget float64 // share of one core that all probes together may take
	Log    *slog.Logger
	Redact *redact.Rules
	Target string // the name of the process, for the list of probes
	Owner  string // the editor, likewise
	Direct bool   // hold the probes in this process, not in the daemon

	Symbols []string // where debug information is, for builds that have none
}

// Host finds processes; *target.Host does.
type Host interface {
	Resolve(text string) (target.Process, error)
	List(all bool) ([]target.Process, error)
}

// Adapter is what the debug adapter stands on.
type Adapter struct {
	Host   Host
	Open   func(ctx context.Context, pid int, opt Options) (Prober, error)
	Code   func(pid int, symbols []string) (Code, error)
	Where  func(ctx context.Context, pid int, symbols []string, location string) (string, error)
	Log    *slog.Logger // nil: nowhere
	Direct bool         // work without the daemon

	Symbols []string // where debug information is, unless a configuration says it
}

// Serve speaks with one client until it disconnects or goes away. All its
// probes are removed before Serve returns.
func (a *Adapter) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	log := a.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := newSession(a, log)
	return s.serve(ctx, in, out)
}

// How long things may take.
const (
	patience     = 10 * time.Second // an answer that waits for an installation
	stateEvery   = time.Second      // breakpoints show their hits
	lastWords    = 5 * time.Second  // the last messages after a disconnect
	removeWithin = 40 * time.Second // the removal of all probes at the end
)
