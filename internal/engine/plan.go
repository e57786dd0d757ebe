package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/redact"
)

// plan is all that an installation will do, worked out before the target is
// touched. Addresses are as linked.
type plan struct {
	probes  []*planned
	windows []*window
	redact  *redact.Rules
}

// planned is one probe of a plan. A probe without windows has issues that say why.
type planned struct {
	spec    probe.Spec
	program *program.Program
	issues  []probe.Issue
}

// window is one place of the text that gives way, and the points at which
// probes want to run there: several probes, or neighbouring lines, share it.
type window struct {
	patch.Window
	fn        *debuginfo.Func
	points    []point // in the order of execution
	flagsDead bool    // where it begins
}

// point is one site of one probe in a window.
type point struct {
	inst  int // index of the instruction that the body runs before
	probe int
	site  int
	live  amd64.Live
	stack bool // the function's stack check proves room for the body
}

// MistakeError says that what was asked makes no sense for this build: nothing
// is installed. Err is what the probe language or the location says.
type MistakeError struct {
	Probe string
	Err   error
}

func (e *MistakeError) Error() string { return e.Err.Error() }
func (e *MistakeError) Unwrap() error { return e.Err }

// ProbeID names the mistaken probe, for those who know where it was written.
func (e *MistakeError) ProbeID() string { return e.Probe }

// planner makes plans for one build.
type planner struct {
	build  *debuginfo.Build
	redact *redact.Rules
	graphs map[*debuginfo.Func]*function
	images *compile.Images
}

// function is the flow of one function, kept while a plan is made.
type function struct {
	fn     *debuginfo.Func
	graph  *amd64.Graph
	err    error
	proven [2]uint64 // from, to: behind the stack check, before the call for more
}

func newPlanner(b *debuginfo.Build) *planner {
	return &planner{build: b, graphs: map[*debuginfo.Func]*function{}, images: compile.NewImages(b)}
}

// plan works out all probes together, so that neighbours can share windows. The
// error is a *MistakeError: a probe that this build cannot serve is no error.
func (p *planner) plan(specs []probe.Spec) (*plan, error) {
	out := &plan{redact: p.redact}
	for i, spec := range specs {
		pl, err := p.probe(i, spec)
		if err != nil {
			return nil, &MistakeError{Probe: spec.ID, Err: err}
		}
		out.probes = append(out.probes, pl)
	}
	p.images.Finish()
	out.thinUnwinding()
	p.windows(out)
	for _, w := range out.windows { // a site may have come by a window that begins before it
		slices.SortStableFunc(w.points, func(a, b point) int { return a.inst - b.inst })
	}
	return out, nil
}

// probe resolves and compiles one probe.
func (p *planner) probe(index int, spec probe.Spec) (*planned, error) {
	if spec.Kind == probe.Time || spec.Kind == probe.Trace {
		return p.timed(index, spec)
	}
	pl := &planned{spec: spec}
	where, err := locate.Resolve(p.build, spec.At)
	if ok, err := pl.located(err); !ok {
		return pl, err
	}
	pl.issues = append(pl.issues, where.Issues...)
	if spec.Kind == probe.Snapshot {
		if why := lacking(p.build, where.Sites); why != "" {
			pl.issue(probe.IssueNoDebug, why)
		}
	}
	if p.blocked(pl, where); len(where.Sites) == 0 {
		return pl, nil
	}
	prog, issues, err := p.images.Compile(spec, index, where)
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

// issue adds an issue, each once.
func (pl *planned) issue(code, message string) {
	if i := (probe.Issue{Code: code, Message: message}); !slices.Contains(pl.issues, i) {
		pl.issues = append(pl.issues, i)
	}
}

// asked is a site that wants a window.
type asked struct {
	at    uint64 // where the window may begin: pc, or before it
	pc    uint64
	probe int
	site  int
}

// windows finds a window for every site, by address: a site that lies within
// the window before it joins it, since nothing but the instruction before leads
// there.
func (p *planner) windows(out *plan) {
	var sites []asked
	for i, pl := range out.probes {
		if pl.program == nil {
			continue
		}
		for k := range pl.program.Sites {
			s := &pl.program.Sites[k]
			at := s.PC
			if s.Window != 0 {
				at = s.Window
			}
			sites = append(sites, asked{at, s.PC, i, k})
		}
	}
	slices.SortStableFunc(sites, func(a, b asked) int {
		switch {
		case a.at != b.at:
			return compare(a.at, b.at)
		case a.pc != b.pc:
			return compare(a.pc, b.pc)
		}
		return 0
	})
	var last *window
	from := uint64(0)
	for _, s := range sites {
		if last == nil || !last.join(p, s) {
			w, err := p.windowBefore(s, from)
			if err == nil && !w.Jump && out.quiet(w) {
				continue // in the runtime, a trap at every call would cost too much
			}
			if err != nil {
				out.probes[s.probe].issue(issueOf(err), err.Error())
				continue
			}
			last, from = w, w.End()
			out.windows = append(out.windows, w)
		}
		if !last.Jump {
			out.probes[s.probe].issue(probe.IssueTrap, fmt.Sprintf(
				"a site in %s takes no jump (%s): each hit there costs a few microseconds", last.fn.Name, last.Why))
		}
	}
}

func compare(a, b uint64) int {
	if a < b {
		return -1
	}
	return 1
}

// windowBefore plans the window of a site that may begin before it; where none that
// holds the site can, it begins at the site.
func (p *planner) windowBefore(s asked, from uint64) (*window, error) {
	if s.at != s.pc && s.at >= from {
		if w, err := p.window(s, from); err == nil && w.Jump && len(w.points) > 0 {
			return w, nil
		}
	}
	s.at = s.pc
	return p.window(s, from)
}

func issueOf(err error) string {
	var undecodable *amd64.UndecodableError
	if errors.As(err, &undecodable) {
		return probe.IssueUndecodable
	}
	return probe.IssueRefusedCode
}

// window plans the window of a site; it begins at from or later.
func (p *planner) window(s asked, from uint64) (*window, error) {
	f, err := p.function(s.pc)
	if err != nil {
		return nil, err
	}
	w, err := patch.Plan(patch.Rules{
		Graph: f.graph, FuncEnd: f.fn.End, DeferReturn: f.fn.DeferReturn,
		PaddingAfter: p.padding(f.fn), From: from,
	}, s.at)
	if err != nil {
		return nil, err
	}
	out := &window{Window: w, fn: f.fn, flagsDead: f.graph.Live(w.Addr).FlagsDead}
	out.join(p, s)
	return out, nil
}

// join adds a site that lies at one of the window's instructions.
func (w *window) join(p *planner, s asked) bool {
	for i := range w.Insts {
		if w.Insts[i].PC == s.pc {
			f := p.graphs[w.fn]
			w.points = append(w.points, point{inst: i, probe: s.probe, site: s.site,
				live: f.graph.Live(s.pc), stack: f.proven[0] <= s.pc && s.pc < f.proven[1]})
			return true
		}
	}
	return false
}

// padding is how many bytes of int3 behind a function nobody uses.
func (p *planner) padding(fn *debuginfo.Func) int {
	b, err := p.build.Bytes(fn.End, patch.JumpLen)
	if err != nil {
		return 0
	}
	n := 0
	for n < len(b) && b[n] == 0xCC && p.build.FuncAt(fn.End+uint64(n)) == nil {
		n++
	}
	return n
}

// function is the flow of the function that holds pc.
func (p *planner) function(pc uint64) (*function, error) {
	fn := p.build.FuncAt(pc)
	if fn == nil {
		return nil, fmt.Errorf("no function holds the address %#x", pc)
	}
	f := p.graphs[fn]
	if f == nil {
		f = &function{fn: fn}
		f.err = p.flow(f)
		p.graphs[fn] = f
	}
	return f, f.err
}

func (p *planner) flow(f *function) error {
	code, err := p.build.Bytes(f.fn.Entry, int(f.fn.End-f.fn.Entry))
	if err != nil {
		return err
	}
	opt := amd64.FlowOptions{
		Read:     p.build.Loaded,
		NoReturn: func(addr uint64) bool { return !locate.Returns(p.callee(addr)) },
		Ordinary: p.ordinary,
	}
	if f.fn.DeferReturn != 0 {
		opt.Entries = []uint64{f.fn.DeferReturn}
	}
	if f.graph, err = amd64.Flow(code, f.fn.Entry, opt); err != nil {
		return err
	}
	f.prove(p)
	return nil
}

func (p *planner) callee(addr uint64) string {
	if fn := p.build.FuncAt(addr); fn != nil && fn.Entry == addr {
		return fn.Name
	}
	return ""
}

// ordinary tells whether a callee follows the compiler's calling convention:
// compiled code, and of assembly only the calls for a larger stack.
func (p *planner) ordinary(addr uint64) bool {
	fn := p.build.FuncAt(addr)
	if fn == nil || fn.Entry != addr {
		return false
	}
	return !fn.Assembly || strings.HasPrefix(fn.Name, "runtime.morestack")
}

// prove finds where the function's own stack check guarantees room: behind the
// last branch to the call for a larger stack. A check that passes leaves at
// least 800 bytes below the frame (runtime/stack.go: stackNosplit).
func (f *function) prove(p *planner) {
	insts := f.graph.Insts
	for i := range insts {
		if insts[i].Kind != amd64.Call || !strings.HasPrefix(p.callee(insts[i].Target), "runtime.morestack") {
			continue
		}
		more := insts[f.graph.Blocks[f.graph.Block(i)].First].PC
		for k := range insts {
			if insts[k].Kind == amd64.Jcc && insts[k].Target == more && insts[k].PC < more {
				f.proven = [2]uint64{max(f.proven[0], insts[k].End()), more}
			}
		}
	}
}
