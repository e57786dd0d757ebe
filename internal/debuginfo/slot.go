package debuginfo

import (
	"reflect"
	"sort"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// A variable that lives in memory has one place for its whole function, and the
// debug information does not tell from where to where that place holds it: not
// before it is set, for which a declaration over several lines has time, and,
// since Go 1.23, not after its last use, because large variables whose lives do
// not meet share their place (cmd/compile/internal/liveness/mergelocals.go). The
// machine code tells both: what was written to the place on every way to a pc.

// WhyShared is why a variable cannot be read whose place another may have taken.
const WhyShared = "optimised out: its place on the stack may hold another variable by now"

// Variables up to three words, and parameters and results, have their places for
// themselves (cmd/compile/internal/ssa/func.go: IsMergeCandidate).
const ownPlace = 24

// slotsKept bounds the functions whose code is remembered.
const slotsKept = 32

// slotCache keeps the code of the functions last looked at.
type slotCache struct {
	mu    sync.Mutex
	funcs map[*Func]*slotCode
}

// slotCode is a function's code, and what it does to the variables asked for.
type slotCode struct {
	g      *amd64.Graph
	vars   map[slotKey][]slotState // before each instruction
	reused map[reusedKey][]bool    // likewise; nil: never
}

// slotKey is a variable: those of copies of one inlined function may share a DIE.
type slotKey struct {
	block *scope
	name  string
	line  int
	off   int64
}

// slotState says what the granules of a place may hold, a bit for each.
type slotState struct {
	unset   uint64 // nothing yet
	own     uint64 // what was written for the variable
	foreign uint64 // what may have been written for another one
	reached bool
}

func (s slotState) join(t slotState) slotState {
	return slotState{s.unset | t.unset, s.own | t.own, s.foreign | t.foreign, s.reached || t.reached}
}

// slot is a variable's place that is being looked at.
type slot struct {
	b      *Build
	f      *Func
	v      *Variable
	code   *slotCode
	lo, hi int64 // from the canonical frame address
	grain  int64
	all    uint64  // the granules that hold something
	front  uint64  // those that any variable in this place sets
	shared bool    // others may be put there
	scoped bool    // it is new whenever control enters its block
	frame  *Inline // the inlined call that it is of; nil: the function itself
	lines  map[uint64]int
}

// doubt says why what lies at the place of v at pc may not be v's value; "" if
// it is.
func (v *Variable) doubt(pc uint64, l Loc) string {
	if v.Param || v.Result || v.Captured || len(l.Pieces) != 1 || l.Pieces[0].Kind != AtCFA || l.Pieces[0].Size <= 0 {
		return ""
	}
	p := l.Pieces[0]
	plain := v.d.unit.plain
	shared := !plain && !v.indirect && p.Size > ownPlace && !inParts(v.Type, 0) && !versionBefore(v.b.GoVersion, 23)
	if v.d.hasList && !shared { // a list begins where the variable is set
		return ""
	}
	v.b.slots.mu.Lock()
	defer v.b.slots.mu.Unlock()
	code := v.b.slotCode(v.fn)
	if code == nil {
		if shared {
			return WhyShared
		}
		return ""
	}
	s := slot{b: v.b, f: v.fn, v: v, code: code, lo: p.Off, hi: p.Off + p.Size, shared: shared,
		scoped: plain && len(v.block.ranges) == 1 && !v.block.own, lines: map[uint64]int{}}
	if root := v.b.tree(v.fn); root != nil && shared {
		s.frame, _ = frameOf(root, v.block, nil)
	}
	return s.at(pc)
}

// inParts tells whether the compiler keeps values of a type in its parts, each
// by itself (cmd/compile/internal/ssa/value.go: CanSSA).
func inParts(t *program.Type, nesting int) bool {
	switch {
	case t == nil || t.Size > 32 || nesting > 4:
		return false
	case t.Kind == reflect.Array:
		return t.Len == 0 || t.Len == 1 && inParts(t.Elem, nesting+1)
	case t.Kind == reflect.Struct:
		for _, f := range t.Fields {
			if !inParts(f.Type, nesting+1) {
				return false
			}
		}
		return len(t.Fields) <= 4
	}
	return true
}

// slotCode is the code of f; nil where not all of its ways are known.
func (b *Build) slotCode(f *Func) *slotCode {
	c := &b.slots
	if code, ok := c.funcs[f]; ok {
		return code
	}
	if len(c.funcs) >= slotsKept || c.funcs == nil {
		c.funcs = map[*Func]*slotCode{}
	}
	c.funcs[f] = nil
	bytes, err := b.Bytes(f.Entry, int(f.End-f.Entry))
	if err != nil {
		return nil
	}
	opt := amd64.FlowOptions{Read: b.Loaded}
	if f.DeferReturn != 0 {
		opt.Entries = []uint64{f.DeferReturn}
	}
	g, err := amd64.Flow(bytes, f.Entry, opt)
	if err != nil || g.Unresolved {
		return nil
	}
	c.funcs[f] = &slotCode{g: g, vars: map[slotKey][]slotState{}, reused: map[reusedKey][]bool{}}
	return c.funcs[f]
}

// index is the number of the instruction that pc is in: a calling function is
// looked at in the middle of its call.
func (c *slotCode) index(pc uint64) (i int, ok bool) {
	i = sort.Search(len(c.g.Insts), func(i int) bool { return c.g.Insts[i].PC > pc }) - 1
	return i, i >= 0 && pc < c.g.Insts[i].End()
}

// at says what is to be said of the place at pc.
func (s *slot) at(pc uint64) string {
	i, ok := s.code.index(pc)
	if !ok {
		return ""
	}
	s.grains()
	key := slotKey{s.v.block, s.v.Name, s.v.DeclLine, s.lo}
	states, ok := s.code.vars[key]
	if !ok {
		states = s.solve()
		s.code.vars[key] = states
	}
	switch st := states[i]; {
	case !st.reached:
		return ""
	case s.shared && st.foreign&s.front == s.front:
		return WhyShared
	case st.unset&s.all != 0 && !s.v.d.hasList:
		return WhyUnset
	}
	return ""
}

// grains divides the place into at most 64 granules.
func (s *slot) grains() {
	s.grain = 8
	for (s.hi-s.lo+s.grain-1)/s.grain > 64 {
		s.grain *= 2
	}
	s.holds(s.v.placed(), 0, 0)
	s.front = s.mask(s.lo, s.lo+ownPlace+1)
}

// holds marks the granules in which a value of type t at off has something.
func (s *slot) holds(t *program.Type, off int64, nesting int) {
	switch {
	case t == nil || nesting > maxHeld:
	case t.Kind == reflect.Struct:
		for _, f := range t.Fields {
			if f.Name != "_" {
				s.holds(f.Type, off+f.Offset, nesting+1)
			}
		}
	case t.Kind == reflect.Array && t.Elem != nil && t.Elem.Kind == reflect.Struct && t.Len <= 64:
		for i := range t.Len {
			s.holds(t.Elem, off+i*t.Elem.Size, nesting+1)
		}
	default:
		s.all |= s.mask(s.lo+off, s.lo+off+t.Size)
	}
}

// maxHeld bounds structs within each other.
const maxHeld = 32

// mask are the granules of the bytes from a to b.
func (s *slot) mask(a, b int64) (m uint64) {
	a, b = max(a, s.lo), min(b, s.hi)
	for off := a - s.lo - (a-s.lo)%s.grain; off < b-s.lo; off += s.grain {
		m |= 1 << (off / s.grain)
	}
	return m
}

// solve finds the state before each instruction.
func (s *slot) solve() []slotState {
	g := s.code.g
	effects := s.effects()
	states := make([]slotState, len(g.Insts))
	in := make([]slotState, len(g.Blocks))
	in[g.Block(0)] = slotState{unset: s.all, reached: true}
	work := []int{g.Block(0)}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		st := in[b]
		for i := g.Blocks[b].First; i <= g.Blocks[b].Last; i++ {
			if s.enters(i) {
				st = slotState{unset: s.all, reached: true}
			}
			states[i] = st
			st = s.after(st, effects[i], g.Insts[i].PC)
		}
		for _, next := range g.Blocks[b].Succs {
			to := st
			if first := &g.Insts[g.Blocks[next].First]; s.scoped && !s.inside(g.Insts[g.Blocks[b].Last].PC) && s.inside(first.PC) {
				to = slotState{unset: s.all, reached: true}
			}
			if j := in[next].join(to); j != in[next] {
				in[next] = j
				work = append(work, next)
			}
		}
	}
	return states
}

func (s *slot) inside(pc uint64) bool { return inRanges(s.v.block.ranges, pc) }

// enters tells whether instruction i is in the variable's block and the one
// before it, from which control falls through within one block of code, is not.
func (s *slot) enters(i int) bool {
	g := s.code.g
	return s.scoped && i > g.Blocks[g.Block(i)].First && s.inside(g.Insts[i].PC) && !s.inside(g.Insts[i-1].PC)
}

// after is the state behind an instruction at pc that writes.
func (s *slot) after(st slotState, e slotEffect, pc uint64) slotState {
	m := e.writes
	if m == 0 {
		return st
	}
	line := 0
	if s.shared {
		line = s.line(pc)
	}
	switch {
	case e.vague: // somewhere in what was set before
		st.unset &^= m
		st.own |= m
	case !s.shared || line == s.v.DeclLine,
		line > s.v.DeclLine && st.unset&m == m && (st.own|st.foreign)&m == 0: // the first to be put there
		st.unset, st.foreign, st.own = st.unset&^m, st.foreign&^m, st.own|m
	default:
		st.unset, st.own, st.foreign = st.unset&^m, st.own&^m, st.foreign|m
	}
	return st
}

// line is the line of the variable's function that an instruction belongs to,
// be it by a call that is inlined there; 0 if it is of another function.
func (s *slot) line(pc uint64) int {
	if l, ok := s.lines[pc]; ok {
		return l
	}
	row, _ := s.b.LineAt(pc)
	line := row.Line
	ours := s.frame == nil
	for _, c := range s.b.InlineAt(s.f, pc) {
		if ours = ours || oneCall(c, s.frame); ours && s.frame != nil {
			break
		}
		line = c.CallLine
	}
	if !ours {
		line = 0
	}
	s.lines[pc] = line
	return line
}

// oneCall tells whether two descriptions are of one inlined call.
func oneCall(a, b *Inline) bool {
	return a.Name == b.Name && len(a.Ranges) > 0 && len(b.Ranges) > 0 && a.Ranges[0] == b.Ranges[0]
}

// frameOf is the inlined call that a block below s is part of; nil if it is the
// function itself. in is the one of s.
func frameOf(s, block *scope, in *Inline) (frame *Inline, found bool) {
	if s == block {
		return in, true
	}
	for _, c := range s.children {
		inner := in
		if c.inline != nil {
			inner = c.inline
		}
		if frame, found = frameOf(c, block, inner); found {
			return frame, true
		}
	}
	return nil, false
}
