package amd64

// Cond is a condition of Jcc, SETcc and CMOVcc by its number in the encoding.
type Cond uint8

// The conditions. Below and above are unsigned, less and greater signed.
const (
	CondO  Cond = 0
	CondNO Cond = 1
	CondB  Cond = 2
	CondAE Cond = 3
	CondE  Cond = 4
	CondNE Cond = 5
	CondBE Cond = 6
	CondA  Cond = 7
	CondS  Cond = 8
	CondNS Cond = 9
	CondP  Cond = 10
	CondNP Cond = 11
	CondL  Cond = 12
	CondGE Cond = 13
	CondLE Cond = 14
	CondG  Cond = 15
)

// Not is the opposite condition.
func (c Cond) Not() Cond { return c ^ 1 }

// Jmp jumps to l.
func (a *Asm) Jmp(l Label) {
	a.Bytes(0xE9)
	a.branch(4, l, 0)
}

// JmpShort jumps to l, at most about 127 bytes away.
func (a *Asm) JmpShort(l Label) {
	a.Bytes(0xEB)
	a.branch(1, l, 0)
}

// JmpTo jumps to an absolute address within ±2 GiB.
func (a *Asm) JmpTo(addr uint64) {
	a.Bytes(0xE9)
	a.branch(4, -1, addr)
}

// JmpReg jumps to the address in r.
func (a *Asm) JmpReg(r Reg) { a.ext(op{code: "\xFF"}, 4, r) }

// JmpMem jumps to the address in memory.
func (a *Asm) JmpMem(m Mem) { a.rm(op{code: "\xFF"}, 4, false, m, 0) }

// Jcc jumps to l if c holds.
func (a *Asm) Jcc(c Cond, l Label) {
	a.Bytes(0x0F, 0x80|byte(c))
	a.branch(4, l, 0)
}

// JccShort jumps to l, at most about 127 bytes away, if c holds.
func (a *Asm) JccShort(c Cond, l Label) {
	a.Bytes(0x70 | byte(c))
	a.branch(1, l, 0)
}

// JccTo jumps to an absolute address within ±2 GiB if c holds.
func (a *Asm) JccTo(c Cond, addr uint64) {
	a.Bytes(0x0F, 0x80|byte(c))
	a.branch(4, -1, addr)
}

// JrcxzShort jumps to l, at most about 127 bytes away, if RCX is 0. It neither
// reads nor writes the flags.
func (a *Asm) JrcxzShort(l Label) {
	a.Bytes(0xE3)
	a.branch(1, l, 0)
}

// Call calls l.
func (a *Asm) Call(l Label) {
	a.Bytes(0xE8)
	a.branch(4, l, 0)
}

// CallTo calls an absolute address within ±2 GiB.
func (a *Asm) CallTo(addr uint64) {
	a.Bytes(0xE8)
	a.branch(4, -1, addr)
}

// CallReg calls the address in r.
func (a *Asm) CallReg(r Reg) { a.ext(op{code: "\xFF"}, 2, r) }

// CallMem calls the address in memory.
func (a *Asm) CallMem(m Mem) { a.rm(op{code: "\xFF"}, 2, false, m, 0) }

// Ret returns.
func (a *Asm) Ret() { a.Bytes(0xC3) }

// Push pushes the 8 bytes of r.
func (a *Asm) Push(r Reg) {
	a.head(op{code: string([]byte{0x50 + byte(r)&7})}, 0, 0, uint8(r), false)
}

// Pop pops 8 bytes into r.
func (a *Asm) Pop(r Reg) { a.head(op{code: string([]byte{0x58 + byte(r)&7})}, 0, 0, uint8(r), false) }

// PushMem pushes 8 bytes of memory.
func (a *Asm) PushMem(m Mem) { a.rm(op{code: "\xFF"}, 6, false, m, 0) }

// PopMem pops 8 bytes into memory.
func (a *Asm) PopMem(m Mem) { a.rm(op{code: "\x8F"}, 0, false, m, 0) }

// PushImm pushes v, sign-extended to 8 bytes.
func (a *Asm) PushImm(v int32) {
	if v >= -128 && v <= 127 {
		a.Bytes(0x6A, byte(v))
		return
	}
	a.Bytes(0x68)
	a.U32(uint32(v))
}

// Pushfq pushes the flags.
func (a *Asm) Pushfq() { a.Bytes(0x9C) }

// Popfq pops the flags.
func (a *Asm) Popfq() { a.Bytes(0x9D) }

// Lahf puts SF ZF AF PF CF into AH.
func (a *Asm) Lahf() { a.Bytes(0x9F) }

// Sahf takes SF ZF AF PF CF from AH.
func (a *Asm) Sahf() { a.Bytes(0x9E) }

// Setcc is the low byte of dst = 1 if c holds, else 0.
func (a *Asm) Setcc(c Cond, dst Reg) {
	a.ext(op{code: string([]byte{0x0F, 0x90 | byte(c)}), bytes: true}, 0, dst)
}

// Cmov is dst = src if c holds; size 4 clears the upper half in any case.
func (a *Asm) Cmov(c Cond, dst, src Reg, size int) {
	o := sized("\x41", size)
	o.code = string([]byte{0x0F, 0x40 | byte(c)})
	a.rr(o, uint8(dst), uint8(src))
}

// Rdtsc is EDX:EAX = the time-stamp counter; both upper halves are cleared.
func (a *Asm) Rdtsc() { a.Bytes(0x0F, 0x31) }

// Syscall makes a system call: RCX and R11 are lost.
func (a *Asm) Syscall() { a.Bytes(0x0F, 0x05) }

// Int3 traps.
func (a *Asm) Int3() { a.Bytes(0xCC) }

// Nop does nothing in one byte.
func (a *Asm) Nop() { a.Bytes(0x90) }

// Ud2 raises an invalid-opcode fault.
func (a *Asm) Ud2() { a.Bytes(0x0F, 0x0B) }

// Cld clears the direction flag.
func (a *Asm) Cld() { a.Bytes(0xFC) }

// RepMovsb copies RCX bytes from [RSI] to [RDI].
func (a *Asm) RepMovsb() { a.Bytes(0xF3, 0xA4) }

// RepeCmpsb compares up to RCX bytes at [RSI] and [RDI] while they are equal.
func (a *Asm) RepeCmpsb() { a.Bytes(0xF3, 0xA6) }
