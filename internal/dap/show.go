package dap

import (
	"fmt"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// shown is a breakpoint in the form of the protocol.
func (s *session) shown(p *point) godap.Breakpoint {
	b := godap.Breakpoint{Id: p.id, Verified: p.stage == live, Message: s.words(p)}
	p.message = b.Message
	if p.asked.path != "" {
		b.Line = s.toClient(p.line)
		b.Source = &godap.Source{Name: base(p.asked.path), Path: p.asked.path}
	}
	return b
}

// words say how a breakpoint is doing.
func (s *session) words(p *point) string {
	if p.stage == pending && p.note == "" {
		if !s.attached {
			return "waits until a process is attached"
		}
		return "is being placed"
	}
	return p.note
}

// show tells the client of a breakpoint that has changed.
func (s *session) show(p *point) {
	if p.gone {
		return
	}
	s.tell("breakpoint", godap.BreakpointEventBody{Reason: "changed", Breakpoint: s.shown(p)})
}

// showStates tells the client of the hits since it was last told.
func (s *session) showStates() {
	for _, st := range s.fleet.states() {
		p := s.point(st.Probe)
		if p == nil || p.stage != live || p.gone {
			continue
		}
		text := s.progress(p, st)
		if text == p.message {
			continue
		}
		b := s.shown(p)
		b.Message, p.message = text, text
		s.tell("breakpoint", godap.BreakpointEventBody{Reason: "changed", Breakpoint: b})
	}
}

// progress says in words how a living breakpoint is doing.
func (s *session) progress(p *point, st probe.State) string {
	hits := p.before.hits + int64(st.Hits)
	text := plural(hits, "hit")
	if p.spec.Limit > 0 && !p.hits.once {
		text += fmt.Sprintf(", %d of %s", p.before.emitted+int64(st.Emitted), plural(p.spec.Limit, "message"))
	}
	if st.Throttled {
		text += "; over budget: it counts, and shows nothing for a while"
	}
	if st.Dropped > 0 {
		text += fmt.Sprintf("; %d lost in a full buffer", st.Dropped)
	}
	if p.note != "" {
		text += "\n" + p.note
	}
	return text
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
