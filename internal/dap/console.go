package dap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const consoleHelp = `Sidelight looks into a process that runs on.
  a breakpoint         takes a snapshot at each hit; the first is shown as a stopped thread
  continue             dismisses a snapshot; the breakpoint's next hit is shown
  step back, step over walk to the snapshot before, or after
  pause                the next pass through any breakpoint is shown
  a logpoint           writes its message here, {expressions} and all
In a snapshot, type an expression: o.Items[0].SKU, len(o.Items), o.Qty > 10.
Commands:
  count LOCATION [for 10s] [if CONDITION]   how often does it run?
  time FUNCTION [for 10s] [if CONDITION]    how long does it take?
  where LOCATION                            what can be probed and read there?
  snapshots                                 those that were taken
  open N                                    show snapshot N
  probes                                    what is in, how often it was hit, what it costs
LOCATION is file.go:LINE or a function: pkg.Func, pkg.(*Type).Method.`

// console is the commands of the console, by their first word.
var console map[string]func(*session, context.Context, request, string)

func init() {
	console = map[string]func(*session, context.Context, request, string){
		"help":      func(s *session, _ context.Context, r request, _ string) { s.say(r, consoleHelp) },
		"snapshots": (*session).sayMoments,
		"open":      (*session).sayOpen,
		"probes":    (*session).sayProbes,
		"count":     func(s *session, _ context.Context, r request, rest string) { s.sayNumbers(r, probe.Count, rest) },
		"time":      func(s *session, _ context.Context, r request, rest string) { s.sayNumbers(r, probe.Time, rest) },
		"where":     (*session).sayWhere,
	}
}

// command carries out a line of the console, unless it is an expression: a
// variable may have the name of a command, but is followed by nothing or by an
// operator.
func (s *session) command(ctx context.Context, r request, line string) bool {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	run, ok := console[word]
	if !ok || rest != "" && strings.ContainsAny(rest[:1], "=<>!&|+-.[") {
		return false
	}
	var a godap.EvaluateArguments
	if s.arguments(r, &a) && rest == "" && a.FrameId != 0 {
		if m, i, err := s.frame(a.FrameId); err == nil {
			if _, err := lookUp(m, i, word); err == nil {
				return false
			}
		}
	}
	run(s, ctx, r, rest)
	return true
}

// say answers a command by text.
func (s *session) say(r request, text string) {
	s.answer(r, godap.EvaluateResponseBody{Result: text})
}

func (s *session) sayMoments(_ context.Context, r request, _ string) {
	var lines []string
	for _, m := range s.moments.list {
		lines = append(lines, fmt.Sprintf("%s  %s:%d", m.title(), base(m.File), m.Line))
	}
	if len(lines) == 0 {
		lines = []string{"no snapshot was taken yet"}
	}
	s.say(r, strings.Join(lines, "\n"))
}

func (s *session) sayOpen(_ context.Context, r request, rest string) {
	n, err := strconv.Atoi(rest)
	if err != nil {
		s.refuse(r, errors.New("which one? \"snapshots\" lists them"))
		return
	}
	v, err := s.moments.reopen(n)
	if err != nil {
		s.refuse(r, err)
		return
	}
	s.say(r, v.shows.title())
}

func (s *session) sayProbes(_ context.Context, r request, _ string) {
	var lines []string
	for _, st := range s.fleet.states() {
		line := fmt.Sprintf("%-8s %s: %s, %.1f ns each", st.Kind, st.Location, plural(int64(st.Hits), "hit"), st.CostNS)
		if st.Throttled {
			line += ", over budget"
		}
		lines = append(lines, line)
	}
	for _, p := range s.points {
		if p.stage == failed || p.stage == over {
			lines = append(lines, fmt.Sprintf("%-8s %s: %s", "-", p.place(), firstLine(p.note)))
		}
	}
	if len(lines) == 0 {
		lines = []string{"no probe is in"}
	}
	s.say(r, strings.Join(lines, "\n"))
}

func (p *point) place() string {
	if p.asked.path == "" {
		return p.asked.function
	}
	return fmt.Sprintf("%s:%d", base(p.asked.path), p.line)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (s *session) sayWhere(ctx context.Context, r request, rest string) {
	switch {
	case rest == "":
		s.refuse(r, errors.New("where LOCATION: file.go:LINE, pkg.Func or pkg.(*Type).Method"))
	case s.a.Where == nil:
		s.refuse(r, errors.New("this sidelight has no \"where\""))
	case !s.attached:
		s.refuse(r, errors.New("no process is attached"))
	default:
		go func() {
			text, err := s.a.Where(ctx, s.proc.PID, s.config.symbols, rest)
			s.post(func() {
				if err != nil {
					s.refuse(r, err)
					return
				}
				s.say(r, text)
			})
		}()
	}
}

// counts are the counters and clocks that the console put in.
type counts struct {
	list []*counter
	last int
}

type counter struct {
	spec   probe.Spec
	placed time.Time
	said   bool
	say    func(text string, bad bool)
}

// sayNumbers puts a counter or a clock in, and tells what it finds.
func (s *session) sayNumbers(r request, kind probe.Kind, rest string) {
	spec, err := parseNumbers(kind, rest)
	if err == nil && !s.attached {
		err = errors.New("no process is attached")
	}
	if err != nil {
		s.refuse(r, err)
		return
	}
	s.counts.last++
	spec.ID = fmt.Sprintf("c%d", s.counts.last)
	c := &counter{spec: spec, placed: time.Now()}
	c.say = func(text string, bad bool) {
		if c.said {
			category := map[bool]string{true: "stderr", false: "console"}[bad]
			s.note(category, text)
			return
		}
		c.said = true
		if bad {
			s.refuse(r, errors.New(text))
			return
		}
		s.say(r, text)
	}
	s.counts.list = append(s.counts.list, c)
	s.fleet.update(s.placed)
}

// maxCounting is how long a counter of the console lives.
const maxCounting = time.Hour

// parseNumbers reads LOCATION [for DURATION] [if CONDITION].
func parseNumbers(kind probe.Kind, rest string) (probe.Spec, error) {
	usage := fmt.Errorf("%s LOCATION [for 10s] [if CONDITION]", kind)
	head, cond, _ := strings.Cut(rest, " if ")
	words := strings.Fields(head)
	spec := probe.Spec{Kind: kind, For: 10 * time.Second, If: strings.TrimSpace(cond)}
	switch {
	case len(words) == 3 && words[1] == "for":
		life, err := time.ParseDuration(words[2])
		if err != nil || life <= 0 || life > maxCounting {
			return spec, fmt.Errorf("for %s: give a time up to an hour, such as 10s", words[2])
		}
		spec.For = life
	case len(words) != 1:
		return spec, usage
	}
	spec.At = words[0]
	return spec, nil
}

// specs are the counters that are to be in now.
func (c *counts) specs() []probe.Spec {
	var list []probe.Spec
	for _, n := range c.list {
		spec := n.spec
		spec.For = max(spec.For-time.Since(n.placed), time.Millisecond)
		list = append(list, spec)
	}
	return list
}

// placed says of those that could not be put in why.
func (c *counts) placed(got map[string]outcome) {
	c.list = slices.DeleteFunc(c.list, func(n *counter) bool {
		o, ok := got[n.spec.ID]
		if !ok || n.said {
			return false
		}
		switch {
		case o.err != nil:
			n.say(o.err.Error(), true)
		case o.report.Sites == 0:
			n.say(issuesOf(o.report), true)
		default:
			n.say(fmt.Sprintf("%s %s for %v", map[probe.Kind]string{probe.Count: "counting", probe.Time: "timing"}[n.spec.Kind], n.spec.At, n.spec.For), false)
			return false
		}
		return true
	})
}

func issuesOf(r probe.Report) string {
	var lines []string
	for _, i := range r.Issues {
		lines = append(lines, i.Message)
	}
	if len(lines) == 0 {
		return r.Location + " has no place for a probe"
	}
	return strings.Join(lines, "\n")
}

// now tells a running count.
func (c *counts) now(e *probe.CountNow) {
	for _, n := range c.list {
		if n.spec.ID == e.Probe {
			n.say(fmt.Sprintf("%s: %d", n.spec.At, e.Count), false)
		}
	}
}

// measured tells the durations so far.
func (c *counts) measured(e *probe.Measured) {
	for _, n := range c.list {
		if n.spec.ID == e.Probe && e.Dist.Count > 0 {
			q := func(share float64) time.Duration { return round(time.Duration(e.Dist.Quantile(share))) }
			n.say(fmt.Sprintf("%s: %s, p50 %v, p90 %v, p99 %v, mean %v", n.spec.At, plural(int64(e.Dist.Count), "call"),
				q(0.5), q(0.9), q(0.99), round(time.Duration(e.Dist.Mean()))), false)
		}
	}
}

// round leaves three digits of a duration.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// over tells the last word of a counter.
func (c *counts) over(e *probe.End) {
	if e.Reason == probe.EndInterrupted || e.Reason == probe.EndRemoved {
		return
	}
	c.list = slices.DeleteFunc(c.list, func(n *counter) bool {
		if n.spec.ID != e.Probe {
			return false
		}
		n.say(fmt.Sprintf("%s: %s in %v (%s)", n.spec.At, plural(int64(e.Hits), "hit"), time.Since(n.placed).Round(100*time.Millisecond), e.Reason), false)
		return true
	})
}

// completions offers the commands, and in a snapshot its variables.
func (s *session) completions(_ context.Context, r request) {
	var a godap.CompletionsArguments
	if !s.arguments(r, &a) {
		return
	}
	typed := a.Text
	if end := a.Column - 1; end >= 0 && end < len(typed) {
		typed = typed[:end]
	}
	body := godap.CompletionsResponseBody{Targets: []godap.CompletionItem{}}
	offer := func(word, kind string) {
		if strings.HasPrefix(word, typed) {
			body.Targets = append(body.Targets, godap.CompletionItem{Label: word, Type: godap.CompletionItemType(kind)})
		}
	}
	if m, i, err := s.frame(a.FrameId); err == nil {
		for _, v := range m.stack()[i].Variables {
			offer(v.Name, "variable")
		}
	}
	words := make([]string, 0, len(console))
	for word := range console {
		words = append(words, word)
	}
	slices.Sort(words)
	for _, word := range words {
		offer(word, "keyword")
	}
	s.answer(r, body)
}
