package dash

import (
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// series is what one probe has told so far.
type series struct {
	probe    string
	location string
	last     *probe.Measured
	count    *probe.CountNow
	moment   *probe.Moment // the last snapshot of a call
	rates    []float64     // a second, from event to event
	began    time.Time
	at       time.Time
	n        uint64
}

// mostRates is how far a sparkline goes back.
const mostRates = 240

func (s *series) measured(e *probe.Measured) {
	s.last, s.location = e, e.Location
	s.step(e.Time, e.Dist.Count)
}

func (s *series) counted(e *probe.CountNow) {
	s.count, s.location = e, e.Location
	s.step(e.Time, e.Count)
}

func (s *series) step(at time.Time, n uint64) {
	if s.began.IsZero() {
		s.began = at
	} else if d := at.Sub(s.at).Seconds(); d > 0.05 {
		s.rates = append(s.rates, float64(n-min(n, s.n))/d)
		if len(s.rates) > mostRates {
			s.rates = s.rates[1:]
		}
	}
	s.at, s.n = at, n
}

// by is the rows, nil if there are none.
func (s *series) by() *probe.Rows {
	switch {
	case s.last != nil:
		return s.last.By
	case s.count != nil:
		return s.count.By
	}
	return nil
}
