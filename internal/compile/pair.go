package compile

import (
	"go/token"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Ends is where what begins at the sites of a time ends.
type Ends struct {
	Inlined []bool        // by site: it begins a copy inside another function
	Stops   []locate.Stop // of calls
	Resumes []locate.Site // where calls go on that have recovered from a panic
	To      []locate.Site // of ways, to another location
	Unwind  uint64        // entry of runtime.deferreturn, 0: left alone
	Goexit  uint64        // likewise of runtime.Goexit
}

// CompilePairs compiles a time: sites that begin something, and those that end it.
// Of its condition, what asks for the duration is decided at the end, and all else
// at the beginning, where the arguments are. Of the snapshots that it takes there, the
// image is complete only after Finish.
func (im *Images) CompilePairs(spec probe.Spec, index int, from *locate.Result, ends Ends) (*program.Program, []probe.Issue, error) {
	src, err := parse(spec)
	if err != nil {
		return nil, nil, err
	}
	late, err := src.split()
	if err != nil {
		return nil, nil, err
	}
	c := &compiler{b: im.b, src: src, failed: map[*expr.Expr]error{}, worked: map[*expr.Expr]*program.Type{},
		reads: map[*expr.Expr]program.Reads{}}
	p := &program.Program{Index: index, Limit: spec.Limit, Rate: spec.Rate}
	if spec.Calls {
		c.d = im.within(spec.Bounds, c.sizeOf("runtime.g"))
		p.Image = c.d.img
	}
	for i, at := range from.Sites {
		if s := c.site(at); s != nil {
			s.Role, s.Inlined = program.RoleStart, i < len(ends.Inlined) && ends.Inlined[i]
			p.Sites = append(p.Sites, *s)
		}
	}
	c.stops(p, late, ends)
	if err := c.mistake(); err != nil {
		return nil, nil, err
	}
	if late != nil && c.failed[late] != nil && c.worked[late] == nil {
		return nil, nil, &Error{"condition", c.failed[late]}
	}
	a := &program.Aggregate{Hist: true, Number: program.F64, Pair: true, Frames: ends.To == nil, Filter: src.cond != nil}
	if src.by != nil {
		a.By, a.ByReads = &program.Key{Type: c.worked[src.by]}, c.reads[src.by]
	}
	for i := range p.Sites {
		if k := p.Sites[i].Key; k != nil && (a.By == nil || a.By.Node == nil) {
			a.By = k
		}
	}
	p.Aggregate = a
	c.agree(p)
	for _, x := range []*expr.Expr{src.cond, late} {
		if x != nil {
			p.Asks.Names = append(p.Asks.Names, c.reads[x].Names...)
			p.Asks.Types = append(p.Asks.Types, c.reads[x].Types...)
		}
	}
	sortSites(p)
	return p, c.issues, nil
}

func sortSites(p *program.Program) { slices.SortStableFunc(p.Sites, inOrder) }

// inOrder sorts sites by address; of several at one, a recovery is noticed first,
// copies end before others begin, and a function's own call ends last.
func inOrder(a, b program.Site) int {
	if a.PC != b.PC {
		if a.PC < b.PC {
			return -1
		}
		return 1
	}
	rank := func(s program.Site) int {
		switch {
		case s.Role == program.RoleResume:
			return -1
		case s.Role.Ends() && s.Inlined:
			return 0
		case s.Role.Ends():
			return 2
		}
		return 1
	}
	return rank(a) - rank(b)
}

// stops compiles the sites at which something ends. Where a copy ends at the same
// address as another, it does so once.
func (c *compiler) stops(p *program.Program, late *expr.Expr, ends Ends) {
	if len(p.Sites) == 0 {
		return
	}
	add := func(at locate.Site, window uint64, role program.Role, inlined, resumed bool) {
		s := &program.Site{Resumed: resumed, PC: at.PC, Window: window, Function: at.Function, File: at.File, Line: at.Line, Role: role, Inlined: inlined}
		for i := range p.Sites {
			if o := &p.Sites[i]; o.PC == s.PC && o.Role == s.Role && o.Inlined == s.Inlined {
				return
			}
		}
		if c.late(s, at, late) {
			p.Sites = append(p.Sites, *s)
		}
	}
	for _, at := range ends.Stops {
		role := program.RoleStop
		if at.Recovered {
			role = program.RoleRecover
		}
		add(at.Site, at.Window, role, at.Inlined, at.Resumed)
	}
	for _, at := range ends.To {
		add(at, 0, program.RoleStop, false, false)
	}
	for _, at := range ends.Resumes {
		if s := resume(at); c.late(s, at, nil) {
			p.Sites = append(p.Sites, *s)
		}
	}
	for role, pc := range map[program.Role]uint64{program.RoleUnwind: ends.Unwind, program.RoleGoexit: ends.Goexit} {
		if pc != 0 {
			p.Sites = append(p.Sites, program.Site{PC: pc, Role: role, CFA: program.CFA{Reg: 4, Offset: 8}})
		}
	}
}

// resume is a site at which a call goes on that has recovered from a panic. Others
// come there, too: but runtime.gogo, which the runtime goes on with, jumps by RBX, so
// that only then the address of the site is in it (asm_amd64.s, since Go 1.22 at least).
func resume(at locate.Site) *program.Site {
	here := &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(at.PC)}
	return &program.Site{PC: at.PC, Function: at.Function, File: at.File, Line: at.Line, Role: program.RoleResume,
		Cond: op2(program.OpEq, program.Bool, &program.Node{Op: program.OpReg, Type: program.U64, Reg: regRBX}, here)}
}

// late compiles what an end decides; false: it cannot.
func (c *compiler) late(out *program.Site, at locate.Site, x *expr.Expr) bool {
	s := &site{b: c.b, pc: at.PC, function: at.Function, pkg: packageOf(at.Function), file: at.File, line: at.Line, near: &c.near, ends: true}
	cfa, err := c.b.CFA(at.PC)
	if err != nil {
		c.issue(probe.IssueUnsupported, "%s: the stack frame is not described there (%v), so calls that end there are not timed", s.where(), err)
		return false
	}
	out.CFA = cfa
	if x == nil {
		return true
	}
	given := c.src.cond
	c.src.cond = x
	ok := false
	out.Cond, ok = c.condition(s)
	c.src.cond = given
	return ok
}

// split takes from the condition what asks for $duration.
func (src *source) split() (late *expr.Expr, err error) {
	if src.cond == nil {
		return nil, nil
	}
	var early, rest expr.Node
	var split func(n expr.Node) error
	split = func(n expr.Node) error {
		if b, ok := n.(*expr.Binary); ok && b.Op == token.LAND {
			if err := split(b.X); err != nil {
				return err
			}
			return split(b.Y)
		}
		to := &early
		if expr.Asks(n, "duration") {
			if to = &rest; expr.Named(n) {
				return &Error{"condition", src.cond.Errorf(n,
					"compare $duration with a constant, and join conditions on the arguments by &&: o.Qty > 10 && $duration > 50ms",
					"the arguments are known when a call begins, and $duration when it ends")}
			}
		}
		if *to == nil {
			*to = n
		} else {
			*to = expr.And(*to, n)
		}
		return nil
	}
	if err := split(src.cond.Root); err != nil {
		return nil, err
	}
	whole := *src.cond
	src.cond = nil
	if early != nil {
		x := whole
		x.Root, src.cond = early, &x
	}
	if rest != nil {
		x := whole
		x.Root, late = rest, &x
	}
	return late, nil
}
