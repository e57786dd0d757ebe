package cli

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// screen is a terminal that two goroutines write to.
type screen struct {
	sync.Mutex
	bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.Write(b)
}

func (s *screen) String() string {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.String()
}

type discard struct{}

func (discard) Event(probe.Event) error { return nil }

func TestWaitingIsToldAndTakenAway(t *testing.T) {
	var s, notes screen
	w := &waiting{next: discard{}, terminal: &s, notes: &notes, spec: probe.Spec{At: "a.go:\x1b1", For: time.Hour}}
	if err := w.Event(&probe.Ready{Probes: []probe.Report{{Sites: 1}}}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.String(), "waiting"); {
		if time.Now().After(deadline) {
			t.Fatal("nothing is said")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := w.Event(&probe.Moment{}); err != nil {
		t.Fatal(err)
	}
	got := s.String()
	if !strings.Contains(got, `waiting for a hit of a.go:\x1b1: `) || !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("the terminal got %q", got)
	}
	if err := w.Event(&probe.End{Emitted: 1}); err != nil || notes.String() != "" {
		t.Errorf("after a snapshot: %q, %v", notes.String(), err)
	}
	time.Sleep(2 * patience) // the line must not come back
	if s.String() != got {
		t.Errorf("the line comes again: %q", s.String())
	}
}

func TestAdvice(t *testing.T) {
	for _, test := range []struct {
		end       probe.End
		condition string
		want      string
	}{
		{probe.End{Reason: probe.EndExpired}, "", "sidelight count shop 'main.(*T).F' --for 10s"},
		{probe.End{Reason: probe.EndExpired}, "n > 1", "the condition never held"},
		{probe.End{Reason: probe.EndExpired, ConditionErrors: 1200}, "p.n > 1", "could not be evaluated at 1,200 passes"},
		{probe.End{Reason: probe.EndExpired, Hits: 3, Dropped: 3}, "", "hit 3 times"},
		{probe.End{Reason: probe.EndExited}, "", "the target ended"},
	} {
		var notes screen
		w := &waiting{next: discard{}, notes: &notes, target: "shop", spec: probe.Spec{At: "main.(*T).F", If: test.condition}}
		if err := w.Event(&test.end); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(notes.String(), test.want) {
			t.Errorf("%+v: %q, want %q", test.end, notes.String(), test.want)
		}
	}
}
