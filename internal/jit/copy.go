package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// unrolled is the most bytes that are copied without a loop.
const unrolled = 128

// absurdShift: a length of 2^40 or more, or below 0, is none.
const absurdShift = 40

// memoryBlock copies memory of a fixed size.
func (g *gen) memoryBlock(s *program.Slot, to amd64.Mem) {
	g.reading(s.Node, 0, func() { g.copyBlock(s, to) })
}

func (g *gen) copyBlock(s *program.Slot, to amd64.Mem) {
	if s.Size > unrolled {
		g.eval(s.Node, 0)
		g.a.MovRI64(g.pool[1], uint64(s.Size))
		g.copy(to, s.Size)
		return
	}
	from, _ := g.memory(s.Node, 0, 0)
	fault := g.fail(program.StatusFault)
	t := g.pool[1]
	for off := int64(0); off < s.Size; {
		size := int64(16)
		for size > s.Size-off {
			size /= 2
		}
		g.fixup(fault)
		g.transfer(to.Plus(int32(off)), from.Plus(int32(off)), t, int(size))
		off += size
	}
}

// transfer copies 1, 2, 4, 8 or 16 bytes; the fault of its first instruction is
// the load's.
func (g *gen) transfer(to, from amd64.Mem, t amd64.Reg, size int) {
	if size == 16 {
		g.usesX = true
		g.a.LoadX16(xspill, from)
		g.a.StoreX16(to, xspill)
		return
	}
	g.a.Load(t, from, size)
	g.a.Store(to, t, size)
}

// bytes records a length and the first bytes of what it counts. end is the place
// of the address where the next variable part begins; for the first one that is
// known without looking.
func (g *gen) bytes(s *program.Slot, fixed, end amd64.Mem, first bool, next amd64.Label) {
	a := g.a
	n, t, dst := g.pool[1], g.pool[2], g.pool[3]
	g.eval(s.Node, 0)
	g.eval(s.Len, 1)
	a.MovRR(t, n)
	a.ShiftImm(amd64.SHR, t, absurdShift, 8)
	a.Jcc(amd64.CondNE, g.fail(program.StatusCorrupt))
	a.Store(fixed, n, 8)
	if s.Elem > 1 {
		a.ImulImm(n, n, s.Elem, 8)
	}
	a.MovRI64(t, uint64(s.Max))
	a.Op(amd64.CMP, n, t, 8)
	a.Cmov(amd64.CondA, n, t, 8)
	a.Test(n, n, 8)
	a.Jcc(amd64.CondE, next)
	to := amd64.At(g.out, g.rec.tail)
	if !first {
		a.Load(dst, end, 8)
		to = amd64.At(dst, 0)
	}
	g.copy(to, s.Max)
	a.OpImm(amd64.ADD, n, 7, 8)
	a.OpImm(amd64.AND, n, -8, 8)
	if first {
		a.Lea(n, amd64.AtIndex(g.out, n, 1, g.rec.tail))
	} else {
		a.Op(amd64.ADD, n, dst, 8)
	}
	a.Store(end, n, 8)
}

// copy copies pool[1] bytes, at least 1 and at most most, from the address
// pool[0] to a base register with displacement; pool[1] stays, pool[2] is lost.
// No byte outside the source is read: ends overlap instead.
func (g *gen) copy(to amd64.Mem, most int64) {
	a := g.a
	src, n, t := g.pool[0], g.pool[1], g.pool[2]
	fault := g.fail(program.StatusFault)
	done := a.NewLabel()
	move := func(index amd64.Reg, disp int32, size int) {
		g.fixup(fault)
		g.transfer(to.Indexed(index).Plus(disp), amd64.AtIndex(src, index, 1, disp), t, size)
	}
	start := func(size int) {
		g.fixup(fault)
		g.transfer(to, amd64.At(src, 0), t, size)
	}
	if most >= 16 {
		small, top, tail := a.NewLabel(), a.NewLabel(), a.NewLabel()
		a.OpImm(amd64.CMP, n, 16, 8)
		a.Jcc(amd64.CondB, small)
		a.OpImm(amd64.SUB, n, 16, 8)
		a.Zero(t)
		a.Bind(top)
		a.Op(amd64.CMP, t, n, 8)
		a.Jcc(amd64.CondAE, tail)
		move(t, 0, 16)
		a.OpImm(amd64.ADD, t, 16, 8)
		a.Jmp(top)
		a.Bind(tail)
		move(n, 0, 16)
		a.OpImm(amd64.ADD, n, 16, 8)
		a.Jmp(done)
		a.Bind(small)
	}
	for _, size := range []int{8, 4} {
		smaller := a.NewLabel()
		a.TestImm(n, int64(size), 4)
		a.Jcc(amd64.CondE, smaller)
		start(size)
		move(n, -int32(size), size)
		a.Jmp(done)
		a.Bind(smaller)
	}
	start(1)
	a.OpImm(amd64.CMP, n, 2, 8)
	a.Jcc(amd64.CondB, done)
	move(n, -2, 2)
	a.Bind(done)
}
