package jit

import (
	"math"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Values in registers are canonical: integers extended to 64 bits as their type
// says, Bool 0 or 1, floats their bits. So every comparison and every addition
// can be made in 64 bits.

// mostPool is the most registers that evaluation uses; deeper ones wait in slots.
const mostPool = 4

// need is how many registers keep the evaluation of n out of the frame.
func need(n *program.Node) int {
	switch {
	case n == nil || isLeaf(n):
		return 1
	case n.Op == program.OpStrEq || n.Op == program.OpStrLt || n.Op == program.OpMatch || n.Op == program.OpFind || n.Op == program.OpSpan:
		return mostPool
	case n.Y == nil || isLeaf(n.Y) && n.Y.Op == program.OpConst:
		return need(n.X)
	}
	return min(mostPool, max(need(n.X), need(n.Y)+1))
}

func isLeaf(n *program.Node) bool { return n.X == nil }

// canon is v as a canonical value of type t.
func canon(t program.Scalar, v int64) int64 {
	switch t {
	case program.Bool:
		return v & 1
	case program.U8:
		return int64(uint8(v))
	case program.I8:
		return int64(int8(v))
	case program.U16:
		return int64(uint16(v))
	case program.I16:
		return int64(int16(v))
	case program.U32, program.F32:
		return int64(uint32(v))
	case program.I32:
		return int64(int32(v))
	}
	return v
}

// canonize makes the low bytes of r a canonical value of type t.
func (g *gen) canonize(r amd64.Reg, t program.Scalar) {
	switch {
	case t.Size() == 8:
	case t.Signed():
		g.a.ExtendSigned(r, r, int(t.Size()))
	default:
		g.a.Extend(r, r, int(t.Size()))
	}
}

// operand is a value that an instruction takes as it is.
type operand struct {
	kind operandKind
	imm  int64
	reg  amd64.Reg
	mem  amd64.Mem
}

type operandKind uint8

const (
	inNone operandKind = iota
	inImm
	inReg
	inMem
)

// direct is n as an operand that needs no evaluation, or inNone.
func (g *gen) direct(n *program.Node) operand {
	switch {
	case n.Op == program.OpConst:
		if v := canon(n.Type, n.Imm); v == int64(int32(v)) {
			return operand{kind: inImm, imm: v}
		}
	case n.Op == program.OpReg && n.Type.Size() == 8 && n.Reg != amd64.RSP:
		if off := g.home[n.Reg]; off >= 0 {
			return operand{kind: inMem, mem: amd64.At(amd64.RSP, off)}
		}
		return operand{kind: inReg, reg: n.Reg}
	}
	return operand{}
}

// eval puts the value of n into pool[i], using pool[i:] and slots. Failing, it
// jumps to g.fail; then nothing in the pool matters any more.
func (g *gen) eval(n *program.Node, i int) {
	a, r := g.a, g.pool[i]
	switch n.Op {
	case program.OpConst:
		a.MovRI64(r, uint64(canon(n.Type, n.Imm)))
	case program.OpReg:
		g.register(n, r)
	case program.OpXReg:
		if n.Imm == int64(xspill) {
			a.MovRI64(r, 0) // in Go code it is zero; here it may not be any more
			return
		}
		a.MovRX(r, amd64.X(n.Imm), int(n.Type.Size()))
	case program.OpCFA:
		g.register(&program.Node{Type: program.U64, Reg: g.site.CFA.Reg}, r)
		g.plus(n.Imm+g.site.CFA.Offset, i)
	case program.OpAddr:
		a.MovRI64(r, uint64(n.Imm)+g.env.Slide)
	case program.OpLoad:
		g.load(n, i)
	case program.OpNonNil:
		g.move(r, g.place(n, i))
	case program.OpIndex:
		g.index(n, i)
	case program.OpGoid:
		a.Load(r, amd64.At(amd64.R14, int32(g.env.RT.GGoid)), 8)
	case program.OpDuration:
		g.duration(r)
	case program.OpNeg, program.OpCom, program.OpNot, program.OpConv:
		g.eval(n.X, i)
		g.unary(n, r)
	case program.OpAndAnd, program.OpOrOr:
		g.decide(n, i)
	case program.OpStrEq, program.OpStrLt:
		g.strings(n, i)
	case program.OpRequire:
		g.branch(n.X, i, g.fail(program.Status(n.Imm)), false)
		g.eval(n.Y, i)
	case program.OpMatch:
		g.match(n, i)
	case program.OpFind:
		g.findKey(n, i)
	case program.OpSpan:
		g.findSpan(n, i)
	case program.OpSlot:
		g.recorded(n, i)
	case program.OpData:
		g.data(n, r)
	case program.OpShl, program.OpShr:
		g.shift(n, i)
	case program.OpDiv, program.OpRem:
		g.divide(n, i)
	default:
		g.binary(n, i)
	}
}

func (g *gen) move(dst, src amd64.Reg) {
	if dst != src {
		g.a.MovRR(dst, src)
	}
}

// register is a general register as it was at the site.
func (g *gen) register(n *program.Node, r amd64.Reg) {
	size, signed := int(n.Type.Size()), n.Type.Signed()
	off := g.home[n.Reg]
	switch {
	case n.Reg == amd64.RSP:
		g.a.Lea(r, amd64.At(amd64.RSP, g.frame))
		g.canonize(r, n.Type)
	case off >= 0 && signed:
		g.a.LoadSigned(r, amd64.At(amd64.RSP, off), size)
	case off >= 0:
		g.a.Load(r, amd64.At(amd64.RSP, off), size)
	case signed:
		g.a.ExtendSigned(r, n.Reg, size)
	default:
		g.a.Extend(r, n.Reg, size)
	}
	if n.Type == program.Bool {
		g.truth(r)
	}
}

// truth makes r 0 or 1: whatever lies in a Bool of the target, it must not
// become a third value here.
func (g *gen) truth(r amd64.Reg) { g.a.OpImm(amd64.AND, r, 1, 4) }

// plus adds a constant to pool[i].
func (g *gen) plus(v int64, i int) {
	r := g.pool[i]
	switch {
	case v == 0:
	case v == int64(int32(v)):
		g.a.Lea(r, amd64.At(r, int32(v)))
	default:
		m := g.mark()
		s := g.slot()
		g.a.Store(s, r, 8)
		g.a.MovRI64(r, uint64(v))
		g.a.OpLoad(amd64.ADD, r, s, 8)
		g.release(m)
	}
}

// place is the register that holds the address n: the program's own where it
// is still there, else pool[i].
func (g *gen) place(n *program.Node, i int) amd64.Reg {
	switch {
	case n.Op == program.OpNonNil:
		r := g.place(n.X, i)
		g.a.OpImm(amd64.CMP, r, 4096, 8)
		g.a.Jcc(amd64.CondB, g.fail(program.StatusNil))
		return r
	case g.direct(n).kind == inReg:
		return n.Reg
	}
	g.eval(n, i)
	return g.pool[i]
}

// near tells whether addr can be reached from the code by a displacement.
func (g *gen) near(addr uint64) bool {
	d := int64(addr - g.a.PC())
	return d > -(math.MaxInt32-1<<20) && d < math.MaxInt32-1<<20
}

// memory is the operand for the memory at address n + off, and whether reading
// it may fault. It uses pool[i] at most.
func (g *gen) memory(n *program.Node, off int64, i int) (amd64.Mem, bool) {
	if n.Op == program.OpCFA && g.site.CFA.Reg == amd64.RSP {
		// The goroutine's own frame: it is there.
		if d := off + n.Imm + g.site.CFA.Offset + int64(g.frame); d >= 0 && d < 1<<12 {
			return amd64.At(amd64.RSP, int32(d)), false
		}
	}
	if addr := uint64(n.Imm+off) + g.env.Slide; n.Op == program.OpAddr && g.near(addr) {
		return amd64.AtAddr(addr), true
	}
	if off != int64(int32(off)) {
		g.eval(n, i)
		g.plus(off, i)
		return amd64.At(g.pool[i], 0), true
	}
	return amd64.At(g.place(n, i), int32(off)), true
}

func (g *gen) load(n *program.Node, i int) {
	g.reading(n.X, i+1, func() {
		m, faults := g.memory(n.X, n.Imm, i)
		if faults {
			g.fixup(g.fail(program.StatusFault))
		}
		if n.Type.Signed() {
			g.a.LoadSigned(g.pool[i], m, int(n.Type.Size()))
		} else {
			g.a.Load(g.pool[i], m, int(n.Type.Size()))
		}
	})
	if n.Type == program.Bool {
		g.truth(g.pool[i])
	}
}

func (g *gen) data(n *program.Node, r amd64.Reg) {
	l := g.coldLabel(func() { g.a.Bytes(n.Data...) })
	g.a.Lea(r, amd64.AtLabel(l))
}

// pair puts n.X into pool[i] and gives n.Y as an operand.
func (g *gen) pair(n *program.Node, i int) operand {
	if y := g.direct(n.Y); y.kind != inNone {
		g.eval(n.X, i)
		return y
	}
	if i+1 < len(g.pool) {
		g.eval(n.X, i)
		g.eval(n.Y, i+1)
		return operand{kind: inReg, reg: g.pool[i+1]}
	}
	x, y := g.slot(), g.slot()
	g.eval(n.X, i)
	g.a.Store(x, g.pool[i], 8)
	g.eval(n.Y, i)
	g.a.Store(y, g.pool[i], 8)
	g.a.Load(g.pool[i], x, 8)
	return operand{kind: inMem, mem: y}
}

// alu is r = r op y in 64 bits.
func (g *gen) alu(o amd64.ALU, r amd64.Reg, y operand) {
	switch y.kind {
	case inImm:
		g.a.OpImm(o, r, y.imm, 8)
	case inReg:
		g.a.Op(o, r, y.reg, 8)
	default:
		g.a.OpLoad(o, r, y.mem, 8)
	}
}

// spilled is y in memory, in a new slot unless it is there.
func (g *gen) spilled(y operand) amd64.Mem {
	if y.kind == inMem {
		return y.mem
	}
	s := g.slot()
	if y.kind == inImm {
		g.a.StoreImm(s, y.imm, 8)
	} else {
		g.a.Store(s, y.reg, 8)
	}
	return s
}

func (g *gen) index(n *program.Node, i int) {
	m := g.mark()
	y := g.pair(n, i)
	out := g.fail(program.StatusRange)
	g.alu(amd64.CMP, g.pool[i], y)
	g.a.Jcc(amd64.CondGE, out)
	g.a.Test(g.pool[i], g.pool[i], 8)
	g.a.Jcc(amd64.CondS, out)
	g.release(m)
}
