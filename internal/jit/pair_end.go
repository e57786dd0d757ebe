package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// How calls end: what pair.go has entered is found again, counted and given up.

// stop ends a call and adds its time to the distribution.
func (g *gen) stop() {
	a, what := g.a, g.env.Agg.What
	now := g.slot()
	g.ended(now)
	g.agg.value = g.slot()
	row := g.slot()
	recovered := g.slot()
	if g.site.Resumed {
		a.StoreImm(recovered, 0, 8)
	}
	p := g.pairs()
	unmatched := g.unmatched()
	g.newest(p, unmatched)
	g.locate(p)
	if what.Frames {
		g.matching(p, recovered, unmatched)
	}
	g.keepStage(p)
	if what.By != nil {
		a.Load(amd64.RAX, p.field(ring.PairRow), 4)
		a.Store(row, amd64.RAX, 8)
	}
	g.endedLate(now)
	a.OpLoad(amd64.SUB, amd64.RAX, p.field(ring.PairTSC), 8)
	forward := a.NewLabel()
	a.Jcc(amd64.CondS, g.coldLabel(func() {
		g.inArea(ring.PairBackwards)
		a.Zero(amd64.RAX)
		a.Jmp(forward)
	}))
	a.Bind(forward)
	g.usesX = true
	rate := g.constant(g.env.Agg.Rate)
	a.Pxor(xspill, xspill)
	a.CvtRX(xspill, amd64.RAX, 8, 8)
	a.OpXMem(amd64.FMul, xspill, rate, 8)
	a.StoreX(g.agg.value, xspill, 8)
	g.drop(p)
	g.findArea()
	g.longEnough()
	g.tellStage()
	if what.By != nil {
		a.Load(amd64.RAX, row, 8)
		g.findRow(amd64.RAX)
	}
	g.distribute(g.agg.end)
	a.Load(amd64.RAX, now, 8)
	a.Store(amd64.At(g.base(), ring.DistLastTSC), amd64.RAX, 8)
	g.returned(recovered)
	g.hit()
}

// returned counts a call by whether it has recovered: where that is not known by the
// site, the slot tells.
func (g *gen) returned(recovered amd64.Mem) {
	a := g.a
	if g.site.Role == program.RoleRecover {
		a.OpMemImm(amd64.ADD, g.word(ring.PairRecovered), 1, 8)
		return
	}
	done := a.NewLabel()
	if g.site.Resumed {
		a.OpMemImm(amd64.CMP, recovered, 0, 8)
		a.Jcc(amd64.CondNE, g.coldLabel(func() {
			a.OpMemImm(amd64.ADD, g.word(ring.PairRecovered), 1, 8)
			a.Jmp(done)
		}))
	}
	a.OpMemImm(amd64.ADD, g.word(ring.PairReturned), 1, 8)
	a.Bind(done)
}

// ended reads the clock into a slot. Where most calls are left out, as sample says,
// their ends are, too: so the slot is 0, and the clock is read when the call is found.
func (g *gen) ended(now amd64.Mem) {
	a := g.a
	on := a.NewLabel()
	a.OpMemImm(amd64.CMP, g.env.control(ring.ControlThrottle), 0, 1)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		a.StoreImm(now, 0, 8)
		a.Jmp(on)
	}))
	g.readClock()
	a.Store(now, amd64.RAX, 8)
	a.Bind(on)
}

// endedLate makes RAX the clock of ended, and reads it where that has not.
func (g *gen) endedLate(now amd64.Mem) {
	a := g.a
	on := a.NewLabel()
	a.Load(amd64.RAX, now, 8)
	a.Test(amd64.RAX, amd64.RAX, 8)
	a.Jcc(amd64.CondE, g.coldLabel(func() {
		m := g.mark()
		kept := g.slot()
		a.Store(kept, amd64.RDX, 8)
		g.readClock()
		a.Store(now, amd64.RAX, 8)
		a.Load(amd64.RDX, kept, 8)
		g.release(m)
		a.Jmp(on)
	}))
	a.Bind(on)
}

// unmatched counts an end without a beginning. Where most calls are left out it says
// nothing, and is not counted.
func (g *gen) unmatched() amd64.Label {
	return g.coldLabel(func() {
		g.a.OpMemImm(amd64.CMP, g.env.control(ring.ControlThrottle), 0, 1)
		g.a.Jcc(amd64.CondNE, g.agg.end)
		g.findArea()
		g.bump(ring.PairUnmatched, g.agg.end)
	})
}

// newest is find, which looks first where it probably is.
func (g *gen) newest(p *pairing, none amd64.Label) {
	a := g.a
	if !g.owns() {
		g.find(p, none)
		return
	}
	found := a.NewLabel()
	a.OpLoad(amd64.CMP, amd64.RAX, g.own(p), 8)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		g.find(p, none)
		a.Jmp(found)
	}))
	a.Bind(found)
}

// matching finds the call that ends here: deeper ones are gone, and if the newest
// is less deep, this one was not entered. Of one that recovered it sets the slot.
func (g *gen) matching(p *pairing, recovered amd64.Mem, unmatched amd64.Label) {
	a := g.a
	match := a.NewLabel()
	g.findDepth()
	a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		deeper, more := a.NewLabel(), a.NewLabel()
		a.Store(p.depth, amd64.RAX, 8)
		top := a.Here()
		if g.site.Resumed {
			other := a.NewLabel()
			a.OpImm(amd64.ADD, amd64.RAX, resumed, 8)
			a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
			a.Jcc(amd64.CondNE, other)
			a.StoreImm(recovered, 1, 8)
			a.Jmp(match)
			a.Bind(other)
		}
		a.Jcc(amd64.CondB, deeper)
		a.Jmp(unmatched)
		a.Bind(deeper)
		g.gone(p, ring.PairPanicked)
		a.OpMemImm(amd64.CMP, p.field(ring.PairPrev), 0, 4)
		a.Jcc(amd64.CondNE, more)
		g.freeHead(p)
		a.Jmp(unmatched)
		a.Bind(more)
		g.olderToHead(p)
		a.Load(amd64.RAX, p.depth, 8)
		a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
		a.Jcc(amd64.CondNE, top)
		a.Jmp(match)
	}))
	a.Bind(match)
}

// longEnough decides a condition on the duration.
func (g *gen) longEnough() {
	if g.site.Cond == nil {
		return
	}
	a := g.a
	failed := g.coldLabel(func() {
		g.freeStage(g.agg.stage)
		g.bump(ring.PairFiltered, g.agg.end)
	})
	bad := g.coldLabel(func() {
		g.freeStage(g.agg.stage)
		g.lockedCount(ring.CounterErrors)
		a.Jmp(g.agg.end)
	})
	g.fail = func(program.Status) amd64.Label { return bad }
	g.branch(g.site.Cond, 0, failed, false)
}

// duration is the time at hand in nanoseconds, as an integer.
func (g *gen) duration(r amd64.Reg) {
	g.usesX = true
	g.a.LoadX(xspill, g.agg.value, 8)
	g.a.CvtXR(r, xspill, 8, 8)
}

// unwind ends the calls of the goroutine that are gone, and marks the one that has
// recovered.
func (g *gen) unwind() {
	a := g.a
	p := g.pairs()
	g.find(p, g.agg.end)
	g.keep(p)
	top := a.Here()
	exits, next, more := a.NewLabel(), a.NewLabel(), a.NewLabel()
	g.locate(p)
	a.Load(amd64.RAX, p.depth, 8)
	a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
	a.Jcc(amd64.CondAE, exits)
	g.gone(p, ring.PairPanicked)
	a.Jmp(next)
	a.Bind(exits)
	switch g.site.Role {
	case program.RoleUnwind:
		a.Jmp(g.agg.end)
	case program.RoleResume:
		a.OpImm(amd64.SUB, amd64.RAX, resumed, 8)
		a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
		a.Jcc(amd64.CondNE, g.agg.end)
		a.OpMemImm(amd64.ADD, p.field(ring.PairDepth), resumed, 8)
		a.Jmp(g.agg.end)
	default:
		g.gone(p, ring.PairGoexited)
	}
	a.Bind(next)
	a.OpMemImm(amd64.CMP, p.field(ring.PairPrev), 0, 4)
	a.Jcc(amd64.CondNE, more)
	g.freeHead(p)
	a.Jmp(g.agg.end)
	a.Bind(more)
	g.olderToHead(p)
	a.Jmp(top)
}
