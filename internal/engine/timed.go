package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// located takes what locate says of a location that this build cannot serve as an
// issue; the error is a mistake. ok: there are sites.
func (pl *planned) located(err error) (ok bool, mistake error) {
	var gone *locate.NotFoundError
	var refused *locate.RefusedError
	switch {
	case errors.As(err, &gone):
		pl.issue(probe.IssueNoCode, err.Error())
		return false, nil
	case errors.As(err, &refused):
		pl.issue(probe.IssueRefusedCode, err.Error())
		return false, nil
	}
	return err == nil, err
}

// timed resolves and compiles a time.
func (p *planner) timed(index int, spec probe.Spec) (*planned, error) {
	pl := &planned{spec: spec}
	from, ends, err := p.fromTo(pl)
	if from == nil || err != nil {
		return pl, err
	}
	pl.issues = append(pl.issues, from.Issues...)
	if spec.Calls && !p.build.HasDebug() {
		pl.issue(probe.IssueNoDebug, p.build.Missing())
	}
	if p.blocked(pl, from); len(from.Sites) == 0 {
		return pl, nil
	}
	var prog *program.Program
	var issues []probe.Issue
	if spec.Kind == probe.Trace {
		prog, issues, err = p.images.CompileTrace(spec, index, from, ends, p.traceRuntime())
	} else {
		prog, issues, err = p.images.CompilePairs(spec, index, from, ends)
	}
	if err != nil {
		return nil, p.untold(err)
	}
	for _, i := range issues {
		pl.issue(i.Code, p.told(spec, i.Message))
	}
	if rule, refused := p.redact.Refuses(prog.Asks.Names, prog.Asks.Types); refused {
		pl.issue(probe.IssueRefusedCode, fmt.Sprintf("%s: the rules of --redact block the %s: a condition may not ask for its values", spec.At, rule))
		return pl, nil
	}
	if p.secret(pl, prog) {
		return pl, nil
	}
	pl.program = prog
	return pl, nil
}

// fromTo finds where what is timed begins and ends; no result where this build has
// none, which the issues say.
func (p *planner) fromTo(pl *planned) (*locate.Result, compile.Ends, error) {
	if pl.spec.To == "" {
		calls, err := locate.ResolveCalls(p.build, pl.spec.At, pl.spec.Own)
		if ok, err := pl.located(err); !ok {
			return nil, compile.Ends{}, err
		}
		ends := compile.Ends{Inlined: calls.Inlined, Stops: calls.Stops, Resumes: calls.Resumes}
		ends.Unwind, ends.Goexit = p.unwinding()
		return calls.Result, ends, nil
	}
	from, err := locate.Resolve(p.build, pl.spec.At)
	if ok, err := pl.located(err); !ok {
		return nil, compile.Ends{}, err
	}
	to, err := locate.Resolve(p.build, pl.spec.To)
	if ok, err := pl.located(err); !ok {
		return nil, compile.Ends{}, err
	}
	pl.issues = append(pl.issues, to.Issues...)
	return from, compile.Ends{To: to.Sites}, nil
}

// traceRuntime is where the build's goroutines keep who started them.
func (p *planner) traceRuntime() compile.TraceRuntime {
	rt := compile.TraceRuntime{}
	for _, f := range []struct {
		to   *int64
		name []string
	}{{&rt.GStackHi, []string{"stack", "hi"}}, {&rt.GParentGoid, []string{"parentGoid"}}, {&rt.GGoPC, []string{"gopc"}}} {
		if off, ok := p.build.FieldOffset("runtime.g", f.name...); ok {
			*f.to = off
		}
	}
	return rt
}

// unwinding is where the runtime says that frames are gone: the one exception to
// the law that its code takes no probe. runtime.deferreturn is what a function
// calls when it has recovered from a panic, and runtime.Goexit what ends a
// goroutine: both are ordinary Go functions that a goroutine calls on its own
// stack, with its P, as any other; where they run without, the body does nothing
// but see that. Their sites are their first instructions, before the frame is
// made, so that nobody can be parked inside; they never trap for preemption, and
// where no jump fits they are left alone (see windows).
func (p *planner) unwinding() (deferreturn, goexit uint64) {
	if f := p.build.FuncNamed("runtime.deferreturn"); f != nil && !f.Assembly {
		deferreturn = f.Entry
	}
	if f := p.build.FuncNamed("runtime.Goexit"); f != nil && !f.Assembly {
		goexit = f.Entry
	}
	return deferreturn, goexit
}

// unwinds tells whether a role is one of the runtime's.
func unwinds(r program.Role) bool { return r == program.RoleUnwind || r == program.RoleGoexit }

// hooked is how many times and traces at once learn from runtime.deferreturn that
// frames are gone: each costs a few nanoseconds at every call of it. The other times
// learn of it later, from the next call that lies as deep, and traces of one session
// from each other. Goexit, which programs seldom call, tells all times: nothing that
// comes later could tell it from a panic.
const hooked = 4

// thinUnwinding takes the sites in the runtime out where there are too many.
func (out *plan) thinUnwinding() {
	n := 0
	for _, pl := range out.probes {
		if pl.program == nil || !slices.ContainsFunc(pl.program.Sites, func(s program.Site) bool { return unwinds(s.Role) }) {
			continue
		}
		if n++; n <= hooked {
			continue
		}
		time := pl.spec.Kind == probe.Time
		pl.program.Sites = slices.DeleteFunc(pl.program.Sites, func(s program.Site) bool {
			return s.Role == program.RoleUnwind || s.Role == program.RoleGoexit && !time
		})
	}
}

// quiet tells whether nothing but sites of the runtime are in a window: then
// nobody asks for preemption there, which the runtime would not take.
func (p *plan) quiet(w *window) bool {
	for _, pt := range w.points {
		if !unwinds(p.probes[pt.probe].program.Sites[pt.site].Role) {
			return false
		}
	}
	return true
}
