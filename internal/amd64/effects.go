package amd64

// conditionFlags are the flags that each pair of conditions reads: O, B, Z, BE,
// S, P, L, LE.
var conditionFlags = [8]FlagSet{FlagO, FlagC, FlagZ, FlagC | FlagZ, FlagS, FlagP,
	FlagS | FlagO, FlagS | FlagO | FlagZ}

// effects fills in what the instruction does to registers and flags.
func (d *decoder) effects() {
	i, f := &d.inst, d.current
	i.ReadFlags, i.KillFlags, i.WriteFlags = f.read, f.kill, f.kill|f.touch
	if f.cc {
		i.ReadFlags |= conditionFlags[i.Opcode>>1&7]
	}
	if f.shift == shiftImm && d.shiftCount() == 0 {
		i.KillFlags = 0
	}
	for _, o := range f.ops {
		d.operand(o)
	}
	d.address()
	if f.zero && i.ModRM >= 0xC0 && d.operandBits() >= 32 && d.regNumber() == d.rmNumber() {
		i.Reads = 0 // the zeroing idiom: the result depends on nothing
		i.Kills = i.Writes
	}
	d.special()
	i.MayFault = d.mayFault()
	if f.unknown {
		i.Unknown = true
		i.Reads, i.Writes, i.Kills = AllRegs, AllRegs, 0
		i.ReadFlags, i.KillFlags, i.WriteFlags = AllFlags, 0, AllFlags
	}
}

// shiftCount is the count of a shift by an immediate, as the processor masks it.
func (d *decoder) shiftCount() byte {
	count := d.code[d.inst.ImmOff]
	if d.operandBits() == 64 {
		return count & 63
	}
	// Rotates of 8 and 16 bits take the count modulo their width for the result,
	// but the flags change with the count modulo 32.
	return count & 31
}

func (d *decoder) regNumber() Reg { return Reg(d.inst.ModRM>>3&7 | d.rex&rexR<<1) }
func (d *decoder) rmNumber() Reg  { return Reg(d.inst.ModRM&7 | d.rex&rexB<<3) }

func (d *decoder) operand(o operand) {
	r := o.reg
	switch o.place {
	case inRM:
		if d.memory {
			return // the address is seen to by address
		}
		r = d.rmNumber()
	case inReg:
		r = d.regNumber()
	case inLow:
		r = Reg(d.inst.Opcode&7 | d.rex&rexB<<3)
	case inVVVV:
		r = Reg(d.vvvv)
	}
	whole := o.width == wY || o.width == wV && d.operandBits() >= 32
	if o.width == w8 && o.place != inFix && !d.hasREX && r >= 4 && r < 8 {
		r -= 4 // AH, CH, DH, BH
	}
	s := Regs(r)
	if o.role != writes || !whole {
		d.inst.Reads |= s
	}
	if o.role != reads {
		d.inst.Writes |= s
		if whole {
			d.inst.Kills |= s
		}
	}
}

// address adds the registers of the memory operand.
func (d *decoder) address() {
	m := &d.inst.Mem
	if d.current.hint {
		return
	}
	if m.HasBase {
		d.inst.Reads |= Regs(m.Base)
	}
	if m.HasIndex {
		d.inst.Reads |= Regs(m.Index)
	}
}

// special adds what the notation of the tables cannot say.
func (d *decoder) special() {
	i := &d.inst
	if i.Map == MapOne && i.Opcode == 0x90 && d.rex&rexB != 0 {
		d.both(RAX, R8) // XCHG R8, RAX
	}
	if d.current.rep && d.rep != 0 {
		d.both(RCX)
		i.Kills &^= i.Writes // with a count of 0 nothing happens
	}
	switch i.Kind {
	case Call, CallInd:
		d.both(RSP)
	}
}

func (d *decoder) both(regs ...Reg) {
	d.inst.Reads |= Regs(regs...)
	d.inst.Writes |= Regs(regs...)
}

func (d *decoder) mayFault() bool {
	if d.current.faults {
		return true
	}
	m := &d.inst.Mem
	if !m.Present || m.RIPRel || d.current.address {
		return false
	}
	stack := m.HasBase && m.Base == RSP && !m.HasIndex && !m.VSIB && m.Segment == 0
	return !stack
}
