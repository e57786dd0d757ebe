package debuginfo

import (
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// slotEffect is what an instruction puts into a place: into which granules, and
// whether only somewhere in them, which nothing does that was not set before.
type slotEffect struct {
	writes uint64
	vague  bool
}

// effects finds what each instruction of the function puts into the place. A
// place whose address a function gets that was called is its variable's alone:
// then it is not shared.
func (s *slot) effects() []slotEffect {
	g := s.code.g
	out := make([]slotEffect, len(g.Insts))
	for i := range g.Insts {
		in := &g.Insts[i]
		if m := in.Mem; !m.Present || !m.HasBase || m.Base != amd64.RSP || m.Segment != 0 || m.RIPRel {
			continue
		}
		depth, known := s.b.StackDepth(in.PC)
		if !known {
			continue
		}
		at := in.Mem.Disp - depth - 8
		if at < s.lo || at >= s.hi {
			if end := at + stored(in); at >= s.hi || end <= s.lo {
				continue
			}
		}
		switch {
		case lea(in):
			s.address(i, at, out)
		case loads(in):
		case in.Mem.HasIndex:
			out[i].add(s.mask(at, s.hi), true)
		default:
			out[i].add(s.mask(at, at+stored(in)), false)
		}
	}
	return out
}

func (e *slotEffect) add(m uint64, vague bool) {
	e.vague = vague && (e.writes == 0 || e.vague)
	e.writes |= m
}

// address notes what happens by an address in the place that instruction i puts
// into a register, up to the end of its block: the compiler lets no variables
// share a place if the address of one lives longer, is stored, or is an argument
// (mergelocals.go: populateIndirectUseTable).
func (s *slot) address(i int, at int64, out []slotEffect) {
	g := s.code.g
	reg := register(&g.Insts[i])
	rest := s.mask(at, s.hi)
	used := false
	for j := i + 1; j <= g.Blocks[g.Block(i)].Last; j++ {
		in := &g.Insts[j]
		based := in.Mem.Present && in.Mem.HasBase && in.Mem.Base == reg
		switch {
		case in.Kind == amd64.Call && duff(s.callee(in.Target)):
			if reg == amd64.RDI {
				out[j].add(rest, false)
			}
			used = used || reg == amd64.RDI || reg == amd64.RSI
			continue
		case in.Kind == amd64.Call:
			if !used {
				s.argument(s.callee(in.Target), reg)
				out[j].add(rest, true)
			}
			return
		case repeats(in):
			if reg == amd64.RDI {
				out[j].add(rest, false)
			}
			used = used || reg == amd64.RDI || reg == amd64.RSI
			continue
		case based && !lea(in):
			used = true
			switch {
			case loads(in):
			case in.Mem.HasIndex:
				out[j].add(rest, true)
			default:
				out[j].add(s.mask(at+in.Mem.Disp, at+in.Mem.Disp+stored(in)), false)
			}
		case in.Reads.Has(reg) && in.Mem.Present && !loads(in):
			s.shared = false // stored
			out[j].add(rest, true)
			used = true
		case in.Reads.Has(reg) || in.Unknown:
			out[j].add(rest, !s.shared) // it goes on in another register
			used = true
		}
		if in.Writes.Has(reg) {
			return
		}
	}
	out[g.Blocks[g.Block(i)].Last].add(rest, true)
}

// argument notes that a function is called with an address in the place. Only
// what the compiler calls for itself may get that of a shared one.
func (s *slot) argument(callee string, reg amd64.Reg) {
	for _, own := range []string{"wb", "typedmemmove", "memmove", "memclr", "race", "msan", "asan", "gcWriteBarrier", "panic"} {
		if strings.HasPrefix(callee, "runtime."+own) {
			return
		}
	}
	if reg != amd64.RDX && reg <= amd64.R11 { // those of arguments
		s.shared = false
	}
}

func (s *slot) callee(target uint64) string {
	if f := s.b.FuncAt(target); f != nil {
		return f.Name
	}
	return ""
}

// duff tells the runtime's unrolled loops, which get what they copy in RSI and
// where to in RDI, and come back to code that goes on with its registers.
func duff(name string) bool { return name == "runtime.duffzero" || name == "runtime.duffcopy" }

// register is the register that the ModRM byte names beside memory.
func register(in *amd64.Inst) amd64.Reg {
	r := amd64.Reg(in.ModRM >> 3 & 7)
	if rex, _ := prefixes(in); rex&4 != 0 {
		r += 8
	}
	return r
}

// prefixes are the last legacy prefix and the REX prefix of an instruction.
func prefixes(in *amd64.Inst) (rex, legacy byte) {
	for _, b := range in.Bytes {
		switch {
		case b == 0x66 || b == 0xf2 || b == 0xf3:
			legacy = b
		case b&0xf0 == 0x40:
			return b, legacy
		default:
			return 0, legacy
		}
	}
	return 0, legacy
}

func lea(in *amd64.Inst) bool { return in.Map == amd64.MapOne && in.Opcode == 0x8d }

// repeats tells the instructions that copy or fill by RDI.
func repeats(in *amd64.Inst) bool {
	return in.Map == amd64.MapOne && (in.Opcode == 0xa4 || in.Opcode == 0xa5 || in.Opcode == 0xaa || in.Opcode == 0xab)
}

// loads tells the instructions that certainly do not write to their operand in
// memory (Intel SDM volume 2, appendix A).
func loads(in *amd64.Inst) bool {
	_, legacy := prefixes(in)
	ext := in.ModRM >> 3 & 7
	switch op := in.Opcode; in.Map {
	case amd64.MapOne:
		switch {
		case op < 0x40: // arithmetic: to registers, and all of CMP
			return op&7 == 2 || op&7 == 3 || op >= 0x38
		case op >= 0x80 && op <= 0x83:
			return ext == 7
		case op == 0xf6 || op == 0xf7:
			return ext != 2 && ext != 3
		case op == 0xff:
			return ext >= 2
		}
		return op == 0x63 || op == 0x69 || op == 0x6b || op == 0x84 || op == 0x85 || op == 0x8a || op == 0x8b || op == 0x8d
	default:
		switch {
		case op == 0x11, op == 0x13, op == 0x17, op == 0x29, op == 0x2b, op == 0x7f, op == 0xd6, op == 0xe7, op == 0xc3:
			return false
		case op == 0x7e:
			return legacy == 0xf3
		case op >= 0x90 && op <= 0x9f, op == 0xab, op == 0xb0, op == 0xb1, op == 0xb3, op == 0xbb, op == 0xc0, op == 0xc1, op == 0xc7:
			return false
		case op == 0xba:
			return ext == 4
		case op == 0xa4, op == 0xa5, op == 0xac, op == 0xad:
			return false
		}
		return true
	}
}

// stored is how many bytes an instruction writes that writes to memory, at most.
func stored(in *amd64.Inst) int64 {
	rex, legacy := prefixes(in)
	switch {
	case in.Map == amd64.MapOne && in.Opcode&1 == 0:
		return 1
	case in.Map == amd64.MapOne && rex&8 != 0:
		return 8
	case in.Map == amd64.MapOne && legacy == 0x66:
		return 2
	case in.Map == amd64.MapOne:
		return 4
	case in.Map != amd64.Map0F:
		return 32
	case in.Opcode == 0x11 && legacy == 0xf2, in.Opcode == 0xd6, in.Opcode == 0x7e && rex&8 != 0:
		return 8
	case in.Opcode == 0x11 && legacy == 0xf3, in.Opcode == 0x7e:
		return 4
	case in.Opcode >= 0x90 && in.Opcode <= 0x9f:
		return 1
	case in.Opcode == 0xb1 || in.Opcode == 0xc1:
		return 8
	}
	return 16
}
