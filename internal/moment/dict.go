package moment

import (
	"encoding/binary"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// trueType is the type of a variable of a generic function: its own, or, where
// that is a shape that stands for several, the one that the dictionary names.
// Which dictionary that is the call tells that led here, or all that the build
// has for this shape agree; else the shape is all that can be told.
func (w *walker) trueType(p physical, dict int, t *program.Type, function string) *program.Type {
	if dict == 0 || t == nil || !strings.Contains(t.Name, "go.shape.") {
		return t
	}
	if function == p.f.Name {
		if at := w.dictionary(p); at != 0 {
			if u := w.r.b.DictTypeAt(at, dict-1, t); u != nil {
				return u
			}
		}
	}
	if u := w.r.b.DictType(function, dict-1, t); u != nil {
		return u
	}
	return t
}

// dictionary is the linked address of the dictionary that a frame's function was
// called with, where the calling code loads a fixed one right before its call; 0
// unknown. It is the first argument, behind the receiver.
func (w *walker) dictionary(p physical) uint64 {
	reg := amd64.Reg(amd64.RAX)
	name := strings.TrimPrefix(p.f.Name, p.f.Package+".")
	switch {
	case strings.HasPrefix(name, "(*"):
		reg = amd64.RBX
	case strings.Contains(name, "]."): // a closure, or a method of a value
		return 0
	}
	b := w.h.Image.Read(p.cfa-8, 8)
	if len(b) < 8 {
		return 0
	}
	ret := binary.LittleEndian.Uint64(b) - w.r.slide
	f := w.r.b.FuncAt(ret - 1)
	if f == nil {
		return 0
	}
	code, err := w.r.b.Bytes(f.Entry, int(f.End-f.Entry))
	if err != nil {
		return 0
	}
	g, err := amd64.Flow(code, f.Entry, amd64.FlowOptions{})
	if err != nil {
		return 0
	}
	return loaded(g, ret, p.f.Entry, reg)
}

// loaded finds the address that the instructions before a call to target, which
// returns to ret, load into a register by LEA.
func loaded(g *amd64.Graph, ret, target uint64, reg amd64.Reg) uint64 {
	i := len(g.Insts) - 1
	for i >= 0 && g.Insts[i].End() != ret {
		i--
	}
	if i < 0 || g.Insts[i].Kind != amd64.Call || g.Insts[i].Target != target || g.Targeted(g.Insts[i].PC) {
		return 0
	}
	const lea = 0x8d
	for i--; i >= 0; i-- {
		in := &g.Insts[i]
		if in.Kind != amd64.Plain || in.Unknown {
			return 0
		}
		if in.Writes.Has(reg) {
			if in.Map == amd64.MapOne && in.Opcode == lea && in.Mem.RIPRel {
				return in.RIPTarget()
			}
			return 0
		}
		if g.Targeted(in.PC) {
			return 0
		}
	}
	return 0
}
