package jit

import (
	"math"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// A call is known by its goroutine and by the distance of its frame from the top
// of the stack, which stays when the stack moves. Calls of a goroutine that lie as
// deep as a new one, or deeper than one that ends, are gone: a panic ended them,
// and somebody above recovered from it. So the table (see ring) cleans itself, and
// the entries of runtime.deferreturn, where control goes on after a recovery, and
// of runtime.Goexit make it do so at once.
//
// The depth of a copy inside another function's frame is that of the frame plus
// one: deeper than the frame, less deep than whatever it calls.

// pairing is what the search for the calls of a goroutine works with.
type pairing struct {
	line  amd64.Reg // offset of the goroutine's line of keys
	way   amd64.Reg // 32 times the number of the word in it
	entry amd64.Reg // address of the entry
	table amd64.Reg // address of the pairs
	key   amd64.Mem // the goroutine's key, in a slot
	depth amd64.Mem // slot: that of the frame at hand
	now   amd64.Mem // slot: the clock
}

// pairs puts the goroutine's key, its line and the depth where they belong.
func (g *gen) pairs() *pairing {
	a := g.a
	p := &pairing{table: g.agg.row, entry: g.agg.extra, key: g.slot(), depth: g.slot()}
	p.line, p.way, _ = g.others()
	k := amd64.RAX
	g.findDepth(k)
	a.Store(p.depth, k, 8)
	a.Load(k, amd64.At(amd64.R14, int32(g.env.RT.GGoid)), 8)
	a.ShiftImm(amd64.SHL, k, ring.PairProbeLen, 8)
	a.OpImm(amd64.OR, k, int64(g.env.Probe+1), 8)
	a.Store(p.key, k, 8)
	g.lineOf(p, k)
	a.MovRI64(p.table, g.env.Agg.At+g.env.Agg.Region.Pairs)
	return p
}

// lineOf makes p.line the line of the hash of k. p.way is lost.
func (g *gen) lineOf(p *pairing, k amd64.Reg) {
	a := g.a
	factor := uint64(ring.KeyFactor)
	a.MovRI64(p.way, factor)
	a.MovRR(p.line, k)
	a.Imul(p.line, p.way, 8)
	a.ShiftImm(amd64.SHR, p.line, 64-ring.PairBits, 8)
	a.ShiftImm(amd64.SHL, p.line, 6, 8)
}

// findDepth makes r the depth of the frame at hand; 0 where only the goroutine
// matters. At a RoleUnwind it is that of the caller.
func (g *gen) findDepth(r amd64.Reg) {
	a := g.a
	switch {
	case !g.env.Agg.What.Frames:
		a.Zero(r)
		return
	case g.site.Role == program.RoleUnwind:
		g.register(&program.Node{Type: program.U64, Reg: amd64.RBP}, r)
		a.Lea(r, amd64.At(r, 16))
	case g.site.Role == program.RoleGoexit:
		a.Lea(r, amd64.At(amd64.RSP, g.frame+8))
	default:
		g.register(&program.Node{Type: program.U64, Reg: g.site.CFA.Reg}, r)
		a.Lea(r, amd64.At(r, int32(g.site.CFA.Offset)))
	}
	a.Neg(r, 8)
	a.OpLoad(amd64.ADD, r, amd64.At(amd64.R14, int32(g.env.RT.GStackHi)), 8)
	if g.site.Inlined {
		a.OpImm(amd64.ADD, r, 1, 8)
	}
}

func (p *pairing) word(way int32) amd64.Mem {
	return amd64.AtIndex(p.table, p.line, 1, 8*way)
}

// find goes on with p.way where the goroutine's newest call is, or at none. RAX is
// the key.
func (g *gen) find(p *pairing, none amd64.Label) {
	a := g.a
	found := a.NewLabel()
	a.OpLoad(amd64.CMP, amd64.RAX, p.word(0), 8)
	a.MovRI64(p.way, 0)
	a.Jcc(amd64.CondE, found)
	for way := int32(1); way < ring.PairWays; way++ {
		a.OpLoad(amd64.CMP, amd64.RAX, p.word(way), 8)
		a.Jcc(amd64.CondE, g.coldLabel(func() {
			a.MovRI64(p.way, uint64(way)<<ring.PairShift)
			a.Jmp(found)
		}))
	}
	a.Jmp(none)
	a.Bind(found)
}

// locate makes p.entry the entry of word p.way of the line.
func (g *gen) locate(p *pairing) {
	g.a.Lea(p.entry, amd64.AtIndex(p.table, p.line, 4, ring.PairKeys))
	g.a.Op(amd64.ADD, p.entry, p.way, 8)
}

func (p *pairing) field(off int32) amd64.Mem { return amd64.At(p.entry, off) }

// readClock puts the time-stamp counter into RAX; RDX is lost.
func (g *gen) readClock() {
	g.a.Rdtsc()
	g.a.ShiftImm(amd64.SHL, amd64.RDX, 32, 8)
	g.a.Op(amd64.OR, amd64.RAX, amd64.RDX, 8)
}

// sample leaves most calls out where the probe is throttled: the throttle is the
// bits of the number of passes of which one value is chosen. Beginnings and ends
// alternate, so that the lowest bit chooses nothing.
func (g *gen) sample() {
	g.thin(ring.ControlThrottle, func() {
		g.a.OpMemImm(amd64.ADD, g.count(ring.CounterSuppressed), 1, 8)
		g.a.Jmp(g.agg.end)
	})
}

// thin goes on if this pass is one of those that the bits in a control word choose;
// else the code of out does.
func (g *gen) thin(word int, out func()) {
	a := g.a
	on := a.NewLabel()
	a.OpMemImm(amd64.CMP, g.env.control(word), 0, 1)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		x, _, _ := g.others()
		a.Load(amd64.RAX, g.env.control(word), 1)
		a.Load(x, g.count(ring.CounterTick), 1)
		a.Op(amd64.AND, amd64.RAX, x, 4)
		a.OpImm(amd64.CMP, amd64.RAX, 2, 4)
		a.Jcc(amd64.CondE, on)
		out()
	}))
	a.Bind(on)
}

// start enters a call that begins.
func (g *gen) start() {
	a := g.a
	g.sample()
	row := g.slot()
	if g.site.Key != nil {
		a.Store(row, g.key(g.site.Key), 4)
	} else {
		a.StoreImm(row, 0, 4)
	}
	p := g.pairs()
	older, fill, taken, fresh := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.Load(amd64.RAX, p.key, 8)
	g.find(p, fresh)
	a.Jmp(older)
	a.Bind(fresh)
	_, _, k := g.others()
	a.MovRR(k, amd64.RAX)
	g.takeWord(p, k, g.counted(ring.PairLost))
	g.locate(p)
	a.StoreImm(p.field(ring.PairPrev), 0, 4)
	a.Bind(fill)
	g.stage(p)
	a.Load(amd64.RAX, p.depth, 8)
	a.Store(p.field(ring.PairDepth), amd64.RAX, 8)
	a.Load(amd64.RAX, row, 4)
	a.Store(p.field(ring.PairRow), amd64.RAX, 4)
	g.readClock()
	a.Store(p.field(ring.PairTSC), amd64.RAX, 8)
	a.Bind(taken)
	g.cold(func() {
		a.Bind(older)
		g.startOlder(p, fill)
	})
}

// takeWord claims an empty word of the line for the key in register k and makes
// p.way its number, or goes on at full.
func (g *gen) takeWord(p *pairing, k amd64.Reg, full amd64.Label) {
	a := g.a
	taken := a.NewLabel()
	from := int32(0)
	locked := func() {
		for way := from; way < ring.PairWays; way++ {
			next := a.NewLabel()
			a.OpMemImm(amd64.CMP, p.word(way), 0, 8)
			a.Jcc(amd64.CondNE, next)
			a.Zero(amd64.RAX)
			a.LockCmpxchg(p.word(way), k, 8)
			a.MovRI64(p.way, uint64(way)<<ring.PairShift)
			a.Jcc(amd64.CondE, taken)
			a.Bind(next)
		}
		a.Jmp(full)
	}
	if g.env.Agg.Region.Ps <= ring.PairOwn {
		from = ring.PairOwn
		g.ownWord(p, k, g.coldLabel(locked))
	} else {
		locked()
	}
	a.Bind(taken)
}

// ownWord takes the word of the running P, if that is empty: nobody else does. Else
// it goes on at other.
func (g *gen) ownWord(p *pairing, k amd64.Reg, other amd64.Label) {
	a, region := g.a, g.env.Layout
	a.Lea(amd64.RAX, amd64.AtAddr(g.env.Shared+uint64(region.Block(0))))
	a.MovRR(p.way, g.block)
	a.Op(amd64.SUB, p.way, amd64.RAX, 8)
	a.ShiftImm(amd64.SHR, p.way, uint8(region.BlockShift-3), 8) // 8 times the number of the P
	a.Lea(amd64.RAX, amd64.AtIndex(p.table, p.line, 1, 0))
	own := amd64.AtIndex(amd64.RAX, p.way, 1, 0)
	a.OpMemImm(amd64.CMP, own, 0, 8)
	a.Jcc(amd64.CondNE, other)
	a.Store(own, k, 8)
	a.ShiftImm(amd64.SHL, p.way, ring.PairShift-3, 8)
}

// counted is code off the straight way that counts in the area and ends the body.
func (g *gen) counted(off int32) amd64.Label {
	return g.coldLabel(func() {
		g.findArea()
		g.bump(off, g.agg.end)
	})
}

// inArea counts in the area, which it finds first. pool[0] keeps its value.
func (g *gen) inArea(off int32) {
	m := g.mark()
	kept := g.slot()
	g.a.Store(kept, g.pool[0], 8)
	g.findArea()
	g.a.OpMemImm(amd64.ADD, g.word(off), 1, 8)
	g.a.Load(g.pool[0], kept, 8)
	g.release(m)
}

// gone counts a call, in the entry at hand, that ended without an end.
func (g *gen) gone(p *pairing, off int32) {
	g.inArea(off)
	g.unstage(p)
}

// startOlder is start where the goroutine has a call that began and did not end:
// gone, or the caller, directly or not, of this one.
func (g *gen) startOlder(p *pairing, fill amd64.Label) {
	a := g.a
	if !g.env.Agg.What.Frames {
		g.locate(p)
		g.gone(p, ring.PairRestarted)
		a.Jmp(fill)
		return
	}
	top, caller := a.Here(), a.NewLabel()
	g.locate(p)
	a.Load(amd64.RAX, p.field(ring.PairDepth), 8)
	a.OpLoad(amd64.CMP, amd64.RAX, p.depth, 8)
	a.Jcc(amd64.CondB, caller)
	g.gone(p, ring.PairPanicked)
	a.OpMemImm(amd64.CMP, p.field(ring.PairPrev), 0, 4)
	a.Jcc(amd64.CondE, fill)
	g.olderToHead(p)
	a.Jmp(top)
	// The head goes into a word of another line, and the new call takes its place.
	a.Bind(caller)
	head := g.slot()
	a.Store(head, p.entry, 8)
	a.Load(amd64.RAX, p.key, 8)
	a.OpLoad(amd64.XOR, amd64.RAX, p.depth, 8)
	g.lineOf(p, amd64.RAX)
	_, _, k := g.others()
	a.MovRI64(k, ring.PairOlder)
	a.OpLoad(amd64.OR, k, p.key, 8)
	g.takeWord(p, k, g.counted(ring.PairLost))
	a.ShiftImm(amd64.SHR, p.line, 3, 8) // line*8 words
	a.ShiftImm(amd64.SHR, p.way, ring.PairShift, 8)
	a.Op(amd64.ADD, p.line, p.way, 8) // the number of the word
	a.MovRR(p.way, p.line)
	a.ShiftImm(amd64.SHL, p.way, ring.PairShift, 8)
	a.Lea(p.way, amd64.AtIndex(p.table, p.way, 1, ring.PairKeys))
	a.Load(p.entry, head, 8)
	for _, off := range g.env.pairWords() {
		a.Load(amd64.RAX, p.field(off), 8)
		a.Store(amd64.At(p.way, off), amd64.RAX, 8)
	}
	a.OpImm(amd64.ADD, p.line, 1, 8)
	a.Store(p.field(ring.PairPrev), p.line, 4)
	a.Jmp(fill)
}

// olderToHead moves the next older call into the entry at hand, and frees its word.
// p.line, p.way and p.entry stay.
func (g *gen) olderToHead(p *pairing) {
	a := g.a
	_, _, k := g.others()
	m := g.mark()
	line := g.slot()
	a.Store(line, p.line, 8)
	a.Load(p.line, p.field(ring.PairPrev), 4)
	a.MovRR(k, p.line)
	a.ShiftImm(amd64.SHL, k, ring.PairShift, 8)
	a.Lea(k, amd64.AtIndex(p.table, k, 1, ring.PairKeys-ring.PairEntry))
	for _, off := range g.env.pairWords() {
		a.Load(amd64.RAX, amd64.At(k, off), 8)
		a.Store(p.field(off), amd64.RAX, 8)
	}
	a.StoreImm(amd64.AtIndex(p.table, p.line, 8, -8), 0, 8)
	a.Load(p.line, line, 8)
	g.release(m)
}

// drop takes the newest call, in the entry at hand, out of the table.
func (g *gen) drop(p *pairing) {
	a := g.a
	done := a.NewLabel()
	a.OpMemImm(amd64.CMP, p.field(ring.PairPrev), 0, 4)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		g.olderToHead(p)
		a.Jmp(done)
	}))
	g.freeHead(p)
	a.Bind(done)
}

// freeHead gives up the word of the only call of the goroutine. p.way is lost.
func (g *gen) freeHead(p *pairing) {
	a := g.a
	a.ShiftImm(amd64.SHR, p.way, ring.PairShift-3, 8)
	a.Op(amd64.ADD, p.way, p.line, 8)
	a.StoreImm(amd64.AtIndex(p.table, p.way, 1, 0), 0, 8)
}

// stop ends a call and adds its time to the distribution.
func (g *gen) stop() {
	a, what := g.a, g.env.Agg.What
	now := g.slot()
	g.readClock()
	a.Store(now, amd64.RAX, 8)
	g.agg.value = g.slot()
	row := g.slot()
	p := g.pairs()
	p.now = now
	unmatched := g.counted(ring.PairUnmatched)
	a.Load(amd64.RAX, p.key, 8)
	g.find(p, unmatched)
	g.locate(p)
	if what.Frames {
		g.matching(p, unmatched)
	}
	g.keepStage(p)
	if what.By != nil {
		a.Load(amd64.RAX, p.field(ring.PairRow), 4)
		a.Store(row, amd64.RAX, 8)
	}
	a.Load(amd64.RAX, now, 8)
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
	off := int32(ring.PairReturned)
	if g.site.Role == program.RoleRecover {
		off = ring.PairRecovered
	}
	a.OpMemImm(amd64.ADD, g.word(off), 1, 8)
	g.hit()
}

// matching finds the call that ends here: deeper ones are gone, and if the newest
// is less deep, this one was not entered.
func (g *gen) matching(p *pairing, unmatched amd64.Label) {
	a := g.a
	top := a.Here()
	match := a.NewLabel()
	a.Load(amd64.RAX, p.depth, 8)
	a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
	a.Jcc(amd64.CondE, match)
	a.Jcc(amd64.CondA, unmatched)
	g.gone(p, ring.PairPanicked)
	more := a.NewLabel()
	a.OpMemImm(amd64.CMP, p.field(ring.PairPrev), 0, 4)
	a.Jcc(amd64.CondNE, more)
	g.freeHead(p)
	a.Jmp(unmatched)
	a.Bind(more)
	g.olderToHead(p)
	a.Jmp(top)
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

// unwind ends the calls of the goroutine that are gone.
func (g *gen) unwind() {
	a := g.a
	p := g.pairs()
	a.Load(amd64.RAX, p.key, 8)
	g.find(p, g.agg.end)
	top := a.Here()
	exits, next, more := a.NewLabel(), a.NewLabel(), a.NewLabel()
	g.locate(p)
	a.Load(amd64.RAX, p.depth, 8)
	a.OpLoad(amd64.CMP, amd64.RAX, p.field(ring.PairDepth), 8)
	a.Jcc(amd64.CondAE, exits)
	g.gone(p, ring.PairPanicked)
	a.Jmp(next)
	a.Bind(exits)
	if g.site.Role == program.RoleUnwind {
		a.Jmp(g.agg.end)
	} else {
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

// constant is a float64 beside the code.
func (g *gen) constant(v float64) amd64.Mem {
	return amd64.AtLabel(g.coldLabel(func() { g.a.U64(math.Float64bits(v)) }))
}
