package moment

import (
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/image"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// created tells who started the goroutine; nil of the first one.
func (r *Reader) created(img *image.Image) *probe.Creation {
	_, g := img.G()
	t := r.b.TypeByName("runtime.g")
	pc, ok := word(t, g, "gopc")
	parent, known := word(t, g, "parentGoid")
	if !ok || pc <= r.slide || known && parent == 0 { // the first one, or one that C made
		return nil
	}
	at := pc - r.slide
	f := r.b.FuncAt(at - 1)
	if f == nil || f.Name == "runtime.rt0_go" {
		return nil
	}
	if at--; at < f.Entry {
		at = f.Entry
	}
	c := &probe.Creation{Function: f.Name, Goroutine: parent}
	c.File, c.Line, _ = r.b.SourceAt(at)
	if chain := r.b.InlineAt(f, at); len(chain) > 0 {
		c.Function = chain[0].Name
	}
	return c
}

// word is a field of a struct of eight bytes.
func word(t *program.Type, data []byte, name string) (uint64, bool) {
	if t == nil {
		return 0, false
	}
	for _, f := range t.Fields {
		if f.Name == name && f.Type != nil && f.Type.Size == 8 && f.Offset >= 0 && f.Offset+8 <= int64(len(data)) {
			return binary.LittleEndian.Uint64(data[f.Offset:]), true
		}
	}
	return 0, false
}

// trace finds the span that a context in scope carries, arguments first.
func (w *walker) trace() *probe.TraceID {
	s := w.h.Site
	cfa, _ := w.h.Image.Reg(s.CFA.Reg)
	pl := placer{w: w, cfa: cfa + uint64(s.CFA.Offset), regs: true}
	for _, local := range []bool{false, true} {
		for i := range s.Vars {
			v := &s.Vars[i]
			if v.Why != "" || v.Type == nil || v.Indirect || (v.Role == string(probe.RoleLocal)) != local {
				continue
			}
			if id := w.values.Span(v.Type, pl.place(v.Pieces, v.Type.Size)); id != nil {
				return id
			}
		}
	}
	return nil
}
