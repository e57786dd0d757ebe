package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Aggregation is what a body needs to know to add up in the target.
type Aggregation struct {
	At     uint64 // address of the region of aggregates
	Region *ring.Aggregates
	What   *program.Aggregate
	Rate   float64 // nanoseconds a cycle, of times
}

// aggregating tells whether a body does more at a hit than count it.
func (e Env) aggregating() bool { return e.Agg != nil }

// place is where the probe's aggregates lie in the region.
func (e Env) place() ring.Place { return e.Agg.Region.Probes[e.Probe] }

// adding is what an aggregate adds up in: registers and slots that outlast the
// evaluation of expressions.
type adding struct {
	area  amd64.Reg // the probe's area of the running P
	row   amd64.Reg // key: the row; meanwhile the probe's keys
	extra amd64.Reg // key: one more to work with
	value amd64.Mem // the number
	stage amd64.Mem // slot: which snapshot a call has that ends, as its PairStage
	end   amd64.Label
}

// aggregate is a hit of a probe that adds up.
func (g *gen) aggregate() {
	saved := g.widen()
	g.agg.end = g.a.NewLabel()
	switch g.site.Role {
	case program.RoleStart:
		g.start()
	case program.RoleStop, program.RoleRecover:
		g.stop()
	case program.RoleUnwind, program.RoleGoexit, program.RoleResume:
		g.unwind()
	default:
		g.findArea()
		g.measure()
		g.hit()
	}
	g.a.Bind(g.agg.end)
	for _, r := range saved {
		g.unsave(r)
	}
}

// hit counts a hit.
func (g *gen) hit() { g.a.OpMemImm(amd64.ADD, g.count(ring.CounterEmitted), 1, 8) }

// widen takes and saves the registers that adding up needs: four to evaluate in,
// with RAX, which compares and exchanges, and RDX, which reads the clock, among
// them.
func (g *gen) widen() []amd64.Reg {
	var more []amd64.Reg
	for _, r := range []amd64.Reg{amd64.RAX, amd64.RDX} {
		if !g.taken.Has(r) {
			g.taken |= amd64.Regs(r)
			more = append(more, r)
		}
	}
	for len(g.pool)+len(more) < mostPool {
		more = append(more, g.take(0))
	}
	g.pool = append(g.pool, more...)
	own := []*amd64.Reg{&g.agg.area}
	if g.env.Agg.What.By != nil || g.env.Agg.What.Pair {
		own = append(own, &g.agg.row, &g.agg.extra)
	}
	if g.env.Image != nil {
		own = append(own, &g.out)
	}
	for _, r := range own {
		*r = g.take(0)
		more = append(more, *r)
	}
	for _, r := range more {
		g.save(r)
	}
	return more
}

// others are three registers of the pool that are not RAX.
func (g *gen) others() (x, y, z amd64.Reg) {
	var o []amd64.Reg
	for _, r := range g.pool {
		if r != amd64.RAX {
			o = append(o, r)
		}
	}
	return o[0], o[1], o[2]
}

// findArea makes g.agg.area the area of the running P. pool[0] is lost.
func (g *gen) findArea() {
	a, area, t := g.a, g.agg.area, g.pool[0]
	region, shift := g.env.Agg.Region, g.env.Layout.BlockShift
	a.Lea(t, amd64.AtAddr(g.env.Shared+uint64(g.env.Layout.Block(0))))
	a.MovRR(area, g.block)
	a.Op(amd64.SUB, area, t, 8)
	switch {
	case region.Shift > shift:
		a.ShiftImm(amd64.SHL, area, uint8(region.Shift-shift), 8)
	case region.Shift < shift:
		a.ShiftImm(amd64.SHR, area, uint8(shift-region.Shift), 8)
	}
	a.MovRI64(t, g.env.Agg.At+g.env.place().Area)
	a.Op(amd64.ADD, area, t, 8)
}

// word is a word of the area's own distribution.
func (g *gen) word(off int32) amd64.Mem { return amd64.At(g.agg.area, off) }

// bump adds 1 to a word and goes on at l; it is for ways off the straight one.
func (g *gen) bump(off int32, l amd64.Label) {
	g.a.OpMemImm(amd64.ADD, g.word(off), 1, 8)
	g.a.Jmp(l)
}

// measure adds the site's value to the distribution, or counts the row of its key.
func (g *gen) measure() {
	s, what := g.site, g.env.Agg.What
	done := g.a.NewLabel()
	if what.Hist {
		g.agg.value = g.slot()
		bad := g.coldLabel(func() { g.bump(ring.DistUnreadable, done) })
		g.fail = func(program.Status) amd64.Label { return bad }
		g.eval(s.Value, 0)
		g.a.Store(g.agg.value, g.pool[0], 8)
	}
	if what.By != nil {
		row := g.key(s.Key)
		if !what.Hist {
			g.a.OpMemImm(amd64.ADD, amd64.AtIndex(g.agg.area, row, 8, int32(g.env.place().Rows)), 1, 8)
			g.a.Bind(done)
			return
		}
		g.findRow(row)
	}
	g.distribute(done)
	g.a.Bind(done)
}

// findRow makes g.agg.row the address of a row with a histogram.
func (g *gen) findRow(row amd64.Reg) {
	g.move(g.agg.row, row)
	g.a.ShiftImm(amd64.SHL, g.agg.row, ring.RowShift, 8)
	g.a.Lea(g.agg.row, amd64.AtIndex(g.agg.row, g.agg.area, 1, int32(g.env.place().Rows)))
}

// base is the register of the distribution whose words are added to: the row's,
// or the only one.
func (g *gen) base() amd64.Reg {
	if g.env.Agg.What.By != nil {
		return g.agg.row
	}
	return g.agg.area
}

// distribute adds the number in its slot to the buckets and the words. A number
// that is none goes on at done.
//
// The buckets of times are one number behind (see ring): where to store would be
// known only long after the clock was read, and the next reading of the clock, that
// of the next call's start, waits for the addresses of all earlier stores.
func (g *gen) distribute(done amd64.Label) {
	a, v := g.a, g.pool[0]
	words, counted := a.NewLabel(), a.NewLabel()
	g.usesX = true
	if g.late() {
		g.first(counted)
		a.Load(v, amd64.At(g.base(), ring.DistLast), 8)
	} else {
		a.Load(v, g.agg.value, 8)
	}
	switch g.env.Agg.What.Number {
	case program.F64:
		g.sortFloat(words, done)
	default:
		g.sortInt(words)
	}
	a.Bind(words)
	a.Load(v, g.agg.value, 8)
	if !g.late() {
		g.first(counted)
	}
	a.Bind(counted)
	g.words()
}

// late tells whether the buckets are one number behind.
func (g *gen) late() bool { return g.env.place().Late() }

// first makes the first number of a distribution its least and its greatest, and
// goes on at counted with it.
func (g *gen) first(counted amd64.Label) {
	a, v := g.a, g.pool[0]
	at := func(off int32) amd64.Mem { return amd64.At(g.base(), off) }
	a.OpMemImm(amd64.CMP, at(ring.DistCount), 0, 8)
	a.Jcc(amd64.CondE, g.coldLabel(func() {
		a.Load(v, g.agg.value, 8)
		a.Store(at(ring.DistMin), v, 8)
		a.Store(at(ring.DistMax), v, 8)
		a.Jmp(counted)
	}))
}

// special is code off the straight way: it adds 1 to a word of the distribution.
func (g *gen) special(off int32, on amd64.Label) amd64.Label {
	return g.coldLabel(func() {
		g.a.OpMemImm(amd64.ADD, amd64.At(g.base(), off), 1, 8)
		g.a.Jmp(on)
	})
}

func (g *gen) sortInt(words amd64.Label) {
	a, v := g.a, g.pool[0]
	float := func() {
		a.Pxor(xspill, xspill)
		a.CvtRX(xspill, v, 8, 8)
		a.MovRX(v, xspill, 8)
	}
	a.Test(v, v, 8)
	a.Jcc(amd64.CondE, g.special(ring.DistZero, words))
	if g.env.Agg.What.Number == program.U64 {
		a.Jcc(amd64.CondS, g.coldLabel(func() {
			// Only 2^63 itself still has a bucket.
			a.Lea(v, amd64.AtIndex(v, v, 1, 0))
			a.Test(v, v, 8)
			a.MovRI64(v, 0x43E0000000000000) // 2^63 as a float; the flags stay
			a.Jcc(amd64.CondNE, g.special(ring.DistOver, words))
			g.bucket(words, words, false)
			a.Jmp(words)
		}))
	} else {
		a.Jcc(amd64.CondS, g.coldLabel(func() {
			float()
			a.Btc(v, 63, 8)
			g.bucket(words, words, true)
			a.Jmp(words)
		}))
	}
	float()
	g.bucket(words, words, false)
}

func (g *gen) sortFloat(words, done amd64.Label) {
	a, v := g.a, g.pool[0]
	a.Test(v, v, 8)
	a.Jcc(amd64.CondE, g.special(ring.DistZero, words))
	if !g.env.Agg.What.Pair {
		a.Jcc(amd64.CondS, g.coldLabel(func() {
			a.Btc(v, 63, 8)
			a.Test(v, v, 8)
			a.Jcc(amd64.CondE, g.special(ring.DistZero, words)) // -0
			g.bucket(words, done, true)
			a.Jmp(words)
		}))
	}
	g.bucket(words, done, false)
}

// bucket adds 1 to the bucket of the magnitude whose bits as a float64 are in
// pool[0]. One without a bucket goes on at words; one that is no number at none.
// It uses four registers of the pool.
func (g *gen) bucket(words, none amd64.Label, negative bool) {
	a := g.a
	m, cell, index, table := g.pool[0], g.pool[1], g.pool[2], g.pool[3]
	a.Lea(m, amd64.At(m, -1))
	a.MovRR(cell, m)
	a.ShiftImm(amd64.SHR, cell, 45, 8)
	a.OpImm(amd64.AND, cell, ring.BoundaryCells-1, 4)
	a.MovRR(index, m)
	a.ShiftImm(amd64.SHR, index, 52, 8)
	a.ShiftImm(amd64.SHL, index, ring.MainScale, 8)
	a.ShiftImm(amd64.SHL, m, 12, 8)
	a.ShiftImm(amd64.SHR, m, 12, 8)
	a.MovRI64(table, g.env.Agg.At)
	a.OpLoad(amd64.ADD, m, amd64.AtIndex(table, cell, 8, 0), 8)
	a.ShiftImm(amd64.SHR, m, 52, 8)
	a.Lea(index, amd64.AtIndex(index, m, 1, -(1023+ring.MinExp)<<ring.MainScale))
	a.OpImm(amd64.CMP, index, ring.MainBuckets, 8)
	a.Jcc(amd64.CondAE, g.coldLabel(func() { g.odd(index, words, none) }))
	main, rowOff, rowShift := int32(ring.AreaPositive), int32(ring.RowPositive), ring.MainScale-ring.RowScale
	if negative {
		main, rowOff, rowShift = ring.AreaNegative, ring.RowNegative, ring.MainScale-ring.NegScale
	}
	a.OpMemImm(amd64.ADD, amd64.AtIndex(g.agg.area, index, 8, main), 1, 8)
	if g.env.Agg.What.By != nil {
		a.ShiftImm(amd64.SHR, index, uint8(rowShift), 8)
		a.OpMemImm(amd64.ADD, amd64.AtIndex(g.agg.row, index, 4, rowOff), 1, 4)
	}
}

// odd counts a magnitude that has no bucket: its index is below 0 or too large.
func (g *gen) odd(index amd64.Reg, words, none amd64.Label) {
	a := g.a
	a.Test(index, index, 8)
	a.Jcc(amd64.CondS, g.special(ring.DistUnder, words))
	if g.env.Agg.What.Number == program.F64 && !g.env.Agg.What.Pair {
		// Infinity is the least that has the largest exponent; the table of
		// boundaries was asked for the next smaller number, which is finite.
		v := g.pool[0]
		a.Load(v, g.agg.value, 8)
		a.Op(amd64.ADD, v, v, 8) // without the sign
		a.MovRI64(g.pool[1], 0xFFE0000000000000)
		a.Op(amd64.CMP, v, g.pool[1], 8)
		a.Jcc(amd64.CondE, g.special(ring.DistInf, none))
		a.Jcc(amd64.CondA, g.special(ring.DistNaN, none))
	}
	a.OpMemImm(amd64.ADD, amd64.At(g.base(), ring.DistOver), 1, 8)
	a.Jmp(words)
}

// words adds the number, in pool[0], to count, sum, extremes and last.
func (g *gen) words() {
	a, v, base := g.a, g.pool[0], g.base()
	at := func(off int32) amd64.Mem { return amd64.At(base, off) }
	a.OpMemImm(amd64.ADD, at(ring.DistCount), 1, 8)
	a.Store(at(ring.DistLast), v, 8)
	if g.env.Agg.What.Number == program.F64 {
		g.floatWords(at)
		return
	}
	less, greater, over := amd64.CondL, amd64.CondG, amd64.CondO
	if g.env.Agg.What.Number == program.U64 {
		less, greater, over = amd64.CondB, amd64.CondA, amd64.CondB
	}
	a.OpStore(amd64.ADD, at(ring.DistSum), v, 8)
	summed := a.NewLabel()
	a.Jcc(over, g.coldLabel(func() {
		up := a.NewLabel()
		if g.env.Agg.What.Number == program.I64 {
			a.Test(v, v, 8)
			a.Jcc(amd64.CondNS, up)
			a.OpMemImm(amd64.SUB, at(ring.DistCarry), 1, 8)
			a.Jmp(summed)
		}
		a.Bind(up)
		a.OpMemImm(amd64.ADD, at(ring.DistCarry), 1, 8)
		a.Jmp(summed)
	}))
	a.Bind(summed)
	for _, x := range []struct {
		off int32
		if_ amd64.Cond
	}{{ring.DistMin, less}, {ring.DistMax, greater}} {
		back := a.NewLabel()
		a.OpLoad(amd64.CMP, v, at(x.off), 8)
		a.Jcc(x.if_, g.coldLabel(func() {
			a.Store(at(x.off), v, 8)
			a.Jmp(back)
		}))
		a.Bind(back)
	}
}

func (g *gen) floatWords(at func(int32) amd64.Mem) {
	a, v := g.a, g.pool[0]
	a.MovXR(xspill, v, 8)
	for _, x := range []struct {
		off int32
		if_ amd64.Cond
	}{{ring.DistMin, amd64.CondB}, {ring.DistMax, amd64.CondA}} {
		back := a.NewLabel()
		a.UcomiXMem(xspill, at(x.off), 8)
		a.Jcc(x.if_, g.coldLabel(func() {
			a.Store(at(x.off), v, 8)
			a.Jmp(back)
		}))
		a.Bind(back)
	}
	a.OpXMem(amd64.FAdd, xspill, at(ring.DistSum), 8)
	a.StoreX(at(ring.DistSum), xspill, 8)
}
