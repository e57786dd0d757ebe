package compile

import (
	"fmt"
	"go/constant"
	"path"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// variable is one name in scope at a site.
type variable struct {
	name  string
	typ   *program.Type
	place place
}

// lost is a variable that was asked for and cannot be read at a site.
type lost struct {
	name string
	why  string
	up   int // the nearest line above where it can be read; 0 none
	down int // and below
}

// site is what one machine address has to offer to an expression.
type site struct {
	b        Build
	pc       uint64
	function string
	pkg      string // the function's package path
	file     string
	line     int
	vars     []variable
	lost     []lost // in the order met, each name once
	ends     bool   // a call ends here, and its duration is known
	near     *nearby
}

// newSite reads what is in scope at pc.
func newSite(b Build, pc uint64, function, pkg, file string, line int) *site {
	s := &site{b: b, pc: pc, function: function, pkg: pkg, file: file, line: line}
	for _, v := range b.ScopeOf(pc, function, line) {
		if v.Type == nil || v.Name == "" || v.Name == "_" || v.Name[0] == '~' || v.Name[0] == '.' {
			continue
		}
		s.vars = append(s.vars, variable{v.Name, v.Type, s.placeOf(v)})
	}
	return s
}

// placeOf is where v lives. It tells the site, once it is used, that it is
// lost there.
func (s *site) placeOf(v *debuginfo.Variable) place {
	return &lazyPlace{make: func() place { return s.locate(v) }}
}

// lazyPlace finds out where a variable lives when somebody asks.
type lazyPlace struct {
	make func() place
	at   place
}

func (l *lazyPlace) place() place {
	if l.at == nil {
		l.at = l.make()
	}
	return l.at
}

func (l *lazyPlace) scalar(off int64, s program.Scalar) (*program.Node, string) {
	return l.place().scalar(off, s)
}
func (l *lazyPlace) address() *program.Node { return l.place().address() }

func (s *site) locate(v *debuginfo.Variable) place {
	if v.Fresh {
		return reporting{unreadable{whyFresh}, func() { s.lose(v, whyFresh) }}
	}
	loc := v.Locate(s.pc)
	why := loc.Why
	if why == "" || why == debuginfo.WhyPartly {
		why = whyOptimisedOut
	}
	missing := func() { s.lose(v, why) }
	if len(loc.Pieces) == 0 && v.Type.Size > 0 {
		return reporting{unreadable{why}, missing}
	}
	size := v.Type.Size
	if loc.Indirect {
		size = 8
	}
	p := place(pieces{loc.Pieces, missing})
	if len(loc.Pieces) == 1 && loc.Pieces[0].Size >= size {
		if at := pieceAddress(loc.Pieces[0]); at != nil {
			p = memory{at}
		}
	}
	if !loc.Indirect {
		return p
	}
	ptr, why := p.scalar(0, program.U64)
	if why != "" {
		return unreadable{why}
	}
	return memory{plus(ptr, loc.DerefOff)}
}

// whyFresh is why a variable is not read on the line of its declaration: it may
// hold what was there before.
const whyFresh = "declared on this line, and perhaps not set yet"

// reporting is an unreadable variable that says so when it is used.
type reporting struct {
	unreadable
	used func()
}

func (r reporting) scalar(int64, program.Scalar) (*program.Node, string) {
	r.used()
	return nil, r.why
}

func (s *site) lose(v *debuginfo.Variable, why string) {
	if slices.ContainsFunc(s.lost, func(l lost) bool { return l.name == v.Name }) {
		return
	}
	up, down := s.near.lines(s, v)
	s.lost = append(s.lost, lost{v.Name, why, up, down})
}

// variable is the innermost variable of that name.
func (s *site) variable(name string) *variable {
	for i := range s.vars {
		if s.vars[i].name == name {
			return &s.vars[i]
		}
	}
	return nil
}

// inScope tells whether name is a variable here: a local one or one of the
// function's package.
func (s *site) inScope(name string) bool {
	return s.variable(name) != nil || s.own(name, nil) != nil
}

// own is a variable or a constant of the function's own package.
func (s *site) own(name string, n expr.Node) *operand {
	full := s.pkg + "." + name
	if g, ok := s.b.Global(full); ok && g.Name == full {
		return s.global(full, n)
	}
	return s.constant(full, n)
}

// constant is a package's integer constant; the build may not know it.
func (s *site) constant(full string, n expr.Node) *operand {
	v, t, ok := s.b.Constant(full)
	if !ok || t == nil || !isInteger(t.Kind) {
		return nil
	}
	return &operand{node: n, typ: t, val: constant.MakeInt64(v)}
}

// global is a package's variable; nil if there is none of that name.
func (s *site) global(name string, n expr.Node) *operand {
	g, ok := s.b.Global(name)
	if !ok || g.Type == nil {
		return nil
	}
	at := &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(g.Addr)}
	return &operand{node: n, typ: g.Type, place: memory{at}, full: g.Name}
}

// packageVars are the names of the variables of the packages of that name or
// path.
func (s *site) packageVars(name string) []string {
	var names []string
	for _, g := range s.b.Globals() {
		pkg := packageOf(g)
		if (pkg == name || strings.HasSuffix(pkg, "/"+name)) && len(g) > len(pkg) {
			names = append(names, g[len(pkg)+1:])
		}
	}
	return names
}

// namedType is the type that a conversion names; nil if there is none.
func (s *site) namedType(name string) *program.Type {
	if t := s.b.TypeByName(s.pkg + "." + name); t != nil {
		return t
	}
	if t := basic[name]; t != nil {
		return t
	}
	if !strings.Contains(name, ".") {
		return nil
	}
	return s.b.TypeByName(name)
}

func (s *site) names() []string {
	var names []string
	for _, v := range s.vars {
		names = append(names, v.name)
	}
	return names
}

// where is the site for a person.
func (s *site) where() string {
	return fmt.Sprintf("%s:%d (%s)", path.Base(s.file), s.line, shortName(s.function))
}
