// Package interp evaluates what jit compiles, slowly and plainly: it is the
// oracle that jit's tests compare machine code with, and compile's tests use it
// to run a program without a target.
//
// In comes a program.Site and a State of registers and memory; out goes a value
// with its status, or the whole record of a hit as ring lays it out. It stands
// beside jit and knows only the words.
package interp

import (
	"encoding/binary"
	"math"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// State is the target at a site.
type State struct {
	Regs  [16]uint64 // by hardware number, as they are at the site
	X     [16]uint64 // low halves of the vector registers
	CFA   program.CFA
	Slide uint64
	Goid  uint64

	Image   *program.Image // of a snapshot
	StackHi uint64         // of a snapshot: where the goroutine's stack ends

	// Mem is n bytes of memory, or nil if any of them cannot be read.
	Mem func(addr uint64, n int) []byte

	held     map[*program.Node]*entry // searches whose finds are about to be read
	data     []*program.Node          // constants that were given an address
	recorded []recorded               // slots of the record at hand
}

// recorded is what became of a slot.
type recorded struct {
	v  uint64
	st program.Status
	e  *entry // of a SlotPlace
}

// Constants get addresses that no process has.
const (
	dataBase = 0xDA7A << 48
	dataStep = 1 << 32
)

// mem reads memory or a constant.
func (s *State) mem(addr uint64, n int) ([]byte, program.Status) {
	if i := (addr - dataBase) / dataStep; addr >= dataBase && i < uint64(len(s.data)) {
		off := (addr - dataBase) % dataStep
		if d := s.data[i].Data; off+uint64(n) <= uint64(len(d)) {
			return d[off : off+uint64(n)], program.StatusOK
		}
		return nil, program.StatusFault
	}
	if b := s.Mem(addr, n); b != nil {
		return b, program.StatusOK
	}
	return nil, program.StatusFault
}

// Canon is v as a value of type t extended to 64 bits: with its sign if t has
// one, else with zeros.
func Canon(t program.Scalar, v uint64) uint64 {
	switch t {
	case program.Bool:
		return v & 1
	case program.I8:
		return uint64(int8(v))
	case program.I16:
		return uint64(int16(v))
	case program.I32:
		return uint64(int32(v))
	case program.U8:
		return uint64(uint8(v))
	case program.U16:
		return uint64(uint16(v))
	case program.U32, program.F32:
		return uint64(uint32(v))
	}
	return v
}

// Eval is the value of n, canonical in its type; floats are their bits.
func (s *State) Eval(n *program.Node) (uint64, program.Status) {
	switch n.Op {
	case program.OpConst:
		return Canon(n.Type, uint64(n.Imm)), program.StatusOK
	case program.OpReg:
		return Canon(n.Type, s.Regs[n.Reg]), program.StatusOK
	case program.OpXReg:
		return Canon(n.Type, s.X[n.Imm]), program.StatusOK
	case program.OpCFA:
		return s.Regs[s.CFA.Reg] + uint64(s.CFA.Offset+n.Imm), program.StatusOK
	case program.OpAddr:
		return uint64(n.Imm) + s.Slide, program.StatusOK
	case program.OpGoid:
		return s.Goid, program.StatusOK
	case program.OpData:
		s.data = append(s.data, n)
		return dataBase + uint64(len(s.data)-1)*dataStep, program.StatusOK
	case program.OpAndAnd, program.OpOrOr:
		x, st := s.Eval(n.X)
		if st != program.StatusOK || (x != 0) == (n.Op == program.OpOrOr) {
			return x, st
		}
		return s.Eval(n.Y)
	case program.OpStrEq, program.OpStrLt:
		return s.strings(n)
	case program.OpRequire:
		if x, st := s.Eval(n.X); st != program.StatusOK {
			return 0, st
		} else if x == 0 {
			return 0, program.Status(n.Imm)
		}
		return s.Eval(n.Y)
	case program.OpMatch:
		return s.match(n)
	case program.OpFind:
		return s.find(n)
	case program.OpLoad:
		return s.load(n)
	case program.OpSpan:
		return s.span(n)
	case program.OpSlot:
		r := s.recorded[n.Imm]
		return r.v, r.st
	}
	x, st := s.Eval(n.X)
	if st != program.StatusOK {
		return 0, st
	}
	if n.Y == nil {
		return s.one(n, x)
	}
	y, st := s.Eval(n.Y)
	if st != program.StatusOK {
		return 0, st
	}
	return two(n, x, y)
}

// load is OpLoad.
func (s *State) load(n *program.Node) (uint64, program.Status) {
	var word [8]byte
	st := s.reading(n.X, func(x uint64) program.Status {
		b, st := s.mem(x+uint64(n.Imm), int(n.Type.Size()))
		copy(word[:], b)
		return st
	})
	if st != program.StatusOK {
		return 0, st
	}
	return Canon(n.Type, binary.LittleEndian.Uint64(word[:])), program.StatusOK
}

// one is an operation on one value.
func (s *State) one(n *program.Node, x uint64) (uint64, program.Status) {
	switch n.Op {
	case program.OpNonNil:
		if x < 4096 {
			return 0, program.StatusNil
		}
		return x, program.StatusOK
	case program.OpNot:
		return x ^ 1, program.StatusOK
	case program.OpCom:
		return Canon(n.Type, ^x), program.StatusOK
	case program.OpNeg:
		switch n.Type {
		case program.F32:
			return x ^ 1<<31, program.StatusOK
		case program.F64:
			return x ^ 1<<63, program.StatusOK
		}
		return Canon(n.Type, -x), program.StatusOK
	}
	return Convert(n.X.Type, n.Type, x), program.StatusOK
}

// two is an operation on two values.
func two(n *program.Node, x, y uint64) (uint64, program.Status) {
	switch {
	case n.Op == program.OpIndex:
		if int64(x) < 0 || int64(x) >= int64(y) {
			return 0, program.StatusRange
		}
		return x, program.StatusOK
	case n.Op >= program.OpEq && n.Op <= program.OpGe:
		if compare(n.Op, n.X.Type, x, y) {
			return 1, program.StatusOK
		}
		return 0, program.StatusOK
	case n.Type.Float():
		return float(n, x, y), program.StatusOK
	case (n.Op == program.OpDiv || n.Op == program.OpRem) && y == 0:
		return 0, program.StatusDivide
	case n.Op == program.OpShl || n.Op == program.OpShr:
		return Canon(n.Type, shift(n, x, y)), program.StatusOK
	case n.Type.Signed():
		return Canon(n.Type, uint64(integer(n.Op, int64(x), int64(y)))), program.StatusOK
	}
	return Canon(n.Type, integer(n.Op, x, y)), program.StatusOK
}

func integer[T int64 | uint64](o program.Op, x, y T) T {
	switch o {
	case program.OpAdd:
		return x + y
	case program.OpSub:
		return x - y
	case program.OpMul:
		return x * y
	case program.OpDiv:
		return x / y
	case program.OpRem:
		return x % y
	case program.OpAnd:
		return x & y
	case program.OpOr:
		return x | y
	case program.OpXor:
		return x ^ y
	}
	return x &^ y
}

func shift(n *program.Node, x, y uint64) uint64 {
	switch {
	case n.Op == program.OpShl:
		return x << y
	case n.Type.Signed():
		return uint64(int64(x) >> y)
	}
	return x >> y
}

// value64 is the bits of a float as a float64, exact for both types.
func value64(t program.Scalar, bits uint64) float64 {
	if t == program.F32 {
		return float64(math.Float32frombits(uint32(bits)))
	}
	return math.Float64frombits(bits)
}

func float(n *program.Node, x, y uint64) uint64 {
	if n.Type == program.F32 {
		a, b := math.Float32frombits(uint32(x)), math.Float32frombits(uint32(y))
		return uint64(math.Float32bits(arithmetic(n.Op, a, b)))
	}
	return math.Float64bits(arithmetic(n.Op, math.Float64frombits(x), math.Float64frombits(y)))
}

func arithmetic[T float32 | float64](o program.Op, x, y T) T {
	switch o {
	case program.OpAdd:
		return x + y
	case program.OpSub:
		return x - y
	case program.OpMul:
		return x * y
	}
	return x / y
}

func compare(o program.Op, t program.Scalar, x, y uint64) bool {
	switch {
	case t.Float():
		return ordered(o, value64(t, x), value64(t, y))
	case t.Signed():
		return ordered(o, int64(x), int64(y))
	}
	return ordered(o, x, y)
}

func ordered[T int64 | uint64 | float64](o program.Op, x, y T) bool {
	switch o {
	case program.OpEq:
		return x == y
	case program.OpNe:
		return x != y
	case program.OpLt:
		return x < y
	case program.OpLe:
		return x <= y
	case program.OpGt:
		return x > y
	}
	return x >= y
}
