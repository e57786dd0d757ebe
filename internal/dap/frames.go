package dap

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// frameBits is how many bits of a frame's number are its place on the stack.
const frameBits = 12

func frameID(m *moment, i int) int { return m.n<<frameBits | (i + 1) }

// frame is the moment and the place on the stack that a number means.
func (s *session) frame(id int) (*moment, int, error) {
	m := s.moments.number(id >> frameBits)
	i := id&(1<<frameBits-1) - 1
	if m == nil || i < 0 || i >= max(len(m.Frames), 1) {
		return nil, 0, errors.New("this snapshot is kept no longer")
	}
	return m, i, nil
}

func (s *session) stackTrace(_ context.Context, r request) {
	var a godap.StackTraceArguments
	if !s.arguments(r, &a) {
		return
	}
	body := godap.StackTraceResponseBody{StackFrames: []godap.StackFrame{}}
	v := s.moments.view(a.ThreadId)
	if v == nil {
		s.answer(r, body) // the process runs: it has no stack to show
		return
	}
	frames := v.shows.stack()
	body.TotalFrames = len(frames)
	for i := max(a.StartFrame, 0); i < len(frames) && (a.Levels <= 0 || i < a.StartFrame+a.Levels); i++ {
		body.StackFrames = append(body.StackFrames, s.stackFrame(v.shows, i, frames[i]))
	}
	s.answer(r, body)
}

// stack is the frames of a moment, or the site where there are none.
func (m *moment) stack() []probe.Frame {
	if len(m.Frames) > 0 {
		return m.Frames[:min(len(m.Frames), 1<<frameBits-2)]
	}
	return []probe.Frame{{Function: m.Function, File: m.File, Line: m.Line, Issue: "no stack was captured"}}
}

func (s *session) stackFrame(m *moment, i int, f probe.Frame) godap.StackFrame {
	out := godap.StackFrame{Id: frameID(m, i), Name: shortFunction(f.Function), Column: s.toClient(1)}
	if f.Inlined {
		out.Name += " (inlined)"
	}
	if f.PC != 0 {
		out.InstructionPointerReference = fmt.Sprintf("0x%x", f.PC)
	}
	if out.Source, out.Line = s.sources.at(f.File, f.Line); out.Source == nil {
		out.PresentationHint = "subtle"
	} else if out.Source.SourceReference != 0 || strings.HasPrefix(f.Function, "runtime.") {
		src := *out.Source
		src.PresentationHint = "deemphasize"
		out.Source, out.PresentationHint = &src, "subtle"
	}
	return out
}

// shortFunction leaves of a package's path the last element.
func shortFunction(name string) string {
	head, rest := name, ""
	if i := strings.IndexAny(name, "[("); i >= 0 {
		head, rest = name[:i], name[i:]
	}
	return path.Base(head) + rest
}

// roles are the scopes of a frame, in their order.
var roles = []struct {
	name, hint string
	of         []probe.Role
}{
	{"Arguments", "arguments", []probe.Role{probe.RoleReceiver, probe.RoleArgument}},
	{"Locals", "locals", []probe.Role{probe.RoleLocal, ""}},
	{"Results", "", []probe.Role{probe.RoleResult}},
	{"Captured by the closure", "", []probe.Role{probe.RoleCaptured}},
}

func (s *session) scopes(_ context.Context, r request) {
	var a godap.ScopesArguments
	if !s.arguments(r, &a) {
		return
	}
	m, i, err := s.frame(a.FrameId)
	if err != nil {
		s.refuse(r, err)
		return
	}
	body := godap.ScopesResponseBody{Scopes: []godap.Scope{}}
	add := func(name, hint string, list []node) {
		if len(list) == 0 {
			return
		}
		body.Scopes = append(body.Scopes, godap.Scope{Name: name, PresentationHint: hint, NamedVariables: len(list),
			VariablesReference: s.handles.scope(m.n, a.FrameId, name, list)})
	}
	f := m.stack()[i]
	for _, role := range roles {
		add(role.name, role.hint, variablesOf(f, role.of))
	}
	if i == 0 {
		add("Watches", "", watchesOf(m))
	}
	add("Moment", "", momentOf(m, f))
	s.answer(r, body)
}

func variablesOf(f probe.Frame, of []probe.Role) []node {
	var list []node
	for _, v := range f.Variables {
		for _, role := range of {
			if v.Role == role {
				list = append(list, node{v.Name, v.Name, v.Value})
			}
		}
	}
	return list
}

func watchesOf(m *moment) []node {
	var list []node
	for _, w := range m.Watches {
		list = append(list, node{w.Name, w.Name, w.Value})
	}
	return list
}

// momentOf is what is known of the moment itself, and what is missing in it.
func momentOf(m *moment, f probe.Frame) []node {
	word := func(name, text string) node {
		return node{name: name, value: probe.Value{Shape: probe.Literal, Text: text}}
	}
	list := []node{
		word("time", m.Time.Local().Format("2006-01-02 15:04:05.000000")),
		word("goroutine", fmt.Sprint(m.Goroutine)),
	}
	if c := m.Created; c != nil {
		list = append(list, word("created by", fmt.Sprintf("%s at %s:%d", c.Function, base(c.File), c.Line)))
	}
	if m.Trace != nil {
		list = append(list, word("trace", m.Trace.Trace), word("span", m.Trace.Span))
	}
	if m.Took > 0 {
		list = append(list, word("captured in", m.Took.Round(100*time.Nanosecond).String()))
	}
	if f.Issue != "" {
		list = append(list, word("missing", f.Issue))
	}
	for _, c := range m.Cuts {
		list = append(list, word("cut", c))
	}
	return list
}

// scope is the handle of a scope, which stays the same as often as it is asked.
func (h *handles) scope(moment, frame int, name string, list []node) int {
	key := scopeKey{frame, name}
	if id, ok := h.scopes[key]; ok && h.nodes[id].list != nil {
		return id
	}
	if h.scopes == nil {
		h.scopes = map[scopeKey]int{}
	}
	h.scopes[key] = h.give(list, len(list), moment, 0)
	return h.scopes[key]
}

type scopeKey struct {
	frame int
	name  string
}

func (s *session) variables(_ context.Context, r request) {
	var a godap.VariablesArguments
	if !s.arguments(r, &a) {
		return
	}
	h, ok := s.handles.nodes[a.VariablesReference]
	if !ok {
		s.refuse(r, errors.New("these values are kept no longer"))
		return
	}
	from, to := 0, len(h.list)
	switch a.Filter {
	case "named":
		to = h.named
	case "indexed":
		from = h.named
	}
	from += max(a.Start, 0)
	if a.Count > 0 {
		to = min(to, from+a.Count)
	}
	body := godap.VariablesResponseBody{Variables: []godap.Variable{}}
	for i := from; i < to; i++ {
		body.Variables = append(body.Variables, s.handles.variable(a.VariablesReference, i))
	}
	s.answer(r, body)
}
