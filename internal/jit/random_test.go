//go:build linux && amd64

package jit

import (
	"math"
	"math/rand"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// author writes random programs and states for a rig.
type author struct {
	*rand.Rand
	r       *rig
	earlier []program.Slot // what OpSlot may name
	spans   bool           // spans are looked for, too
}

var integers = []program.Scalar{program.I8, program.I16, program.I32, program.I64,
	program.U8, program.U16, program.U32, program.U64}

// Numbers at which operations change their mind.
var edges = []int64{0, 1, 2, 7, 8, 31, 32, 63, 64, 65, 127, 128, 255, 256, -1, -2, -128, -129,
	math.MaxInt16, math.MaxInt32, math.MinInt32, math.MaxUint32, math.MaxInt64, math.MinInt64}

var floatEdges = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, 1e9, -1e9, 3e9, 1e19, 1.8446744073709552e19,
	9.223372036854775807e18, -9.3e18, math.Inf(1), math.Inf(-1), math.NaN(), 1e-310, 16777217}

func (w *author) number() uint64 {
	switch w.Intn(4) {
	case 0:
		return w.Uint64()
	case 1:
		return math.Float64bits(floatEdges[w.Intn(len(floatEdges))])
	case 2:
		return uint64(math.Float32bits(float32(floatEdges[w.Intn(len(floatEdges))])))
	}
	return uint64(edges[w.Intn(len(edges))])
}

// heap is an address in the rig's heap, seldom at its end, where a page that
// cannot be read follows.
func (w *author) heap() uint64 {
	if w.Intn(8) == 0 {
		return w.r.base + rigHole - uint64(w.Intn(40))
	}
	return w.r.base + rigHeap + 64 + uint64(w.Intn(30<<10))
}

// pointer is an address as the target may hold one.
func (w *author) pointer() uint64 {
	switch w.Intn(16) {
	case 0:
		return uint64(w.Intn(5000)) // nil, or so near it that it was nil
	case 1:
		return w.Uint64() | 1<<62&^(1<<63) // no address at all
	}
	return w.heap()
}

// Registers that hold pointers at a site; the others hold numbers.
var pointerRegs = []program.Reg{amd64.RAX, amd64.RDI, amd64.R9, amd64.R13}

func (w *author) state() cpu {
	c := w.r.start()
	for i := range c.Regs {
		if reg := program.Reg(i); reg != amd64.RSP && reg != amd64.R14 {
			c.Regs[i] = w.number()
		}
	}
	for _, reg := range pointerRegs {
		c.Regs[reg] = w.pointer()
	}
	for i := range 15 {
		c.X[i] = [2]uint64{w.number(), w.Uint64()}
	}
	c.Flags = w.Uint64() & arithmetic
	return c
}

// scribble fills the rig's heap: numbers, with pointers among them.
func (w *author) scribble() {
	for off := rigHeap; off < rigHole; off += 8 {
		if w.Intn(3) == 0 {
			w.r.put(off, w.pointer())
		} else {
			w.r.put(off, w.number())
		}
	}
}

func (w *author) scalar() program.Scalar {
	all := append([]program.Scalar{program.Bool, program.F32, program.F64, program.I64, program.U64}, integers...)
	return all[w.Intn(len(all))]
}

// address is a node that gives an address.
func (w *author) address(depth int) *program.Node {
	switch w.Intn(8) {
	case 0:
		return &program.Node{Op: program.OpCFA, Type: program.U64, Imm: int64(w.Intn(64))}
	case 1, 2:
		return &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(w.heap() - w.r.env.Slide)}
	case 3:
		if depth > 0 {
			at := w.address(depth - 1)
			return &program.Node{Op: program.OpAdd, Type: program.U64, X: at, Y: &program.Node{
				Op: program.OpMul, Type: program.U64, Y: constant(program.U64, 8), X: &program.Node{
					Op: program.OpConv, Type: program.U64, X: &program.Node{Op: program.OpIndex, Type: program.I64,
						X: w.node(program.I64, depth-1), Y: constant(program.I64, int64(w.Intn(40)))}}}}
		}
	case 4:
		if depth > 0 { // through a pointer in memory: only what checks for nil may be sure of anything
			at := &program.Node{Op: program.OpLoad, Type: program.U64, X: w.address(depth - 1), Imm: int64(w.Intn(5) * 8)}
			return &program.Node{Op: program.OpNonNil, Type: program.U64, X: masked(at, w.r.base)}
		}
	}
	reg := &program.Node{Op: program.OpReg, Type: program.U64, Reg: pointerRegs[w.Intn(len(pointerRegs))]}
	if w.Intn(2) == 0 {
		return &program.Node{Op: program.OpNonNil, Type: program.U64, X: reg}
	}
	return reg
}

// masked keeps a number that may be anything within the rig's heap: what lies
// elsewhere in the test process is nothing that the oracle knows.
func masked(n *program.Node, base uint64) *program.Node {
	low := &program.Node{Op: program.OpAnd, Type: program.U64, X: n, Y: constant(program.U64, 0x7FF8)}
	return &program.Node{Op: program.OpAdd, Type: program.U64, X: low, Y: constant(program.U64, int64(base+rigHeap))}
}

func constant(t program.Scalar, v int64) *program.Node {
	return &program.Node{Op: program.OpConst, Type: t, Imm: v}
}

func (w *author) leaf(t program.Scalar) *program.Node {
	if i := len(w.earlier) - 1; i >= 0 && t == program.U64 && w.Intn(4) == 0 && w.earlier[i].Kind == program.SlotScalar && w.earlier[i].Node.Type == t {
		return &program.Node{Op: program.OpSlot, Type: t, Imm: int64(i)}
	}
	switch w.Intn(4) {
	case 0:
		return constant(t, int64(w.number()))
	case 1:
		if t.Float() {
			return &program.Node{Op: program.OpXReg, Type: t, Imm: int64(w.Intn(15))}
		}
		if t == program.U64 && w.Intn(4) == 0 {
			return &program.Node{Op: program.OpGoid, Type: t}
		}
		return &program.Node{Op: program.OpReg, Type: t, Reg: program.Reg(w.Intn(16))}
	}
	return &program.Node{Op: program.OpLoad, Type: t, X: w.address(0), Imm: int64(w.Intn(64) - 16)}
}

var binaryOps = []program.Op{program.OpAdd, program.OpSub, program.OpMul, program.OpDiv, program.OpRem,
	program.OpAnd, program.OpOr, program.OpXor, program.OpAndNot, program.OpShl, program.OpShr}

// node is a random tree of type t.
func (w *author) node(t program.Scalar, depth int) *program.Node {
	if depth <= 0 || w.Intn(6) == 0 {
		return w.leaf(t)
	}
	if t == program.Bool {
		return w.truth(depth - 1)
	}
	if t == program.U64 && w.Intn(6) == 0 {
		return w.find(depth - 1)
	}
	if t == program.U64 && w.spans && w.Intn(8) == 0 {
		return w.span(depth - 1)
	}
	switch w.Intn(9) {
	case 8:
		return &program.Node{Op: program.OpRequire, Type: t, Imm: int64(1 + w.Intn(10)), X: w.node(program.Bool, depth-1), Y: w.node(t, depth-1)}
	case 0:
		return &program.Node{Op: program.OpLoad, Type: t, X: w.address(depth - 1), Imm: int64(w.Intn(64))}
	case 1, 2:
		from := w.scalar()
		if from != program.Bool {
			return &program.Node{Op: program.OpConv, Type: t, X: w.node(from, depth-1)}
		}
	case 3:
		op := program.OpNeg
		if !t.Float() && w.Intn(2) == 0 {
			op = program.OpCom
		}
		return &program.Node{Op: op, Type: t, X: w.node(t, depth-1)}
	}
	op := binaryOps[w.Intn(len(binaryOps))]
	if t.Float() {
		op = binaryOps[w.Intn(4)]
	}
	y := t
	if op == program.OpShl || op == program.OpShr {
		y = program.U64
	}
	return &program.Node{Op: op, Type: t, X: w.node(t, depth-1), Y: w.node(y, depth-1)}
}

func (w *author) truth(depth int) *program.Node {
	n := &program.Node{Type: program.Bool}
	switch w.Intn(9) {
	case 8:
		return w.match(depth)
	case 0:
		n.Op, n.X = program.OpNot, w.node(program.Bool, depth)
	case 1, 2:
		n.Op, n.X, n.Y = program.OpAndAnd, w.node(program.Bool, depth), w.node(program.Bool, depth)
	case 3, 4:
		n.Op, n.X, n.Y = program.OpOrOr, w.node(program.Bool, depth), w.node(program.Bool, depth)
	case 5:
		n.Op = program.OpStrEq
		if w.Intn(2) == 0 {
			n.Op = program.OpStrLt
		}
		n.X, n.Y, n.Z, n.W = w.text(depth)
	default:
		t := w.scalar()
		n.Op = program.OpEq + program.Op(w.Intn(6))
		n.X, n.Y = w.node(t, depth), w.node(t, depth)
	}
	return n
}

// text is two strings that often begin alike, with lengths that sometimes lie.
func (w *author) text(depth int) (p, np, q, nq *program.Node) {
	length := func() *program.Node {
		switch w.Intn(10) {
		case 0:
			return w.node(program.I64, depth)
		case 1:
			return constant(program.I64, edges[w.Intn(len(edges))])
		}
		return constant(program.I64, int64(w.Intn(30)))
	}
	p, np = w.address(depth), length()
	q, nq = p, np
	switch w.Intn(4) {
	case 0:
		q, nq = w.address(depth), length()
	case 1:
		nq = length()
	case 2:
		at := w.heap()
		data := make([]byte, w.Intn(30))
		copy(data, w.r.mem[at-w.r.base:min(at-w.r.base+uint64(len(data)), rigHole)])
		if len(data) > 0 && w.Intn(2) == 0 {
			data[w.Intn(len(data))] ^= 0x80
		}
		p, np = &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(at - w.r.env.Slide)}, constant(program.I64, int64(len(data)))
		q, nq = &program.Node{Op: program.OpData, Type: program.U64, Data: data}, np
	}
	return p, np, q, nq
}

func (w *author) slot() program.Slot {
	depth := w.Intn(5)
	s := program.Slot{Kind: program.SlotKind(w.Intn(3))}
	if w.Intn(5) == 0 {
		s.Guard = w.node(program.Bool, depth)
	}
	switch s.Kind {
	case program.SlotScalar:
		t := w.scalar()
		s.Node, s.Size = w.node(t, depth), t.Size()
	case program.SlotBlock:
		s.Node, s.Size = w.address(depth), int64(1+w.Intn(64))
		if w.Intn(8) == 0 {
			s.Size = int64(129 + w.Intn(200))
		}
	case program.SlotBytes:
		s.Elem = int64(1 + w.Intn(3)*4)
		s.Node, s.Max = w.address(depth), s.Elem*int64(1+w.Intn(20))
		s.Len = constant(program.I64, int64(w.Intn(40)))
		if w.Intn(4) == 0 {
			s.Len = w.node(program.I64, depth)
		}
	}
	return s
}

func (w *author) site() *program.Site {
	s := &program.Site{CFA: program.CFA{Reg: amd64.RSP, Offset: int64(16 + w.Intn(8)*8)}}
	if w.Intn(8) == 0 {
		s.CFA = program.CFA{Reg: amd64.RBP, Offset: 16}
	}
	if w.Intn(3) > 0 {
		s.Cond = w.node(program.Bool, 1+w.Intn(5))
	}
	for range w.Intn(6) {
		w.earlier = s.Slots
		s.Slots = append(s.Slots, w.slot())
	}
	w.earlier = nil
	return s
}

func (w *author) live() Live {
	return Live{FreeRegs: amd64.RegSet(w.Uint32()), FlagsDead: w.Intn(2) == 0, StackProven: w.Intn(2) == 0}
}

// floatBits is v as a float of type t.
func floatBits(t program.Scalar, v float64) uint64 {
	if t == program.F32 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}
