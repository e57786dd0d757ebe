package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// observe puts probes into a target and passes on what they tell until the
// last of them has ended. Whatever happens on this side, a signal, a reader
// that went away, an error, the probes are removed before it returns.
func (a *App) observe(ctx context.Context, name string, specs []probe.Spec, f *sessionFlags) error {
	stop := catchSignals(a.Stdout)
	defer stop.release()
	p, err := a.Host.Resolve(name)
	if err != nil {
		return err
	}
	return a.session(ctx, p, specs, f, a.sink(f, len(specs) > 1), stop)
}

// sink is where the events of a session go.
func (a *App) sink(f *sessionFlags, named bool) sink.Sink {
	if f.output == outputJSON {
		return sink.NewJSON(a.Stdout)
	}
	return sink.NewText(a.Stdout, sink.TextOptions{
		Color: bool(a.paint(a.Stdout)), Named: named, Notes: a.Stderr})
}

// session is observe for a process that was found.
func (a *App) session(ctx context.Context, p target.Process, specs []probe.Spec, f *sessionFlags, out sink.Sink, stop *interruption) error {
	if p.Problem != nil {
		return fmt.Errorf("%s (pid %d) cannot be observed: %w", p.Name, p.PID, p.Problem)
	}
	if a.Open == nil {
		return errors.New("this sidelight was built without its engine")
	}
	prober, err := a.Open(ctx, p.PID, Options{Budget: float64(f.budget), Log: a.logger(f.verbose)})
	if err != nil {
		return err
	}
	r := run{prober: prober, out: out, stop: stop, notes: a.Stderr, json: f.output == outputJSON}
	return r.drive(ctx, specs)
}

// run is one session on its way from installation to the last End. Only drive
// touches it.
type run struct {
	prober Prober
	out    sink.Sink
	stop   *interruption
	notes  io.Writer
	json   bool

	ready    *probe.Ready // as it was passed on
	failed   error        // why the session ends with an error
	mute     bool         // the reader is gone: pass nothing more on
	closing  bool         // the probes are to be removed
	closed   chan error   // the answer of Close
	canceled bool         // from outside
	busy     bool         // Install has not yet returned: Close waits for it
}

type installation struct {
	ready *probe.Ready
	err   error
}

// drive installs the probes and passes on events until they are all gone.
func (r *run) drive(ctx context.Context, specs []probe.Spec) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.closed = make(chan error, 1)
	installed := make(chan installation, 1)
	r.busy = true
	go func(ctx context.Context) {
		ready, err := r.prober.Install(ctx, specs)
		installed <- installation{ready, err}
	}(ctx)
	events, closed := r.prober.Events(), r.closed
	for events != nil || installed != nil || closed != nil {
		select {
		case e, more := <-events:
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
		case <-ctx.Done():
			r.interrupt(cancel)
			ctx = context.WithoutCancel(ctx)
		case s := <-r.stop.signals:
			r.signal(s.String(), cancel)
		case <-r.stop.readerGone:
			r.stop.readerGone = nil
			r.mute = true
			r.interrupt(cancel)
		}
		if r.mute && !r.closing {
			r.interrupt(cancel)
		}
	}
	return r.result()
}

// pass gives an event to the sink. Ready may come as an event and as the
// answer of Install: it is passed on once.
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
	if r.mute {
		return
	}
	if err := r.out.Event(e); err != nil {
		r.mute = true
		if !brokenPipe(err) {
			r.fail(fmt.Errorf("the output cannot be written, so the probes were removed: %w", err))
		}
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
func (r *run) signal(name string, cancel context.CancelFunc) {
	if r.closing {
		fmt.Fprintf(r.notes, "%s: the probes are being removed; this takes a moment\n", name)
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

// result is the error of the whole session. Its exit code says whether every
// probe was served; who holds a site or forbids it is a refusal.
func (r *run) result() error {
	if r.failed != nil {
		return r.failed
	}
	if r.ready == nil {
		return nil
	}
	refused, missing := 0, 0
	for _, p := range r.ready.Probes {
		if p.Sites > 0 {
			continue
		}
		missing++
		if refusedAll(p.Issues) {
			refused++
		}
	}
	switch {
	case missing == 0:
		return nil
	case refused == len(r.ready.Probes):
		return &refusedError{r.explain("refused")}
	}
	return errors.New(r.explain("not served by this build"))
}

// explain names the probes without a site and why they have none.
func (r *run) explain(what string) string {
	var lines []string
	for _, p := range r.ready.Probes {
		if p.Sites > 0 {
			continue
		}
		line := fmt.Sprintf("%s: %s", p.Location, what)
		for _, i := range p.Issues {
			line += "\n  " + i.Message
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func refusedAll(issues []probe.Issue) bool {
	for _, i := range issues {
		if i.Code != probe.IssueTaken && i.Code != probe.IssueRefusedCode {
			return false
		}
	}
	return len(issues) > 0
}

// brokenPipe says that the reader of the output went away, as head(1) does.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
