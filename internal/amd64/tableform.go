package amd64

import "strings"

// parseForm reads the tokens of a form:
//
//	E G Z Y + b w v y   operand by ModRM.rm, ModRM.reg, the opcode's low bits,
//	                    VEX.vvvv; of 1, 2, operand-size or 4/8 bytes;
//	                    then = written, + read and written, nothing: read
//	rax… + b w v y      a fixed register, likewise (rax.v=)
//	W                   ModRM with a vector (or no) operand or memory
//	M                   ModRM with an address that is not accessed
//	hint                like M, and the address has no effect
//	VSIB                the index of the address is a vector register
//	Ib Iw Iz Iv IwIb O Jb Jz   immediates
//	f                   all arithmetic flags are overwritten
//	f=xyz f:xyz f~xyz   these flags are overwritten, read, perhaps changed
//	cc                  reads the flags of the condition in the opcode
//	mem fault           may fault beside its ModRM operand
//	shift zero rep      see form
//	? and the kinds     call callind jmp jmpind jcc ret trap system
func parseForm(words []string) *form {
	f := new(form)
	for _, w := range words {
		if !f.simple(w) && !f.flags(w) && !f.operand(w) {
			panic("amd64: bad token in table: " + w)
		}
	}
	return f
}

var immTokens = map[string]immKind{"Ib": imm8, "Iw": imm16, "Iz": immZ, "Iv": immV,
	"IwIb": immEnt, "O": immAddr, "Jb": rel8, "Jz": rel32}

var kindTokens = map[string]Kind{"call": Call, "callind": CallInd, "jmp": Jmp,
	"jmpind": JmpInd, "jcc": Jcc, "ret": Ret, "trap": Trap, "system": System}

func (f *form) simple(w string) bool {
	if imm, ok := immTokens[w]; ok {
		f.imm = imm
		f.faults = f.faults || imm == immAddr
		return true
	}
	if kind, ok := kindTokens[w]; ok {
		f.kind = kind
		return true
	}
	switch w {
	case "W":
		f.modrm = true
	case "M":
		f.modrm, f.address = true, true
	case "hint":
		f.modrm, f.address, f.hint = true, true, true
	case "VSIB":
		f.modrm, f.vsib = true, true
	case "cc":
		f.cc = true
	case "mem", "fault":
		f.faults = true
	case "shift":
		f.shift = shiftImm
	case "zero":
		f.zero = true
	case "rep":
		f.rep = true
	case "?":
		f.unknown = true
	case "nop":
	default:
		return false
	}
	return true
}

func (f *form) flags(w string) bool {
	if w == "f" {
		f.kill = AllFlags
		return true
	}
	if len(w) < 3 || w[0] != 'f' {
		return false
	}
	var set FlagSet
	for _, c := range w[2:] {
		i := strings.IndexRune("oszapc", c)
		if i < 0 {
			return false
		}
		set |= 1 << i
	}
	switch w[1] {
	case '=':
		f.kill |= set
	case ':':
		f.read |= set
	case '~':
		f.touch |= set
	default:
		return false
	}
	return true
}

func (f *form) operand(w string) bool {
	var o operand
	switch {
	case strings.HasSuffix(w, "="):
		o.role, w = writes, w[:len(w)-1]
	case strings.HasSuffix(w, "+"):
		o.role, w = both, w[:len(w)-1]
	}
	i := strings.IndexByte("bwvy", w[len(w)-1])
	if i < 0 {
		return false
	}
	o.width, w = width(i), w[:len(w)-1]
	if name, ok := strings.CutSuffix(w, "."); ok {
		o.place = inFix
		for r, n := range regNames {
			if n == name {
				o.reg = Reg(r)
				f.ops = append(f.ops, o)
				return true
			}
		}
		return false
	}
	switch w {
	case "E":
		o.place, f.modrm = inRM, true
	case "G":
		o.place, f.modrm = inReg, true
	case "Z":
		o.place = inLow
	case "Y":
		o.place = inVVVV
	default:
		return false
	}
	f.ops = append(f.ops, o)
	return true
}
