package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// scripted is a Prober that does what a test says, and remembers the order.
type scripted struct {
	install  func(ctx context.Context) (*probe.Ready, error)
	events   chan probe.Event
	ends     []probe.Event // sent by Close
	closeErr error
	done     []string
}

func (s *scripted) Install(ctx context.Context, _ []probe.Spec) (*probe.Ready, error) {
	ready, err := s.install(ctx)
	s.done = append(s.done, "installed")
	return ready, err
}

func (s *scripted) Events() <-chan probe.Event { return s.events }

func (s *scripted) Close() error {
	s.done = append(s.done, "closed")
	for _, e := range s.ends {
		s.events <- e
	}
	close(s.events)
	return s.closeErr
}

// recorder is a Sink that remembers, and fails from the nth event on.
type recorder struct {
	got  []probe.Event
	fail error
	n    int
}

func (r *recorder) Event(e probe.Event) error {
	r.got = append(r.got, e)
	if r.fail != nil && len(r.got) >= r.n {
		return r.fail
	}
	return nil
}

func quietInterruption() *interruption {
	return &interruption{signals: make(chan os.Signal, 4), readerGone: make(chan struct{}), done: make(chan struct{})}
}

func oneSite() *probe.Ready {
	return &probe.Ready{Probes: []probe.Report{{Probe: "p1", Location: "a.go:1", Sites: 1, Jumps: 1}}}
}

var interrupted = &probe.End{Probe: "p1", Reason: probe.EndInterrupted}

func drive(s *scripted, sink *recorder, stop *interruption) (notes string, err error) {
	var said bytes.Buffer
	r := run{prober: s, out: sink, stop: stop, notes: &said}
	err = r.drive(context.Background(), nil)
	return said.String(), err
}

// The probes are removed exactly once, after the installation has returned,
// however a session ends.
func TestEveryWayOutRemovesTheProbes(t *testing.T) {
	broken := errors.New("broken")
	interrupt := func(s *interruption) { s.signals <- os.Interrupt }
	for _, c := range []struct {
		name     string
		install  func(ctx context.Context) (*probe.Ready, error)
		disturb  func(*interruption)
		sink     recorder
		closeErr error
		want     error
	}{
		{name: "Ctrl-C", install: ready, disturb: interrupt},
		{name: "Ctrl-C twice", install: ready, disturb: func(s *interruption) { interrupt(s); interrupt(s) }},
		{name: "Ctrl-C while installing", install: untilCanceled, disturb: interrupt},
		{name: "reader gone", install: ready, disturb: func(s *interruption) { close(s.readerGone) }},
		{name: "broken pipe", install: ready, sink: recorder{fail: syscall.EPIPE, n: 1}},
		{name: "disk full", install: ready, sink: recorder{fail: syscall.ENOSPC, n: 1}, want: syscall.ENOSPC},
		{name: "mistake", install: func(context.Context) (*probe.Ready, error) { return nil, broken }, want: broken},
		{name: "removal fails", install: ready, disturb: interrupt, closeErr: broken, want: broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &scripted{install: c.install, events: make(chan probe.Event), ends: []probe.Event{interrupted}, closeErr: c.closeErr}
			stop := quietInterruption()
			if c.disturb != nil {
				c.disturb(stop)
			}
			_, err := drive(s, &c.sink, stop)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if want := []string{"installed", "closed"}; !slices.Equal(s.done, want) {
				t.Errorf("the prober was %v, want %v", s.done, want)
			}
		})
	}
}

func ready(context.Context) (*probe.Ready, error) { return oneSite(), nil }

func untilCanceled(ctx context.Context) (*probe.Ready, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestSecondSignalIsToldToWait(t *testing.T) {
	stop := quietInterruption()
	stop.signals <- os.Interrupt
	stop.signals <- os.Interrupt
	s := &scripted{events: make(chan probe.Event), install: func(ctx context.Context) (*probe.Ready, error) {
		for len(stop.signals) > 0 { // both are received before Install returns
			<-ctx.Done()
		}
		return nil, ctx.Err()
	}}
	if notes, err := drive(s, &recorder{}, stop); err != nil || !strings.Contains(notes, "being removed") {
		t.Errorf("error %v, notes %q", err, notes)
	}
}

// blocked is a Sink whose reader takes nothing.
type blocked chan struct{}

func (b blocked) Event(probe.Event) error {
	<-b
	return nil
}

// A reader that takes nothing keeps nobody from removing the probes.
func TestBlockedReaderDoesNotHoldTheProbes(t *testing.T) {
	s := &scripted{events: make(chan probe.Event), ends: []probe.Event{interrupted}}
	stop := quietInterruption()
	s.install = func(context.Context) (*probe.Ready, error) {
		for i := range 2 * maxPending {
			if i == maxPending { // from here on a session that goes on takes no more
				stop.signals <- os.Interrupt
			}
			s.events <- &probe.Hit{}
		}
		return oneSite(), nil
	}
	out := make(blocked)
	defer close(out)
	var notes bytes.Buffer
	r := run{prober: s, out: out, stop: stop, notes: &notes}
	err := r.drive(context.Background(), nil)
	if err == nil || !strings.Contains(err.Error(), "did not take the last lines") {
		t.Errorf("error %v", err)
	}
	if want := []string{"installed", "closed"}; !slices.Equal(s.done, want) {
		t.Errorf("the prober was %v, want %v", s.done, want)
	}
}

// Whatever the speed of the reader, it gets every event, in order.
func TestEventsArriveInOrder(t *testing.T) {
	s := &scripted{events: make(chan probe.Event), ends: []probe.Event{interrupted}}
	const hits = 3 * maxPending
	s.install = func(context.Context) (*probe.Ready, error) {
		go func() {
			for i := range uint64(hits) {
				s.events <- &probe.Hit{Seq: i}
			}
			s.events <- interrupted
			close(s.events)
		}()
		return oneSite(), nil
	}
	sink := &recorder{}
	r := run{prober: &selfEnding{s}, out: sink, stop: quietInterruption(), notes: &bytes.Buffer{}}
	if err := r.drive(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for _, e := range sink.got {
		if h, ok := e.(*probe.Hit); ok {
			if h.Seq != next {
				t.Fatalf("hit %d came where %d was due", h.Seq, next)
			}
			next++
		}
	}
	if next != hits {
		t.Errorf("%d of %d hits arrived", next, hits)
	}
}

// selfEnding is a Prober whose probes have ended by themselves before Close.
type selfEnding struct{ *scripted }

func (*selfEnding) Close() error { return nil }

// The engine may tell Ready by an event, by the answer of Install, or both.
func TestReadyIsPassedOnOnce(t *testing.T) {
	for _, byEvent := range []bool{false, true} {
		s := &scripted{events: make(chan probe.Event), ends: []probe.Event{interrupted}}
		s.install = func(context.Context) (*probe.Ready, error) {
			if byEvent {
				s.events <- oneSite()
			}
			return oneSite(), nil
		}
		stop := quietInterruption()
		sink := &recorder{}
		stop.signals <- os.Interrupt
		if _, err := drive(s, sink, stop); err != nil {
			t.Fatal(err)
		}
		if len(sink.got) != 2 {
			t.Errorf("by event %v: %d events passed on, want ready and end", byEvent, len(sink.got))
		}
	}
}

func TestExitCodes(t *testing.T) {
	taken := probe.Issue{Code: probe.IssueTaken}
	gone := probe.Issue{Code: probe.IssueNoCode}
	served := probe.Report{Sites: 2}
	without := func(issues ...probe.Issue) probe.Report { return probe.Report{Issues: issues} }
	for _, c := range []struct {
		reports []probe.Report
		want    int
	}{
		{[]probe.Report{served}, exitDone},
		{[]probe.Report{served, without(gone)}, exitError},
		{[]probe.Report{served, without(taken)}, exitError},
		{[]probe.Report{without(taken)}, exitRefused},
		{[]probe.Report{without(taken), without(taken, taken)}, exitRefused},
		{[]probe.Report{without(taken), without(gone)}, exitError},
		{[]probe.Report{without()}, exitError},
	} {
		r := run{ready: &probe.Ready{Probes: c.reports}}
		got := exitDone
		if err := r.result(); err != nil {
			got = exitCode(err)
		}
		if got != c.want {
			t.Errorf("%+v: exit code %d, want %d", c.reports, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	for text, want := range map[string]float64{"1%": 0.01, "0": 0, "0%": 0, "0.5%": 0.005, "100 %": 1, " 2% ": 0.02} {
		var b budget
		if err := b.Set(text); err != nil || float64(b) != want {
			t.Errorf("Set(%q) = %v, %v; want %v", text, float64(b), err, want)
		}
	}
	for _, text := range []string{"", "1", "%", "-1%", "101%", "NaN%", "one"} {
		if err := new(budget).Set(text); err == nil {
			t.Errorf("Set(%q) is accepted", text)
		}
	}
	if b := budget(defaultBudget); b.String() != "1%" {
		t.Errorf("the default is shown as %s", b.String())
	}
}
