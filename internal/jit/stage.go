package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// The snapshot of a call is taken when the call begins, into a place of its own (see
// ring), because only then its arguments are what they were; it is told when the call
// ends, because only then its duration is known. Whatever else a call comes to gives
// the place up.

// stages tells whether the probe takes snapshots of its calls.
func (e Env) stages() bool { return e.Agg != nil && e.place().Stage > 0 }

// StageBytes is the size of the largest record of a call's snapshot at a site.
func StageBytes(img *program.Image, s *program.Site) int { return int(Env{Image: img}.record(s).most) }

// pairWords are the words of an entry that go with a call, but for PairPrev, which
// the half of one has.
func (e Env) pairWords() []int32 {
	words := []int32{ring.PairDepth, ring.PairTSC, ring.PairRow}
	if e.stages() {
		words = append(words, ring.PairStage)
	}
	return words
}

// stage takes the snapshot of the call in the entry at hand, if it may and there is
// room. Of all registers only p.entry stays.
func (g *gen) stage(p *pairing) {
	if !g.env.stages() {
		return
	}
	a := g.a
	none := a.NewLabel()
	mark := g.mark()
	entry := g.slot()
	a.StoreImm(p.field(ring.PairStage), 0, 8)
	g.mayStage(p, none)
	a.Store(entry, p.entry, 8)
	g.claimStage(p, none)
	g.header()
	g.values()
	end := g.image()
	g.stillThere()
	a.Load(amd64.RAX, end, 8)
	a.Op(amd64.SUB, amd64.RAX, g.out, 8)
	a.Store(amd64.At(g.out, 0), amd64.RAX, 4)
	g.chargeStage()
	a.Load(p.entry, entry, 8)
	g.release(mark)
	a.Bind(none)
}

// mayStage goes on at none where the rate, the limit or the budget leave no snapshot:
// the tool hands out as many as the budget allows (ControlStages), now and then.
func (g *gen) mayStage(p *pairing, none amd64.Label) {
	a, env := g.a, g.env
	notNow := g.coldLabel(func() {
		a.StoreImm(p.field(ring.PairStage), ring.StageNotNow, 4)
		a.Jmp(none)
	})
	for _, x := range []struct {
		on   bool
		word int
	}{{env.Rated, ring.ControlTokens}, {env.Limited, ring.ControlRemaining}, {true, ring.ControlStages}} {
		if x.on {
			a.OpMemImm(amd64.CMP, env.control(x.word), 0, 8)
			a.Jcc(amd64.CondLE, notNow)
		}
	}
	a.LockDec(env.control(ring.ControlStages), 8)
	a.Jcc(amd64.CondS, notNow)
}

// stateOf is the state of the snapshot whose number, plus one, is in r. k is lost.
func (g *gen) stateOf(r, k amd64.Reg) amd64.Mem {
	g.a.MovRI64(k, g.env.Agg.At+g.env.Agg.Region.StateAt-8)
	return amd64.AtIndex(k, r, 8, 0)
}

// claimStage takes the first place that is free, notes it in the entry at hand and
// makes g.out that of the record; or goes on at none.
func (g *gen) claimStage(p *pairing, none amd64.Label) {
	a, region := g.a, g.env.Agg.Region
	state, last, one := g.others()
	at := g.env.Agg.At + region.StateAt
	free := a.NewLabel()
	a.MovRI64(state, at)
	a.MovRI64(last, at+8*uint64(region.Stages))
	a.MovRI64(one, ring.StageTaken)
	top := a.Here()
	a.OpMemImm(amd64.CMP, amd64.At(state, 0), ring.StageFree, 8)
	a.Jcc(amd64.CondE, free)
	next := a.Here()
	a.OpImm(amd64.ADD, state, 8, 8)
	a.Op(amd64.CMP, state, last, 8)
	a.Jcc(amd64.CondB, top)
	a.Jmp(none)
	a.Bind(free)
	a.MovRI64(amd64.RAX, ring.StageFree)
	a.LockCmpxchg(amd64.At(state, 0), one, 8)
	a.Jcc(amd64.CondNE, next)
	a.MovRI64(last, at)
	a.Op(amd64.SUB, state, last, 8)
	a.ShiftImm(amd64.SHR, state, 3, 8)
	a.Lea(amd64.RAX, amd64.At(state, 1))
	a.Store(p.field(ring.PairStage), amd64.RAX, 4)
	a.ImulImm(g.out, state, int64(region.StageSize), 8)
	a.MovRI64(last, g.env.Agg.At+region.StageAt+ring.StageRecord)
	a.Op(amd64.ADD, g.out, last, 8)
}

// chargeStage counts the snapshot that was taken, and the ticks of the clock from its
// first reading to its last, unless the thread was off its processor meanwhile. The
// sampled pass (see sampled) goes without them.
func (g *gen) chargeStage() {
	a := g.a
	interrupted := a.NewLabel()
	g.findArea()
	a.OpMemImm(amd64.ADD, g.word(ring.StageCount), 1, 8)
	a.Load(amd64.RAX, amd64.At(g.out, g.rec.tail+ring.ImageEnd), 8)
	a.OpLoad(amd64.SUB, amd64.RAX, amd64.At(g.out, ring.RecordTSC), 8)
	a.OpImm(amd64.CMP, amd64.RAX, interruptedImage, 8)
	a.Jcc(amd64.CondA, interrupted)
	a.OpStore(amd64.ADD, g.word(ring.StageCycles), amd64.RAX, 8)
	if g.env.Clock == 0 { // else these are no cycles, and the sample has the snapshot in it
		a.OpStore(amd64.SUB, g.clockSlot(), amd64.RAX, 4)
	}
	a.Bind(interrupted)
}

// unstage gives up the snapshot of the call in the entry at hand. RAX and the third
// of the others are lost.
func (g *gen) unstage(p *pairing) {
	if g.env.stages() {
		g.freeStage(p.field(ring.PairStage))
	}
}

// freeStage gives up the snapshot whose PairStage is at m, if there is one.
func (g *gen) freeStage(m amd64.Mem) {
	if !g.env.stages() {
		return
	}
	a := g.a
	none := a.NewLabel()
	_, _, k := g.others()
	a.Load(amd64.RAX, m, 4)
	a.Test(amd64.RAX, amd64.RAX, 4)
	a.Jcc(amd64.CondLE, none)
	a.StoreImm(g.stateOf(amd64.RAX, k), ring.StageFree, 8)
	a.Bind(none)
}

// keepStage remembers which snapshot the call has that ends, in the entry at hand.
func (g *gen) keepStage(p *pairing) {
	if !g.env.stages() {
		return
	}
	g.agg.stage = g.slot()
	g.a.Load(amd64.RAX, p.field(ring.PairStage), 4)
	g.a.Store(g.agg.stage, amd64.RAX, 8)
}

// tellStage hands the snapshot of a call that ended as it was asked to the tool, with
// the call's duration.
func (g *gen) tellStage() {
	if !g.env.stages() {
		return
	}
	a, region := g.a, g.env.Agg.Region
	x, y, _ := g.others()
	done := a.NewLabel()
	held := g.coldLabel(func() {
		g.freeStage(g.agg.stage)
		g.bump(ring.PairHeld, done)
	})
	a.Load(amd64.RAX, g.agg.stage, 4)
	a.Test(amd64.RAX, amd64.RAX, 4)
	a.Jcc(amd64.CondE, g.coldLabel(func() { g.bump(ring.PairUnstaged, done) }))
	a.Jcc(amd64.CondS, held)
	g.pay(held, held)
	a.ImulImm(x, amd64.RAX, int64(region.StageSize), 8)
	a.MovRI64(y, g.env.Agg.At+region.StageAt-region.StageSize)
	a.Op(amd64.ADD, x, y, 8)
	a.Load(y, g.agg.value, 8)
	a.Store(amd64.At(x, ring.StageDuration), y, 8)
	a.StoreImm(g.stateOf(amd64.RAX, x), ring.StageTold, 8)
	a.OpMemImm(amd64.ADD, g.word(ring.PairPublished), 1, 8)
	a.Bind(done)
}
