package decode

import (
	"fmt"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// pointer is an address, and the struct there if it was captured.
func (b *builder) pointer(s *program.Shape, depth int) probe.Value {
	at, why := b.word(s.Slot, s.Off)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil}
	}
	v := probe.Value{Shape: probe.Pointer, Uint: at}
	if len(s.Elems) == 1 {
		v.Elems = []probe.Value{b.value(&s.Elems[0], depth)}
	}
	return v
}

// header is a map or a channel.
func (b *builder) header(s *program.Shape) probe.Value {
	at, why := b.word(s.Slot, s.Off)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil}
	}
	v := probe.Value{Shape: probe.Map, Uint: at, Len: -1}
	if s.Form == program.FormChan {
		v.Shape = probe.Chan
	}
	if n, why := b.word(s.Slot2, 0); why == "" && int64(n) >= 0 {
		v.Len = int64(n)
	}
	return v
}

// function is a func value: the name of its code, where that is known.
func (b *builder) function(s *program.Shape) probe.Value {
	at, why := b.word(s.Slot, s.Off)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil}
	}
	v := probe.Value{Shape: probe.Func, Uint: at}
	if pc, why := b.word(s.Slot2, 0); why == "" {
		v.Uint = pc
		if b.cfg.Function != nil {
			v.Text = b.cfg.Function(pc - b.cfg.Slide)
		}
	}
	return v
}

// iface is an interface: its dynamic type, and its value if that is a scalar, a
// string, or an error that begins with its text.
func (b *builder) iface(s *program.Shape) probe.Value {
	if len(s.Fields) <= program.IfaceType {
		return probe.Why(whyDamaged)
	}
	word, why := b.word(s.Fields[program.IfaceWord].Slot, s.Fields[program.IfaceWord].Off)
	if why != "" {
		return probe.Why(why)
	}
	if word == 0 {
		return probe.Value{Shape: probe.Nil}
	}
	at, why := b.word(s.Fields[program.IfaceType].Slot, s.Fields[program.IfaceType].Off)
	if why != "" {
		return probe.Why(why)
	}
	v := probe.Value{Shape: probe.Interface}
	t := b.runtimeType(at)
	if t == nil {
		v.Type = fmt.Sprintf("unknown type 0x%x", at-b.cfg.Slide)
		return v
	}
	v.Type = t.Name
	if e, ok := b.dynamic(t, s.Fields); ok {
		if e.Type == "" {
			e.Type = t.Name
		}
		v.Elems = []probe.Value{e}
	}
	v.Text = b.message(t, s.Fields, v)
	return v
}

func (b *builder) runtimeType(at uint64) *program.Type {
	off := at - b.cfg.Slide - b.cfg.TypesBase
	if b.cfg.Type == nil || at < b.cfg.Slide+b.cfg.TypesBase {
		return nil
	}
	return b.cfg.Type(off)
}

// dynamic is the value of dynamic type t in an interface; ok is false if it is
// none that fits into a log.
func (b *builder) dynamic(t *program.Type, parts []program.Shape) (v probe.Value, ok bool) {
	if slot := textSlot(t, parts); slot >= 0 {
		text := b.text(&program.Shape{Type: t, Slot: slot})
		if text.Shape == probe.String || t.Kind == reflect.String {
			return text, true
		}
	}
	if len(parts) <= program.IfaceBlock {
		return v, false
	}
	block := parts[program.IfaceBlock].Slot
	switch t.Kind {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func:
		return b.scalar(&program.Shape{Type: t, Slot: parts[program.IfaceData].Slot}), true
	case reflect.Slice: // its length is the second word
		return b.slice(&program.Shape{Type: t, Slot: -1, Slot2: block, Off: 8}, maxDepth), true
	case reflect.Struct, reflect.Array, reflect.Interface, reflect.Invalid:
		return v, false
	case reflect.Complex64, reflect.Complex128:
		return b.complex(t, block), true
	}
	return b.scalar(&program.Shape{Type: t, Slot: block}), true
}

func (b *builder) complex(t *program.Type, slot int) probe.Value {
	part := &program.Type{Name: "float64", Kind: reflect.Float64, Size: 8}
	if t.Kind == reflect.Complex64 {
		part = &program.Type{Name: "float32", Kind: reflect.Float32, Size: 4}
	}
	return b.fields(&program.Shape{Form: program.FormComplex, Type: t, Fields: []program.Shape{
		{Form: program.FormScalar, Type: part, Slot: slot},
		{Form: program.FormScalar, Type: part, Slot: slot, Off: part.Size},
	}}, maxDepth)
}
