package dap

import (
	"fmt"
	"strings"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// event takes what a probe tells.
func (s *session) event(e probe.Event) {
	switch e := e.(type) {
	case *probe.Hit:
		s.hit(e)
	case *probe.Moment:
		s.moments.take(e)
	case *probe.CountNow:
		s.counts.now(e)
	case *probe.Measured:
		s.counts.measured(e)
	case *probe.End:
		s.over(e)
	}
}

// hit shows a message of a logpoint, with its values to be unfolded.
func (s *session) hit(h *probe.Hit) {
	body := godap.OutputEventBody{
		Category: "stdout", Output: oneLine(h.Message) + "\n",
	}
	body.Source, body.Line = s.sources.at(h.File, h.Line)
	if len(h.Values) > 0 {
		body.VariablesReference = s.handles.ofHit(h)
	}
	s.out.send(&event{Event: godap.Event{Event: "output"}, Body: body}, true)
}

// oneLine keeps a message of the target on its line: what its values hold was
// made harmless where they were printed, the template is the person's own.
func oneLine(text string) string {
	return strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(text)
}

// over takes the last word of a probe.
func (s *session) over(e *probe.End) {
	p := s.point(e.Probe)
	if p == nil {
		s.counts.over(e)
		return
	}
	p.before.hits += int64(e.Hits)
	p.before.emitted += int64(e.Emitted)
	if e.Reason == probe.EndInterrupted || e.Reason == probe.EndRemoved {
		return // another Prober takes over, or it was cleared
	}
	if e.Reason == probe.EndExited {
		s.exited()
	}
	p.stage = over
	p.note = s.ended(p, e)
	s.fleet.ended(p.probeID())
	s.show(p)
}

// ended says in words why a breakpoint is over.
func (s *session) ended(p *point, e *probe.End) string {
	hits := plural(p.before.hits, "hit")
	switch e.Reason {
	case probe.EndLimit:
		if p.hits.once {
			return fmt.Sprintf("hit %d came; it is done", p.hits.after+1)
		}
		return fmt.Sprintf("done: %s, as many as \"limit\" allows; set it anew for more", plural(p.before.emitted, "message"))
	case probe.EndExpired:
		return fmt.Sprintf("expired after %v, with %s; set it anew, or give the configuration a longer \"for\"", s.config.life, hits)
	case probe.EndBudget:
		return fmt.Sprintf("removed after %s: it cost more than \"budget\" allows (%.3g%% of one core)", hits, 100*s.config.budget)
	case probe.EndExited:
		return "the process has ended"
	}
	return string(e.Reason)
}

// exited tells, once, that the process is no more. What was captured stays to
// be looked at until the client disconnects.
func (s *session) exited() {
	if s.dead {
		return
	}
	s.dead = true
	s.note("important", fmt.Sprintf("%s (pid %d) has ended", s.proc.Name, s.proc.PID))
	if len(s.moments.open) == 0 {
		s.tell("terminated", godap.TerminatedEventBody{})
	}
}
