package locate

import (
	"slices"
	"sort"
)

// The costs that the cut weighs. A violated edge costs more than any number of
// sites; sites are preferred where the location is entered and at statements.
const (
	costNever   = int64(1) << 50 // what must not happen at all
	costWrong   = int64(1) << 36 // an edge on which the count errs
	costEndless = int64(1) << 32 // a way that never leaves the extent is not counted
	costLost    = int64(1) << 28 // a way that ends in a panic errs
	costBefore  = int64(1) << 18 // site in other code just before the extent
	costAfter   = int64(1) << 19 // site in other code just after the extent
	costSite    = int64(1000)
	costUnmark  = int64(500)  // no statement begins in the segment
	costInside  = int64(500)  // the segment is not entered from other code
	costLate    = int64(2000) // a segment is left with the pass not yet counted
)

// plan is the answer for one extent: where to fire, and where that errs.
type plan struct {
	sites  []int32 // instructions, sorted
	twice  bool    // some pass may be counted more than once
	missed bool    // some pass may not be counted
	panics bool    // only passes that end in a panic may be miscounted
	rest   bool    // nothing but moves is left of the location
	unsure bool    // it depends on where statements begin, which is not known
}

func (p plan) exact() bool { return !p.twice && !p.missed }

// labels is the network under construction.
type labels struct {
	*runs
	net     *network
	checks  []check
	borders []border
}

// check is an edge whose two ends must have the same label.
type check struct {
	from, to int32
	soft     bool // a way that ends in a panic
	idle     bool // an entry that must not count
}

// border is a place in other code where a site would do for one edge.
type border struct {
	from, to int32
	at       int32 // instruction
}

func in(i int) int32  { return int32(2 + 2*i) }
func out(i int) int32 { return int32(3 + 2*i) }

// solve chooses sites such that every stay in the extent that is a pass meets
// exactly one of them.
func (r *runs) solve() plan {
	l := &labels{runs: r, net: newNetwork(2 * len(r.segs))}
	stuck := r.stuck()
	for i := range r.segs {
		l.net.join(out(i), sink, costLate, 0)
		if stuck[i] {
			l.exit(i, costEndless)
		}
		l.weigh(i)
		l.enter(i)
		l.leave(i)
	}
	p := l.read(l.net.cut())
	if len(p.sites) == 0 {
		p = l.everyEntry()
	}
	p.rest = r.onlyJumps() || !slices.ContainsFunc(l.segs, func(s seg) bool { return s.worth > worthNone })
	return p
}

// onlyJumps tells whether nothing is left of a location but jumps that are always
// taken: one of several ways through it, as a rule.
func (r *runs) onlyJumps() bool {
	for _, s := range r.segs {
		for i := s.first; i <= s.last; i++ {
			if x := r.code.insts[i]; !x.Idle || !x.Ends || x.Ret {
				return false
			}
		}
	}
	return true
}

// everyEntry fires wherever a pass may be entered, for an extent in which no
// labels lead to a site: a loop that begins with its first instruction.
func (l *labels) everyEntry() plan {
	p := plan{twice: true}
	for i := range l.segs {
		_, outside := l.before(i)
		if at := l.place(i); at >= 0 && l.pass[i] && (!l.segs[i].start || len(outside) > 0) {
			p.sites = append(p.sites, at)
		}
	}
	return p
}

// weigh joins the two ends of a segment: the label may rise here, at the price
// of a site, and must not fall.
func (l *labels) weigh(i int) {
	cost := costNever
	if l.place(i) >= 0 {
		inside, outside := l.before(i)
		cost = costSite
		if l.segs[i].stmt < 0 {
			cost += costUnmark
		}
		if l.segs[i].start && len(outside) == 0 && len(inside) > 0 {
			cost += costInside
		}
	}
	l.net.join(in(i), out(i), cost, costNever)
}

// enter fixes the label of entries: 0, or 1 if an entry here is no pass of its own.
func (l *labels) enter(i int) {
	counts := l.pass[i] && !l.free[i]
	if !l.segs[i].start {
		l.entry(i, counts)
		return
	}
	_, outside := l.before(i)
	for _, b := range outside {
		if at := l.lastOf(b, l.segs[i].block); counts && at >= 0 {
			l.net.join(source, in(i), costBefore, 0)
			l.borders = append(l.borders, border{source, in(i), at})
			continue
		}
		l.entry(i, counts)
	}
}

func (l *labels) entry(i int, counts bool) {
	c := check{from: in(i), to: sink, idle: true}
	if counts {
		c = check{from: source, to: in(i)}
	}
	l.net.join(c.from, c.to, costWrong, 0)
	l.checks = append(l.checks, c)
}

func (l *labels) exit(i int, cost int64) {
	l.net.join(out(i), sink, cost, 0)
	l.checks = append(l.checks, check{from: out(i), to: sink, soft: cost == costLost})
}

// leave joins the end of a segment to what follows it; outside the extent the
// label must be 1.
func (l *labels) leave(i int) {
	s := l.segs[i]
	if !s.end {
		l.exit(i, costWrong)
		return
	}
	inside, outside := l.after(i)
	for _, j := range inside {
		l.net.join(out(i), in(j), costWrong, costWrong)
		l.checks = append(l.checks, check{from: out(i), to: in(j)})
	}
	for _, b := range outside {
		if at := l.firstOf(b, s.block); at >= 0 {
			l.net.join(out(i), sink, costAfter, 0)
			l.borders = append(l.borders, border{out(i), sink, at})
			continue
		}
		l.exit(i, costWrong)
	}
	if len(inside)+len(outside) == 0 {
		cost := costLost
		if l.code.insts[s.last].Ret {
			cost = costWrong
		}
		l.exit(i, cost)
	}
}

// lastOf returns the last instruction of block b if a site there fires exactly
// when control goes from b to block t; else -1.
func (l *labels) lastOf(b, t int32) int32 {
	if b < 0 || len(l.code.blocks[b].succs) != 1 || l.code.blocks[b].succs[0] != t {
		return -1
	}
	last := l.code.blocks[b].last
	if x := l.code.insts[last]; x.Call || x.Void || x.Grow {
		return -1
	}
	return last
}

// firstOf returns the first instruction of block b if a site there fires exactly
// when control comes to b from block p; else -1.
func (l *labels) firstOf(b, p int32) int32 {
	block := l.code.blocks[b]
	if block.outside || len(block.preds) != 1 || block.preds[0] != p {
		return -1
	}
	if x := l.code.insts[block.first]; x.Void || x.Grow {
		return -1
	}
	return block.first
}

// place returns the instruction of segment i at which a site fires best: where
// its statement begins, unless something before that may not come back. -1: the
// segment takes no site.
func (l *labels) place(i int) int32 {
	s := l.segs[i]
	for k := s.first; k <= s.last; k++ {
		x := l.code.insts[k]
		if x.Void || x.Grow {
			return -1
		}
		if k == s.stmt {
			return k
		}
		if x.Call || x.Fault {
			break
		}
	}
	return s.first
}

// read turns the sides of the cut into sites and tells the edges that err.
func (l *labels) read(one []bool) plan {
	var p plan
	add := map[int32]bool{}
	for i := range l.segs {
		if !one[in(i)] && one[out(i)] {
			add[l.place(i)] = true
		}
	}
	for _, b := range l.borders {
		if !one[b.from] && one[b.to] {
			add[b.at] = true
		}
	}
	for _, c := range l.checks {
		switch {
		case one[c.from] == one[c.to]:
		case c.soft:
			p.panics = true
		case one[c.from], c.idle: // counted, and will be counted again
			p.twice = true
		default:
			p.missed = true
		}
	}
	for i := range add {
		p.sites = append(p.sites, i)
	}
	sort.Slice(p.sites, func(i, j int) bool { return p.sites[i] < p.sites[j] })
	return p
}
