// Package compile turns what a person asked into a program for one build.
//
// A probe.Spec and the sites that locate found come in; a program.Program goes
// out, which says in nodes what each site tests and records, and in shapes how
// decode builds the values again. Package expr stands before it and knows the
// language's syntax; debuginfo tells what is in scope, of which type it is and
// where it lives; jit comes after it.
//
// A mistake of the person, such as a name that is nowhere in scope, is an error.
// What only this build, or only some of its sites, cannot serve is an issue: the
// value is unreadable there and says why, and a site whose condition cannot be
// read takes no probe.
package compile

import (
	"errors"
	"fmt"
	"go/constant"
	"path"
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Build is what compile wants to know of a build; *debuginfo.Build tells it.
type Build interface {
	Missing() string
	MissingAt(pc uint64) string
	Optimised(pc uint64) bool
	ScopeOf(pc uint64, function string, line int) []*debuginfo.Variable
	ReadableLines(v *debuginfo.Variable, from uint64) (up, down []int)
	Global(name string) (*debuginfo.Global, bool)
	GlobalNames(name string) []string
	Globals() []string
	Constant(name string) (value int64, t *program.Type, ok bool)
	TypeByName(name string) *program.Type
	TypesBase() uint64
	Hashing() (*debuginfo.Hashing, error)
	CFA(pc uint64) (program.CFA, error)
	Implementations(t *program.Type) []*program.Type
	Closures(most int) []uint64
	Closure(entry uint64) []program.Field
}

// Error is a mistake in a probe; Err, an *expr.Error, marks the place.
type Error struct {
	Part string // "condition", "message", "watch", "expression" or "by"
	Err  error
}

func (e *Error) Error() string { return e.Part + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Check parses what spec says and looks at nothing else: a mistake that needs
// no build to be seen. The error is an *Error.
func Check(spec probe.Spec) error {
	_, err := parse(spec)
	return err
}

// source is a probe's parsed text.
type source struct {
	cond    *expr.Expr // nil: none
	tpl     *expr.Template
	watches []*expr.Expr
	value   *expr.Expr // of an aggregate
	by      *expr.Expr
	attrs   []*expr.Expr // of a trace
	loose   map[*expr.Expr]bool
}

func parse(spec probe.Spec) (*source, error) {
	src := &source{tpl: &expr.Template{Text: []string{""}}}
	var err error
	if strings.TrimSpace(spec.If) != "" {
		if src.cond, err = expr.Parse(spec.If); err != nil {
			return nil, &Error{"condition", err}
		}
	}
	if spec.Kind == probe.Log {
		if src.tpl, err = expr.ParseTemplate(spec.Message); err != nil {
			return nil, &Error{"message", err}
		}
	}
	for _, text := range spec.Watch {
		x, err := expr.Parse(text)
		if err != nil {
			return nil, &Error{"watch", err}
		}
		src.watches = append(src.watches, x)
	}
	if err := errors.Join(src.parseAggregate(spec), src.parseAttrs(spec)); err != nil {
		return nil, err
	}
	return src, nil
}

// Compile compiles one probe for the sites that its location has; index is its
// position among the probes of the session. The issues are those of the
// expressions; those of the location are in sites. A program without sites is
// one that this build cannot serve. The error is an *Error.
func Compile(b Build, spec probe.Spec, index int, sites *locate.Result) (*program.Program, []probe.Issue, error) {
	images := NewImages(b)
	defer images.Finish()
	return images.Compile(spec, index, sites)
}

// Images are what the snapshots of one session copy: those with the same bounds
// share their descriptors, of which a server has thousands.
type Images struct {
	b     Build
	known map[probe.Bounds]*describer

	spans  *spans // how contexts carry spans, once looked
	looked bool
}

// carried is how the build's contexts carry OpenTelemetry spans; nil: as of spansOf.
func (im *Images) carried() *spans {
	if !im.looked {
		im.spans, im.looked = spansOf(im.b), true
	}
	return im.spans
}

// NewImages returns an Images without any.
func NewImages(b Build) *Images { return &Images{b: b, known: map[probe.Bounds]*describer{}} }

// Finish completes the descriptors, once all probes are compiled.
func (im *Images) Finish() {
	for _, d := range im.known {
		d.finish()
	}
}

// within is the describer of the image within some bounds.
func (im *Images) within(b probe.Bounds, g int64) *describer {
	b = b.WithDefaults()
	b.Depth = min(b.Depth, maxDepth)
	if im.known[b] == nil {
		im.known[b] = newDescriber(im.b, newImage(b, g))
	}
	return im.known[b]
}

// Compile is like the function of that name; a snapshot's image is complete only
// after Finish.
func (im *Images) Compile(spec probe.Spec, index int, sites *locate.Result) (*program.Program, []probe.Issue, error) {
	b := im.b
	src, err := parse(spec)
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{b: b, src: src, failed: map[*expr.Expr]error{}, worked: map[*expr.Expr]*program.Type{},
		reads: map[*expr.Expr]program.Reads{}}
	p := &program.Program{
		Index: index,
		Log:   spec.Kind == probe.Log || spec.Kind == probe.Snapshot,
		Limit: spec.Limit,
		Text:  src.tpl.Text,
		Parts: src.tpl.Holes,
	}
	if p.Log {
		p.Rate = spec.Rate
	}
	if spec.Kind == probe.Snapshot {
		c.d = im.within(spec.Bounds, c.sizeOf("runtime.g"))
		p.Image = c.d.img
	}
	for _, at := range sites.Sites {
		if s := c.site(at); s != nil {
			p.Sites = append(p.Sites, *s)
		}
	}
	if err := c.mistake(); err != nil {
		return nil, nil, err
	}
	c.sum(p)
	for _, x := range src.tpl.Exprs {
		p.Values = append(p.Values, program.Value{Expr: x.Text, Type: c.worked[x], Reads: c.reads[x]})
	}
	if src.cond != nil {
		p.Asks = c.reads[src.cond]
	}
	return p, c.issues, nil
}

// compiler compiles one probe.
type compiler struct {
	b      Build
	src    *source
	issues []probe.Issue
	failed map[*expr.Expr]error         // the first error of each expression
	worked map[*expr.Expr]*program.Type // expressions that were right at some site
	near   nearby
	reads  map[*expr.Expr]program.Reads // what they read, all sites together
	d      *describer                   // of a snapshot
}

// sizeOf is the size of a type by name, 0 if the build does not have it.
func (c *compiler) sizeOf(name string) int64 {
	if t := c.b.TypeByName(name); t != nil {
		return t.Size
	}
	return 0
}

// mistake is the error of an expression that is wrong at every site.
func (c *compiler) mistake() error {
	if c.src.cond != nil && c.failed[c.src.cond] != nil && c.worked[c.src.cond] == nil {
		return &Error{"condition", c.failed[c.src.cond]}
	}
	for _, x := range c.src.tpl.Exprs {
		if c.failed[x] != nil && c.worked[x] == nil {
			return &Error{"message", c.failed[x]}
		}
	}
	for _, x := range c.src.watches {
		if c.failed[x] != nil && c.worked[x] == nil {
			return &Error{"watch", c.failed[x]}
		}
	}
	for x, part := range map[*expr.Expr]string{c.src.value: "expression", c.src.by: "by"} {
		if x != nil && c.failed[x] != nil && c.worked[x] == nil {
			return &Error{part, c.failed[x]}
		}
	}
	for _, x := range c.src.attrs {
		if !c.src.loose[x] && c.failed[x] != nil && c.worked[x] == nil {
			return &Error{"attribute", c.failed[x]}
		}
	}
	return nil
}

func (c *compiler) issue(code, format string, args ...any) {
	i := probe.Issue{Code: code, Message: fmt.Sprintf(format, args...)}
	for _, have := range c.issues {
		if have == i {
			return
		}
	}
	c.issues = append(c.issues, i)
}

// site compiles the probe for one address; nil if it takes no probe.
func (c *compiler) site(at locate.Site) *program.Site {
	s := newSite(c.b, at.PC, at.Function, packageOf(at.Function), at.File, at.Line)
	s.near = &c.near
	out := &program.Site{PC: at.PC, Function: at.Function, File: at.File, Line: at.Line}
	ok := true
	if c.src.cond != nil {
		out.Cond, ok = c.condition(s)
	}
	r := &recorder{b: c.b, nodes: count(out.Cond, map[*program.Node]int{})}
	issues := c.issues
	for _, x := range c.src.tpl.Exprs {
		out.Captures = append(out.Captures, c.value(s, x, r))
	}
	if !c.aggregate(s, out) && ok {
		return nil
	}
	if !ok {
		c.issues = issues // the values do not matter: they were looked at for mistakes only
		return nil
	}
	r.finish()
	out.Slots = r.slots
	if c.d != nil {
		c.image(s, at, out, c.d)
	}
	cfa, err := c.b.CFA(at.PC)
	if err != nil {
		if usesCFA(out) {
			c.issue(probe.IssueUnsupported, "%s: the stack frame is not described there (%v), so the site takes no probe", s.where(), err)
			return nil
		}
	}
	out.CFA = cfa
	return out
}

// condition compiles the condition at a site; ok is false if it cannot be
// evaluated there.
func (c *compiler) condition(s *site) (n *program.Node, ok bool) {
	x := c.src.cond
	ch := &checker{x: x, s: s}
	o, err := ch.condition()
	if err != nil {
		c.wrong(s, x, err, "the condition is not evaluated there, and the site takes no probe")
		return nil, false
	}
	c.works(x, typeBool, ch.reads)
	if o.constant() {
		if constant.BoolVal(o.val) {
			return nil, true
		}
		return imm(program.Bool, 0), true
	}
	n, why := o.scalar()
	if why == "" && count(n, map[*program.Node]int{}) > maxNodes/2 {
		why = "the condition is too long"
	}
	if why != "" {
		c.lost(s, x, why, "its condition cannot be evaluated, and the site takes no probe")
		return nil, false
	}
	return n, true
}

// condition checks a whole condition.
func (c *checker) condition() (*operand, error) {
	o, err := c.eval(c.x.Root)
	if err != nil {
		return nil, err
	}
	if o.isNil || o.defaultType().Kind != reflect.Bool {
		return nil, c.fail(c.x.Root, compareHint(c.x.Text, o), "a condition must be true or false, and this is %s", o.describe())
	}
	return o, nil
}

// value compiles one expression of the message at a site.
func (c *compiler) value(s *site, x *expr.Expr, r *recorder) program.Capture {
	s.lost = nil
	ch := &checker{x: x, s: s, message: true}
	o, err := ch.value(x.Root)
	if err != nil {
		c.wrong(s, x, err, "the value is unreadable there")
		return program.Capture{Unreadable: firstLine(err)}
	}
	c.works(x, o.typ, ch.reads)
	shape := r.capture(o)
	whole := ch.around(r, x.Root)
	if whole != nil && whole.Form == program.FormUnreadable {
		shape = *whole
	}
	why := ""
	if shape.Form == program.FormUnreadable {
		why = shape.Why
	}
	switch {
	case why != "":
		c.lost(s, x, why, "it prints as unreadable")
	case len(s.lost) > 0: // an interface of which the type is left, for one
		c.lost(s, x, why, "only what is left of it is printed")
	}
	return program.Capture{Shape: shape, Whole: whole, Unreadable: why}
}

// wrong notes that an expression does not check at a site.
func (c *compiler) wrong(s *site, x *expr.Expr, err error, so string) {
	if c.failed[x] == nil {
		c.failed[x] = err
	}
	c.issue(probe.IssueExpression, "%s: %s: %s", s.where(), firstLine(err), so)
}

func firstLine(err error) string {
	var e *expr.Error
	if errors.As(err, &e) {
		return e.Msg
	}
	return err.Error()
}

// lost notes that an expression cannot be read at a site, wholly or in parts.
func (c *compiler) lost(s *site, x *expr.Expr, why, so string) {
	for _, l := range s.lost {
		c.issue(probe.IssueOptimisedOut, "%s: %s is %s: %s; %s", s.where(), l.name, l.why, so, l.nearest(path.Base(s.file)))
	}
	if len(s.lost) == 0 {
		c.issue(probe.IssueExpression, "%s: {%s} cannot be read (%s): %s", s.where(), x.Text, why, so)
	}
}

// packageOf is the package path of a function's full name.
func packageOf(function string) string {
	head := function
	if i := strings.IndexAny(head, "[("); i >= 0 {
		head = head[:i]
	}
	slash := strings.LastIndexByte(head, '/') + 1
	if dot := strings.IndexByte(head[slash:], '.'); dot >= 0 {
		return head[:slash+dot]
	}
	return head
}

// usesCFA tells whether anything at a site is relative to its frame.
func usesCFA(s *program.Site) bool {
	seen := map[*program.Node]bool{}
	var uses func(n *program.Node) bool
	uses = func(n *program.Node) bool {
		if n == nil || seen[n] {
			return false
		}
		seen[n] = true
		return n.Op == program.OpCFA || uses(n.X) || uses(n.Y) || uses(n.Z) || uses(n.W)
	}
	for _, slot := range s.Slots {
		if uses(slot.Node) || uses(slot.Len) || uses(slot.Guard) {
			return true
		}
	}
	if s.Key != nil && (uses(s.Key.Node) || uses(s.Key.Len)) {
		return true
	}
	return uses(s.Cond) || uses(s.Value)
}
