package decode

import (
	"encoding/binary"

	"reflect"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// maxDepth bounds how deep shapes may nest; compile makes them much flatter.
const maxDepth = 32

const whyDamaged = "damaged"

// builder builds values from the slots of one record.
type builder struct {
	cfg   *Config
	site  *program.Site
	slots []slot
}

// Reason says why a slot has no bytes.
func Reason(s program.Status) string {
	switch s {
	case program.StatusNil:
		return "nil pointer"
	case program.StatusFault:
		return "memory could not be read"
	case program.StatusRange:
		return "out of range"
	case program.StatusDivide:
		return "division by zero"
	case program.StatusAbsent:
		return "not captured"
	case program.StatusCorrupt:
		return "impossible length"
	case program.StatusKey:
		return "no such key"
	case program.StatusType:
		return "another type"
	case program.StatusWriting:
		return "the map is being written"
	case program.StatusLarge:
		return "too large to be searched"
	}
	return whyDamaged
}

// bytes are n bytes at off in a slot; why is not empty if there are none.
func (b *builder) bytes(i int, off, n int64) (data []byte, why string) {
	if i < 0 || i >= len(b.slots) {
		return nil, whyDamaged
	}
	s := &b.slots[i]
	if s.status != program.StatusOK {
		return nil, Reason(s.status)
	}
	if off < 0 || n < 0 || off > int64(len(s.data))-n {
		return nil, "not captured"
	}
	return s.data[off : off+n], ""
}

// word is eight bytes, or fewer with zeros above, as a number.
func (b *builder) word(i int, off int64) (v uint64, why string) {
	data, why := b.bytes(i, off, 8)
	if why != "" {
		return 0, why
	}
	return binary.LittleEndian.Uint64(data), ""
}

func (b *builder) value(s *program.Shape, depth int) probe.Value {
	if depth == 0 {
		return probe.Why(whyDamaged)
	}
	v := b.form(s, depth-1)
	if v.Type == "" && s.Type != nil {
		v.Type = s.Type.Name
	}
	v.Type = strings.ReplaceAll(v.Type, "go.shape.", "") // a generic function's types go by their shape
	return value.Written(v)
}

func (b *builder) form(s *program.Shape, depth int) probe.Value {
	switch s.Form {
	case program.FormUnreadable:
		return probe.Why(s.Why)
	case program.FormStatic:
		return static(s)
	case program.FormScalar:
		return b.scalar(s)
	case program.FormString:
		return b.text(s)
	case program.FormComplex, program.FormStruct:
		return b.fields(s, depth)
	case program.FormArray:
		return b.array(s, depth)
	case program.FormSlice:
		return b.slice(s, depth)
	case program.FormInterface:
		return b.iface(s)
	case program.FormPointer:
		return b.pointer(s, depth)
	case program.FormMap, program.FormChan:
		return b.header(s)
	case program.FormFunc:
		return b.function(s)
	}
	return probe.Why(whyDamaged)
}

func static(s *program.Shape) probe.Value {
	if s.Type != nil && s.Type.Kind == reflect.String {
		return probe.Value{Shape: probe.String, Data: s.Static, Len: int64(len(s.Static))}
	}
	return value.Scalar(s.Type, s.Static)
}

func (b *builder) scalar(s *program.Shape) probe.Value {
	if s.Type == nil {
		return probe.Why(whyDamaged)
	}
	data, why := b.bytes(s.Slot, s.Off, s.Type.Size)
	if why != "" {
		return probe.Why(why)
	}
	v := value.Scalar(s.Type, data)
	if s.Type.Kind == reflect.Uintptr {
		v.Shape = probe.Uint // a log prints it as the number that Go's %v makes of it
	}
	return v
}

// text is a string or a byte slice.
func (b *builder) text(s *program.Shape) probe.Value {
	if _, why := b.bytes(s.Slot, 0, 0); why != "" {
		return probe.Why(why)
	}
	slot := &b.slots[s.Slot]
	data := slices.Clone(slot.data)
	v := probe.Value{Shape: probe.String, Data: data, Len: slot.n, Truncated: int64(len(data)) < slot.n}
	if v.Truncated {
		v.Data = value.WholeRunes(data)
	}
	if s.Type != nil && s.Type.Kind == reflect.Slice {
		if text, ok := value.Octets(s.Type.Name, v); ok {
			return text
		}
		v.Type = "[]uint8"
	}
	return v
}

func (b *builder) fields(s *program.Shape, depth int) probe.Value {
	v := probe.Value{Shape: probe.Struct}
	names := s.Names
	if s.Form == program.FormComplex {
		v.Shape, names = probe.Complex, []string{"real", "imag"}
	}
	for i := range s.Fields {
		if i < len(names) {
			v.Fields = append(v.Fields, probe.NamedValue{Name: names[i], Value: b.value(&s.Fields[i], depth)})
		}
	}
	if why, all := sameReason(v.Fields, func(f probe.NamedValue) probe.Value { return f.Value }); all {
		return probe.Why(why)
	}
	if text, ok := b.timeText(s, v.Fields); ok {
		return text
	}
	return v
}

// sameReason tells whether all parts are unreadable for one reason, as the
// fields of a struct behind a nil pointer are.
func sameReason[T any](parts []T, of func(T) probe.Value) (why string, all bool) {
	for i, p := range parts {
		v := of(p)
		if v.Shape != probe.Unreadable || i > 0 && v.Text != why {
			return "", false
		}
		why = v.Text
	}
	return why, len(parts) > 0
}

func (b *builder) array(s *program.Shape, depth int) probe.Value {
	v := probe.Value{Shape: probe.List, Len: int64(len(s.Elems))}
	if s.Type != nil {
		v.Len = s.Type.Len
	}
	v = b.elems(v, s, depth)
	if why, all := sameReason(v.Elems, func(e probe.Value) probe.Value { return e }); all {
		return probe.Why(why)
	}
	return v
}

func (b *builder) slice(s *program.Shape, depth int) probe.Value {
	v := probe.Value{Shape: probe.List}
	if s.Slot < 0 {
		n, why := b.word(s.Slot2, s.Off)
		if why != "" {
			return probe.Why(why)
		}
		v.Len = int64(n)
		if v.Len < 0 {
			return probe.Why(Reason(program.StatusCorrupt))
		}
	} else {
		if _, why := b.bytes(s.Slot, 0, 0); why != "" {
			return probe.Why(why)
		}
		v.Len = b.slots[s.Slot].n
	}
	return b.elems(v, s, depth)
}

// elems adds to a list of v.Len elements those that were captured.
func (b *builder) elems(v probe.Value, s *program.Shape, depth int) probe.Value {
	n := min(int64(len(s.Elems)), v.Len)
	for i := range n {
		v.Elems = append(v.Elems, b.value(&s.Elems[i], depth))
	}
	v.Truncated = n < v.Len
	return v
}
