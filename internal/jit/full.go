package jit

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// maxFrame bounds the frame of a body: a proven stack has 800 bytes.
const maxFrame = 640

// gen makes the body of a probe with a condition or a log. It keeps everything
// that must survive in a frame of 8-byte slots below RSP, at fixed places, so
// that a fault at any load finds them where they are.
type gen struct {
	env  Env
	site *program.Site
	live Live
	a    *amd64.Asm
	rec  record

	frame     int32 // size assumed while emitting
	beyond    int32 // bytes that calls need below the frame
	slots     int32 // slots in use
	mostSlots int32
	home      [16]int32 // slot offset of a register's value at the site; -1: still in it
	taken     amd64.RegSet
	refs      amd64.RegSet // registers whose value at the site is read

	flagSlot int32
	block    amd64.Reg   // address of the block of the running P
	out      amd64.Reg   // log: address of the record
	pool     []amd64.Reg // registers for evaluation; pool[i:] is free at depth i
	fail     func(program.Status) amd64.Label
	usesX    bool // X15 is not zero any more
	agg      adding
	held     map[*program.Node]*entry // searches whose finds are about to be read

	fixups []pending
	later  []func() // code off the straight way, emitted behind it

	done, restore, end amd64.Label
}

// pending is a fixup whose target may not be bound yet.
type pending struct {
	at     uint64
	target amd64.Label
}

// full makes the body, twice or more: the size of the frame is known only when
// all slots were taken, and the code depends on it.
func full(env Env, s *program.Site, live Live, at uint64) (Code, error) {
	for frame := int32(0); ; {
		g := newGen(env, s, live, at, frame)
		g.body()
		bytes, err := g.a.Code()
		switch {
		case err != nil:
			return Code{}, err
		case g.mostSlots*8 > maxFrame:
			return Code{}, fmt.Errorf("expressions need a frame of %d bytes; at most %d", g.mostSlots*8, maxFrame)
		case g.mostSlots*8 == frame:
			return Code{Bytes: bytes, Fixups: g.resolved()}, nil
		}
		frame = g.mostSlots * 8
	}
}

func newGen(env Env, s *program.Site, live Live, at uint64, frame int32) *gen {
	g := &gen{env: env, site: s, live: live, a: amd64.NewAsm(at), frame: frame, taken: reserved,
		slots: 1, mostSlots: 1, held: map[*program.Node]*entry{}}
	for i := range g.home {
		g.home[i] = -1
	}
	walkSite(s, env, func(n *program.Node) {
		switch n.Op {
		case program.OpReg:
			g.refs |= amd64.Regs(n.Reg)
		case program.OpCFA:
			g.refs |= amd64.Regs(s.CFA.Reg)
		}
	})
	if env.records() {
		g.rec = env.record(s)
	}
	if env.Image != nil { // all registers are recorded, and all are used
		g.live.FreeRegs = 0
		g.beyond = callRoom
	}
	if env.Clock != 0 {
		g.beyond += clockRoom
	}
	g.done, g.restore, g.end = g.a.NewLabel(), g.a.NewLabel(), g.a.NewLabel()
	return g
}

func (g *gen) resolved() []Fixup {
	fixups := make([]Fixup, len(g.fixups))
	for i, p := range g.fixups {
		fixups[i] = Fixup{At: p.at, Target: g.a.Addr(p.target)}
	}
	return fixups
}

// slot takes a slot of the frame until release.
func (g *gen) slot() amd64.Mem {
	g.slots++
	g.mostSlots = max(g.mostSlots, g.slots)
	return amd64.At(amd64.RSP, 8*(g.slots-1))
}

func (g *gen) mark() int32       { return g.slots }
func (g *gen) release(old int32) { g.slots = old }

// cold puts off code that is seldom needed; it must end by jumping away.
func (g *gen) cold(f func()) { g.later = append(g.later, f) }

// coldLabel is a label at which f's code will lie.
func (g *gen) coldLabel(f func()) amd64.Label {
	l := g.a.NewLabel()
	g.cold(func() {
		g.a.Bind(l)
		f()
	})
	return l
}

// fixup says that a fault of the next instruction goes on at target.
func (g *gen) fixup(target amd64.Label) {
	g.fixups = append(g.fixups, pending{at: g.a.PC(), target: target})
}

// take claims the best register that is left: one that is dead and not read
// before one that must be saved.
func (g *gen) take(not amd64.RegSet) amd64.Reg {
	best, bestCost := amd64.RAX, 99
	for r := range amd64.Reg(16) {
		if g.taken.Has(r) || not.Has(r) {
			continue
		}
		cost := 0
		if !g.live.FreeRegs.Has(r) {
			cost += 2
		}
		if g.refs.Has(r) {
			cost++
		}
		if cost < bestCost {
			best, bestCost = r, cost
		}
	}
	g.taken |= amd64.Regs(best)
	return best
}

// save keeps the value of r for the end of the body and for OpReg, unless
// nobody wants it.
func (g *gen) save(r amd64.Reg) {
	if g.live.FreeRegs.Has(r) && !g.refs.Has(r) {
		return
	}
	m := g.slot()
	g.home[r] = 8 * (g.slots - 1)
	g.a.Store(m, r, 8)
}

// unsave puts r back.
func (g *gen) unsave(r amd64.Reg) {
	if !g.live.FreeRegs.Has(r) {
		g.a.Load(r, amd64.At(amd64.RSP, g.home[r]), 8)
	}
}

func (g *gen) body() {
	a := g.a
	if !g.live.StackProven {
		g.room()
	}
	a.Lea(amd64.RSP, amd64.At(amd64.RSP, -g.frame))
	saved := g.open()
	g.env.asked(a, g.restore)
	g.findBlock()
	g.condition()
	switch {
	case g.env.Log:
		g.log()
	case g.env.aggregating():
		g.aggregate()
	default:
		g.hit()
	}
	a.Bind(g.done)
	a.OpMemImm(amd64.CMP, g.count(ring.CounterTick), 0, 1)
	a.Jcc(amd64.CondE, g.coldLabel(g.sampled))
	a.Bind(g.restore)
	g.close(saved)
	a.Jmp(g.end)
	for len(g.later) > 0 {
		f := g.later[0]
		g.later = g.later[1:]
		f()
	}
	a.Bind(g.end)
}

// count is a counter of the probe in the block at hand.
func (g *gen) count(word int) amd64.Mem { return amd64.At(g.block, g.env.counter(word)) }

// lockedCount adds to a counter when the block may be the shared one. It is for
// rare ways only.
func (g *gen) lockedCount(word int) { g.a.LockOpImm(amd64.ADD, g.count(word), 1, 8) }

// open chooses the registers for the condition, saves them and the flags.
func (g *gen) open() []amd64.Reg {
	var saved []amd64.Reg
	want := 1
	if g.decides() {
		want = max(1, need(g.site.Cond))
	}
	if !g.live.FlagsDead {
		g.taken |= amd64.Regs(amd64.RAX)
		g.pool = append(g.pool, amd64.RAX)
	}
	for len(g.pool) < want {
		g.pool = append(g.pool, g.take(0))
	}
	g.block = g.take(amd64.Regs(amd64.RAX, amd64.RCX, amd64.RDX)) // the clock needs those
	saved = append(saved, g.pool...)
	saved = append(saved, g.block)
	for _, r := range saved {
		g.save(r)
	}
	if !g.live.FlagsDead {
		saveFlags(g.a)
		m := g.slot()
		g.flagSlot = 8 * (g.slots - 1)
		g.a.Store(m, amd64.RAX, 2)
	}
	return saved
}

func (g *gen) close(saved []amd64.Reg) {
	if g.usesX {
		g.a.Pxor(xspill, xspill)
	}
	if !g.live.FlagsDead {
		g.a.Load(amd64.RAX, amd64.At(amd64.RSP, g.flagSlot), 2)
		restoreFlags(g.a)
	}
	for _, r := range saved {
		g.unsave(r)
	}
	g.a.Lea(amd64.RSP, amd64.At(amd64.RSP, g.frame))
}

// findBlock puts the address of the block into its register and counts the pass.
func (g *gen) findBlock() {
	a := g.a
	alone, started, evaluate := a.NewLabel(), a.NewLabel(), a.NewLabel()
	g.env.processor(a, g.block, alone)
	a.Lea(g.pool[0], amd64.AtAddr(g.env.Shared+uint64(g.env.Layout.Block(0))))
	a.Op(amd64.ADD, g.block, g.pool[0], 8)
	a.OpMemImm(amd64.ADD, g.count(ring.CounterTick), g.ticks(), 1)
	a.Jcc(amd64.CondE, g.coldLabel(func() {
		g.aroundClock(func() {
			startClock(a, amd64.RCX)
			a.Store(g.clockSlot(), amd64.RCX, 4)
		})
		a.Jmp(started)
	}))
	a.Bind(started)
	if g.decides() && !g.site.Role.Silent() {
		a.OpMemImm(amd64.ADD, g.count(ring.CounterPasses), 1, 8)
	}
	a.Bind(evaluate)
	g.cold(func() {
		a.Bind(alone)
		a.Lea(g.block, amd64.AtAddr(g.env.sharedBlock()))
		if g.decides() && !g.site.Role.Silent() {
			g.lockedCount(ring.CounterPasses)
			a.Jmp(evaluate)
		} else {
			g.blockless()
		}
	})
}

// ticks is what a pass adds to the count that chooses those that are timed.
// What a call passes comes in turn: with one for each, the count of 256 would choose
// nothing but the one kind. As it is, a call counts an odd number, whether or not it
// passes the sites that look for panics.
func (g *gen) ticks() int64 {
	if g.site.Role == program.RoleHit || g.site.Role == program.RoleStart {
		return 1
	}
	return 2
}

// blockless ends a hit that has no block of its own.
func (g *gen) blockless() {
	if !g.site.Role.Silent() {
		g.lockedCount(g.unheard())
	}
	g.a.Jmp(g.restore)
}

// clockSlot is the first slot of every frame.
func (g *gen) clockSlot() amd64.Mem { return amd64.At(amd64.RSP, 0) }

// aroundClock runs f with RAX, RCX and RDX free.
func (g *gen) aroundClock(f func()) {
	m := g.mark()
	regs := []amd64.Reg{amd64.RAX, amd64.RCX, amd64.RDX}
	for _, r := range regs {
		g.a.Store(g.slot(), r, 8)
	}
	f()
	for i, r := range regs {
		g.a.Load(r, amd64.At(amd64.RSP, 8*(m+int32(i))), 8)
	}
	g.release(m)
}

// sampled ends a pass that was timed. The shared block times none.
func (g *gen) sampled() {
	a := g.a
	g.ifShared(g.restore)
	g.aroundClock(func() {
		discard := a.NewLabel()
		a.Load(amd64.RCX, g.clockSlot(), 4)
		stopClock(a, amd64.RCX, g.interrupted(), discard)
		a.OpStore(amd64.ADD, g.count(ring.CounterCycles), amd64.RCX, 8)
		a.OpMemImm(amd64.ADD, g.count(ring.CounterSamples), 1, 8)
		a.Bind(discard)
	})
	a.Jmp(g.restore)
}

// interrupted is how many cycles the body does not take by itself.
func (g *gen) interrupted() int64 {
	if g.env.Image != nil {
		return interruptedImage
	}
	if g.env.aggregating() {
		return interruptedShort
	}
	return interrupted
}

// ifShared jumps to l if the block is the shared one. pool[0] is lost.
func (g *gen) ifShared(l amd64.Label) {
	g.a.Lea(g.pool[0], amd64.AtAddr(g.env.sharedBlock()))
	g.a.Op(amd64.CMP, g.block, g.pool[0], 8)
	g.a.Jcc(amd64.CondE, l)
}

// decides tells whether the condition is decided before anything else: one on a
// duration is decided where that is known.
func (g *gen) decides() bool { return g.site.Cond != nil && !g.site.Role.Ends() }

// condition goes on if the condition holds, and in a block of its own.
func (g *gen) condition() {
	if !g.decides() {
		return // without a block of its own, the body has ended
	}
	bad := g.coldLabel(func() {
		g.lockedCount(ring.CounterErrors)
		g.a.Jmp(g.done)
	})
	g.fail = func(program.Status) amd64.Label { return bad }
	g.branch(g.site.Cond, 0, g.done, false)
	g.ifShared(g.coldLabel(g.blockless))
}

// unheard is the counter of a hit that has no block of its own: a count needs
// none, a log has nowhere to write, and an aggregate nowhere to add.
func (g *gen) unheard() int {
	if g.env.Log || g.env.aggregating() {
		return ring.CounterDropped
	}
	return ring.CounterEmitted
}

// room leaves, having counted, unless the frame fits on the stack. It works in a
// dead register where flags are dead too, else in RAX, which X15 keeps.
func (g *gen) room() {
	a := g.a
	free := (g.live.FreeRegs &^ g.refs).List()
	if g.live.FlagsDead && len(free) > 0 {
		g.fits(free[0], g.end, func() {})
		return
	}
	flags := !g.live.FlagsDead
	park(a, flags)
	out := a.NewLabel()
	g.fits(amd64.RAX, out, func() {
		a.Bind(out)
		unpark(a, flags)
	})
	unpark(a, flags)
}

// fits compares in register r. Without room the pass is counted in the shared
// block, then leave makes things as they were.
func (g *gen) fits(r amd64.Reg, quiet amd64.Label, leave func()) {
	a := g.a
	a.Lea(r, amd64.At(amd64.RSP, -g.frame-g.beyond))
	a.OpLoad(amd64.CMP, r, amd64.At(amd64.R14, int32(g.env.RT.GStackLo)), 8)
	a.Jcc(amd64.CondB, g.coldLabel(func() {
		g.env.asked(a, quiet)
		switch {
		case g.site.Role.Silent():
		case g.decides():
			a.LockOpImm(amd64.ADD, g.env.sharedCounter(ring.CounterPasses), 1, 8)
			a.LockOpImm(amd64.ADD, g.env.sharedCounter(ring.CounterErrors), 1, 8)
		default:
			a.LockOpImm(amd64.ADD, g.env.sharedCounter(g.unheard()), 1, 8)
		}
		leave()
		a.Jmp(g.end)
	}))
}
