package locate

import (
	"slices"
	"strings"
)

// function is the code of one function with what the line table and the
// inlining tree say of each instruction. It is made from plain data (see
// load.go), so that tests need no binary.
type function struct {
	code  *code
	nodes []node  // the function itself, then the copies inlined into it, parents first
	node  []int32 // by instruction: the innermost node
	pos   []pos   // by instruction
	lines map[place]*extent
	other *function // a second reading, where no debug information says where statements begin
}

// solve chooses the sites of an extent. Where it is not known where statements
// begin, several readings are asked: that all instructions begin one, that moves
// do not, and that only one part of the extent does. What all agree on does not
// depend on it.
func (f *function) solve(of func(*function) extent) plan {
	all := of(f)
	p := f.code.runs(all).solve()
	if f.other == nil {
		return p
	}
	q := f.code.runs(of(f.other)).solve()
	q.twice, q.missed, q.panics = q.twice || p.twice, q.missed || p.missed, q.panics || p.panics
	q.unsure = !f.sameBlocks(p, q)
	one := 0
	for _, s := range f.code.segments(all) {
		if s.worth < worthMark || q.unsure {
			continue
		}
		if one++; one > readings {
			q.unsure = true
			break
		}
		q.unsure = !f.sameBlocks(q, f.code.runs(all.marked(s)).solve())
	}
	return q
}

// readings bounds how many parts of an extent are tried as its only statement.
const readings = 16

// marked is an extent in which statements begin in segment s only.
func (e extent) marked(s seg) extent {
	stmt, inside := e.stmt, e.inside
	e.stmt, e.inside = map[int32]bool{}, map[int32]bool{}
	for i := s.first; i <= s.last; i++ {
		e.stmt[i], e.inside[i] = stmt[i], inside[i]
	}
	return e
}

// sameBlocks tells whether two plans count the same: how often a site fires
// depends on its block.
func (f *function) sameBlocks(p, q plan) bool {
	return slices.Equal(f.blocksOf(p.sites), f.blocksOf(q.sites))
}

// blocksOf are the blocks of sites.
func (f *function) blocksOf(sites []int32) []int32 {
	var out []int32
	for _, i := range sites {
		out = append(out, f.code.blockOf[i])
	}
	return out
}

// node is the function itself (index 0) or an inlined copy.
type node struct {
	name   string
	parent int32
	file   string // of the call; empty for the function itself
	line   int
	same   int32 // the node that has the same body in the source, see foldRanges
}

// pos is the line table's word on one instruction.
type pos struct {
	file string
	line int
	stmt bool // a statement begins here, or an instruction before in the same row
}

// place is a line in one copy of a function.
type place struct {
	node int32
	file string
	line int
}

// foldRanges finds the inlined bodies of range-over-func loops. The compiler
// makes f-range1 of the body of a loop in f; where it was inlined back into f, by
// way of the iterator, its lines are lines of f again and not part of the line
// that calls the iterator.
func (f *function) foldRanges() {
	for i := range f.nodes {
		f.nodes[i].same = int32(i)
		own, is := rangeBody(f.nodes[i].name)
		if !is || i == 0 {
			continue
		}
		for p := f.nodes[i].parent; ; p = f.nodes[p].parent {
			if outer, _ := rangeBody(f.nodes[p].name); outer == own {
				f.nodes[i].same = f.nodes[p].same
				break
			}
			if p == 0 {
				break
			}
		}
	}
}

// rangeBody strips -rangeN from a name.
func rangeBody(full string) (outer string, is bool) {
	flat, _ := withoutArgs(full)
	i := strings.LastIndex(flat, "-range")
	if i < 0 || strings.Trim(flat[i+len("-range"):], "0123456789") != "" {
		return flat, false
	}
	return flat[:i], true
}

// stack calls visit with the place of instruction i in each copy around it, from
// the innermost outwards.
func (f *function) stack(i int32, visit func(p place, innermost bool)) {
	var seen [8]int32
	known := seen[:0]
	n, file, line := f.node[i], f.pos[i].file, f.pos[i].line
	for first := true; ; first = false {
		if same := f.nodes[n].same; !slices.Contains(known, same) {
			known = append(known, same)
			visit(place{same, file, line}, first)
		}
		if n == 0 {
			return
		}
		file, line = f.nodes[n].file, f.nodes[n].line
		n = f.nodes[n].parent
	}
}

// extents sorts all instructions into the extents of the lines.
func (f *function) extents() map[place]*extent {
	if f.lines != nil {
		return f.lines
	}
	f.lines = map[place]*extent{}
	var entry []place
	for i := range f.code.insts {
		x := f.code.insts[i]
		if x.Void {
			continue
		}
		if x.Grow {
			for _, p := range entry {
				f.add(p, int32(i))
			}
			continue
		}
		f.stack(int32(i), func(p place, innermost bool) {
			e := f.add(p, int32(i))
			if i == 0 {
				entry = append(entry, p)
			}
			switch {
			case f.pos[i].stmt && innermost:
				e.stmt[int32(i)] = true
			case f.pos[i].stmt:
				e.inside[int32(i)] = true
			}
		})
	}
	for _, e := range f.lines {
		f.guard(e)
	}
	return f.lines
}

func (f *function) add(p place, i int32) *extent {
	e := f.lines[p]
	if e == nil {
		e = &extent{stmt: map[int32]bool{}, inside: map[int32]bool{}}
		f.lines[p] = e
	}
	e.insts = append(e.insts, i)
	return e
}

// guard adds to an extent of which only the slow way of write barriers is left
// the jumps that decide for it: the stores themselves were merged into those of
// other lines.
func (f *function) guard(e *extent) {
	if slices.ContainsFunc(e.insts, func(i int32) bool { return !f.code.insts[i].Slow }) {
		return
	}
	for _, i := range slices.Clone(e.insts) {
		b := f.code.blocks[f.code.blockOf[i]]
		for _, p := range b.preds {
			last := f.code.blocks[p].last
			if !slices.Contains(e.insts, last) {
				e.insts = append(e.insts, last)
				e.stmt[last] = true
			}
		}
	}
	slices.Sort(e.insts)
}

// extent is the extent of a place together with the idle instructions behind
// its parts: what the register allocator put there under the lines of other
// code, where no statement of theirs begins, is not "other lines' code". They
// count as behind a part only if control comes to them from there alone.
func (f *function) extent(p place) extent {
	e := *f.extents()[p]
	in := make(map[int32]bool, len(e.insts))
	for _, i := range e.insts {
		in[i] = true
	}
	e.insts = f.withQuiet(e.insts, in)
	return e
}

// withQuiet adds the idle instructions behind a set to it.
func (f *function) withQuiet(insts []int32, in map[int32]bool) []int32 {
	grown := slices.Clone(insts)
	for k := 0; k < len(grown); k++ {
		for _, s := range f.code.insts[grown[k]].Succ {
			if !in[s] && f.quiet(s) && f.within(s, in) {
				in[s] = true
				grown = append(grown, s)
			}
		}
	}
	slices.Sort(grown)
	return grown
}

// quiet tells whether instruction i does nothing for the statement that the
// line table puts it under.
func (f *function) quiet(i int32) bool {
	x := f.code.insts[i]
	return x.Idle && !f.pos[i].stmt && !x.Void && !x.Grow
}

// within tells whether control comes to instruction i from the set only.
func (f *function) within(i int32, in map[int32]bool) bool {
	b := f.code.blocks[f.code.blockOf[i]]
	if i != b.first {
		return in[i-1]
	}
	for _, p := range b.preds {
		if !in[f.code.blocks[p].last] {
			return false
		}
	}
	return !b.outside
}

// at lists the extents of a line: one for each copy of the function around it
// that is not itself part of another one's.
func (f *function) at(file string, line int) []place {
	var places []place
	for p, e := range f.extents() {
		if p.file == file && p.line == line && !f.nested(p, e) {
			places = append(places, p)
		}
	}
	slices.SortFunc(places, func(a, b place) int { return int(f.lines[a].insts[0] - f.lines[b].insts[0]) })
	return places
}

// nested tells whether the extent of a place lies in another copy's extent of
// the same line: a closure that is written and called on one line.
func (f *function) nested(p place, e *extent) bool {
	within, found := false, false
	for _, i := range e.insts {
		if f.code.insts[i].Grow {
			continue
		}
		f.stack(i, func(q place, _ bool) {
			if q == p {
				found = true
			} else if found && q.file == p.file && q.line == p.line {
				within = true
			}
		})
		return within
	}
	return false
}

// copies lists the nodes that are inlined copies of a function.
func (f *function) copies(is func(name string) bool) []int32 {
	var list []int32
	for i := 1; i < len(f.nodes); i++ {
		if is(f.nodes[i].name) {
			list = append(list, int32(i))
		}
	}
	return list
}

// inside tells whether node n is node of or lies in it.
func (f *function) inside(n, of int32) bool {
	for n > of {
		n = f.nodes[n].parent
	}
	return n == of
}

// copyExtent is the code of an inlined copy, with what stands in its loops and
// idles behind its parts.
func (f *function) copyExtent(n int32) extent {
	e := extent{stmt: map[int32]bool{}, body: true}
	in := map[int32]bool{}
	for i := range f.code.insts {
		if x := f.code.insts[i]; x.Void || x.Grow || !f.inside(f.node[i], n) {
			continue
		}
		in[int32(i)] = true
		e.insts = append(e.insts, int32(i))
		if f.pos[i].stmt {
			e.stmt[int32(i)] = true
		}
	}
	f.code.loops()
	for head, blocks := range f.code.bodies {
		if !in[f.code.blocks[head].first] || !f.ownLoop(blocks, n) {
			continue
		}
		for _, b := range blocks {
			for i := f.code.blocks[b].first; i <= f.code.blocks[b].last; i++ {
				if !in[i] {
					in[i] = true
					e.insts = append(e.insts, i)
				}
			}
		}
	}
	e.insts = f.withQuiet(e.insts, in)
	return e
}

// ownLoop tells whether a loop is one of the inlined copy n itself, rather than
// a loop around the call: no statement of other code is in it.
func (f *function) ownLoop(blocks []int32, n int32) bool {
	c := f.code
	for _, b := range blocks {
		for i := c.blocks[b].first; i <= c.blocks[b].last; i++ {
			if f.pos[i].stmt && (!c.insts[i].Idle || c.insts[i].Ends) && !f.inside(f.node[i], n) {
				return false
			}
		}
	}
	return true
}
