package debuginfo

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Pieces are program's: what is found here travels with the program.
type (
	PieceKind = program.PieceKind
	Piece     = program.Piece
)

// The kinds of place.
const (
	Missing = program.PieceMissing
	InReg   = program.PieceReg
	InXReg  = program.PieceXReg
	AtCFA   = program.PieceCFA
	AtAddr  = program.PieceAddr
	AtReg   = program.PieceAtReg
	Const   = program.PieceConst
)

// Loc is where a variable is at one pc. Where Why is not empty it cannot be
// read, or not wholly: Pieces may still tell the parts that can.
type Loc struct {
	Pieces []Piece
	Why    string
	// Indirect: the pieces make up a pointer (8 bytes) to the variable, which
	// is elsewhere because it escapes or is shared with a closure.
	Indirect bool
	DerefOff int64 // the variable is this many bytes behind that pointer

	listed bool // from a location list of optimised code
}

// Reasons why a variable cannot be read.
const (
	WhyOptimised = "optimised out"
	WhyPartly    = "partly optimised out"
	WhyUnset     = "not set yet at this place"
)

// Readable tells whether the whole variable can be read.
func (l Loc) Readable() bool { return l.Why == "" }

// hardware maps DWARF's numbers of the general registers to the hardware's
// (System V ABI for AMD64, figure 3.36).
var hardware = [16]program.Reg{0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15}

// Operations of location expressions (DWARF 5, section 7.7.1).
const (
	opAddr       = 0x03
	opConst1u    = 0x08
	opConst8s    = 0x0f
	opConstu     = 0x10
	opConsts     = 0x11
	opPlus       = 0x22
	opPlusUconst = 0x23
	opLit0       = 0x30
	opReg0       = 0x50
	opBreg0      = 0x70
	opRegx       = 0x90
	opFbreg      = 0x91
	opBregx      = 0x92
	opPiece      = 0x93
	opCFA        = 0x9c
	opImplicit   = 0x9e
	opStackValue = 0x9f
	opAddrx      = 0xa1
	opConstx     = 0xa2
)

// sym is a value on the expression stack whose base is known only at run time.
type sym struct {
	kind PieceKind // AtCFA, AtAddr, AtReg or Const
	reg  program.Reg
	off  int64
}

// evaluator runs a location expression over unknown registers. Go's compiler
// uses a small part of the language; what is not understood is said so.
type evaluator struct {
	b     *Build
	u     *unit
	r     buf
	stack []sym
	place *Piece // a register or literal location that waits for its piece
	out   []Piece
	err   string
}

// pieces evaluates a location expression for a variable of size bytes. The
// frame base of every Go function is the canonical frame address.
func (b *Build) pieces(u *unit, expr string, size int64) (Loc, bool) {
	if expr == "" {
		return Loc{Why: WhyOptimised}, true
	}
	e := evaluator{b: b, u: u, r: buf{data: expr}}
	for e.r.more() && e.err == "" {
		e.step()
	}
	if e.r.bad && e.err == "" {
		e.err = "damaged location expression"
	}
	if e.err != "" {
		return Loc{Why: e.err}, false
	}
	if e.place != nil || len(e.stack) > 0 {
		e.piece(size)
	}
	return Loc{Pieces: e.out}, true
}

// piece ends a piece of n bytes at the place described so far.
func (e *evaluator) piece(n int64) {
	p := Piece{Kind: Missing}
	if e.place != nil {
		p = *e.place
	} else if k := len(e.stack); k > 0 {
		s := e.stack[k-1]
		p = Piece{Kind: s.kind, Reg: s.reg, Off: s.off}
		if s.kind == Const { // an address that is a plain number
			p = Piece{Kind: AtAddr, Off: s.off}
		}
	}
	p.Size = n
	e.out = append(e.out, p)
	e.place, e.stack = nil, nil
}

func (e *evaluator) push(s sym) { e.stack = append(e.stack, s) }

func (e *evaluator) register(n uint64) {
	switch {
	case n < 16:
		e.place = &Piece{Kind: InReg, Reg: hardware[n]}
	case n >= 17 && n <= 32:
		e.place = &Piece{Kind: InXReg, Reg: program.Reg(n - 17)}
	default:
		e.err = fmt.Sprintf("in register %d, which this version does not read", n)
	}
}

func (e *evaluator) based(n uint64, off int64) {
	if n >= 16 {
		e.err = fmt.Sprintf("relative to register %d, which this version does not read", n)
		return
	}
	e.push(sym{AtReg, hardware[n], off})
}

// data pushes an address of data.
func (e *evaluator) data(addr uint64) {
	at, ok := e.b.dataAddr(addr)
	if !ok {
		e.err = "at a place that is not known in the stripped program"
		return
	}
	e.push(sym{kind: AtAddr, off: int64(at)})
}

func (e *evaluator) step() {
	r := &e.r
	switch op := r.u8(); {
	case op == opAddr:
		e.data(r.u64())
	case op == opAddrx:
		e.data(e.b.addrIndex(e.u, r.uleb()))
	case op == opCFA:
		e.push(sym{kind: AtCFA})
	case op == opFbreg:
		e.push(sym{kind: AtCFA, off: r.sleb()})
	case op >= opReg0 && op < opReg0+32:
		e.register(uint64(op - opReg0))
	case op == opRegx:
		e.register(r.uleb())
	case op >= opBreg0 && op < opBreg0+32:
		e.based(uint64(op-opBreg0), r.sleb())
	case op == opBregx:
		n := r.uleb()
		e.based(n, r.sleb())
	case op == opPiece:
		n := r.uleb()
		if n > 1<<40 {
			r.bad = true
			return
		}
		e.piece(int64(n))
	case op == opPlusUconst:
		e.plus(int64(r.uleb()))
	case op == opPlus:
		e.add()
	default:
		e.constant(op)
	}
}

// constant handles literals and what makes a location of them.
func (e *evaluator) constant(op uint8) {
	r := &e.r
	switch {
	case op >= opLit0 && op < opLit0+32:
		e.push(sym{kind: Const, off: int64(op - opLit0)})
	case op >= opConst1u && op <= opConst8s:
		n := 1 << ((op - opConst1u) / 2)
		v := r.uint(n)
		if op&1 != 0 { // signed
			shift := 64 - 8*n
			v = uint64(int64(v<<shift) >> shift)
		}
		e.push(sym{kind: Const, off: int64(v)})
	case op == opConstu:
		e.push(sym{kind: Const, off: int64(r.uleb())})
	case op == opConsts:
		e.push(sym{kind: Const, off: r.sleb()})
	case op == opConstx:
		e.push(sym{kind: Const, off: int64(e.b.addrIndex(e.u, r.uleb()))})
	case op == opStackValue:
		k := len(e.stack)
		if k == 0 || e.stack[k-1].kind != Const {
			e.err = "computed by an expression that this version does not read"
			return
		}
		e.place = &Piece{Kind: Const, Const: uint64(e.stack[k-1].off)}
		e.stack = nil
	case op == opImplicit:
		s := r.bytes(r.uleb())
		if len(s) == 0 || len(s) > 8 {
			e.err = "a constant that this version does not read"
			return
		}
		v := buf{data: s}
		e.place = &Piece{Kind: Const, Const: v.uint(len(s))}
	default:
		e.err = fmt.Sprintf("described by operation %#x, which this version does not read", op)
	}
}

func (e *evaluator) plus(n int64) {
	if k := len(e.stack); k > 0 {
		e.stack[k-1].off += n
		return
	}
	e.r.bad = true
}

// add replaces two values by their sum; one of them must be a plain number.
func (e *evaluator) add() {
	k := len(e.stack)
	if k < 2 {
		e.r.bad = true
		return
	}
	x, y := e.stack[k-2], e.stack[k-1]
	if y.kind != Const {
		x, y = y, x
	}
	if y.kind != Const {
		e.err = "described by a sum of two registers, which this version does not read"
		return
	}
	x.off += y.off
	e.stack = append(e.stack[:k-2], x)
}
