package sink

import (
	"io"
	"time"

	"github.com/google/pprof/profile"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Pprof adds spans up to a profile of calls and wall-clock time that go tool pprof
// reads.
type Pprof struct {
	prof      *profile.Profile
	functions map[string]*profile.Location
	samples   map[string]*profile.Sample
	spans     map[string]*node // by id: spans that have ended below one that has not
}

// node is a span with what is below it.
type node struct {
	span  *probe.Span
	below []*node
}

// NewPprof returns an empty profile.
func NewPprof() *Pprof {
	return &Pprof{functions: map[string]*profile.Location{}, samples: map[string]*profile.Sample{}, spans: map[string]*node{},
		prof: &profile.Profile{TimeNanos: time.Now().UnixNano(), DefaultSampleType: "time",
			SampleType: []*profile.ValueType{{Type: "calls", Unit: "count"}, {Type: "time", Unit: "nanoseconds"}},
			PeriodType: &profile.ValueType{Type: "calls", Unit: "count"}, Period: 1}}
}

// Add takes a span. Those below one come before it.
func (p *Pprof) Add(s *probe.Span) {
	n := p.spans[s.ID]
	if n == nil {
		n = &node{}
	}
	delete(p.spans, s.ID)
	n.span = s
	if s.Parent == "" {
		p.sample(n, nil, "")
		return
	}
	above := p.spans[s.Parent]
	if above == nil {
		above = &node{}
		p.spans[s.Parent] = above
	}
	above.below = append(above.below, n)
}

// sample adds a call with the time that it spent in none below it.
func (p *Pprof) sample(n *node, stack []*profile.Location, key string) {
	own := n.span.Duration
	for _, b := range n.below {
		own -= b.span.Duration
	}
	stack = append([]*profile.Location{p.location(n.span)}, stack...)
	key += "\x00" + n.span.Function
	s := p.samples[key]
	if s == nil {
		s = &profile.Sample{Location: stack, Value: []int64{0, 0}}
		p.samples[key] = s
		p.prof.Sample = append(p.prof.Sample, s)
	}
	s.Value[0]++
	s.Value[1] += max(0, own.Nanoseconds())
	for _, b := range n.below {
		p.sample(b, stack, key)
	}
}

func (p *Pprof) location(s *probe.Span) *profile.Location {
	if l := p.functions[s.Function]; l != nil {
		return l
	}
	id := uint64(len(p.prof.Function) + 1)
	f := &profile.Function{ID: id, Name: s.Function, SystemName: s.Function, Filename: s.File, StartLine: int64(s.Line)}
	l := &profile.Location{ID: id, Line: []profile.Line{{Function: f, Line: int64(s.Line)}}}
	p.prof.Function, p.prof.Location = append(p.prof.Function, f), append(p.prof.Location, l)
	p.functions[s.Function] = l
	return l
}

// Write writes the profile, compressed, with what has no root yet left out.
func (p *Pprof) Write(w io.Writer, took time.Duration) error {
	p.prof.DurationNanos = took.Nanoseconds()
	if err := p.prof.CheckValid(); err != nil {
		return err
	}
	return p.prof.Write(w)
}
