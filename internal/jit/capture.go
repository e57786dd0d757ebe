package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// record is the layout of a site's record (see ring).
type record struct {
	status int32   // offset of the statuses
	fixed  []int32 // offset of each slot's fixed part
	tail   int32   // where the variable parts begin
	most   int64   // the most bytes that a record can have
	texts  int     // slots with a variable part
}

func pad8(n int64) int64 { return (n + 7) &^ 7 }

func newRecord(s *program.Site) record {
	r := record{status: ring.RecordHeader}
	off := ring.RecordHeader + pad8(int64(len(s.Slots)))
	for i := range s.Slots {
		slot := &s.Slots[i]
		r.fixed = append(r.fixed, int32(off))
		switch slot.Kind {
		case program.SlotBlock:
			off += pad8(slot.Size)
		case program.SlotPlace:
			off += program.PlaceSize
		case program.SlotBytes:
			r.most += pad8(slot.Max)
			r.texts++
			off += 8
		default:
			off += 8
		}
		if off+r.most > 1<<24 {
			break // far too large for any ring; the caller sees it in most
		}
	}
	r.tail = int32(off)
	r.most += off
	return r
}

// records tells whether a body writes records: those of a log, or the snapshots of
// calls that begin.
func (e Env) records() bool { return e.Log || e.Image != nil }

// record is the layout of the records of a site, with the image of a snapshot.
func (e Env) record(s *program.Site) record {
	r := newRecord(s)
	if e.Image != nil {
		r.most += e.Image.Bytes &^ 7
	}
	return r
}

// sized tells whether all records have the same size.
func (g *gen) sized() bool { return g.rec.texts == 0 && g.env.Image == nil }

// log records the hit, unless it may not: then it is suppressed or dropped.
func (g *gen) log() {
	a := g.a
	back := a.NewLabel()
	var saved []amd64.Reg
	if g.env.Chosen {
		saved = g.more()
		g.choose(g.refused(ring.CounterSuppressed, ring.ReasonPassed, back))
		g.allowed(back)
	} else {
		g.allowed(g.done)
		saved = g.more()
	}
	position := g.slot()
	g.reserve(position, g.refused(ring.CounterDropped, ring.ReasonFull, back))
	g.pay(g.refused(ring.CounterSuppressed, noReason, back), g.refused(ring.CounterSuppressed, ring.ReasonLimit, back))
	g.header()
	end := g.values()
	if g.env.Image != nil {
		end = g.image()
		g.stillThere()
	}
	g.publish(position, end)
	if g.site.Role != program.RoleStart && !g.site.Role.Silent() { // a span counts once, at its end
		g.hit()
	}
	a.Bind(back)
	for _, r := range saved {
		g.unsave(r)
	}
}

// noReason is that of what the other reasons of a counter leave.
const noReason = -1

// refused is where a hit is counted as not recorded, and for which reason,
// before it goes on at to.
func (g *gen) refused(counter, reason int, to amd64.Label) amd64.Label {
	return g.coldLabel(func() {
		if !g.site.Role.Silent() {
			g.a.OpMemImm(amd64.ADD, g.count(counter), 1, 8)
			if off, ok := g.env.Layout.Reason(g.env.Probe); ok && reason != noReason {
				g.a.OpMemImm(amd64.ADD, amd64.At(g.block, int32(off+reason)), 1, 8)
			}
		}
		g.a.Jmp(to)
	})
}

// choose jumps to not unless this hit is one of those that are meant: the first
// After are passed over, and of the others only every Everyth goes on. The
// count is one for all processors, so that no number is given twice.
func (g *gen) choose(not amd64.Label) {
	a, env := g.a, g.env
	var free []amd64.Reg
	for _, r := range g.pool {
		if r != amd64.RAX && r != amd64.RDX {
			free = append(free, r)
		}
	}
	a.MovRI64(amd64.RAX, 1)
	a.LockXadd(env.control(ring.ControlSeen), amd64.RAX, 8) // hits before this one
	a.MovRI64(free[0], uint64(env.After))
	a.Op(amd64.SUB, amd64.RAX, free[0], 8)
	a.Jcc(amd64.CondL, not)
	if env.Every > 1 {
		a.Lea(amd64.RAX, amd64.At(amd64.RAX, 1))
		a.MovRI64(amd64.RDX, 0)
		a.MovRI64(free[0], uint64(env.Every))
		a.Div(free[0], 8)
		a.Test(amd64.RDX, amd64.RDX, 8)
		a.Jcc(amd64.CondNE, not)
	}
}

// allowed goes to away when the hit will not be recorded anyway. It only reads,
// so that many processors can pass here at once.
func (g *gen) allowed(away amd64.Label) {
	a, env := g.a, g.env
	if g.site.Role.Silent() {
		return // it is short, and comes after what takes microseconds; without it, calls would seem to end otherwise
	}
	a.OpMemImm(amd64.CMP, env.control(ring.ControlThrottle), 0, 1)
	a.Jcc(amd64.CondNE, g.refused(ring.CounterSuppressed, ring.ReasonBudget, away))
	if env.Rated {
		a.OpMemImm(amd64.CMP, env.control(ring.ControlTokens), 0, 8)
		a.Jcc(amd64.CondLE, g.refused(ring.CounterSuppressed, noReason, away))
	}
	if env.Limited {
		a.OpMemImm(amd64.CMP, env.control(ring.ControlRemaining), 0, 8)
		a.Jcc(amd64.CondLE, g.refused(ring.CounterSuppressed, ring.ReasonLimit, away))
	}
	if env.Image != nil && (env.Rated || env.Limited) {
		return // a line may be passed once only, and a few microseconds now and then hold up nobody
	}
	// The scheduler waits for this goroutine: leave at once.
	a.OpMemImm(amd64.CMP, amd64.At(amd64.R14, int32(env.RT.GStackguard0)), stackPreempt, 8)
	a.Jcc(amd64.CondE, g.refused(ring.CounterDropped, noReason, away))
}

// more takes the further registers that recording needs, and saves them.
func (g *gen) more() []amd64.Reg {
	var more []amd64.Reg
	for _, r := range []amd64.Reg{amd64.RAX, amd64.RDX} { // for the clock
		if !g.taken.Has(r) {
			g.taken |= amd64.Regs(r)
			more = append(more, r)
		}
	}
	for len(g.pool)+len(more) < mostPool {
		more = append(more, g.take(0))
	}
	g.pool = append(g.pool, more...)
	g.out = g.take(0)
	more = append(more, g.out)
	for _, r := range more {
		g.save(r)
	}
	return more
}

// reserve makes g.out the address of the new record, and position the value of
// the ring's head where it begins; or jumps to full.
func (g *gen) reserve(position amd64.Mem, full amd64.Label) {
	a := g.a
	head, off, used := g.pool[0], g.pool[1], g.pool[2]
	size, ringOff := int64(g.env.Layout.RingSize()), int32(g.env.Layout.RingOff())
	fits := a.NewLabel()
	a.Load(head, amd64.At(g.block, ring.BlockHead), 8)
	a.MovRRSized(off, head, 4)
	a.OpImm(amd64.AND, off, size-1, 4)
	a.OpImm(amd64.CMP, off, size-g.rec.most, 4)
	a.Jcc(amd64.CondA, g.coldLabel(func() {
		// The record would reach over the end: fill up, and begin at the front.
		a.Lea(g.out, amd64.AtIndex(g.block, off, 1, ringOff))
		a.MovRI64(used, uint64(size))
		a.Op(amd64.SUB, used, off, 8)
		a.Op(amd64.ADD, head, used, 8)
		g.space(off, head, full)
		a.Store(amd64.At(g.out, 0), used, 4)
		a.StoreImm(amd64.At(g.out, ring.RecordProbe), ring.Pad, 4)
		a.Lea(g.out, amd64.At(g.block, ringOff))
		a.Jmp(fits)
	}))
	g.space(used, head, full)
	a.Lea(g.out, amd64.AtIndex(g.block, off, 1, ringOff))
	a.Bind(fits)
	a.Store(position, head, 8)
}

// space jumps to full unless the largest record fits at head.
func (g *gen) space(used, head amd64.Reg, full amd64.Label) {
	g.a.Lea(used, amd64.At(head, int32(g.rec.most)))
	g.a.OpLoad(amd64.SUB, used, amd64.At(g.block, ring.BlockTail), 8)
	g.a.OpImm(amd64.CMP, used, int64(g.env.Layout.RingSize()), 8)
	g.a.Jcc(amd64.CondA, full)
}

// pay takes the hit from the rate and from the limit, or goes where the one of
// them is spent.
func (g *gen) pay(rate, limit amd64.Label) {
	a, env := g.a, g.env
	if env.Rated {
		a.LockDec(env.control(ring.ControlTokens), 8)
		a.Jcc(amd64.CondS, rate)
	}
	if env.Limited {
		a.LockDec(env.control(ring.ControlRemaining), 8)
		a.Jcc(amd64.CondS, g.coldLabel(func() {
			if env.Rated {
				a.LockInc(env.control(ring.ControlTokens), 8)
			}
			a.Jmp(limit)
		}))
	}
}

// header writes what every record begins with, but for the size.
func (g *gen) header() {
	a := g.a
	a.StoreImm(amd64.At(g.out, ring.RecordProbe), int64(g.env.Probe|g.env.Site<<16), 4)
	a.Load(amd64.RAX, amd64.At(amd64.R14, int32(g.env.RT.GGoid)), 8)
	a.Store(amd64.At(g.out, ring.RecordGoid), amd64.RAX, 8)
	g.readClock()
	a.Store(amd64.At(g.out, ring.RecordTSC), amd64.RAX, 8)
	for i := 0; i < len(g.site.Slots); i += 8 {
		a.StoreImm(amd64.At(g.out, g.rec.status+int32(i)), 0, 8)
	}
}

// values writes the slots. It gives the place that holds the address of the
// record's end, if that is not fixed.
func (g *gen) values() amd64.Mem {
	a := g.a
	var end amd64.Mem
	if g.rec.texts > 0 {
		end = g.slot()
		a.Lea(g.pool[0], amd64.At(g.out, g.rec.tail))
		a.Store(end, g.pool[0], 8)
	}
	first := true
	for i := range g.site.Slots {
		slot := &g.site.Slots[i]
		next := a.NewLabel()
		g.guard(i, next)
		g.fail = g.statuses(i, next)
		at := amd64.At(g.out, g.rec.fixed[i])
		switch slot.Kind {
		case program.SlotScalar:
			g.eval(slot.Node, 0)
			a.Store(at, g.pool[0], 8)
		case program.SlotBlock:
			g.memoryBlock(slot, at)
		case program.SlotPlace:
			g.found(slot, i)
		case program.SlotBytes:
			g.bytes(slot, at, end, first, next)
			first = false
		}
		a.Bind(next)
	}
	return end
}

// statuses gives for slot i the label where its status is noted before next.
func (g *gen) statuses(i int, next amd64.Label) func(program.Status) amd64.Label {
	labels := map[program.Status]amd64.Label{}
	return func(s program.Status) amd64.Label {
		if _, ok := labels[s]; !ok {
			labels[s] = g.coldLabel(func() {
				g.a.StoreImm(amd64.At(g.out, g.rec.status+int32(i)), int64(s), 1)
				g.a.Jmp(next)
			})
		}
		return labels[s]
	}
}

// guard notes slot i as absent unless its guard holds.
func (g *gen) guard(i int, next amd64.Label) {
	n := g.site.Slots[i].Guard
	if n == nil {
		return
	}
	absent := g.statuses(i, next)(program.StatusAbsent)
	g.fail = func(program.Status) amd64.Label { return absent }
	g.branch(n, 0, absent, false)
}

// publish gives the record to the tool.
func (g *gen) publish(position, end amd64.Mem) {
	a, r := g.a, g.pool[0]
	if g.sized() {
		a.StoreImm(amd64.At(g.out, 0), g.rec.most, 4)
		a.Load(r, position, 8)
		a.OpImm(amd64.ADD, r, g.rec.most, 8)
	} else {
		a.Load(r, end, 8)
		a.Op(amd64.SUB, r, g.out, 8)
		a.Store(amd64.At(g.out, 0), r, 4)
		a.OpLoad(amd64.ADD, r, position, 8)
	}
	a.Store(amd64.At(g.block, ring.BlockHead), r, 8)
}

// recorded is OpSlot: what an earlier slot of the record holds, or its failure.
func (g *gen) recorded(n *program.Node, i int) {
	a := g.a
	if n.Imm < 0 || n.Imm >= int64(len(g.rec.fixed)) || (g.site.Slots[n.Imm].Kind != program.SlotScalar && g.site.Slots[n.Imm].Kind != program.SlotPlace) {
		g.invalid(n)
		return
	}
	status := amd64.At(g.out, g.rec.status+int32(n.Imm))
	labels := make([]amd64.Label, program.StatusLast+1)
	for st := program.StatusOK + 1; st <= program.StatusLast; st++ {
		labels[st] = g.fail(st)
	}
	a.OpMemImm(amd64.CMP, status, 0, 1)
	a.Jcc(amd64.CondNE, g.coldLabel(func() {
		for st := program.StatusOK + 1; st < program.StatusLast; st++ {
			a.OpMemImm(amd64.CMP, status, int64(st), 1)
			a.Jcc(amd64.CondE, labels[st])
		}
		a.Jmp(labels[program.StatusLast])
	}))
	a.Load(g.pool[i], amd64.At(g.out, g.rec.fixed[n.Imm]), 8)
}
