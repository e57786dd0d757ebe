package moment

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// At a call the debug information names the register that a variable is in,
// although the compiler has saved it on the stack as well: Go's calls keep no
// register. Behind the call it names the place on the stack; but what it says
// there may already be meant of a value assigned later. That both are one value
// the machine code proves: an instruction that stores the register, while the
// variable is in it, at that very place.

// store is an instruction that puts a register on the stack.
type store struct {
	pc   uint64
	kind program.PieceKind // PieceReg or PieceXReg
	reg  program.Reg
	cfa  int64 // where to, from the canonical frame address
	size int64
}

// storesKept bounds the functions whose stores are remembered.
const storesKept = 256

// stores are the instructions of f that put a register on its stack.
func (r *Reader) stores(f *debuginfo.Func) []store {
	if s, ok := r.spills[f]; ok {
		return s
	}
	var out []store
	code, err := r.b.Bytes(f.Entry, int(f.End-f.Entry))
	for pc := f.Entry; err == nil && pc < f.End; {
		inst, bad := amd64.Decode(code[pc-f.Entry:], pc)
		if bad != nil {
			break
		}
		if s, ok := storeOf(&inst); ok {
			if depth, known := r.b.StackDepth(pc); known {
				s.cfa -= depth + 8
				out = append(out, s)
			}
		}
		pc = inst.End()
	}
	if len(r.spills) >= storesKept {
		clear(r.spills)
	}
	r.spills[f] = out
	return out
}

// storeOf reads MOV to a plain slot of the stack, of general and vector
// registers.
func storeOf(i *amd64.Inst) (s store, ok bool) {
	m := i.Mem
	if !m.Present || !m.HasBase || m.HasIndex || m.Base != rsp || m.Segment != 0 || m.RIPRel {
		return s, false
	}
	var legacy, rex byte
	b := i.Bytes
	for len(b) > 0 && (b[0] == 0x66 || b[0] == 0xf2 || b[0] == 0xf3) {
		legacy, b = b[0], b[1:]
	}
	if len(b) > 0 && b[0]&0xf0 == 0x40 {
		rex = b[0]
	}
	s = store{pc: i.PC, cfa: m.Disp, reg: program.Reg(i.ModRM>>3&7 | rex<<1&8)}
	switch {
	case i.Map == amd64.MapOne && i.Opcode == 0x89:
		s.kind, s.size = program.PieceReg, 4
		if rex&8 != 0 {
			s.size = 8
		} else if legacy == 0x66 {
			s.size = 2
		}
	case i.Map == amd64.MapOne && i.Opcode == 0x88 && (rex != 0 || s.reg < 4): // else AH and the like
		s.kind, s.size = program.PieceReg, 1
	case i.Map == amd64.Map0F && i.Opcode == 0x11 && legacy == 0xf2:
		s.kind, s.size = program.PieceXReg, 8
	case i.Map == amd64.Map0F && i.Opcode == 0x11 && legacy == 0xf3:
		s.kind, s.size = program.PieceXReg, 4
	default:
		return s, false
	}
	return s, true
}

// saved replaces the registers among the pieces of a variable at a call by the
// places on the stack where they were saved, as far as that can be proven.
func (r *Reader) saved(v *debuginfo.Variable, p physical, at []program.Piece) []program.Piece {
	if p.site || !p.f.Contains(p.pc) {
		return at
	}
	behind := v.Locate(p.pc).Pieces
	var out []program.Piece
	off := int64(0)
	for _, x := range at {
		if x.Kind == program.PieceReg || x.Kind == program.PieceXReg {
			if s, ok := slotOf(behind, off, x.Size); ok && r.spilled(v, p, off, x.Size, s) {
				x = program.Piece{Kind: program.PieceCFA, Off: s, Size: x.Size}
			}
		}
		out = append(out, x)
		off += x.Size
	}
	return out
}

// slotOf is where bytes of a variable are on the stack.
func slotOf(list []program.Piece, off, size int64) (cfa int64, ok bool) {
	pos := int64(0)
	for _, x := range list {
		if pos <= off && off+size <= pos+x.Size {
			return x.Off + off - pos, x.Kind == program.PieceCFA
		}
		pos += x.Size
	}
	return 0, false
}

// spilled tells that some instruction before the call stores bytes of the
// variable there.
func (r *Reader) spilled(v *debuginfo.Variable, p physical, off, size, cfa int64) bool {
	for _, s := range r.stores(p.f) {
		if s.cfa != cfa || s.size < size || s.pc >= p.at {
			continue
		}
		pos := int64(0)
		for _, x := range v.Locate(s.pc).Pieces {
			if pos == off && x.Kind == s.kind && x.Reg == s.reg && x.Size <= s.size {
				return true
			}
			pos += x.Size
		}
	}
	return false
}
