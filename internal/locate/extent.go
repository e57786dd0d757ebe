package locate

// extent is the part of a function's code that a location covers.
type extent struct {
	insts  []int32        // sorted
	stmt   map[int32]bool // those that the line table marks as the beginning of a statement
	inside map[int32]bool // those that it marks in a call that was inlined
	body   bool           // it is the body of a function, which is entered at its top only
}

// seg is a maximal run of instructions of an extent inside one block.
type seg struct {
	first, last int32 // instructions
	block       int32
	start, end  bool  // it begins, ends with its block
	stmt        int32 // first instruction that begins a statement; -1 none
	worth       worth
}

// worth tells how likely it is that the work of a location begins in a segment.
// The line table marks more than that: reloads of registers, jumps to what
// follows a statement.
type worth uint8

const (
	worthNone worth = iota // moves, or the slow way of a write barrier
	worthWork              // more than moves
	worthMark              // a marked move
	worthCall              // marked in an inlined call, and more than moves
	worthBoth              // marked, of the line itself, and more than moves
)

// segments cuts an extent at the borders of blocks and at other lines' code.
func (c *code) segments(e extent) []seg {
	var segs []seg
	for _, i := range e.insts {
		n := len(segs)
		if n == 0 || segs[n-1].last+1 != i || segs[n-1].block != c.blockOf[i] {
			segs = append(segs, seg{first: i, block: c.blockOf[i], stmt: -1})
			n++
		}
		s := &segs[n-1]
		s.last = i
		if s.stmt < 0 && (e.stmt[i] || e.inside[i]) {
			s.stmt = i
		}
	}
	for i := range segs {
		segs[i].worth = c.worth(e, segs[i])
		b := c.blocks[segs[i].block]
		segs[i].start = segs[i].first == b.first
		segs[i].end = segs[i].last == b.last
	}
	return segs
}

func (c *code) worth(e extent, s seg) worth {
	var own, inside, work bool
	for i := s.first; i <= s.last; i++ {
		x := c.insts[i]
		if x.Slow || x.Grow {
			return worthNone
		}
		own, inside = own || e.stmt[i], inside || e.inside[i]
		work = work || !x.Idle
	}
	switch {
	case own && work:
		return worthBoth
	case inside && work:
		return worthCall
	case own || inside:
		return worthMark
	case work:
		return worthWork
	}
	return worthNone
}

// runs is an extent as a graph of segments.
type runs struct {
	code  *code
	segs  []seg
	begin map[int32]int // by block: the segment that begins with it
	close map[int32]int // by block: the segment that ends with it
	pass  []bool        // entering here is a pass
	free  []bool        // an entry here counts at another segment of its block
}

func (c *code) runs(e extent) *runs {
	r := &runs{code: c, segs: c.segments(e), begin: map[int32]int{}, close: map[int32]int{}}
	for i, s := range r.segs {
		if s.start {
			r.begin[s.block] = i
		}
		if s.end {
			r.close[s.block] = i
		}
	}
	r.pass = r.reaching(r.primary(e.body))
	r.once()
	return r
}

// primary marks the segments that begin the location's work: those of the
// greatest worth to which no other such segment always leads. One
// that comes again only after another came again, every time, holds a rest of
// the same work: the compiler computed something later, or jumps to the end of
// the statement from there. Of a body only the top counts: what all ways to its
// other parts lead through, though they may be in a loop of their own.
func (r *runs) primary(body bool) []bool {
	c := r.code
	c.loops()
	idom := c.dominators()
	best := worthNone
	for _, s := range r.segs {
		best = max(best, s.worth)
	}
	first := map[int32]int{} // by block: its first segment of that worth
	for i := len(r.segs) - 1; i >= 0; i-- {
		if r.segs[i].worth == best {
			first[r.segs[i].block] = i
		}
	}
	primary := make([]bool, len(r.segs))
	for b, i := range first {
		primary[i] = true
		for d := b; primary[i] && idom[d] >= 0 && idom[d] != d; {
			d = idom[d]
			if _, ok := first[d]; ok {
				primary[i] = !body && c.again(b, d)
			}
		}
	}
	return primary
}

// reaching marks the segments from which, without leaving the extent, one of the
// given can be reached.
func (r *runs) reaching(goal []bool) []bool {
	reach := make([]bool, len(r.segs))
	var work []int
	for i := range r.segs {
		if goal[i] {
			reach[i] = true
			work = append(work, i)
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		inside, _ := r.before(i)
		for _, p := range inside {
			if !reach[p] {
				reach[p] = true
				work = append(work, p)
			}
		}
	}
	return reach
}

// before lists the segments from which control comes to segment i inside the
// extent, and the blocks from which it comes from other code (-1: from outside
// the function). A segment that begins within its block has neither.
func (r *runs) before(i int) (inside []int, outside []int32) {
	s := r.segs[i]
	if !s.start {
		return nil, nil
	}
	b := r.code.blocks[s.block]
	for _, p := range b.preds {
		if j, ok := r.close[p]; ok {
			inside = append(inside, j)
		} else {
			outside = append(outside, p)
		}
	}
	if b.outside {
		outside = append(outside, -1)
	}
	return inside, outside
}

// after lists the segments to which control goes from segment i inside the
// extent, and the blocks to which it leaves.
func (r *runs) after(i int) (inside []int, outside []int32) {
	s := r.segs[i]
	if !s.end {
		return nil, nil
	}
	for _, t := range r.code.blocks[s.block].succs {
		if j, ok := r.begin[t]; ok {
			inside = append(inside, j)
		} else {
			outside = append(outside, t)
		}
	}
	return inside, outside
}

// once applies "at most one pass in each execution of a block": of the segments
// of a block that control can enter from other code one counts, the others are
// free. The first one counts if every way to it is an entry; else one within
// the block, which is entered in every execution, preferably one that also ends
// within the block.
func (r *runs) once() {
	r.free = make([]bool, len(r.segs))
	for i := 0; i < len(r.segs); {
		j := i
		for j < len(r.segs) && r.segs[j].block == r.segs[i].block {
			j++
		}
		if keep := r.keeper(i, j); keep >= 0 {
			for k := i; k < j; k++ {
				r.free[k] = k != keep
			}
		}
		i = j
	}
}

// keeper chooses the segment among i … j-1, all of one block, whose entries
// count for the whole block; -1 if there is no choice to make.
func (r *runs) keeper(i, j int) int {
	within := -1
	for k := i; k < j; k++ {
		if r.segs[k].start || !r.pass[k] {
			continue
		}
		if within < 0 || r.segs[within].end {
			within = k
		}
		if !r.segs[k].end {
			break
		}
	}
	if within < 0 {
		return -1
	}
	if r.segs[i].start && r.pass[i] && !r.segs[i].end {
		if inside, outside := r.before(i); len(inside) == 0 && len(outside) > 0 {
			return i
		}
	}
	return within
}

// stuck marks the segments from which control never leaves the extent.
func (r *runs) stuck() []bool {
	stuck := make([]bool, len(r.segs))
	var work []int
	for i := range r.segs {
		inside, outside := r.after(i)
		stuck[i] = len(outside) == 0 && len(inside) > 0
		if !stuck[i] {
			work = append(work, i)
		}
	}
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		inside, _ := r.before(i)
		for _, p := range inside {
			if stuck[p] {
				stuck[p] = false
				work = append(work, p)
			}
		}
	}
	return stuck
}
