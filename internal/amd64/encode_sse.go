package amd64

// X is a vector register, 0 … 15.
type X uint8

// SSE is a scalar floating-point operation: dst = dst op src.
type SSE uint8

// The operations by their opcode.
const (
	FSqrt SSE = 0x51
	FAdd  SSE = 0x58
	FMul  SSE = 0x59
	FSub  SSE = 0x5C
	FMin  SSE = 0x5D
	FDiv  SSE = 0x5E
	FMax  SSE = 0x5F
)

// scalar is the mandatory prefix for a float of size 4 or 8 bytes.
func scalar(size int) byte {
	if size == 4 {
		return 0xF3
	}
	return 0xF2
}

// MovXR is dst = the size (4, 8) bytes of src; the rest of dst is cleared.
func (a *Asm) MovXR(dst X, src Reg, size int) {
	a.rr(op{prefix: 0x66, w: size == 8, code: "\x0F\x6E"}, uint8(dst), uint8(src))
}

// MovRX is dst = the low size (4, 8) bytes of src, zero-extended.
func (a *Asm) MovRX(dst Reg, src X, size int) {
	a.rr(op{prefix: 0x66, w: size == 8, code: "\x0F\x7E"}, uint8(src), uint8(dst))
}

// LoadX is dst = a float of size (4, 8) bytes; the rest of dst is cleared.
func (a *Asm) LoadX(dst X, m Mem, size int) {
	a.rm(op{prefix: scalar(size), code: "\x0F\x10"}, uint8(dst), true, m, 0)
}

// StoreX is memory = the low size (4, 8) bytes of src.
func (a *Asm) StoreX(m Mem, src X, size int) {
	a.rm(op{prefix: scalar(size), code: "\x0F\x11"}, uint8(src), true, m, 0)
}

// LoadX16 is dst = 16 bytes of memory, at any alignment.
func (a *Asm) LoadX16(dst X, m Mem) { a.rm(op{code: "\x0F\x10"}, uint8(dst), true, m, 0) }

// StoreX16 is 16 bytes of memory = src, at any alignment.
func (a *Asm) StoreX16(m Mem, src X) { a.rm(op{code: "\x0F\x11"}, uint8(src), true, m, 0) }

// OpX is dst = dst op src on floats of size 4 or 8 bytes.
func (a *Asm) OpX(o SSE, dst, src X, size int) {
	a.rr(op{prefix: scalar(size), code: string([]byte{0x0F, byte(o)})}, uint8(dst), uint8(src))
}

// UcomiX compares floats of size 4 or 8 bytes: CF below, ZF equal; all of CF,
// ZF, PF set when they are unordered.
func (a *Asm) UcomiX(x, y X, size int) {
	o := op{code: "\x0F\x2E"}
	if size == 8 {
		o.prefix = 0x66
	}
	a.rr(o, uint8(x), uint8(y))
}

// CvtRX is dst = a signed integer of intSize (4, 8) bytes as a float of size.
func (a *Asm) CvtRX(dst X, src Reg, size, intSize int) {
	a.rr(op{prefix: scalar(size), w: intSize == 8, code: "\x0F\x2A"}, uint8(dst), uint8(src))
}

// CvtXR is dst = a float of size, truncated to a signed integer of intSize (4, 8)
// bytes; out of range or NaN gives the least integer.
func (a *Asm) CvtXR(dst Reg, src X, size, intSize int) {
	a.rr(op{prefix: scalar(size), w: intSize == 8, code: "\x0F\x2C"}, uint8(dst), uint8(src))
}

// CvtXX is dst = a float of size from, converted to the other size.
func (a *Asm) CvtXX(dst, src X, from int) {
	a.rr(op{prefix: scalar(from), code: "\x0F\x5A"}, uint8(dst), uint8(src))
}

// Pxor is dst ^= src, 16 bytes: with itself, a zero.
func (a *Asm) Pxor(dst, src X) { a.rr(op{prefix: 0x66, code: "\x0F\xEF"}, uint8(dst), uint8(src)) }

// MovX is dst = src, 16 bytes.
func (a *Asm) MovX(dst, src X) { a.rr(op{code: "\x0F\x28"}, uint8(dst), uint8(src)) }

// OpXMem is dst = dst op memory on floats of size 4 or 8 bytes.
func (a *Asm) OpXMem(o SSE, dst X, m Mem, size int) {
	a.rm(op{prefix: scalar(size), code: string([]byte{0x0F, byte(o)})}, uint8(dst), true, m, 0)
}

// UcomiXMem is UcomiX with memory in the place of y.
func (a *Asm) UcomiXMem(x X, m Mem, size int) {
	o := op{code: "\x0F\x2E"}
	if size == 8 {
		o.prefix = 0x66
	}
	a.rm(o, uint8(x), true, m, 0)
}

// Pinsrw puts the low 2 bytes of src into word n (0 … 7) of dst.
func (a *Asm) Pinsrw(dst X, src Reg, n uint8) {
	a.rr(op{prefix: 0x66, code: "\x0F\xC4"}, uint8(dst), uint8(src))
	a.Bytes(n)
}

// Pextrw is dst = word n (0 … 7) of src, zero-extended.
func (a *Asm) Pextrw(dst Reg, src X, n uint8) {
	a.rr(op{prefix: 0x66, code: "\x0F\xC5"}, uint8(dst), uint8(src))
	a.Bytes(n)
}

// Pinsrq puts src into word n (0, 1) of 8 bytes of dst (SSE4.1).
func (a *Asm) Pinsrq(dst X, src Reg, n uint8) {
	a.rr(op{prefix: 0x66, w: true, code: "\x0F\x3A\x22"}, uint8(dst), uint8(src))
	a.Bytes(n)
}

// Pand is dst &= src, 16 bytes.
func (a *Asm) Pand(dst, src X) { a.rr(op{prefix: 0x66, code: "\x0F\xDB"}, uint8(dst), uint8(src)) }

// PxorMem is dst ^= memory, 16 bytes at a multiple of 16.
func (a *Asm) PxorMem(dst X, m Mem) {
	a.rm(op{prefix: 0x66, code: "\x0F\xEF"}, uint8(dst), true, m, 0)
}

// Pshufb makes each byte of dst that which src names by its number, or 0 where
// the top bit of src's byte is set (SSSE3).
func (a *Asm) Pshufb(dst, src X) {
	a.rr(op{prefix: 0x66, code: "\x0F\x38\x00"}, uint8(dst), uint8(src))
}

// Aesenc is one round of AES on dst with the round key src (AES-NI).
func (a *Asm) Aesenc(dst, src X) {
	a.rr(op{prefix: 0x66, code: "\x0F\x38\xDC"}, uint8(dst), uint8(src))
}

// AesencMem is Aesenc with the round key in memory, at a multiple of 16.
func (a *Asm) AesencMem(dst X, m Mem) {
	a.rm(op{prefix: 0x66, code: "\x0F\x38\xDC"}, uint8(dst), true, m, 0)
}
