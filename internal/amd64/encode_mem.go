package amd64

import "math"

// Mem is a memory operand: a register with an optional scaled index and a
// displacement, or a place relative to the instruction pointer. Make it with
// At, AtIndex, AtAddr or AtLabel.
type Mem struct {
	kind  memKind
	base  Reg
	index Reg
	scale uint8
	disp  int32
	label Label
	addr  uint64
}

type memKind uint8

const (
	memBase memKind = iota
	memIndex
	memIndexOnly
	memAddr
	memLabel
)

// At is [base+disp].
func At(base Reg, disp int32) Mem { return Mem{kind: memBase, base: base, disp: disp} }

// AtIndex is [base+index*scale+disp]; scale is 1, 2, 4 or 8; index is not RSP.
func AtIndex(base, index Reg, scale uint8, disp int32) Mem {
	return Mem{kind: memIndex, base: base, index: index, scale: scale, disp: disp}
}

// AtScaled is [index*scale+disp].
func AtScaled(index Reg, scale uint8, disp int32) Mem {
	return Mem{kind: memIndexOnly, index: index, scale: scale, disp: disp}
}

// AtAddr is the absolute address addr, encoded relative to the instruction
// pointer: it must lie within ±2 GiB of the code.
func AtAddr(addr uint64) Mem { return Mem{kind: memAddr, addr: addr} }

// AtLabel is the place of l in the same code.
func AtLabel(l Label) Mem { return Mem{kind: memLabel, label: l} }

// Plus is m moved by d bytes.
func (m Mem) Plus(d int32) Mem {
	if m.kind == memAddr {
		m.addr += uint64(int64(d))
		return m
	}
	m.disp += d
	return m
}

// Indexed is [base+disp] with index added. Other kinds of m are a mistake.
func (m Mem) Indexed(index Reg) Mem {
	if m.kind != memBase {
		m.scale = 0 // refused when it is encoded
	} else {
		m.scale = 1
	}
	m.kind, m.index = memIndex, index
	return m
}

// Scaled is [base+index+disp] with the index times scale.
func (m Mem) Scaled(scale uint8) Mem {
	m.scale = scale
	if m.kind != memIndex {
		m.scale = 0 // refused when it is encoded
		m.kind = memIndex
	}
	return m
}

// op is the fixed part of an instruction: mandatory prefix, REX.W, opcode.
type op struct {
	prefix byte // 0x66, 0xF2, 0xF3 or 0
	w      bool
	code   string // opcode bytes
	bytes  bool   // a register operand is a byte: SPL … DIL need a REX prefix
}

// sized is the op for a general operand size: an opcode whose byte form is one less.
func sized(code string, size int) op {
	o := op{code: code, w: size == 8}
	switch size {
	case 1:
		b := []byte(code)
		b[len(b)-1]--
		o.code, o.bytes = string(b), true
	case 2:
		o.prefix = 0x66
	}
	return o
}

func (a *Asm) head(o op, reg, index, base uint8, force bool) {
	if o.prefix != 0 {
		a.Bytes(o.prefix)
	}
	rex := byte(0x40) | reg>>3<<2 | index>>3<<1 | base>>3
	if o.w {
		rex |= 8
	}
	if rex != 0x40 || force {
		a.Bytes(rex)
	}
	a.buf = append(a.buf, o.code...)
}

// rr writes an instruction with two register operands: reg field and r/m field.
func (a *Asm) rr(o op, reg, rm uint8) {
	a.head(o, reg, 0, rm, o.bytes && (reg >= 4 || rm >= 4))
	a.Bytes(0xC0 | reg&7<<3 | rm&7)
}

// ext writes an instruction whose reg field extends the opcode.
func (a *Asm) ext(o op, ext uint8, rm Reg) {
	a.head(o, 0, 0, uint8(rm), o.bytes && rm >= 4)
	a.Bytes(0xC0 | ext<<3 | uint8(rm)&7)
}

// rm writes an instruction with a memory operand. isReg tells that reg is a
// register and no opcode extension; tail bytes of immediate follow.
func (a *Asm) rm(o op, reg uint8, isReg bool, m Mem, tail int) {
	var index, base uint8
	if m.kind == memIndex || m.kind == memIndexOnly {
		index = uint8(m.index)
	}
	if m.kind == memBase || m.kind == memIndex {
		base = uint8(m.base)
	}
	a.head(o, reg, index, base, isReg && o.bytes && reg >= 4)
	switch m.kind {
	case memAddr, memLabel:
		a.ripOperand(reg, m, tail)
	case memIndexOnly:
		a.Bytes(reg&7<<3|4, a.scaleBits(m)|index&7<<3|5)
		a.U32(uint32(m.disp))
	default:
		a.baseOperand(reg, m)
	}
}

func (a *Asm) ripOperand(reg uint8, m Mem, tail int) {
	a.Bytes(reg&7<<3 | 5)
	r := ref{at: len(a.buf), size: 4, tail: tail, label: -1, addr: m.addr}
	if m.kind == memLabel {
		r.label = m.label
		if m.disp != 0 {
			a.fail("label with displacement")
		}
	}
	a.refs = append(a.refs, r)
	a.U32(0)
}

func (a *Asm) baseOperand(reg uint8, m Mem) {
	base := uint8(m.base) & 7
	mod, n := byte(0x80), 4
	switch {
	case m.disp == 0 && base != 5: // base 101 without displacement means RIP or none
		mod, n = 0, 0
	case m.disp >= math.MinInt8 && m.disp <= math.MaxInt8:
		mod, n = 0x40, 1
	}
	switch {
	case m.kind == memIndex:
		a.Bytes(mod|reg&7<<3|4, a.scaleBits(m)|uint8(m.index)&7<<3|base)
	case base == 4: // RSP and R12 need a SIB byte
		a.Bytes(mod|reg&7<<3|4, 0x24)
	default:
		a.Bytes(mod | reg&7<<3 | base)
	}
	if n > 0 {
		a.imm(int64(m.disp), n)
	}
}

func (a *Asm) scaleBits(m Mem) byte {
	if m.index == RSP {
		a.fail("RSP cannot be an index")
	}
	switch m.scale {
	case 1:
		return 0
	case 2:
		return 0x40
	case 4:
		return 0x80
	case 8:
		return 0xC0
	}
	a.fail("scale %d", m.scale)
	return 0
}
