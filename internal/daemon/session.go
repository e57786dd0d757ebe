package daemon

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
)

// session is one client's work on one process, on the daemon's side.
type session struct {
	d      *Daemon
	open   openCall
	owner  string
	client int // pid
	prober Prober

	mu  sync.Mutex // held while a message is written
	out *bufio.Writer
	enc *gob.Encoder // to out

	specsMu sync.Mutex
	specs   map[string]probe.Spec

	install context.CancelFunc // ends the running installation
	working sync.WaitGroup     // it
	closed  bool               // of the reader's goroutine
}

// session serves a client until it closes its session or goes away; then its
// probes are removed.
func (d *Daemon) session(ctx context.Context, c net.Conn, r *bufio.Reader, owner string, client int) error {
	s := &session{d: d, owner: owner, client: client, out: bufio.NewWriterSize(c, 64<<10), specs: map[string]probe.Spec{}}
	s.enc = gob.NewEncoder(s.out)
	dec := gob.NewDecoder(r)
	var first call
	if err := dec.Decode(&first); err != nil {
		return err
	}
	if first.Open == nil {
		return errors.New("a session begins with a process")
	}
	s.open = *first.Open
	stop := context.AfterFunc(ctx, func() { c.Close() }) // the daemon ends
	defer stop()
	prober, err := s.opened(ctx)
	if err != nil {
		s.send(&answer{Failed: failed(err)})
		return nil
	}
	s.prober = prober
	n := d.enter(s)
	s.send(&answer{Opened: true})
	told := make(chan struct{})
	go s.tell(told)
	err = s.serve(ctx, dec)
	d.exit(n)
	s.end(told)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// opened opens the process with the engine.
func (s *session) opened(ctx context.Context) (Prober, error) {
	rules := redact.Default()
	if s.open.RedactText != nil {
		var err error
		if rules, err = redact.Parse(s.open.RedactFile, s.open.RedactText); err != nil {
			return nil, err
		}
	}
	log := slog.New(&remoteLog{send: s.send, debug: s.open.Debug})
	return s.d.Open(ctx, s.open.PID, Options{Budget: s.open.Budget, Log: log, Redact: rules, Owner: s.owner, Symbols: s.open.Symbols})
}

// enter gives a client's probes a number in the list; exit takes it back.
func (d *Daemon) enter(h holder) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	d.sessions[d.last] = h
	return d.last
}

func (d *Daemon) exit(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, n)
}

// send writes a message. A client that is gone needs none.
func (s *session) send(a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.enc.Encode(a) == nil {
		_ = s.out.Flush()
	}
}

// tell passes on events until the last, and between them how the probes are
// doing. It goes on receiving when the client is gone: the engine waits for it.
func (s *session) tell(done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	events := s.prober.Events()
	for {
		select {
		case e, more := <-events:
			if !more {
				s.send(&answer{Stated: true})
				s.send(&answer{Done: true})
				return
			}
			batch, over := gather(e, events)
			for i := range batch {
				batch[i] = s.own(batch[i])
			}
			s.send(&answer{Events: batch})
			if over {
				events = closedEvents
			}
		case <-tick.C:
			s.send(&answer{State: s.prober.State(), Stated: true})
		}
	}
}

// maxBatch is how many events go in one message: where they come fast, a message
// for each would cost more than the events.
const maxBatch = 512

var closedEvents = func() chan probe.Event {
	c := make(chan probe.Event)
	close(c)
	return c
}()

// gather adds to an event those that come right behind it. over says that none
// will follow.
func gather(first probe.Event, events <-chan probe.Event) (batch []probe.Event, over bool) {
	batch = []probe.Event{first}
	for patience := 0; len(batch) < maxBatch && patience < 3; {
		select {
		case e, more := <-events:
			if !more {
				return batch, true
			}
			batch, patience = append(batch, e), 0
		default:
			patience++
			runtime.Gosched() // to whoever has the next one
		}
	}
	return batch, false
}

// own lets an event of Ready speak of another client's probes as such: the
// engine only knows that this process holds the place.
func (s *session) own(e probe.Event) probe.Event {
	if ready, ok := e.(*probe.Ready); ok {
		return s.ownReady(ready)
	}
	return e
}

func (s *session) ownReady(ready *probe.Ready) *probe.Ready {
	out := *ready
	out.Probes = append([]probe.Report{}, ready.Probes...)
	for i := range out.Probes {
		issues := append([]probe.Issue{}, out.Probes[i].Issues...)
		for k := range issues {
			if issues[k].Code == probe.IssueTaken && strings.Contains(issues[k].Message, fmt.Sprintf("(pid %d)", os.Getpid())) {
				issues[k].Message = s.takenByOwn()
			}
		}
		out.Probes[i].Issues = issues
	}
	return &out
}

// takenByOwn says what holds a place where that is another client's probe, or which
// few it can be.
func (s *session) takenByOwn() string {
	const few = 3
	others := s.d.beside(s)
	if len(others) == 0 || len(others) > few {
		return "the code there is in use by another probe: \"sidelight probes\" lists it with its owner, \"sidelight rm\" takes it out"
	}
	var which []string
	for _, e := range others {
		which = append(which, fmt.Sprintf("%s, a %s at %s, of %s (pid %d)", e.ID, e.State.Kind, e.State.Location, e.Owner, e.Client))
	}
	if len(which) == 1 {
		return fmt.Sprintf("the code there is in use by another probe: %s; \"sidelight rm %s\" takes it out", which[0], others[0].ID)
	}
	return "the code there is in use by another probe, one of: " + strings.Join(which, "; ") + "; \"sidelight rm ID\" takes it out"
}

func (s *session) ownFailure(f *failure) *failure {
	if f != nil && f.Holder == os.Getpid() {
		f.Text = s.takenByOwn()
	}
	return f
}

// serve carries out what the client asks.
func (s *session) serve(ctx context.Context, dec *gob.Decoder) error {
	for {
		var c call
		if err := dec.Decode(&c); err != nil {
			return err
		}
		switch {
		case c.Install != nil:
			s.putIn(ctx, c.Install.Specs)
		case c.Cancel:
			if s.install != nil {
				s.install()
			}
		case c.Remove != nil:
			if err := s.prober.Remove(c.Remove...); err != nil {
				s.d.Log.Debug("nothing was removed", "error", err)
			}
		case c.Close && !s.closed:
			s.close()
		}
	}
}

// putIn installs beside the reader, so that the client can cancel it.
func (s *session) putIn(ctx context.Context, specs []probe.Spec) {
	ctx, s.install = context.WithCancel(ctx)
	s.specsMu.Lock()
	for _, spec := range specs {
		s.specs[spec.ID] = spec
	}
	s.specsMu.Unlock()
	s.working.Go(func() {
		ready, err := s.prober.Install(ctx, specs)
		if err != nil {
			s.send(&answer{Failed: s.ownFailure(failed(err))})
			return
		}
		s.send(&answer{Installed: s.ownReady(ready)})
	})
}

// close takes the probes out, beside the reader, and says so.
func (s *session) close() {
	s.closed = true
	go func() {
		s.working.Wait()
		err := s.prober.Close()
		s.send(&answer{Closed: true, Broken: failed(err)})
	}()
}

// end waits until the probes are out.
func (s *session) end(told <-chan struct{}) {
	if s.install != nil {
		s.install()
	}
	s.working.Wait()
	if !s.closed {
		if err := s.prober.Close(); err != nil {
			s.d.Log.Error("the probes of a client that went away could not be taken out", "error", err)
		}
	}
	<-told
}

// entries are the living probes for the list.
func (s *session) entries() []Entry {
	s.specsMu.Lock()
	defer s.specsMu.Unlock()
	return entriesOf(s.prober, s.specs, Entry{PID: s.open.PID, Target: s.open.Name, Owner: s.owner, Client: s.client})
}

func (s *session) remove(ids []string) error { return s.prober.Remove(ids...) }
