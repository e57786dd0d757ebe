// Package engine is the life of the probes of one process.
//
// Specs come in; reports, hits, counts and ends go out as events, to cli and the
// sinks behind it. On the way down it lets locate find the sites, compile make
// programs, patch and jit make the code of trampolines, and inject put them into
// the target; on the way up it reads the memory that the target shares and lets
// decode make hits of the records.
//
// What becomes of a probe is decided by a pure machine (life.go, turns.go); everything
// else here carries out what it says. A second process, the guard, takes the
// probes out when this one dies.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/clock"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/moment"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// DefaultBudget is the share of one core that all probes of a target together
// may take.
const DefaultBudget = 0.01

// Options is how a process is to be observed.
type Options struct {
	Budget float64       // share of one core; 0: no limit
	Log    *slog.Logger  // what is done and found; nil: nowhere
	Guard  []string      // command that runs Guard with the arguments that follow it; nil: no guard
	Redact *redact.Rules // what is not shown, and where no probe goes; nil: the default rules
	// Symbols are where debug information is looked for, if the build has none,
	// instead of the usual places (see symbol.Options).
	Symbols []string
	Builds  *Builds // what was read before; nil: read anew
}

// Session is the work on one process: its probes, from installation to the last
// end. Install is called once.
type Session struct {
	opt    Options
	proc   *inject.Proc
	build  *debuginfo.Build
	rt     *debuginfo.Runtime
	text   inject.Text
	clock  *clock.Clock // the time-stamp counter, by which costs are measured
	ticks  *clock.Clock // what the probes read the time from
	timing timing
	out    *outbox

	mu      sync.Mutex // held while probes come and go
	live    *live      // nil until installed
	stop    chan struct{}
	stopped chan struct{} // closed when the loop has ended
	once    sync.Once
	asked   chan []string // probes that are to go before the others

	states sync.Mutex // guards state
	state  []probe.State
}

// Open attaches to a process: it opens handles and reads the build, and changes
// nothing. Errors that are refusals say so by Refused.
func Open(ctx context.Context, pid int, opt Options) (*Session, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	proc, err := inject.Open(pid)
	if err != nil {
		return nil, refusal(err)
	}
	s := &Session{opt: opt, proc: proc, out: newOutbox(), stop: make(chan struct{}), stopped: make(chan struct{}),
		asked: make(chan []string)}
	if err := s.open(ctx); err != nil {
		proc.Close()
		return nil, refusal(err)
	}
	return s, nil
}

func (s *Session) open(ctx context.Context) error {
	began := time.Now()
	var err error
	if s.build, err = s.opt.Builds.open(ctx, s.proc.PID, symbol.Options{Given: s.opt.Symbols, Log: s.opt.Log}); err != nil {
		return err
	}
	if s.rt, err = s.build.Runtime(); err != nil {
		return err
	}
	if s.text, err = s.proc.Text(); err != nil {
		return err
	}
	s.proc.Lend(func() (inject.Once, bool) { return once(s.build, s.rt.Allglen) })
	if s.rt.Inferred {
		if err := s.proc.Agrees(s.claim()); err != nil {
			return err
		}
	}
	s.opt.Log.Debug("opened the build", "go", s.build.GoVersion, "id", s.build.ID, "took", time.Since(began))
	return ctx.Err()
}

// Events is what the probes tell. It is closed after the last End, or by Close.
func (s *Session) Events() <-chan probe.Event { return s.out.events }

// Install puts all probes in, or none where one of them is mistaken: then the
// error is a *MistakeError. A probe that this build cannot serve is no mistake;
// its report has no sites and says why. Ready is also the first event.
func (s *Session) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live != nil {
		return nil, errors.New("probes are installed already: open another session")
	}
	if err := s.checkClock(specs); err != nil {
		return nil, err
	}
	planner := newPlanner(s.build)
	planner.redact = s.opt.Redact
	plan, err := planner.plan(specs)
	if err != nil {
		return nil, err
	}
	s.opt.Log.Debug("made a plan", "probes", len(plan.probes), "windows", len(plan.windows))
	if err := s.proc.Hears(inject.Machines{Allm: s.rt.Allm + s.text.Slide, MAlllink: s.rt.MAlllink, MProcid: s.rt.MProcid}); err != nil {
		return nil, err
	}
	l, err := s.install(ctx, plan)
	if err != nil {
		return nil, refusal(err)
	}
	ready := s.ready(l)
	s.out.put(ready)
	if l.bay == nil {
		return ready, nil
	}
	s.live = l
	go s.run(l)
	return ready, nil
}

// name is the name of the program that the target runs.
func (s *Session) name() string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", s.proc.PID))
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSuffix(path, " (deleted)"))
}

// late reads the target's memory as it is now; nil where it cannot be read.
func (s *Session) late(addr uint64, n int64) []byte {
	b := make([]byte, n)
	if s.proc.ReadAt(b, addr) != nil {
		return nil
	}
	return b
}

// decoder makes hits of the records of a plan.
func (s *Session) decoder(p *plan) *decode.Decoder {
	cfg := decode.Config{
		PID:       s.proc.PID,
		Slide:     s.text.Slide,
		TypesBase: s.build.TypesBase(),
		Type:      s.build.TypeByRuntime,
		Function: func(pc uint64) string {
			if f := s.build.FuncAt(pc); f != nil {
				return f.Name
			}
			return ""
		},
		Time:    s.ticks.At,
		Redact:  s.opt.Redact,
		Target:  s.name(),
		Build:   s.build.ID,
		Moments: moment.New(s.build, s.text.Slide, s.late),
	}
	var programs []*program.Program
	for _, pl := range p.probes {
		cfg.Probes = append(cfg.Probes, pl.spec)
		programs = append(programs, pl.program)
	}
	return decode.New(cfg, programs)
}

// Close takes out every probe that is still in, lets the process go and closes
// Events; they must be received meanwhile. The error says what could not be put
// back.
func (s *Session) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.mu.Lock()
	l := s.live
	s.mu.Unlock()
	var err error
	if l != nil {
		<-s.stopped
		err = l.failed
	}
	s.out.close()
	return errors.Join(err, s.proc.Close(), s.opt.Builds.close(s.build))
}

// refusedError marks an error that forbids to go on for permission or safety.
type refusedError struct{ error }

func (e refusedError) Refused() bool { return true }
func (e refusedError) Unwrap() error { return e.error }

// refusal marks a text that something else changes as a refusal. inject's own
// refusals say it themselves.
func refusal(err error) error {
	var changed *inject.ChangedError
	if errors.As(err, &changed) {
		return refusedError{err}
	}
	return err
}

// gone tells whether an error only says that the target is no more.
func gone(err error) bool {
	return errors.Is(err, inject.ErrExited) || errors.Is(err, inject.ErrReplaced)
}
