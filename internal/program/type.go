package program

import (
	"reflect"
	"strings"
)

// Type is a Go type of a build, as the debug information has it. Types of one
// build are shared and may be cyclic; they are never changed after the build
// was read.
type Type struct {
	Name   string       // as Go writes it: "int", "*main.Order", "map[string]int"
	Kind   reflect.Kind // the kind of the underlying type
	Size   int64        // bytes
	Elem   *Type        // pointer, slice, array, chan, map value
	Key    *Type        // map
	Len    int64        // array
	Fields []Field      // struct
	Iface  bool         // interface with methods (itab); false for the empty one
	RType  uint64       // offset of the runtime's *_type from moduledata.types; 0 unknown
	Typed  bool         // a declared (named) type, with an underlying type of Kind
	Inner  *Type        // map, chan: the runtime's struct that it points to, as this type has it; nil unknown
}

// Field is one field of a struct.
type Field struct {
	Name     string
	Type     *Type
	Offset   int64
	Embedded bool
}

// AtomicPointer is, of a type sync/atomic.Pointer[T], the type *T and where the
// pointer lies; nil of any other. The field that holds it is an unsafe.Pointer;
// what it points to only the first field says, a [0]*T (sync/atomic/type.go, Go
// 1.19 to 1.26).
func AtomicPointer(t *Type) (pointer *Type, off int64) {
	if t == nil || !strings.HasPrefix(t.Name, "sync/atomic.Pointer[") || t.Kind != reflect.Struct || len(t.Fields) < 2 {
		return nil, 0
	}
	mark, last := t.Fields[0].Type, t.Fields[len(t.Fields)-1]
	if mark == nil || mark.Kind != reflect.Array || mark.Elem == nil || mark.Elem.Kind != reflect.Pointer || last.Name != "v" {
		return nil, 0
	}
	return mark.Elem, last.Offset
}
