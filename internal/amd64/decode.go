package amd64

import "encoding/binary"

// maxLen is the longest instruction that the processor takes.
const maxLen = 15

// decoder is the state of decoding one instruction.
type decoder struct {
	code []byte
	pos  int
	inst Inst

	opsize  bool // 66
	addr32  bool // 67
	rep     byte // F2, F3 or 0: the last one given
	lock    bool
	rex     byte // 0 without; REX or what VEX and EVEX say in its place
	hasREX  bool
	vector  bool // VEX or EVEX
	vvvv    byte
	memory  bool // ModRM names memory
	why     string
	current *form
}

// REX bits.
const (
	rexB = 1 << iota
	rexX
	rexR
	rexW
)

// Decode reads the instruction at the start of code, which lies at pc. It fails
// with an *UndecodableError.
func Decode(code []byte, pc uint64) (Inst, error) {
	d := decoder{code: code}
	d.inst.PC = pc
	if !d.decode() {
		return Inst{}, &UndecodableError{PC: pc, Bytes: code[:min(len(code), 16)], Why: d.why}
	}
	return d.inst, nil
}

func (d *decoder) fail(why string) bool {
	if d.why == "" {
		d.why = why
	}
	return false
}

func (d *decoder) next() byte {
	if d.pos >= len(d.code) || d.pos >= maxLen {
		d.fail("cut off")
		d.pos++
		return 0
	}
	b := d.code[d.pos]
	d.pos++
	return b
}

func (d *decoder) decode() bool {
	entry := d.opcode()
	if entry == nil || d.why != "" {
		return d.fail("unknown opcode")
	}
	if entry.hasModRM() {
		d.inst.ModRM = d.next()
	}
	f := entry.pick(d.mandatory(), d.inst.ModRM)
	if f == nil {
		return d.fail("unknown form of the opcode")
	}
	d.current = f
	if f.modrm && !d.modRM() {
		return false
	}
	if !d.immediate() || d.why != "" {
		return false
	}
	if d.pos > len(d.code) || d.pos > maxLen {
		return d.fail("cut off")
	}
	if d.lock && !d.memory {
		return d.fail("LOCK without a memory operand")
	}
	d.inst.Len = d.pos
	d.inst.Bytes = d.code[:d.pos:d.pos]
	if !d.flow() {
		return false
	}
	d.effects()
	return true
}

// opcode reads prefixes and opcode, and returns what the tables say of it.
func (d *decoder) opcode() *entry {
	b := d.next()
	for ; d.prefix(b); b = d.next() {
		if d.why != "" {
			return nil
		}
	}
	if b&0xF0 == 0x40 {
		d.rex, d.hasREX = b, true
		b = d.next()
	}
	switch {
	case b == 0x0F:
		d.inst.Map, b = Map0F, d.next()
		if b == 0x38 {
			d.inst.Map, b = Map0F38, d.next()
		} else if b == 0x3A {
			d.inst.Map, b = Map0F3A, d.next()
		}
	case b == 0xC4 || b == 0xC5 || b == 0x62:
		if d.hasREX || d.opsize || d.rep != 0 || d.lock {
			d.fail("VEX or EVEX after a prefix that it does not allow")
			return nil
		}
		d.vector = true
		if b = d.vexPrefix(b); d.why != "" {
			return nil
		}
	}
	d.inst.Opcode = b
	t := tables[d.inst.Map]
	if t == nil {
		d.fail("unknown opcode map")
		return nil
	}
	return &t()[b]
}

func (d *decoder) prefix(b byte) bool {
	switch b {
	case 0x66:
		d.opsize = true
	case 0x67:
		d.addr32 = true
	case 0xF2, 0xF3:
		d.rep = b
	case 0xF0:
		d.lock = true
	case 0x26, 0x2E, 0x36, 0x3E: // no effect but as hints
	case 0x64, 0x65:
		d.inst.Mem.Segment = b
	default:
		return false
	}
	return true
}

// vexPrefix reads the rest of a VEX or EVEX prefix and returns the opcode.
func (d *decoder) vexPrefix(first byte) byte {
	p := d.next()
	d.rex = ^p >> 5 & (rexR | rexX | rexB) // inverted R, X, B lie in REX's order
	pp := p
	switch first {
	case 0xC5:
		d.rex = ^p >> 5 & rexR
		d.inst.Map = MapVEX + 1
	case 0xC4:
		d.inst.Map = MapVEX + Map(p&0x1F)
		pp = d.next()
		d.rex |= pp >> 4 & rexW
	default:
		d.inst.Map = MapEVEX + Map(p&7)
		if p&8 != 0 {
			d.fail("EVEX with a reserved bit")
		}
		if pp = d.next(); pp&4 == 0 {
			d.fail("EVEX with a reserved bit")
		}
		d.rex |= pp >> 4 & rexW
		d.next() // length, mask, broadcast
	}
	d.vvvv = ^pp >> 3 & 15
	d.opsize, d.rep = pp&3 == 1, [4]byte{0, 0, 0xF3, 0xF2}[pp&3]
	return d.next()
}

// mandatory is the index of the prefix that chooses among an opcode's forms.
func (d *decoder) mandatory() int {
	switch {
	case d.rep == 0xF3:
		return 2
	case d.rep == 0xF2:
		return 3
	case d.opsize:
		return 1
	}
	return 0
}

// modRM reads what follows the ModRM byte of a memory operand.
func (d *decoder) modRM() bool {
	mod, rm := d.inst.ModRM>>6, d.inst.ModRM&7
	if mod == 3 {
		if d.current.vsib {
			return d.fail("gather from a register")
		}
		return true
	}
	d.memory = true
	m := &d.inst.Mem
	m.Present, m.Scale = true, 1
	switch {
	case rm == 4:
		d.sib(mod)
	case rm == 5 && mod == 0:
		m.RIPRel, m.DispSize = true, 4
		if d.addr32 {
			return d.fail("32-bit address relative to EIP")
		}
	default:
		m.HasBase, m.Base = true, Reg(rm|d.rex&rexB<<3)
	}
	switch mod {
	case 1:
		m.DispSize = 1
	case 2:
		m.DispSize = 4
	}
	if d.current.vsib && rm != 4 {
		return d.fail("gather without an index")
	}
	m.Disp, m.DispOff = d.signed(m.DispSize)
	return d.why == ""
}

func (d *decoder) sib(mod byte) {
	m := &d.inst.Mem
	b := d.next()
	base, index := b&7, b>>3&7|d.rex&rexX<<2
	m.Scale = 1 << (b >> 6)
	switch {
	case d.current.vsib:
		m.VSIB = true
	case index != 4:
		m.HasIndex, m.Index = true, Reg(index)
	}
	if base == 5 && mod == 0 {
		m.DispSize = 4
		return
	}
	m.HasBase, m.Base = true, Reg(base|d.rex&rexB<<3)
}

// signed reads a little-endian number of size bytes, and tells where it lies.
func (d *decoder) signed(size int) (value int64, at int) {
	at = d.pos
	if size == 0 {
		return 0, 0
	}
	if d.pos+size > min(len(d.code), maxLen) {
		d.fail("cut off")
		return 0, 0
	}
	p := d.code[d.pos:]
	d.pos += size
	switch size {
	case 1:
		value = int64(int8(p[0]))
	case 2:
		value = int64(int16(binary.LittleEndian.Uint16(p)))
	case 4:
		value = int64(int32(binary.LittleEndian.Uint32(p)))
	default:
		value = int64(binary.LittleEndian.Uint64(p))
	}
	return value, at
}

func (d *decoder) immediate() bool {
	size := 0
	switch d.current.imm {
	case imm8, rel8:
		size = 1
	case imm16:
		size = 2
	case immZ:
		size = 4
		if d.operandBits() == 16 {
			size = 2
		}
	case immV:
		size = d.operandBits() / 8
	case immEnt:
		size = 3
	case rel32:
		size = 4
		if d.opsize && d.rex&rexW == 0 {
			return d.fail("branch with an operand-size prefix")
		}
	case immAddr:
		if d.addr32 {
			return d.fail("32-bit absolute address")
		}
		m := &d.inst.Mem
		m.Present, m.DispSize = true, 8
		m.Disp, m.DispOff = d.signed(8)
		return d.why == ""
	}
	d.inst.ImmLen = size
	if size == 0 {
		return true
	}
	d.inst.ImmOff = d.pos
	if d.pos += size; d.pos > min(len(d.code), maxLen) {
		return d.fail("cut off")
	}
	return true
}

// operandBits is the operand size: 16, 32 or 64.
func (d *decoder) operandBits() int {
	switch {
	case d.rex&rexW != 0:
		return 64
	case d.opsize && !d.vector:
		return 16
	}
	return 32
}

// flow fills in the kind and the target.
func (d *decoder) flow() bool {
	i := &d.inst
	i.Kind = d.current.kind
	switch d.current.imm {
	case rel8:
		if d.opsize && d.rex&rexW == 0 {
			return d.fail("branch with an operand-size prefix")
		}
		i.Target = i.End() + uint64(int8(d.code[i.ImmOff]))
	case rel32:
		rel := int32(binary.LittleEndian.Uint32(d.code[i.ImmOff:]))
		i.Target = i.End() + uint64(rel)
	}
	return true
}
