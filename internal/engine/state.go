package engine

import (
	"errors"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Remove takes out the probes that are named, while the others go on. Their
// Ends come as events; a name that no living probe has is no error.
func (s *Session) Remove(ids ...string) error {
	s.mu.Lock()
	l := s.live
	s.mu.Unlock()
	if l == nil {
		return errors.New("there are no probes to remove yet")
	}
	select {
	case s.asked <- ids:
	case <-s.stopped: // all have ended
	}
	return nil
}

// State is how the living probes are doing, as of the last look at their
// counters: a few hundredths of a second ago.
func (s *Session) State() []probe.State {
	s.states.Lock()
	defer s.states.Unlock()
	return slices.Clone(s.state)
}

// tell notes the state for whoever asks.
func (s *Session) tell(l *live, totals []Totals) {
	state := make([]probe.State, 0, len(l.machine.lives))
	for i, life := range l.machine.lives {
		if life.ended {
			continue
		}
		t := totals[i]
		state = append(state, probe.State{
			Probe: life.spec.ID, Kind: life.spec.Kind, Location: life.spec.At, Started: life.started,
			Hits: t.Hits(), Emitted: t.Emitted, Suppressed: t.Suppressed, Dropped: t.Dropped,
			CostNS: t.Cost(), Throttled: life.throttled,
		})
	}
	s.states.Lock()
	s.state = state
	s.states.Unlock()
}
