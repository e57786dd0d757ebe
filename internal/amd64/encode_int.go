package amd64

import "math"

// ALU is one of the eight classic two-operand operations.
type ALU uint8

// The operations by their number in the encoding.
const (
	ADD ALU = 0
	OR  ALU = 1
	ADC ALU = 2
	SBB ALU = 3
	AND ALU = 4
	SUB ALU = 5
	XOR ALU = 6
	CMP ALU = 7
)

// Shift is a shift or rotate operation.
type Shift uint8

// The operations by their number in the encoding.
const (
	ROL Shift = 0
	ROR Shift = 1
	SHL Shift = 4
	SHR Shift = 5
	SAR Shift = 7
)

// MovRR is dst = src, 8 bytes.
func (a *Asm) MovRR(dst, src Reg) { a.MovRRSized(dst, src, 8) }

// MovRRSized is dst = src.
func (a *Asm) MovRRSized(dst, src Reg, size int) {
	a.rr(sized("\x89", size), uint8(src), uint8(dst))
}

// MovRI64 is dst = v, with the shortest encoding that leaves the flags alone.
func (a *Asm) MovRI64(dst Reg, v uint64) {
	switch {
	case v <= math.MaxUint32:
		a.head(op{code: string([]byte{0xB8 + byte(dst)&7})}, 0, 0, uint8(dst), false)
		a.U32(uint32(v))
	case int64(v) >= math.MinInt32 && int64(v) < 0:
		a.ext(op{w: true, code: "\xC7"}, 0, dst)
		a.U32(uint32(v))
	default:
		a.MovRI64Full(dst, v)
	}
}

// MovRI64Full is dst = v in ten bytes whatever v is: room for a later change.
func (a *Asm) MovRI64Full(dst Reg, v uint64) {
	a.head(op{w: true, code: string([]byte{0xB8 + byte(dst)&7})}, 0, 0, uint8(dst), false)
	a.U64(v)
}

// Zero is dst = 0 by XOR: short, but it writes the flags.
func (a *Asm) Zero(dst Reg) { a.Op(XOR, dst, dst, 4) }

// Load is dst = memory, zero-extended to 8 bytes.
func (a *Asm) Load(dst Reg, m Mem, size int) {
	switch size {
	case 1:
		a.rm(op{code: "\x0F\xB6"}, uint8(dst), true, m, 0)
	case 2:
		a.rm(op{code: "\x0F\xB7"}, uint8(dst), true, m, 0)
	default:
		a.rm(op{code: "\x8B", w: size == 8}, uint8(dst), true, m, 0)
	}
}

// LoadSigned is dst = memory, sign-extended to 8 bytes.
func (a *Asm) LoadSigned(dst Reg, m Mem, size int) {
	code := map[int]string{1: "\x0F\xBE", 2: "\x0F\xBF", 4: "\x63", 8: "\x8B"}[size]
	a.rm(op{w: true, code: code}, uint8(dst), true, m, 0)
}

// Extend is dst = the low size bytes of src, zero-extended to 8 bytes.
func (a *Asm) Extend(dst, src Reg, size int) {
	switch size {
	case 1:
		a.rr(op{code: "\x0F\xB6", bytes: true}, uint8(dst), uint8(src))
	case 2:
		a.rr(op{code: "\x0F\xB7"}, uint8(dst), uint8(src))
	default:
		a.MovRRSized(dst, src, size)
	}
}

// ExtendSigned is dst = the low size bytes of src, sign-extended to 8 bytes.
func (a *Asm) ExtendSigned(dst, src Reg, size int) {
	code := map[int]string{1: "\x0F\xBE", 2: "\x0F\xBF", 4: "\x63", 8: "\x8B"}[size]
	a.rr(op{w: true, code: code}, uint8(dst), uint8(src))
}

// Store is memory = the low size bytes of src.
func (a *Asm) Store(m Mem, src Reg, size int) { a.rm(sized("\x89", size), uint8(src), true, m, 0) }

// StoreImm is memory = v; for 8 bytes v must fit in 32 bits, signed.
func (a *Asm) StoreImm(m Mem, v int64, size int) {
	a.rm(sized("\xC7", size), 0, false, m, immLen(size))
	a.imm(v, size)
}

// Lea is dst = the address of m.
func (a *Asm) Lea(dst Reg, m Mem) { a.rm(op{w: true, code: "\x8D"}, uint8(dst), true, m, 0) }

// Op is dst = dst op src.
func (a *Asm) Op(o ALU, dst, src Reg, size int) {
	a.rr(sized(string([]byte{byte(o)<<3 | 1}), size), uint8(src), uint8(dst))
}

// OpLoad is dst = dst op memory.
func (a *Asm) OpLoad(o ALU, dst Reg, m Mem, size int) {
	a.rm(sized(string([]byte{byte(o)<<3 | 3}), size), uint8(dst), true, m, 0)
}

// OpStore is memory = memory op src.
func (a *Asm) OpStore(o ALU, m Mem, src Reg, size int) {
	a.rm(sized(string([]byte{byte(o)<<3 | 1}), size), uint8(src), true, m, 0)
}

// OpImm is dst = dst op v; v fits in 32 bits, signed.
func (a *Asm) OpImm(o ALU, dst Reg, v int64, size int) {
	code, n := immForm(v, size)
	a.ext(withCode(sized("\x81", size), code, size), uint8(o), dst)
	a.imm(v, n)
}

// OpMemImm is memory = memory op v; v fits in 32 bits, signed.
func (a *Asm) OpMemImm(o ALU, m Mem, v int64, size int) {
	code, n := immForm(v, size)
	a.rm(withCode(sized("\x81", size), code, size), uint8(o), false, m, immLen(n))
	a.imm(v, n)
}

// immForm chooses between the sign-extended byte form and the full one.
func immForm(v int64, size int) (code byte, immSize int) {
	if size > 1 && v >= math.MinInt8 && v <= math.MaxInt8 {
		return 0x83, 1
	}
	return 0x81, size
}

func withCode(o op, code byte, size int) op {
	if size > 1 {
		o.code = string([]byte{code})
	}
	return o
}

// Test sets the flags of x & y.
func (a *Asm) Test(x, y Reg, size int) { a.rr(sized("\x85", size), uint8(y), uint8(x)) }

// TestImm sets the flags of x & v.
func (a *Asm) TestImm(x Reg, v int64, size int) {
	a.ext(sized("\xF7", size), 0, x)
	a.imm(v, size)
}

// TestMemImm sets the flags of memory & v.
func (a *Asm) TestMemImm(m Mem, v int64, size int) {
	a.rm(sized("\xF7", size), 0, false, m, immLen(size))
	a.imm(v, size)
}

// ShiftImm shifts dst by n bits.
func (a *Asm) ShiftImm(s Shift, dst Reg, n uint8, size int) {
	a.ext(sized("\xC1", size), uint8(s), dst)
	a.Bytes(n)
}

// ShiftCL shifts dst by the low bits of RCX (modulo 32, or 64 for 8 bytes).
func (a *Asm) ShiftCL(s Shift, dst Reg, size int) { a.ext(sized("\xD3", size), uint8(s), dst) }

// Neg is dst = -dst.
func (a *Asm) Neg(dst Reg, size int) { a.ext(sized("\xF7", size), 3, dst) }

// Not is dst = ^dst; it leaves the flags alone.
func (a *Asm) Not(dst Reg, size int) { a.ext(sized("\xF7", size), 2, dst) }

// Imul is dst = dst * src; size 2, 4 or 8.
func (a *Asm) Imul(dst, src Reg, size int) {
	o := sized("\xAF", size)
	o.code = "\x0F\xAF"
	a.rr(o, uint8(dst), uint8(src))
}

// ImulImm is dst = src * v; size 4 or 8.
func (a *Asm) ImulImm(dst, src Reg, v int64, size int) {
	a.rr(op{w: size == 8, code: "\x69"}, uint8(dst), uint8(src))
	a.imm(v, size)
}

// Div divides RDX:RAX by y, unsigned: quotient in RAX, remainder in RDX.
func (a *Asm) Div(y Reg, size int) { a.ext(sized("\xF7", size), 6, y) }

// Idiv divides RDX:RAX by y, signed: quotient in RAX, remainder in RDX.
func (a *Asm) Idiv(y Reg, size int) { a.ext(sized("\xF7", size), 7, y) }

// SignExtendAX fills RDX (EDX for 4 bytes) with the sign of RAX (EAX): CQO, CDQ.
func (a *Asm) SignExtendAX(size int) { a.head(op{w: size == 8, code: "\x99"}, 0, 0, 0, false) }

// LockOp is memory = memory op src in one locked step.
func (a *Asm) LockOp(o ALU, m Mem, src Reg, size int) {
	a.Bytes(0xF0)
	a.OpStore(o, m, src, size)
}

// LockOpImm is memory = memory op v in one locked step.
func (a *Asm) LockOpImm(o ALU, m Mem, v int64, size int) {
	a.Bytes(0xF0)
	a.OpMemImm(o, m, v, size)
}

// LockXadd adds src to memory in one locked step; src gets the value before.
func (a *Asm) LockXadd(m Mem, src Reg, size int) {
	a.Bytes(0xF0)
	o := sized("\xC1", size)
	o.code = "\x0F" + o.code
	a.rm(o, uint8(src), true, m, 0)
}

// LockCmpxchg is, in one locked step: if memory == RAX then memory = src and ZF,
// else RAX = memory.
func (a *Asm) LockCmpxchg(m Mem, src Reg, size int) {
	a.Bytes(0xF0)
	o := sized("\xB1", size)
	o.code = "\x0F" + o.code
	a.rm(o, uint8(src), true, m, 0)
}

// LockDec subtracts 1 from memory in one locked step; CF is left alone.
func (a *Asm) LockDec(m Mem, size int) {
	a.Bytes(0xF0)
	a.rm(sized("\xFF", size), 1, false, m, 0)
}

// LockInc adds 1 to memory in one locked step; CF is left alone.
func (a *Asm) LockInc(m Mem, size int) {
	a.Bytes(0xF0)
	a.Inc(m, size)
}

// Inc adds 1 to memory; CF is left alone.
func (a *Asm) Inc(m Mem, size int) { a.rm(sized("\xFF", size), 0, false, m, 0) }

// Xchg swaps two registers, 8 bytes.
func (a *Asm) Xchg(x, y Reg) { a.rr(op{w: true, code: "\x87"}, uint8(y), uint8(x)) }

// Bt puts bit n of memory into CF.
func (a *Asm) Bt(m Mem, n uint8, size int) {
	o := sized("\xBA", size)
	o.code = "\x0F\xBA"
	a.rm(o, 4, false, m, 1)
	a.Bytes(n)
}

// Btc flips bit n of dst.
func (a *Asm) Btc(dst Reg, n uint8, size int) {
	o := sized("\xBA", size)
	o.code = "\x0F\xBA"
	a.ext(o, 7, dst)
	a.Bytes(n)
}

// Bts sets the bit of dst that n names (modulo 64).
func (a *Asm) Bts(dst, n Reg) { a.rr(op{w: true, code: "\x0F\xAB"}, uint8(n), uint8(dst)) }

// Bsf is dst = the number of the lowest bit of src that is set; of none, dst is
// undefined and ZF set.
func (a *Asm) Bsf(dst, src Reg) { a.rr(op{w: true, code: "\x0F\xBC"}, uint8(dst), uint8(src)) }

// ShiftMemCL shifts memory by the low bits of RCX (modulo 32, or 64 for 8 bytes).
func (a *Asm) ShiftMemCL(s Shift, m Mem, size int) {
	a.rm(sized("\xD3", size), uint8(s), false, m, 0)
}

// ImulLoad is dst = dst * memory; size 2, 4 or 8.
func (a *Asm) ImulLoad(dst Reg, m Mem, size int) {
	o := sized("\xAF", size)
	o.code = "\x0F\xAF"
	a.rm(o, uint8(dst), true, m, 0)
}

// DivMem divides RDX:RAX by memory, signed or not: quotient in RAX, remainder in RDX.
func (a *Asm) DivMem(m Mem, signed bool, size int) {
	n := uint8(6)
	if signed {
		n = 7
	}
	a.rm(sized("\xF7", size), n, false, m, 0)
}
