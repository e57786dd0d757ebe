package moment

import (
	"encoding/binary"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// Reasons why a variable of a calling function cannot be read.
const (
	whyFresh    = "declared on this line, and perhaps not set yet"
	whyRegister = "in a register, which the function called may use for something else"
	whyMissing  = "optimised out"
	whyDamaged  = "damaged"
)

// place is where a variable is in one frame.
type placer struct {
	w    *walker
	cfa  uint64
	regs bool // the registers are those of this frame
}

func (w *walker) siteVariables(p physical) []probe.Variable {
	s := w.h.Site
	cfa, _ := w.h.Image.Reg(s.CFA.Reg)
	pl := placer{w: w, cfa: cfa + uint64(s.CFA.Offset), regs: true}
	var out []probe.Variable
	for i := range s.Vars {
		v := &s.Vars[i]
		t := w.trueType(p, v.Dict, v.Type, s.Function)
		out = append(out, probe.Variable{Name: v.Name, Role: probe.Role(v.Role), Value: pl.read(v, t, value.Exact)})
	}
	return out
}

func (w *walker) watches() {
	s := w.h.Site
	cfa, _ := w.h.Image.Reg(s.CFA.Reg)
	pl := placer{w: w, cfa: cfa + uint64(s.CFA.Offset), regs: true}
	for i := range s.Watches {
		v := &s.Watches[i]
		w.m.Watches = append(w.m.Watches, probe.NamedValue{Name: v.Name, Value: pl.read(v, v.Type, value.Exact)})
	}
}

// outerVariables reads the variables of a calling function, at its call.
func (w *walker) outerVariables(p physical, function string, line int) []probe.Variable {
	pl := placer{w: w, cfa: p.cfa, regs: p.site}
	seen := map[string]bool{}
	params := 0
	var out []probe.Variable
	for _, v := range w.r.b.ScopeOf(p.at, function, line) {
		if v.Type == nil || v.Name == "" || seen[v.Name] || v.Name[0] == '~' || v.Name[0] == '.' {
			continue
		}
		seen[v.Name] = !v.Fresh
		role := v.Role(function, params == 0)
		if v.Param {
			params++
		}
		at := variable(v, p.at)
		at.Pieces = w.r.saved(v, p, at.Pieces)
		t := w.trueType(p, v.Dict, v.Type, function)
		out = append(out, probe.Variable{Name: v.Name, Role: probe.Role(role), Value: pl.read(&at, t, value.Outer)})
	}
	return out
}

// variable says where a variable is at pc.
func variable(v *debuginfo.Variable, pc uint64) program.Var {
	out := program.Var{Name: v.Name, Type: v.Type, Line: v.DeclLine}
	loc := v.Locate(pc)
	switch {
	case v.Fresh:
		out.Why = whyFresh
	case len(loc.Pieces) == 0 && v.Type.Size > 0:
		out.Why = loc.Why
	default:
		out.Pieces, out.Indirect, out.DerefOff = loc.Pieces, loc.Indirect, loc.DerefOff
	}
	return out
}

// read reads a variable as a value of type t.
func (pl placer) read(v *program.Var, t *program.Type, policy value.Policy) probe.Value {
	if v.Why != "" || t == nil {
		why := v.Why
		if t == nil {
			why = whyDamaged
		}
		u := probe.Why(why)
		if t != nil {
			u.Type = value.Name(t.Name)
		}
		return u
	}
	if v.Static != nil {
		return static(t, v.Static)
	}
	size := t.Size
	if v.Indirect {
		size = 8
	}
	at := pl.place(v.Pieces, size)
	if v.Indirect {
		b, why := pl.bytes(at, 8)
		if why != "" {
			u := probe.Why(why)
			u.Type = value.Name(t.Name)
			return u
		}
		ptr := binary.LittleEndian.Uint64(b)
		if ptr == 0 {
			u := probe.Why("nil pointer")
			u.Type = value.Name(t.Name)
			return u
		}
		at = value.Place{Addr: ptr + uint64(v.DerefOff)}
	}
	out := pl.w.values.Value(t, at, policy)
	if out.Shape == probe.Unreadable && out.Type == "" {
		out.Type = value.Name(t.Name)
	}
	return out
}

func static(t *program.Type, b []byte) probe.Value {
	if t.Kind == reflect.String {
		return probe.Value{Shape: probe.String, Type: t.Name, Data: b, Len: int64(len(b))}
	}
	return value.Scalar(t, b)
}

// bytes are bytes of a place that the image holds.
func (pl placer) bytes(at value.Place, n int64) (b []byte, why string) {
	if at.Bytes == nil {
		if b = pl.w.h.Image.Read(at.Addr, n); int64(len(b)) < n {
			return nil, pl.notCopied(at.Addr)
		}
		return b, ""
	}
	for i := range n {
		if i >= int64(len(at.Have)) || !at.Have[i] {
			return nil, at.Why
		}
	}
	return at.Bytes[:n], ""
}

// notCopied says why the image has nothing at addr.
func (pl placer) notCopied(addr uint64) string {
	if pl.w.h.Image.Above(addr) {
		return value.WhyStack(pl.w.h.Bounds)
	}
	return value.WhyNot
}

// place is where pieces that make up size bytes are: one place in memory, or
// the bytes themselves.
func (pl placer) place(list []program.Piece, size int64) value.Place {
	if len(list) == 1 && list[0].Size >= size {
		if at, ok := pl.address(list[0]); ok {
			return value.Place{Addr: at}
		}
	}
	if size < 0 || size > maxPieces {
		return value.Place{Bytes: []byte{}, Why: whyDamaged}
	}
	out := value.Place{Bytes: make([]byte, size), Have: make([]bool, size), Why: whyMissing}
	pos := int64(0)
	for _, p := range list {
		b, why := pl.piece(p)
		if why != "" && p.Kind != program.PieceMissing {
			out.Why = why
		}
		for i := int64(0); i < min(p.Size, int64(len(b))) && pos+i < size; i++ {
			out.Bytes[pos+i], out.Have[pos+i] = b[i], true
		}
		if p.Size < 0 || p.Size > size {
			break
		}
		pos += p.Size
	}
	return out
}

// maxPieces bounds variables that do not lie in memory as a whole.
const maxPieces = 1 << 16

// address is where a piece is in memory; false if it is elsewhere.
func (pl placer) address(p program.Piece) (uint64, bool) {
	switch p.Kind {
	case program.PieceCFA:
		return pl.cfa + uint64(p.Off), true
	case program.PieceAddr:
		return pl.w.r.slide + uint64(p.Off), true
	case program.PieceAtReg:
		if u, ok := pl.w.h.Image.Reg(p.Reg); ok && pl.regs {
			return u + uint64(p.Off), true
		}
	}
	return 0, false
}

// piece are the bytes of one piece.
func (pl placer) piece(p program.Piece) (b []byte, why string) {
	img := pl.w.h.Image
	if at, ok := pl.address(p); ok {
		if b = img.Read(at, p.Size); int64(len(b)) < p.Size {
			return b, pl.notCopied(at)
		}
		return b, ""
	}
	word := func(u uint64, ok bool) ([]byte, string) {
		if !ok {
			return nil, whyMissing
		}
		return binary.LittleEndian.AppendUint64(nil, u), ""
	}
	switch p.Kind {
	case program.PieceReg, program.PieceXReg, program.PieceAtReg:
		if !pl.regs {
			return nil, whyRegister
		}
		if p.Kind == program.PieceReg {
			return word(img.Reg(p.Reg))
		}
		return word(img.XReg(p.Reg))
	case program.PieceConst:
		return word(p.Const, true)
	case program.PieceSlot:
		if pl.w.h.Slot == nil {
			return nil, "not captured"
		}
		return pl.w.h.Slot(int(p.Off))
	}
	return nil, whyMissing
}
