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
// The depth of a call that has recovered from a panic, and is on its way to a return
// that others come to as well, becomes that of its frame plus resumed. The depth of a
// copy inside another function's frame is that of the frame plus inlined: deeper than
// the frame, less deep than whatever it calls.
const (
	resumed = 1
	inlined = 2
)

// pairing is what the search for the calls of a goroutine works with.
type pairing struct {
	line  amd64.Reg // offset of the goroutine's line of keys
	way   amd64.Reg // 8 times the number of the word in it
	entry amd64.Reg // address of the entry
	table amd64.Reg // address of the pairs
	key   amd64.Mem // slot, off the straight way: the goroutine's key
	depth amd64.Mem // slot, off the straight way: that of the frame at hand
}

// pairs makes RAX the goroutine's key, and finds its line.
func (g *gen) pairs() *pairing {
	a := g.a
	p := &pairing{table: g.agg.row, entry: g.agg.extra, key: g.slot(), depth: g.slot()}
	p.line, p.way, _ = g.others()
	a.Load(amd64.RAX, amd64.At(amd64.R14, int32(g.env.RT.GGoid)), 8)
	a.ShiftImm(amd64.SHL, amd64.RAX, ring.PairProbeLen, 8)
	a.OpImm(amd64.OR, amd64.RAX, int64(g.env.Probe+1), 8)
	g.lineOf(p)
	a.MovRI64(p.table, g.env.Agg.At+g.env.Agg.Region.Pairs)
	return p
}

// lineOf makes p.line the line of the hash of RAX.
func (g *gen) lineOf(p *pairing) {
	a := g.a
	a.ImulImm(p.line, amd64.RAX, ring.PairFactor, 8)
	a.ShiftImm(amd64.SHR, p.line, ring.PairHashShift-6, 8)
	a.OpImm(amd64.AND, p.line, (ring.PairBuckets-1)<<6, 4)
}

// keep stores the key, in RAX, and the depth for what is off the straight way. RAX
// is lost.
func (g *gen) keep(p *pairing) {
	g.a.Store(p.key, amd64.RAX, 8)
	g.findDepth()
	g.a.Store(p.depth, amd64.RAX, 8)
}

// findDepth makes RAX the depth of the frame at hand; 0 where only the goroutine
// matters. At a RoleUnwind it is that of the caller, which may have recovered.
func (g *gen) findDepth() {
	a, r := g.a, amd64.RAX
	var from amd64.Mem
	switch {
	case !g.env.Agg.What.Frames:
		a.Zero(r)
		return
	case g.site.Role == program.RoleUnwind:
		from = g.based(amd64.RBP, 16, r)
	case g.site.Role == program.RoleGoexit:
		from = g.based(amd64.RSP, 8, r)
	default:
		from = g.based(g.site.CFA.Reg, int32(g.site.CFA.Offset), r)
	}
	a.Lea(r, from)
	a.Neg(r, 8)
	a.OpLoad(amd64.ADD, r, amd64.At(amd64.R14, int32(g.env.RT.GStackHi)), 8)
	switch {
	case g.site.Inlined:
		a.OpImm(amd64.ADD, r, inlined, 8)
	case g.site.Role == program.RoleUnwind, g.site.Role == program.RoleResume:
		a.OpImm(amd64.ADD, r, resumed, 8)
	}
}

// based is what lies off bytes from where register base points at the site. It may
// use r.
func (g *gen) based(base amd64.Reg, off int32, r amd64.Reg) amd64.Mem {
	switch {
	case base == amd64.RSP:
		return amd64.At(amd64.RSP, g.frame+off)
	case g.home[base] < 0:
		return amd64.At(base, off)
	}
	g.a.Load(r, amd64.At(amd64.RSP, g.home[base]), 8)
	return amd64.At(r, off)
}

func (p *pairing) word(way int32) amd64.Mem {
	return amd64.AtIndex(p.table, p.line, 1, 8*way)
}

// find goes on with p.way where the goroutine's newest call is, or at none. RAX is
// the key.
func (g *gen) find(p *pairing, none amd64.Label) {
	a := g.a
	found := a.NewLabel()
	for way := int32(0); way < ring.PairWays; way++ {
		a.OpLoad(amd64.CMP, amd64.RAX, p.word(way), 8)
		a.MovRI64(p.way, uint64(8*way)) // the flags stay
		a.Jcc(amd64.CondE, found)
	}
	a.Jmp(none)
	a.Bind(found)
}

// owns tells whether each P has a word of its own in every line.
func (g *gen) owns() bool { return g.env.Agg.Region.Ps <= ring.PairOwn }

// own makes p.way the running P's own word, and gives it. p.entry is lost.
func (g *gen) own(p *pairing) amd64.Mem {
	a := g.a
	a.MovRR(p.way, g.block)
	a.OpLoad(amd64.SUB, p.way, g.word64(g.env.Shared+uint64(g.env.Layout.Block(0))), 8)
	a.ShiftImm(amd64.SHR, p.way, uint8(g.env.Layout.BlockShift-3), 8)
	a.Lea(p.entry, amd64.AtIndex(p.table, p.line, 1, 0))
	return amd64.AtIndex(p.entry, p.way, 1, 0)
}

// locate makes p.entry the entry of word p.way of the line.
func (g *gen) locate(p *pairing) {
	g.a.Lea(p.entry, amd64.AtIndex(p.table, p.line, 4, ring.PairKeys))
	g.a.Lea(p.entry, amd64.AtIndex(p.entry, p.way, 4, 0))
}

func (p *pairing) field(off int32) amd64.Mem { return amd64.At(p.entry, off) }

// sample leaves most calls out where the probe is throttled: the throttle is the
// bits of the count of passes (see ticks) of which one value is chosen. It is none
// at which a beginning is sampled.
func (g *gen) sample() {
	a := g.a
	on := a.NewLabel()
	a.OpMemImm(amd64.CMP, g.env.control(ring.ControlThrottle), 0, 1)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		x, _, _ := g.others()
		a.Load(amd64.RAX, g.env.control(ring.ControlThrottle), 1)
		a.Load(x, g.count(ring.CounterTick), 1)
		a.Op(amd64.AND, amd64.RAX, x, 4)
		a.OpImm(amd64.CMP, amd64.RAX, 2, 4)
		a.Jcc(amd64.CondE, on)
		a.OpMemImm(amd64.ADD, g.count(ring.CounterSuppressed), 1, 8)
		a.Jmp(g.agg.end)
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
	}
	p := g.pairs()
	fill := a.NewLabel()
	g.enter(p, fill)
	g.locate(p)
	a.StoreImm(p.field(ring.PairRow), 0, 8) // and PairPrev
	a.Bind(fill)
	g.findDepth()
	a.Store(p.field(ring.PairDepth), amd64.RAX, 8)
	if g.site.Key != nil {
		a.Load(amd64.RAX, row, 4)
		a.Store(p.field(ring.PairRow), amd64.RAX, 4)
	}
	g.stage(p)
	g.readClock()
	a.Store(p.field(ring.PairTSC), amd64.RAX, 8)
}

// enter takes a word for the key in RAX, whose call has no caller; one that has, or
// seems to have, goes on at fill.
func (g *gen) enter(p *pairing, fill amd64.Label) {
	a := g.a
	taken, fresh := a.NewLabel(), a.NewLabel()
	// Mostly the line is empty, which is seen without a jump for each word.
	a.Load(p.way, p.word(0), 8)
	for way := int32(1); way < ring.PairWays; way++ {
		a.OpLoad(amd64.OR, p.way, p.word(way), 8)
	}
	used := func() {
		g.find(p, fresh)
		g.startOlder(p, fill)
		a.Bind(fresh)
		_, _, k := g.others()
		a.MovRR(k, amd64.RAX)
		g.takeWord(p, k, g.counted(ring.PairLost))
	}
	if !g.owns() {
		used()
		return
	}
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		used()
		a.Jmp(taken)
	}))
	a.Store(g.own(p), amd64.RAX, 8)
	a.Bind(taken)
}

// takeWord claims an empty word of the line for the key in register k and makes
// p.way its number, or goes on at full.
func (g *gen) takeWord(p *pairing, k amd64.Reg, full amd64.Label) {
	a := g.a
	taken, from := a.NewLabel(), int32(0)
	if g.owns() { // nobody else takes the word of the running P
		from = int32(g.env.Agg.Region.Ps)
		other, own := a.NewLabel(), g.own(p)
		a.OpMemImm(amd64.CMP, own, 0, 8)
		a.Jcc(amd64.CondNE, other)
		a.Store(own, k, 8)
		a.Jmp(taken)
		a.Bind(other)
	}
	for way := from; way < ring.PairWays; way++ {
		next := a.NewLabel()
		a.OpMemImm(amd64.CMP, p.word(way), 0, 8)
		a.Jcc(amd64.CondNE, next)
		a.Zero(amd64.RAX)
		a.LockCmpxchg(p.word(way), k, 8)
		a.MovRI64(p.way, uint64(8*way))
		a.Jcc(amd64.CondE, taken)
		a.Bind(next)
	}
	a.Jmp(full)
	a.Bind(taken)
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
	g.keep(p)
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
	// The head goes into a word of another line, and the new call takes its place. It
	// is found by its number, so that the next line with room will do.
	a.Bind(caller)
	head := g.slot()
	a.Store(head, p.entry, 8)
	a.Load(amd64.RAX, p.key, 8)
	a.OpLoad(amd64.XOR, amd64.RAX, p.depth, 8)
	g.lineOf(p)
	_, _, k := g.others()
	a.MovRI64(k, ring.PairOlder)
	a.OpLoad(amd64.OR, k, p.key, 8)
	m := g.mark()
	left := g.slot()
	a.StoreImm(left, ring.PairOlderLines, 8)
	again := a.Here()
	g.takeWord(p, k, g.coldLabel(func() {
		a.OpImm(amd64.ADD, p.line, 1<<6, 4)
		a.OpImm(amd64.AND, p.line, (ring.PairBuckets-1)<<6, 4)
		a.OpMemImm(amd64.SUB, left, 1, 8)
		a.Jcc(amd64.CondNE, again)
		a.Jmp(g.counted(ring.PairLost))
	}))
	g.release(m)
	a.Op(amd64.ADD, p.line, p.way, 8) // 8 times the number of the word
	a.Lea(p.way, amd64.AtIndex(p.table, p.line, 4, ring.PairKeys))
	a.ShiftImm(amd64.SHR, p.line, 3, 8)
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
	a.Op(amd64.ADD, p.way, p.line, 8)
	a.StoreImm(amd64.AtIndex(p.table, p.way, 1, 0), 0, 8)
}

// constant is a float64 beside the code.
func (g *gen) constant(v float64) amd64.Mem { return g.word64(math.Float64bits(v)) }

// word64 is 8 bytes beside the code.
func (g *gen) word64(v uint64) amd64.Mem {
	return amd64.AtLabel(g.coldLabel(func() { g.a.U64(v) }))
}
