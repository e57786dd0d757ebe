package dap

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// asked is a breakpoint as the client describes it. Two that are equal are the
// same one: it stays in when the client sends its list anew.
type asked struct {
	path     string // as the editor has it; empty: a function
	line     int
	function string
	cond     string
	hits     string
	message  string
}

// stage is how far a breakpoint has come.
type stage uint8

const (
	pending stage = iota // to be installed
	live                 // in the process
	failed               // it cannot be placed
	over                 // it has ended by itself
)

// point is a breakpoint.
type point struct {
	id    int
	asked asked
	gone  bool // the client wants it no more

	stage   stage
	spec    probe.Spec // as it is to be installed; without a location while it failed
	hits    hitCount
	placed  time.Time
	line    int    // where it really is
	note    string // what is to be known of its place
	message string // as it was last shown

	before accounts // of the installations that ended before this one
	armed  bool     // the next snapshot is opened
}

// accounts are the hits of a probe.
type accounts struct{ hits, emitted int64 }

func (p *point) probeID() string { return fmt.Sprintf("b%d", p.id) }

func (s *session) setBreakpoints(_ context.Context, r request) {
	var a godap.SetBreakpointsArguments
	if !s.arguments(r, &a) {
		return
	}
	path := clientPath(a.Source.Path)
	if path == "" && a.Source.SourceReference != 0 {
		path = s.sources.file(a.Source.SourceReference)
	}
	if len(a.Breakpoints) == 0 {
		for _, line := range a.Lines {
			a.Breakpoints = append(a.Breakpoints, godap.SourceBreakpoint{Line: line})
		}
	}
	var list []asked
	for _, b := range a.Breakpoints {
		list = append(list, asked{path: path, line: s.fromClient(b.Line), cond: strings.TrimSpace(b.Condition),
			hits: strings.TrimSpace(b.HitCondition), message: b.LogMessage})
	}
	s.replace(r, list, func(p *point) bool { return p.asked.function == "" && p.asked.path == path })
}

func (s *session) setFunctionBreakpoints(_ context.Context, r request) {
	var a godap.SetFunctionBreakpointsArguments
	if !s.arguments(r, &a) {
		return
	}
	var list []asked
	for _, b := range a.Breakpoints {
		list = append(list, asked{function: strings.TrimSpace(b.Name), cond: strings.TrimSpace(b.Condition),
			hits: strings.TrimSpace(b.HitCondition)})
	}
	s.replace(r, list, func(p *point) bool { return p.asked.function != "" || p.asked.path == "" })
}

// Lines of clients that count from 0.
func (s *session) fromClient(line int) int {
	if s.zeroBased() {
		return line + 1
	}
	return line
}

func (s *session) toClient(line int) int {
	if s.zeroBased() {
		return line - 1
	}
	return line
}

// zeroBased tells whether the client said that it counts lines from 0.
func (s *session) zeroBased() bool { return s.client.LinesStartAt1 != nil && !*s.client.LinesStartAt1 }

// replace makes list the breakpoints of one file, or of all functions, and
// answers when they are in.
func (s *session) replace(r request, list []asked, same func(*point) bool) {
	var old []*point
	s.points = slices.DeleteFunc(s.points, func(p *point) bool {
		if same(p) {
			old = append(old, p)
			return true
		}
		return false
	})
	var now []*point
	for _, a := range list {
		i := slices.IndexFunc(old, func(p *point) bool { return p.asked == a })
		if i >= 0 {
			now = append(now, old[i])
			old = slices.Delete(old, i, i+1)
			continue
		}
		s.nextID++
		p := &point{id: s.nextID, asked: a, line: a.line, armed: a.message == ""}
		now = append(now, p)
	}
	for _, p := range old {
		p.gone = true
	}
	s.points = append(s.points, now...)
	s.answerPlaced(r, now)
	s.place()
}

// answerPlaced answers a request for breakpoints as soon as none is pending, or
// when patience ends; then they change later.
func (s *session) answerPlaced(r request, points []*point) {
	answered := false
	try := func(final bool) bool {
		if answered {
			return true
		}
		if !final && slices.ContainsFunc(points, func(p *point) bool { return p.stage == pending && !p.gone }) {
			return false
		}
		answered = true
		body := godap.SetBreakpointsResponseBody{Breakpoints: []godap.Breakpoint{}}
		for _, p := range points {
			body.Breakpoints = append(body.Breakpoints, s.shown(p))
		}
		s.answer(r, body)
		return true
	}
	if s.attached && try(false) {
		return
	}
	wait := patience
	if !s.attached { // it cannot be placed before; the client may wait for this
		wait = 0
	}
	s.waiting = append(s.waiting, try)
	time.AfterFunc(wait, func() { s.post(func() { try(true) }) })
}

// place lets the fleet make the process's probes those that are wanted.
func (s *session) place() {
	if !s.attached {
		return
	}
	for _, p := range s.points {
		if p.stage == pending && p.spec.At == "" {
			s.locate(p)
		}
	}
	s.fleet.update(s.placed)
}

// locate turns what was asked into a spec, or says why it cannot be one.
func (s *session) locate(p *point) {
	fail := func(err error) { p.stage, p.note = failed, err.Error() }
	var err error
	if p.hits, err = parseHitCount(p.asked.hits); err != nil {
		fail(err)
		return
	}
	at := p.asked.function
	if p.asked.path != "" {
		file, err := s.code.File(s.config.toBuild(p.asked.path))
		if err != nil {
			fail(err)
			return
		}
		s.sources.know(file, p.asked.path)
		c := s.sources.compare(file, p.asked.path, s.place)
		if !c.done {
			return // it goes on when the texts are compared
		}
		line, err := s.lineOf(p, c)
		if err != nil {
			fail(err)
			return
		}
		next := s.code.NextLine(file, line)
		switch {
		case next == 0:
			next = line // the engine says what there is instead
		case next != line:
			p.note = joinNotes(p.note, fmt.Sprintf("no code on line %d: moved to %d", p.asked.line, max(c.lines.toLocal(next), 1)))
		}
		p.line = next
		if n := c.lines.toLocal(next); n != 0 {
			p.line = n
		}
		at = fmt.Sprintf("%s:%d", file, next)
	}
	if at == "" {
		fail(fmt.Errorf("there is no function without a name"))
		return
	}
	p.placed = time.Now()
	p.spec = probe.Spec{ID: p.probeID(), Kind: probe.Log, At: at, Message: p.asked.message, If: p.asked.cond,
		For: s.config.life, Limit: s.config.limit, Rate: s.config.rate}
	if p.asked.message == "" {
		p.spec.Kind, p.spec.Bounds, p.spec.Watch = probe.Snapshot, s.config.bounds, s.config.watch
		p.spec.Limit, p.spec.Rate = 0, snapshotRate
	}
	p.spec.After, p.spec.Every = p.hits.after, p.hits.every
	if p.hits.once {
		p.spec.Limit = 1
	}
}

// lineOf is the build's line of a breakpoint, where the editor's file may be
// another text.
func (s *session) lineOf(p *point, c *compared) (int, error) {
	name := base(p.asked.path)
	if c.doubt != "" {
		p.note = fmt.Sprintf("%s may differ from what was built (%s): lines may be others", name, c.doubt)
	}
	line := p.asked.line
	if c.lines == nil {
		return line, nil
	}
	built := c.lines.toBuilt(line)
	for built == 0 && blank(c.local, line) && line-p.asked.line < 20 {
		line++
		built = c.lines.toBuilt(line)
	}
	if built == 0 {
		return 0, fmt.Errorf("%s differs from what was built, which does not have this line: it was changed since", name)
	}
	p.note = fmt.Sprintf("%s differs from what was built: this is line %d there", name, built)
	return built, nil
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + "\n" + b
}

// snapshotRate is how many snapshots a breakpoint takes in a second at most.
const snapshotRate = 2

// specs are the probes that are to be in now.
func (s *session) specs() []probe.Spec {
	var list []probe.Spec
	for _, p := range s.points {
		if (p.stage == pending || p.stage == live) && p.spec.At != "" {
			list = append(list, p.rest())
		}
	}
	return append(list, s.counts.specs()...)
}

// rest is what of a breakpoint's spec is still to be done: it may have been in
// before.
func (p *point) rest() probe.Spec {
	spec := p.spec
	spec.For = max(spec.For-time.Since(p.placed), time.Millisecond)
	spec.Seen = p.before.hits
	if spec.Limit > 0 {
		spec.Limit = max(spec.Limit-p.before.emitted, 1)
	}
	return spec
}

// placed takes what became of the probes.
func (s *session) placed(got map[string]outcome) {
	for _, p := range s.points {
		o, ok := got[p.probeID()]
		if !ok || p.stage != pending {
			continue
		}
		s.result(p, o)
		s.show(p)
	}
	s.counts.placed(got)
	s.waiting = slices.DeleteFunc(s.waiting, func(try func(bool) bool) bool { return try(false) })
}

// result takes what became of one breakpoint.
func (s *session) result(p *point, o outcome) {
	var notes []string
	if p.note != "" {
		notes = append(notes, p.note)
	}
	for _, i := range o.report.Issues {
		notes = append(notes, i.Message)
	}
	switch {
	case o.err != nil:
		p.stage, notes = failed, []string{o.err.Error()}
	case o.report.Sites == 0:
		p.stage = failed
	default:
		p.stage = live
	}
	p.note = strings.Join(notes, "\n")
	if p.stage == failed && p.note == "" {
		p.note = "there is no place for it in this build"
	}
}

// point is the breakpoint of a probe, or nil.
func (s *session) point(id string) *point {
	for _, p := range s.points {
		if p.probeID() == id {
			return p
		}
	}
	return nil
}

func (s *session) breakpointLocations(_ context.Context, r request) {
	var a godap.BreakpointLocationsArguments
	if !s.arguments(r, &a) {
		return
	}
	body := godap.BreakpointLocationsResponseBody{Breakpoints: []godap.BreakpointLocation{}}
	if s.attached {
		if file, err := s.code.File(s.config.toBuild(clientPath(a.Source.Path))); err == nil {
			last := max(a.EndLine, a.Line)
			for line := a.Line; line <= last && line-a.Line < 5000; line++ {
				if s.code.NextLine(file, s.fromClient(line)) == s.fromClient(line) {
					body.Breakpoints = append(body.Breakpoints, godap.BreakpointLocation{Line: line})
				}
			}
		}
	}
	s.answer(r, body)
}
