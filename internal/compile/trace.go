package compile

import (
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// TraceRuntime is where a goroutine keeps what a trace tells of it; 0 where the
// build does not have it.
type TraceRuntime struct {
	GStackHi    int64 // g.stack.hi
	GParentGoid int64 // g.parentGoid
	GGoPC       int64 // g.gopc
}

// WhyNotHere is why an attribute that only some functions have is not there.
const WhyNotHere = "not in this function"

// The values of a trace: these, then the attributes, then TraceError.
const (
	TraceDepth   = 0 // of the call's frame from the top of the stack, as in jit
	TraceParent  = 1 // the goroutine that started this one
	TraceCreator = 2 // the place of its go statement
	TraceSpan    = 3 // address of the identity of the OpenTelemetry span that the call is given; see NoSpan
	TraceID      = 4 // its trace: two words
	TraceSpanID  = 6 // its own number
	TraceFlags   = 7 // W3C flags: bit 0 sampled
	TraceRemote  = 8 // 1: it began in another process
	TraceAttrs   = 9
)

// NoSpan is why TraceSpan is not there where a call is given no context.
const NoSpan = "not captured"

// CompileTrace compiles a trace: each call is recorded where it begins, with its
// attributes, and where it ends, with the error that it returns.
func (im *Images) CompileTrace(spec probe.Spec, index int, from *locate.Result, ends Ends, rt TraceRuntime) (*program.Program, []probe.Issue, error) {
	src, err := parse(spec)
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{b: im.b, src: src, failed: map[*expr.Expr]error{}, worked: map[*expr.Expr]*program.Type{},
		reads: map[*expr.Expr]program.Reads{}}
	t := &tracer{compiler: c, rt: rt, spans: im.carried(), names: []string{"$depth", "$parent", "$creator",
		"$span", "$trace", "$trace", "$span", "$flags", "$remote"}}
	p := &program.Program{Index: index, Log: true, Limit: spec.Limit, Rate: spec.Rate, Text: []string{""}}
	for _, a := range spec.Attrs {
		t.names = append(t.names, a.Name)
	}
	t.names = append(t.names, "$error")
	for i, at := range from.Sites {
		if s := t.begin(at, i < len(ends.Inlined) && ends.Inlined[i]); s != nil {
			p.Sites = append(p.Sites, *s)
		}
	}
	if len(p.Sites) > 0 {
		for _, at := range ends.Stops {
			if s := t.end(at); s != nil && !known(p.Sites, s) {
				p.Sites = append(p.Sites, *s)
			}
		}
		for _, at := range ends.Resumes {
			if s := t.resume(at); s != nil && !known(p.Sites, s) {
				p.Sites = append(p.Sites, *s)
			}
		}
		if ends.Goexit != 0 {
			p.Sites = append(p.Sites, t.goexit(ends.Goexit))
		}
	}
	if err := c.mistake(); err != nil {
		return nil, nil, err
	}
	for i, name := range t.names {
		v := program.Value{Expr: name, Type: typeUint64}
		if k := i - TraceAttrs; k >= 0 && k < len(src.attrs) {
			v.Type, v.Reads = c.worked[src.attrs[k]], c.reads[src.attrs[k]]
		}
		p.Values = append(p.Values, v)
	}
	if src.cond != nil {
		p.Asks = c.reads[src.cond]
	}
	sortSites(p)
	return p, c.issues, nil
}

func known(sites []program.Site, s *program.Site) bool {
	for i := range sites {
		if sites[i].PC == s.PC && sites[i].Role == s.Role && sites[i].Inlined == s.Inlined {
			return true
		}
	}
	return false
}

// tracer compiles the sites of a trace.
type tracer struct {
	*compiler
	rt    TraceRuntime
	spans *spans // nil: the build has none
	names []string
}

const registerG = 14

// depth is the depth of the frame at hand.
func (t *tracer) depth(inlined bool) *program.Node {
	g := &program.Node{Op: program.OpReg, Type: program.U64, Reg: registerG}
	d := op2(program.OpSub, program.U64, load(program.U64, g, t.rt.GStackHi), &program.Node{Op: program.OpCFA, Type: program.U64})
	if inlined {
		d = op2(program.OpAdd, program.U64, d, imm(program.U64, 1))
	}
	return d
}

// captures are those of a site at which nothing but its depth is known.
func (t *tracer) captures(r *recorder, inlined bool) []program.Capture {
	out := make([]program.Capture, len(t.names))
	for i := range out {
		out[i].Unreadable = NoSpan
	}
	out[TraceDepth] = t.word(r, t.depth(inlined))
	return out
}

func (t *tracer) word(r *recorder, n *program.Node) program.Capture {
	r.limit = len(r.slots) + 1
	slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Node: n, Size: 8})
	if !ok {
		return program.Capture{Unreadable: whyTooLarge}
	}
	return program.Capture{Shape: program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1}}
}

func (t *tracer) begin(at locate.Site, inlined bool) *program.Site {
	out := t.site(at)
	if out == nil || !t.frame(out) {
		return nil
	}
	out.Role, out.Inlined = program.RoleStart, inlined
	s := newSite(t.b, at.PC, at.Function, packageOf(at.Function), at.File, at.Line)
	s.near = &t.near
	r := &recorder{b: t.b}
	out.Captures = t.captures(r, inlined)
	g := &program.Node{Op: program.OpReg, Type: program.U64, Reg: registerG}
	for i, off := range map[int]int64{TraceParent: t.rt.GParentGoid, TraceCreator: t.rt.GGoPC} {
		if off != 0 {
			out.Captures[i] = t.word(r, load(program.U64, g, off))
		}
	}
	t.span(s, at, r, out.Captures)
	for i, x := range t.src.attrs {
		issues := t.issues
		out.Captures[TraceAttrs+i] = t.value(s, x, r)
		if t.src.loose[x] && t.failed[x] != nil {
			t.issues = issues
			out.Captures[TraceAttrs+i].Unreadable = WhyNotHere
		}
	}
	out.Slots = r.slots
	return out
}

// frame gives a site its frame rule; false: there is none, and calls cannot be told
// apart.
func (t *tracer) frame(out *program.Site) bool {
	cfa, err := t.b.CFA(out.PC)
	if err != nil {
		t.issue(probe.IssueUnsupported, "%s: the stack frame is not described there (%v), so the site takes no probe", shortName(out.Function), err)
	}
	out.CFA = cfa
	return err == nil
}

// goexit is the entry of runtime.Goexit, which ends all calls of its goroutine.
func (t *tracer) goexit(pc uint64) program.Site {
	out := program.Site{PC: pc, Function: "runtime.Goexit", Role: program.RoleGoexit, CFA: program.CFA{Reg: regRSP, Offset: 8}}
	r := &recorder{b: t.b}
	out.Captures = t.captures(r, false)
	out.Slots = r.slots
	return out
}

func (t *tracer) resume(at locate.Site) *program.Site {
	out := resume(at)
	if !t.frame(out) {
		return nil
	}
	r := &recorder{b: t.b}
	out.Captures = t.captures(r, false)
	out.Slots = r.slots
	return out
}

func (t *tracer) end(at locate.Stop) *program.Site {
	out := &program.Site{PC: at.PC, Window: at.Window, Function: at.Function, File: at.File, Line: at.Line, Role: program.RoleStop, Inlined: at.Inlined}
	if at.Recovered {
		out.Role = program.RoleRecover
	}
	if !t.frame(out) {
		return nil
	}
	r := &recorder{b: t.b}
	out.Captures = t.captures(r, at.Inlined)
	if !at.Inlined {
		if o := t.failure(at); o != nil {
			out.Captures[len(t.names)-1] = program.Capture{Shape: r.capture(o)}
		}
	}
	out.Slots = r.slots
	return out
}

// failure is the error that a function returns, in the registers of the calling
// convention (cmd/compile/abi-internal.md); nil: it returns none, or elsewhere.
func (t *tracer) failure(at locate.Stop) *operand {
	var last *program.Type
	var lastPlace place
	regs := &results{}
	for _, v := range t.b.ScopeOf(at.PC, at.Function, at.Line) {
		if !v.Result || v.Type == nil {
			continue
		}
		p, ok := regs.assign(v)
		if !ok {
			p = nil
		}
		if v.Type.Name == "error" {
			last, lastPlace = v.Type, p
		}
	}
	if last == nil || lastPlace == nil {
		return nil
	}
	return &operand{typ: last, place: lastPlace}
}

// results hands out the registers in which results are returned.
type results struct{ ints, floats int }

// intRegs are the integer registers of the calling convention, in order: RAX, RBX,
// RCX, RDI, RSI, R8 … R11.
var intRegs = []program.Reg{0, 3, 1, 7, 6, 8, 9, 10, 11}

const floatRegs = 15

// assign gives a result its registers; false: it is returned in memory.
func (r *results) assign(v *debuginfo.Variable) (place, bool) {
	ints, floats, ok := registersOf(v.Type, 8)
	if !ok || r.ints+ints > len(intRegs) || r.floats+floats > floatRegs {
		return nil, false
	}
	out := computed{}
	for i := range ints {
		out[int64(8*i)] = &program.Node{Op: program.OpReg, Type: program.U64, Reg: intRegs[r.ints+i]}
	}
	r.ints, r.floats = r.ints+ints, r.floats+floats
	return out, true
}

// registersOf is how many registers a value takes; false: it never lies in any.
func registersOf(t *program.Type, depth int) (ints, floats int, ok bool) {
	if t == nil || depth == 0 {
		return 0, 0, false
	}
	switch t.Kind {
	case reflect.Float32, reflect.Float64:
		return 0, 1, true
	case reflect.Complex64, reflect.Complex128:
		return 0, 2, true
	case reflect.String, reflect.Interface:
		return 2, 0, true
	case reflect.Slice:
		return 3, 0, true
	case reflect.Struct:
		for _, f := range t.Fields {
			i, x, ok := registersOf(f.Type, depth-1)
			if !ok {
				return 0, 0, false
			}
			ints, floats = ints+i, floats+x
		}
		return ints, floats, true
	case reflect.Array:
		switch t.Len {
		case 0:
			return 0, 0, true
		case 1:
			return registersOf(t.Elem, depth-1)
		}
		return 0, 0, false
	}
	return 1, 0, true
}

// parseAttrs parses the attributes of a trace.
func (src *source) parseAttrs(spec probe.Spec) error {
	for _, a := range spec.Attrs {
		if strings.TrimSpace(a.Name) == "" {
			return &Error{"attribute", (&expr.Expr{Src: a.Expr}).ErrorAt(0, len(a.Expr), "write name=expression", "the attribute has no name")}
		}
		x, err := expr.Parse(a.Expr)
		if err != nil {
			return &Error{"attribute " + a.Name, err}
		}
		src.attrs = append(src.attrs, x)
		if a.Loose {
			if src.loose == nil {
				src.loose = map[*expr.Expr]bool{}
			}
			src.loose[x] = true
		}
	}
	return nil
}
