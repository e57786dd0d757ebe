package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

var aluOps = map[program.Op]amd64.ALU{
	program.OpAdd: amd64.ADD, program.OpSub: amd64.SUB, program.OpAnd: amd64.AND,
	program.OpOr: amd64.OR, program.OpXor: amd64.XOR,
}

var floatOps = map[program.Op]amd64.SSE{
	program.OpAdd: amd64.FAdd, program.OpSub: amd64.FSub, program.OpMul: amd64.FMul, program.OpDiv: amd64.FDiv,
}

// binary is an operation on two values of n.Type, or a comparison.
func (g *gen) binary(n *program.Node, i int) {
	r := g.pool[i]
	m := g.mark()
	defer g.release(m)
	if isComparison(n.Op) {
		g.compared(n, i)
		return
	}
	y := g.pair(n, i)
	if n.Type.Float() {
		g.float(n, r, y)
		return
	}
	switch n.Op {
	case program.OpMul:
		g.multiply(r, y)
	case program.OpAndNot:
		g.andNot(r, y)
	default:
		o, ok := aluOps[n.Op]
		if !ok {
			g.invalid(n)
			return
		}
		g.alu(o, r, y)
	}
	g.canonize(r, n.Type)
}

// invalid ends in an error of the assembler: compile made a node that is none.
func (g *gen) invalid(n *program.Node) {
	g.a.Fail("operation %d on type %d", n.Op, n.Type)
}

func (g *gen) multiply(r amd64.Reg, y operand) {
	switch y.kind {
	case inImm:
		g.a.ImulImm(r, r, y.imm, 8)
	case inReg:
		g.a.Imul(r, y.reg, 8)
	default:
		g.a.ImulLoad(r, y.mem, 8)
	}
}

// andNot is r &^ y = ^(^r | y).
func (g *gen) andNot(r amd64.Reg, y operand) {
	g.a.Not(r, 8)
	g.alu(amd64.OR, r, y)
	g.a.Not(r, 8)
}

// float works in X15 alone, the second value in memory.
func (g *gen) float(n *program.Node, r amd64.Reg, y operand) {
	o, ok := floatOps[n.Op]
	if !ok {
		g.invalid(n)
		return
	}
	g.usesX = true
	size := int(n.Type.Size())
	second := g.spilled(y)
	g.a.MovXR(xspill, r, size)
	g.a.OpXMem(o, xspill, second, size)
	g.a.MovRX(r, xspill, size)
}

func (g *gen) unary(n *program.Node, r amd64.Reg) {
	switch {
	case n.Op == program.OpNot:
		g.a.OpImm(amd64.XOR, r, 1, 4)
	case n.Op == program.OpConv:
		g.convert(r, n.X.Type, n.Type)
	case n.Op == program.OpNeg && n.Type.Float():
		size := int(n.Type.Size())
		g.a.Btc(r, uint8(size*8-1), size)
	case n.Op == program.OpNeg:
		g.a.Neg(r, 8)
		g.canonize(r, n.Type)
	default:
		g.a.Not(r, 8)
		g.canonize(r, n.Type)
	}
}

// divide is n.X / n.Y or the remainder. The hardware wants RAX and RDX, which
// wait in slots meanwhile, whatever they hold.
func (g *gen) divide(n *program.Node, i int) {
	if n.Type.Float() {
		g.binary(n, i)
		return
	}
	a, r := g.a, g.pool[i]
	m := g.mark()
	defer g.release(m)
	second := g.spilled(g.pair(n, i))
	a.OpMemImm(amd64.CMP, second, 0, 8)
	a.Jcc(amd64.CondE, g.fail(program.StatusDivide))
	done := a.NewLabel()
	if n.Type == program.I64 {
		g.minusOne(n, r, second, done)
	}
	rax, rdx, result := g.slot(), g.slot(), g.slot()
	a.Store(rax, amd64.RAX, 8)
	a.Store(rdx, amd64.RDX, 8)
	g.move(amd64.RAX, r)
	if n.Type.Signed() {
		a.SignExtendAX(8)
	} else {
		a.Zero(amd64.RDX)
	}
	a.DivMem(second, n.Type.Signed(), 8)
	from := amd64.RAX
	if n.Op == program.OpRem {
		from = amd64.RDX
	}
	a.Store(result, from, 8)
	a.Load(amd64.RAX, rax, 8)
	a.Load(amd64.RDX, rdx, 8)
	a.Load(r, result, 8)
	g.canonize(r, n.Type)
	a.Bind(done)
}

// minusOne divides by -1 by hand: the least integer would make the hardware trap.
func (g *gen) minusOne(n *program.Node, r amd64.Reg, second amd64.Mem, done amd64.Label) {
	other := g.a.NewLabel()
	g.a.OpMemImm(amd64.CMP, second, -1, 8)
	g.a.Jcc(amd64.CondNE, other)
	if n.Op == program.OpRem {
		g.a.MovRI64(r, 0)
	} else {
		g.a.Neg(r, 8)
	}
	g.a.Jmp(done)
	g.a.Bind(other)
}

// shift is n.X << n.Y or n.X >> n.Y, where Y may be any U64.
func (g *gen) shift(n *program.Node, i int) {
	a, r := g.a, g.pool[i]
	m := g.mark()
	defer g.release(m)
	y := g.pair(n, i)
	how := amd64.SHL
	if n.Op == program.OpShr {
		how = amd64.SHR
		if n.Type.Signed() {
			how = amd64.SAR
		}
	}
	if y.kind == inImm {
		g.shiftBy(how, r, uint64(y.imm))
		g.canonize(r, n.Type)
		return
	}
	value, kept := g.slot(), g.slot()
	count := g.spilled(y)
	large, done := a.NewLabel(), a.NewLabel()
	a.Store(value, r, 8)
	a.OpMemImm(amd64.CMP, count, 63, 8)
	a.Jcc(amd64.CondA, large)
	a.Store(kept, amd64.RCX, 8)
	a.Load(amd64.RCX, count, 8)
	a.ShiftMemCL(how, value, 8)
	a.Load(amd64.RCX, kept, 8)
	a.Load(r, value, 8)
	g.canonize(r, n.Type)
	a.Jmp(done)
	a.Bind(large)
	g.shiftBy(how, r, 64)
	a.Bind(done)
}

// shiftBy shifts a canonical value by a constant.
func (g *gen) shiftBy(how amd64.Shift, r amd64.Reg, n uint64) {
	switch {
	case n < 64:
		g.a.ShiftImm(how, r, uint8(n), 8)
	case how == amd64.SAR:
		g.a.ShiftImm(how, r, 63, 8)
	default:
		g.a.MovRI64(r, 0)
	}
}

// convert makes a value of type from one of type to, as Go's compiler does on
// amd64.
func (g *gen) convert(r amd64.Reg, from, to program.Scalar) {
	switch {
	case from.Float() && to.Float():
		if from != to {
			g.usesX = true
			g.a.MovXR(xspill, r, int(from.Size()))
			g.a.CvtXX(xspill, xspill, int(from.Size()))
			g.a.MovRX(r, xspill, int(to.Size()))
		}
	case from.Float():
		g.floatToInt(r, from, to)
	case to.Float():
		g.intToFloat(r, from, to)
	default:
		g.canonize(r, to)
	}
}

// floatToInt truncates. What does not fit is left to the hardware, as in Go.
func (g *gen) floatToInt(r amd64.Reg, from, to program.Scalar) {
	a := g.a
	g.usesX = true
	size, width := int(from.Size()), 8
	if to.Size() < 4 || to == program.I32 {
		width = 4
	}
	a.MovXR(xspill, r, size)
	if to != program.U64 {
		a.CvtXR(r, xspill, size, width)
		g.canonize(r, to)
		return
	}
	// Above 2^63 the value less 2^63 is converted, and the top bit set again.
	limit := int64(0x43E0000000000000) // 2^63
	if from == program.F32 {
		limit = 0x5F000000
	}
	m := g.mark()
	top := g.slot()
	large, done := a.NewLabel(), a.NewLabel()
	a.MovRI64(r, uint64(limit))
	a.Store(top, r, 8)
	a.UcomiXMem(xspill, top, size)
	a.Jcc(amd64.CondAE, large)
	a.CvtXR(r, xspill, size, 8)
	a.Jmp(done)
	a.Bind(large)
	a.OpXMem(amd64.FSub, xspill, top, size)
	a.CvtXR(r, xspill, size, 8)
	a.Btc(r, 63, 8)
	a.Bind(done)
	g.release(m)
}

// intToFloat rounds to the nearest, also for unsigned integers above 2^63, which
// are halved first with the lost bit kept for the rounding.
func (g *gen) intToFloat(r amd64.Reg, from, to program.Scalar) {
	a := g.a
	g.usesX = true
	size := int(to.Size())
	if from != program.U64 {
		a.Pxor(xspill, xspill)
		a.CvtRX(xspill, r, size, 8)
		a.MovRX(r, xspill, size)
		return
	}
	m := g.mark()
	low := g.slot()
	large, done := a.NewLabel(), a.NewLabel()
	a.Pxor(xspill, xspill)
	a.Test(r, r, 8)
	a.Jcc(amd64.CondS, large)
	a.CvtRX(xspill, r, size, 8)
	a.Jmp(done)
	a.Bind(large)
	a.Store(low, r, 8)
	a.ShiftImm(amd64.SHR, r, 1, 8)
	a.OpMemImm(amd64.AND, low, 1, 8)
	a.OpLoad(amd64.OR, r, low, 8)
	a.CvtRX(xspill, r, size, 8)
	a.OpX(amd64.FAdd, xspill, xspill, size)
	a.Bind(done)
	a.MovRX(r, xspill, size)
	g.release(m)
}
