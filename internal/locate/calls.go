package locate

import (
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Stop is a site at which calls of a function end.
type Stop struct {
	Site
	Window    uint64 // where the bytes that give way may begin: control goes straight from there to the site
	Recovered bool   // the function returns after recovering from a panic
	Inlined   bool   // control leaves an inlined copy
	Resumed   bool   // control comes here also from one of Resumes
}

// Calls is where the calls of a function begin and end.
type Calls struct {
	*Result
	Inlined []bool // by site: it begins an inlined copy
	Stops   []Stop
	Resumes []Site // where a function goes on that has recovered, if others go there, too
}

// ResolveCalls finds where calls of a function begin, as Resolve does, and where
// they end: at each return of its own code, and where control leaves its inlined
// copies.
//
// A return is too short for a jump: a few instructions before it give way, too,
// from which control goes straight to the return.
//
// An inlined copy is left by an edge of the flow from one of its instructions to
// another's; the site is that other instruction. Code that other ways lead to, too,
// ends nothing for those that did not begin.
//
// With own, inlined copies are left out.
func ResolveCalls(b *debuginfo.Build, at string, own bool) (*Calls, error) {
	r := newResolver(b, at)
	r.own = own
	r.calls = &Calls{}
	loc, err := r.location(at)
	if err != nil {
		return nil, err
	}
	if loc.file != "" {
		return nil, &SyntaxError{at, "a line alone has no duration: say where the way ends with --to, or name a function"}
	}
	if err := r.function(loc); err != nil {
		return nil, err
	}
	if r.calls.Result, err = r.result(); err != nil {
		return nil, err
	}
	begins := map[uint64]bool{}
	for _, s := range r.copied {
		begins[s] = true
	}
	for _, s := range r.calls.Sites {
		r.calls.Inlined = append(r.calls.Inlined, begins[s.PC])
	}
	if len(r.calls.Stops) == 0 {
		r.calls.Issues = append(r.calls.Issues, probe.Issue{Code: probe.IssueApproximate,
			Message: fmt.Sprintf("%s never returns: its calls are still running, or end by a panic or Goexit", at)})
	}
	return r.calls, nil
}

// returns notes where a function's own code returns.
func (r *resolver) returns(fn *debuginfo.Func, f *function) {
	if r.calls == nil {
		return
	}
	resumed := r.resumes(fn, f)
	for i := range f.code.insts {
		if x := &f.code.insts[i]; x.Ret && len(x.Succ) == 0 && !x.Grow {
			r.calls.Stops = append(r.calls.Stops, Stop{Recovered: x.Void, Resumed: resumed, Window: f.code.insts[f.early(int32(i))].PC,
				Site: Site{PC: x.PC, Func: fn, Function: fn.Name, File: f.pos[i].file, Line: f.pos[i].line}})
		}
	}
}

// resumes notes where a function goes on that has recovered from a panic, unless
// nothing else leads there. Since Go 1.25 that is the first call of
// runtime.deferreturn, which is another's where the defers are not open-coded: in
// loops, without optimisation, and with the race detector. So it is with any Go where
// the body of a loop over a function defers (runtime/panic.go: deferrangefunc).
func (r *resolver) resumes(fn *debuginfo.Func, f *function) bool {
	if fn.DeferReturn == 0 {
		return false
	}
	i := f.code.from(fn.DeferReturn)
	if int(i) >= len(f.code.insts) || f.code.insts[i].PC != fn.DeferReturn || f.code.insts[i].Void {
		return false
	}
	if slices.ContainsFunc(r.calls.Resumes, func(s Site) bool { return s.PC == fn.DeferReturn }) {
		return true
	}
	r.calls.Resumes = append(r.calls.Resumes, Site{PC: fn.DeferReturn, Func: fn, Function: fn.Name, File: f.pos[i].file, Line: f.pos[i].line})
	return true
}

// jumpLen is how many bytes a site wants.
const jumpLen = 5

// early is the nearest instruction before a return from which a jump fits, and
// control goes straight on to the return; else the return itself.
func (f *function) early(ret int32) int32 {
	first := f.code.blocks[f.code.blockOf[ret]].first
	size := f.code.insts[ret].Len
	for i := ret; ; i-- {
		if size >= jumpLen {
			return i
		}
		if i == first || f.code.insts[i-1].Call || f.code.insts[i-1].Fault {
			return ret
		}
		size += f.code.insts[i-1].Len
	}
}

// leaves notes where control leaves an inlined copy that is entered at the sites.
// It tells whether the copy can be timed: a site behind its end cannot begin it.
func (r *resolver) leaves(fn *debuginfo.Func, f *function, n int32, name string, sites []int32) bool {
	if r.calls == nil {
		return true
	}
	in := map[int32]bool{}
	for _, i := range f.copyExtent(n).insts {
		if f.inside(f.node[i], n) || !f.inCopy(f.node[i], f.nodes[n].name) {
			in[i] = true
		}
	}
	stops := map[int32]bool{}
	for i := range f.code.within(in, sites) {
		x := &f.code.insts[i]
		if x.Ret && len(x.Succ) == 0 {
			stops[i] = true
		}
		for _, s := range x.Succ {
			if y := &f.code.insts[s]; !in[s] && !y.Void && !y.Grow {
				stops[s] = true
			}
		}
	}
	for _, i := range sites {
		if !in[i] && stops[i] {
			r.issue(probe.IssueApproximate, fmt.Sprintf("%s: the copy in %s is mixed with other code, so that its calls are not timed", name, fn.Name))
			return false
		}
	}
	for i := range stops {
		window := uint64(0)
		if f.code.insts[i].PC == fn.DeferReturn { // a panic in the copy leads here, too
			r.resumes(fn, f)
		}
		if f.code.insts[i].Ret {
			window = f.code.insts[f.early(i)].PC
		}
		r.calls.Stops = append(r.calls.Stops, Stop{Inlined: true, Window: window,
			Site: Site{PC: f.code.insts[i].PC, Func: fn, Function: name, File: f.pos[i].file, Line: f.pos[i].line}})
	}
	for _, i := range sites {
		r.copied = append(r.copied, f.code.insts[i].PC)
	}
	return true
}

// within are those of the instructions in that are reached from the first ones by way
// of others of them. The rest of a copy, such as what the register allocator put before
// its entry, is passed when no call of it is under way, or one that a panic has ended.
func (c *code) within(in map[int32]bool, first []int32) map[int32]bool {
	reached := map[int32]bool{}
	for list := slices.Clone(first); len(list) > 0; {
		i := list[len(list)-1]
		if list = list[:len(list)-1]; in[i] && !reached[i] {
			reached[i] = true
			list = append(list, c.insts[i].Succ...)
		}
	}
	return reached
}

// inCopy tells whether a node is a copy of a function, or lies in one: what idles
// behind a copy may belong to the next.
func (f *function) inCopy(n int32, name string) bool {
	for ; n > 0; n = f.nodes[n].parent {
		if f.nodes[n].name == name {
			return true
		}
	}
	return false
}
