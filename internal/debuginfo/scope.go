package debuginfo

import (
	"reflect"
	"sort"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Variable is a variable, parameter, result or captured variable of a function.
type Variable struct {
	Name     string
	Type     *program.Type
	Param    bool // a parameter
	Result   bool // a result, named or (as ~r0) not
	Captured bool // of the enclosing function, captured by this closure
	// Fresh: declared on the very line of the pc that was asked for; it may
	// not hold its value yet, and where the declaration shadows a variable of
	// the same name, the line reads the outer one before it sets this one.
	Fresh    bool
	DeclLine int
	// Dict is, of a variable whose type is a type parameter or made of one, 1 +
	// the word of the generic function's dictionary that names the true type.
	Dict int

	b        *Build
	d        varDIE
	fn       *Func
	block    *scope
	indirect bool
	pc       uint64    // that was asked for,
	line     int       // and the line that it was asked for
	twin     *Variable // a second description of the same variable
}

// twin attaches v to the same variable in list, if it is there: the compiler
// describes the results of functions with defers twice, and only one of the two
// descriptions may have a place.
func twin(list []*Variable, v *Variable) bool {
	for _, w := range list {
		if w.block == v.block && w.Name == v.Name && w.DeclLine == v.DeclLine && w.Type == v.Type && w.Result == v.Result {
			v.twin, w.twin = w.twin, v
			return true
		}
	}
	return false
}

// Scope is ScopeOf for the innermost function inlined at pc (or the function
// itself) and the line that pc has there.
func (b *Build) Scope(pc uint64) []*Variable {
	line := 0
	if row, ok := b.LineAt(pc); ok {
		line = row.Line
	}
	return b.ScopeOf(pc, "", line)
}

// ScopeOf are the variables in scope at pc for a line of the function of that
// name, which holds pc itself or has calls inlined that do; "" is the innermost
// one. Those of the innermost block come first, so that the first of a name is
// the one that Go means; variables declared on the line itself come last.
func (b *Build) ScopeOf(pc uint64, function string, line int) []*Variable {
	f := b.FuncAt(pc)
	if f == nil {
		return nil
	}
	root := b.tree(f)
	if root == nil {
		return nil
	}
	var out, fresh []*Variable
	all := chainAt(root, pc)
	chain := upTo(all, function)
	if len(chain) < len(all) { // of a function in which a call is inlined there
		chain = b.around(f, root, chain, pc, line)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		s := chain[i]
		for _, d := range s.vars {
			v := b.variable(f, s, d)
			if v == nil || twin(out, v) || twin(fresh, v) {
				continue
			}
			v.pc, v.line = pc, line
			switch {
			case v.Param || v.Result || v.Captured || v.DeclLine < line:
				out = append(out, v)
			case v.DeclLine == line:
				v.Fresh = true
				fresh = append(fresh, v)
			}
		}
		if s.inline != nil {
			break
		}
	}
	return append(out, fresh...)
}

// upTo is a chain without the calls inlined in the innermost copy of the function
// of that name; "" is the innermost one of all.
func upTo(chain []*scope, function string) []*scope {
	if function == "" {
		return chain
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i].inline == nil || chain[i].inline.Name != function {
			continue
		}
		end := i + 1
		for end < len(chain) && chain[end].inline == nil {
			end++
		}
		return chain[:end]
	}
	return chain
}

// around is the chain of a function in which a call is inlined at pc, with the
// blocks that the call is in: most leave out the code of inlined calls. They are
// those of the function's own code on the line of the call, the nearest to pc.
func (b *Build) around(f *Func, root *scope, chain []*scope, pc uint64, line int) []*scope {
	level := len(chain) - 1
	for level > 0 && chain[level].inline == nil {
		level--
	}
	best := ^uint64(0)
	for _, r := range b.Lines(f) {
		d := max(r.PC, pc) - min(r.PC, pc)
		if r.Line != line || d >= best {
			continue
		}
		own := chainAt(root, r.PC)
		in := len(own) - 1
		for in > 0 && own[in].inline == nil {
			in--
		}
		if own[in] == chain[level] {
			best, chain = d, own
		}
	}
	return chain
}

// chainAt is the path of nested scopes that hold pc, outermost first: a function,
// its blocks, the call inlined there, the blocks of that. The debug information
// has inlined calls beside the blocks that they are in, not below them.
func chainAt(root *scope, pc uint64) []*scope {
	chain := []*scope{root}
	for call := root; call != nil; {
		var inner *scope
		for s := call; s != nil; {
			var block *scope
			for _, c := range s.children {
				switch {
				case !inRanges(c.ranges, pc):
				case c.inline == nil && block == nil:
					block = c
				case c.inline != nil && inner == nil:
					inner = c
				}
			}
			if s = block; s != nil {
				chain = append(chain, s)
			}
		}
		if call = inner; call != nil {
			chain = append(chain, call)
		}
	}
	return chain
}

// variable makes the public form of a variable; nil for what the compiler made
// for itself.
func (b *Build) variable(f *Func, s *scope, d varDIE) *Variable {
	name, escaped := strings.CutPrefix(d.name, "&")
	if name == "" || name == "_" || strings.HasPrefix(name, ".") {
		return nil
	}
	v := &Variable{Name: name, Param: d.param && !d.result, Result: d.result, DeclLine: d.line,
		Captured: d.closure >= 0, b: b, d: d, fn: f, block: s}
	v.Type = b.typeAt(d.typ)
	v.Dict = b.dictOf(d.typ)
	if escaped && v.Type.Elem != nil {
		v.Type, v.indirect = v.Type.Elem, true
	}
	return v
}

// pointer stands for the type of what an indirect variable's place holds.
var pointer = &program.Type{Name: "unsafe.Pointer", Kind: reflect.UnsafePointer, Size: 8}

// Locate says where the variable is at pc, before the instruction there runs.
func (v *Variable) Locate(pc uint64) (l Loc) {
	if v.twin != nil && v.indirect != v.twin.indirect {
		return v.moved(pc)
	}
	return v.alone(pc)
}

// moved is where a parameter or result is that the compiler, without
// optimisation, describes twice: in its own place, and behind the pointer to the
// heap, where the function's first instructions move it. What stays behind in
// its own place is what was passed, whatever becomes of the variable.
func (v *Variable) moved(pc uint64) Loc {
	heap, own := v, v.twin
	if !v.indirect {
		heap, own = v.twin, v
	}
	line := v.line
	if row, ok := v.b.LineAt(pc); ok && pc != v.pc {
		line = row.Line
	}
	switch {
	case pc <= v.b.bodyStart(v.fn):
		return own.alone(pc)
	case line > v.DeclLine:
		return heap.alone(pc)
	}
	return Loc{Why: WhyUnset} // on the line where it is moved
}

// alone is Locate without a look at which of two descriptions holds.
func (v *Variable) alone(pc uint64) (l Loc) {
	l.Why = WhyOptimised
	defer ignore()
	t := v.placed()
	if t.Size == 0 {
		return Loc{Indirect: v.indirect}
	}
	l = v.here(pc, t.Size)
	if l.listed && len(l.Pieces) == 1 && l.Pieces[0].Kind == AtCFA && v.block.own && v.b.shared(v.fn, v.Name) {
		l.listed = false
	}
	l.place(t)
	if l.Why == "" && v.unset(pc) {
		l = Loc{Why: WhyUnset}
	}
	if l.Why == "" {
		if why := v.doubt(pc, l); why != "" {
			l = Loc{Why: why}
		}
	}
	if l.listed {
		l = v.older(pc, v.reused(pc, l))
	}
	if v.Captured && l.Why != "" {
		if c, ok := v.inClosure(pc, t.Size); ok {
			l = c
		}
	}
	l.Indirect = v.indirect
	if l.Why != "" && v.twin != nil {
		if other := v.twin.alone(pc); other.Why == "" && v.twin.indirect == v.indirect {
			return other
		}
	}
	return l
}

// placed is the type of what lies at the variable's place.
func (v *Variable) placed() *program.Type {
	if v.indirect {
		return pointer
	}
	return v.Type
}

// here evaluates the variable's location at pc.
func (v *Variable) here(pc uint64, size int64) Loc {
	l := Loc{Why: WhyOptimised}
	switch {
	case v.d.hasExpr:
		l, _ = v.b.pieces(v.d.unit, v.d.expr, size)
	case v.d.hasList:
		v.b.eachLoc(v.d.unit, v.d.loclist, func(e locEntry) bool {
			if pc < e.low || pc >= e.high {
				return true
			}
			l, _ = v.b.pieces(v.d.unit, e.expr, size)
			l.listed = !v.d.unit.plain
			return false
		})
	case v.d.constant:
		l = Loc{Pieces: []Piece{{Kind: Const, Size: size, Const: uint64(v.d.constVal)}}}
	}
	return l
}

// unset tells that v's place is given for the whole function (a variable that
// lives in memory, or any without optimisation) while at pc nothing was put
// there yet: a result at the entry, a local on the line that declares it. A
// location list says where it begins to hold by itself.
func (v *Variable) unset(pc uint64) bool {
	if v.d.hasList || v.Param || v.Captured {
		return false
	}
	if v.Result {
		return v.block.own && pc <= v.b.bodyStart(v.fn)
	}
	if pc == v.pc {
		return v.Fresh
	}
	row, ok := v.b.LineAt(pc)
	return ok && row.Line == v.DeclLine
}

// inClosure finds a captured variable in the closure itself, whose address is
// in RDX at the entry of its function (the context register of ABIInternal)
// and stays there until the body begins: the stack check and the frame set-up
// use none but R12, R13 and the flags (cmd/internal/obj/x86/obj6.go).
func (v *Variable) inClosure(pc uint64, size int64) (Loc, bool) {
	if v.block.inline == nil || !v.block.own || pc != v.fn.Entry && pc != v.b.bodyStart(v.fn) {
		return Loc{}, false
	}
	const rdx = 2
	return Loc{Pieces: []Piece{{Kind: AtReg, Reg: rdx, Off: v.d.closure, Size: size}}}, true
}

// bodyStart is where f's prologue ends; 0 if the line table does not say so.
func (b *Build) bodyStart(f *Func) uint64 {
	for _, r := range b.Lines(f) {
		if r.PrologueEnd {
			return r.PC
		}
	}
	return 0
}

// Readable finds the line nearest to pc's, in the same function and in the
// scope of v, where v can be read whole at the first instruction of a
// statement.
func (b *Build) Readable(v *Variable, from uint64) (line int, ok bool) {
	f := b.FuncAt(from)
	if f == nil || v == nil || v.fn != f {
		return 0, false
	}
	rows := b.Lines(f)
	i := sort.Search(len(rows), func(i int) bool { return rows[i].PC > from })
	if i == 0 {
		return 0, false
	}
	here := rows[i-1].Line
	if from == v.pc {
		here = v.line
	}
	scopes := v.block.ranges
	best := -1
	for _, r := range rows {
		if !r.Stmt || r.Line == here || r.Line <= v.DeclLine && !v.Param {
			continue
		}
		d := abs(r.Line - here)
		if best >= 0 && d >= best || !inRanges(scopes, r.PC) || !b.innermost(v, f, r.PC) {
			continue
		}
		if v.Locate(r.PC).Readable() {
			best, line, ok = d, r.Line, true
		}
	}
	return line, ok
}

// innermost tells whether pc's innermost inlined call is the one that v belongs
// to: only there is v in scope.
func (b *Build) innermost(v *Variable, f *Func, pc uint64) bool {
	chain := chainAt(b.tree(f), pc)
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i] == v.block {
			return true
		}
		if chain[i].inline != nil {
			return false
		}
	}
	return false
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
