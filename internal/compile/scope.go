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
func (x *Scope) At(at locate.Site) []probe.ScopeVar {
	s := newSite(x.b, at.PC, at.Function, packageOf(at.Function), at.File, at.Line)
	s.near = x.near
	seen := map[string]bool{}
	params := 0
	list := []probe.ScopeVar{}
	for _, v := range x.b.ScopeOf(at.PC, at.Function, at.Line) {
		if known := s.variable(v.Name); known == nil || seen[v.Name] {
			continue
		}
		seen[v.Name] = true
		out := x.variable(s, v)
		out.Role = role(v, at.Function, params == 0)
		if v.Param {
			params++
		}
		list = append(list, out)
	}
	return list
}

func (x *Scope) variable(s *site, v *debuginfo.Variable) probe.ScopeVar {
	out := probe.ScopeVar{Name: v.Name, Type: short(v.Type), Readable: true}
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
func role(v *debuginfo.Variable, function string, first bool) probe.Role {
	return probe.Role(v.Role(function, first))
}
