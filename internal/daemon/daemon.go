// Package daemon is the one owner of the probes of a user on a machine.
//
// Commands and editors are its clients: each asks for a session with a process
// over a socket that belongs to the user alone, and gets a Prober that works as
// the engine's does. Specs go in there, and events come out; so one list knows
// all probes, whoever put them in, and they go when their client does. Packages
// cli and dap stand before it (by way of cmd/sidelight), package engine behind
// it, as the Prober that the daemon opens.
//
// # Life
//
// The first client starts the daemon, which ends by itself when nobody has used
// it for a while. Everything works without it, too: where it cannot be had, or
// is of another build, a client opens the engine itself. Such a client announces its
// probes to the daemon, so that the list has them, too.
//
// # Wire
//
// A client introduces itself by one line of JSON, and is answered by one. That
// much every version understands. What follows is gob, and only between the same
// build: its numbers and names are the program's own. Announcements are lines of
// JSON.
package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
)

// Prober puts probes into one process; the engine's sessions do.
type Prober interface {
	Install(context.Context, []probe.Spec) (*probe.Ready, error)
	Events() <-chan probe.Event
	Remove(ids ...string) error
	State() []probe.State
	Close() error
}

// Options is how a process is to be opened, and for whom.
type Options struct {
	Budget float64
	Log    *slog.Logger // never nil
	Redact *redact.Rules
	Owner  string // who asks, as the list of probes shows it
	// Symbols are where debug information is, for a build that has none.
	Symbols []string
}

// Open opens a process; the engine does.
type Open func(ctx context.Context, pid int, opt Options) (Prober, error)

// Times of the daemon's life.
const (
	DefaultIdle = 60 * time.Second // without a client it ends
	startWithin = 5 * time.Second
	stateEvery  = 500 * time.Millisecond

	announceAgain = 2 * time.Second // where the daemon did not take it
	helloWithin   = 10 * time.Second
)
