package compile

import (
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Scope tells what a probe could read at sites of one build. It compiles each
// variable as a log would.
type Scope struct {
	b    *debuginfo.Build
	near *nearby
}

// NewScope returns a Scope. nearest: say of what cannot be read where else it
// can, which takes most of the time.
func NewScope(b *debuginfo.Build, nearest bool) *Scope {
	s := &Scope{b: b}
	if nearest {
		s.near = &nearby{}
	}
	return s
}

// At are the variables that a name means at a site: of two with one name, the
// inner one.
func (x *Scope) At(at locate.Site) []probe.Variable {
	s := newSite(x.b, at.PC, at.Function, packageOf(at.Function), at.File, at.Line)
	s.near = x.near
	seen := map[string]bool{}
	list := []probe.Variable{}
	for _, v := range x.b.ScopeOf(at.PC, at.Function, at.Line) {
		if known := s.variable(v.Name); known == nil || seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		list = append(list, x.variable(s, v))
	}
	return list
}

func (x *Scope) variable(s *site, v *debuginfo.Variable) probe.Variable {
	out := probe.Variable{Name: v.Name, Type: short(v.Type), Role: role(v), Readable: true}
	s.lost = nil
	r := &recorder{b: x.b}
	shape := r.capture(&operand{typ: v.Type, place: s.variable(v.Name).place})
	switch {
	case shape.Form == program.FormUnreadable:
		out.Why = shape.Why
		out.Readable = shape.Why == whyTooLarge || shape.Why == whyTooDeep
	case len(s.lost) > 0:
		out.Why, out.Readable = debuginfo.WhyPartly, false
	}
	if len(s.lost) > 0 {
		out.Up, out.Down = s.lost[0].up, s.lost[0].down
	}
	return out
}

// role tells what a variable is to its function.
func role(v *debuginfo.Variable) probe.Role {
	switch {
	case v.Param:
		return probe.Argument
	case v.Result:
		return probe.Result
	case v.Captured:
		return probe.Captured
	}
	return probe.Local
}
