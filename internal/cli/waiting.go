package cli

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// patience is how long nothing is said: most hits come at once.
const patience = time.Second

// waiting passes events on, tells a person at a terminal how long the first hit
// has been waited for, and what to look at if none came.
type waiting struct {
	next     sink.Sink
	terminal io.Writer // nil: nobody watches
	notes    io.Writer
	paint    sink.Paint
	target   string
	spec     probe.Spec

	mu    sync.Mutex
	done  chan struct{} // closed when there is nothing more to wait for; nil: not waiting
	shown bool          // a line is on the terminal that must go
}

// Event passes an event on; the line of the wait never stands beside it.
func (w *waiting) Event(e probe.Event) error {
	switch e.(type) {
	case *probe.Moment, *probe.End:
		w.stop()
	}
	err := w.next.Event(e)
	switch e := e.(type) {
	case *probe.Ready:
		if served(e) {
			w.start()
		}
	case *probe.End:
		if e.Emitted == 0 {
			// Nothing is lost with advice.
			_, _ = fmt.Fprintf(w.notes, "%s\n", w.advice(e))
		}
	}
	return err
}

func (w *waiting) start() {
	if w.terminal == nil {
		return
	}
	w.done = make(chan struct{})
	go w.tell(w.done, time.Now())
}

// tell keeps one line up to date until done.
func (w *waiting) tell(done <-chan struct{}, since time.Time) {
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-tick.C:
			w.show(done, now.Sub(since))
		}
	}
}

func (w *waiting) show(done <-chan struct{}, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-done:
		return
	default:
	}
	w.shown = true
	fmt.Fprintf(w.terminal, "\r\x1b[K%s", w.paint.Dim(fmt.Sprintf(
		"waiting for a hit of %s: %s of %s at most; Ctrl-C ends it",
		sink.Escape(w.spec.At), d.Round(time.Second), w.spec.For)))
}

// stop ends the wait and takes its line away.
func (w *waiting) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done != nil {
		close(w.done)
		w.done = nil
	}
	if w.shown {
		fmt.Fprint(w.terminal, "\r\x1b[K")
		w.shown = false
	}
}

// advice says what to look at where no snapshot came.
func (w *waiting) advice(e *probe.End) string {
	count := fmt.Sprintf("sidelight count %s %s --for 10s", quote(w.target), quote(w.spec.At))
	switch {
	case e.Hits > 0:
		return fmt.Sprintf("no snapshot: the place was hit %s times, but none could be taken (the line above says what became of them); "+
			"smaller bounds need less of the target's buffers: --max-bytes 8k", sink.Number(e.Hits))
	case e.Reason == probe.EndExited:
		return "no snapshot: the target ended before it came by"
	case e.ConditionErrors > 0:
		return fmt.Sprintf("no snapshot: the condition could not be evaluated at %s passes (a nil pointer on the way, an index out of range); "+
			"guard it, such as 'x != nil && x.Field > 0'", sink.Number(e.ConditionErrors))
	case w.spec.If != "":
		return fmt.Sprintf("no snapshot: the condition never held, or the place is never passed; without the condition this tells:\n  %s", count)
	}
	return fmt.Sprintf("no snapshot: the place was not passed meanwhile; is it ever? This counts, and --for waits longer:\n  %s", count)
}

// unquoted is what a shell takes as it is.
var unquoted = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=-]+$`)

// quote writes a word for a shell, in quotes where it needs them.
func quote(s string) string {
	if unquoted.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
