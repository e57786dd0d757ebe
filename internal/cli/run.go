package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// maxPending bounds the events that wait for a slow reader. Beyond it the
// prober waits, and what the target's buffers cannot hold is dropped and
// counted there.
const maxPending = 1024

// grace is how long a reader that takes nothing is waited for, once a session
// was ended from outside and its probes are gone.
const grace = time.Second

// run is one session on its way from installation to the last End. Only drive
// touches it; the sink, which may block on its reader, works in a goroutine of
// its own so that signals and removal never wait for it.
type run struct {
	prober Prober
	out    sink.Sink
	stop   *interruption
	notes  io.Writer
	json   bool
	some   bool   // sites for some of the probes are enough
	target string // as people call the process

	ready    *probe.Ready  // as it was passed on
	failed   error         // why the session ends with an error
	mute     bool          // the reader is gone: pass nothing more on
	closing  bool          // the probes are to be removed
	canceled bool          // from outside
	busy     bool          // Install has not yet returned: Close waits for it
	pending  []probe.Event // not yet given to the sink
	writing  bool          // the sink is at work
	closed   chan error    // the answer of Close
	written  chan error    // the sink's answers
}

type installation struct {
	ready *probe.Ready
	err   error
}

// drive installs the probes and passes on events until they are all gone.
func (r *run) drive(ctx context.Context, specs []probe.Spec) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.closed, r.written, r.busy = make(chan error, 1), make(chan error, 1), true
	installed := make(chan installation, 1)
	go func(ctx context.Context) {
		ready, err := r.prober.Install(ctx, specs)
		installed <- installation{ready, err}
	}(ctx)
	events, closed := r.prober.Events(), r.closed
	var impatient <-chan time.Time
	for events != nil || installed != nil || closed != nil || r.unwritten() {
		r.write()
		if impatient == nil && r.canceled && events == nil && closed == nil {
			impatient = time.After(grace)
		}
		select {
		case e, more := <-r.room(events):
			if !more {
				events = nil
				r.close()
				continue
			}
			r.pass(e)
		case i := <-installed:
			installed = nil
			r.installed(i)
		case err := <-closed:
			closed = nil
			r.fail(err)
		case err := <-r.written:
			r.writing = false
			r.wrote(err)
			impatient = nil // it reads: the time begins anew
		case <-ctx.Done():
			r.interrupt(cancel)
			ctx = context.WithoutCancel(ctx)
		case s := <-r.stop.signals:
			r.signal(s, cancel)
		case <-r.stop.readerGone:
			r.stop.readerGone = nil
			r.mute = true
		case <-impatient:
			return errors.Join(r.failed, errors.New("the reader of the output did not take the last lines; the probes are removed"))
		}
		if r.mute && !r.canceled {
			r.interrupt(cancel)
		}
	}
	return r.result()
}

// room is where the next event comes from: nowhere while too many wait, except
// at the end, when the prober must get rid of its last ones.
func (r *run) room(events <-chan probe.Event) <-chan probe.Event {
	if len(r.pending) >= maxPending && !r.closing {
		return nil
	}
	return events
}

func (r *run) unwritten() bool { return !r.mute && (r.writing || len(r.pending) > 0) }

// write gives the next event to the sink, unless it is still at work.
func (r *run) write() {
	if r.writing || r.mute || len(r.pending) == 0 {
		return
	}
	e := r.pending[0]
	r.pending, r.writing = r.pending[1:], true
	go func() { r.written <- r.out.Event(e) }()
}

// wrote takes the sink's answer.
func (r *run) wrote(err error) {
	if err == nil {
		return
	}
	r.mute = true
	if !brokenPipe(err) {
		r.fail(fmt.Errorf("the output cannot be written, so the probes were removed: %w", err))
	}
}

// pass puts an event in line for the sink. Ready may come as an event and as
// the answer of Install: it is passed on once.
func (r *run) pass(e probe.Event) {
	if ready, ok := e.(*probe.Ready); ok {
		if r.ready != nil {
			return
		}
		r.ready = ready
		if !r.json && !served(ready) {
			return // the error at the end says the same, and the remedy
		}
	}
	if m, ok := e.(*probe.Moment); ok && r.target != "" {
		m.Target = r.target // the prober knows the program, and not what the process calls itself
	}
	if !r.mute {
		r.pending = append(r.pending, e)
	}
}

// installed takes the answer of Install. Without probes there is nothing to
// wait for.
func (r *run) installed(i installation) {
	r.busy = false
	if r.closing {
		r.remove()
	}
	if i.err != nil {
		if !r.canceled || !errors.Is(i.err, context.Canceled) {
			r.fail(i.err)
		}
		r.close()
		return
	}
	if i.ready == nil {
		return
	}
	r.pass(i.ready)
	if !served(i.ready) {
		r.close()
	}
}

// served says whether any probe has a site.
func served(ready *probe.Ready) bool {
	for _, p := range ready.Probes {
		if p.Sites > 0 {
			return true
		}
	}
	return false
}

// signal ends the session at the first signal. Later ones cannot hurry it:
// dying now would leave the probes in the target.
func (r *run) signal(s os.Signal, cancel context.CancelFunc) {
	if s == syscall.SIGTSTP {
		// Asleep, it could neither end a probe in time nor keep its budget.
		fmt.Fprintln(r.notes, "sidelight does not sleep while its probes are in; Ctrl-C takes them out and ends")
		return
	}
	if r.closing {
		fmt.Fprintf(r.notes, "%s: the probes are being removed; this takes a moment\n", s)
	}
	r.interrupt(cancel)
}

func (r *run) interrupt(cancel context.CancelFunc) {
	r.canceled = true
	cancel()
	r.close()
}

// close removes the probes, once, as soon as none is going in any more.
func (r *run) close() {
	if r.closing {
		return
	}
	r.closing = true
	if !r.busy {
		r.remove()
	}
}

// remove calls Close while events are still being passed on.
func (r *run) remove() {
	go func() { r.closed <- r.prober.Close() }()
}

// fail keeps the first error.
func (r *run) fail(err error) {
	if r.failed == nil {
		r.failed = err
	}
}
