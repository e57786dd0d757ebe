package compile

import (
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// basic are the predeclared types that a probe can name.
var basic = func() map[string]*program.Type {
	m := map[string]*program.Type{}
	add := func(name string, k reflect.Kind, size int64) {
		m[name] = &program.Type{Name: name, Kind: k, Size: size}
	}
	add("bool", reflect.Bool, 1)
	add("int", reflect.Int, 8)
	add("int8", reflect.Int8, 1)
	add("int16", reflect.Int16, 2)
	add("int32", reflect.Int32, 4)
	add("int64", reflect.Int64, 8)
	add("uint", reflect.Uint, 8)
	add("uint8", reflect.Uint8, 1)
	add("uint16", reflect.Uint16, 2)
	add("uint32", reflect.Uint32, 4)
	add("uint64", reflect.Uint64, 8)
	add("uintptr", reflect.Uintptr, 8)
	add("float32", reflect.Float32, 4)
	add("float64", reflect.Float64, 8)
	add("string", reflect.String, 16)
	m["byte"], m["rune"] = m["uint8"], m["int32"]
	return m
}()

var (
	typeBool   = basic["bool"]
	typeInt    = basic["int"]
	typeString = basic["string"]
	typeUint8  = basic["uint8"]
	typeUint64 = basic["uint64"]
)

// identical tells whether two types of one build are the same. The debug
// information may describe a type more than once; its name is then the same,
// for names hold the whole path of the package.
func identical(a, b *program.Type) bool {
	return a == b || a.Kind == b.Kind && a.Size == b.Size && unshaped(a.Name) == unshaped(b.Name)
}

// unshaped is a type's name as a generic function's source would have it: the
// code of an instantiation is shared by types of one shape, and the debug
// information names its types after the shape.
func unshaped(name string) string { return strings.ReplaceAll(name, "go.shape.", "") }

// short is a type's name with each package path cut to its last element, as
// Go writes it in source.
func short(t *program.Type) string {
	if t == nil {
		return "unknown type"
	}
	return shortName(unshaped(t.Name))
}

func shortName(name string) string {
	var b strings.Builder
	start := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		switch {
		case c == '/':
			start = i + 1
		case strings.IndexByte("*[](){} ,;", c) >= 0:
			b.WriteString(name[start : i+1])
			start = i + 1
		}
	}
	b.WriteString(name[start:])
	return b.String()
}

// step is one step from a struct to a field of it: an offset, and whether it
// leads through an embedded pointer.
type step struct {
	field program.Field
	deref bool // the field is an embedded pointer, to be followed
}

// findField finds a field as Go does: the shallowest one of that name, through
// embedded structs. ambiguous: there is more than one at that depth.
func findField(t *program.Type, name string) (path []step, ambiguous bool) {
	type at struct {
		t    *program.Type
		path []step
	}
	seen := map[*program.Type]bool{}
	for level := []at{{t, nil}}; len(level) > 0; {
		var next []at
		var found [][]step
		for _, l := range level {
			if seen[l.t] {
				continue
			}
			seen[l.t] = true
			for _, f := range l.t.Fields {
				here := append(append([]step(nil), l.path...), step{field: f})
				if f.Name == name {
					found = append(found, here)
				}
				if s, ptr := embedded(f); s != nil {
					here[len(here)-1].deref = ptr
					next = append(next, at{s, here})
				}
			}
		}
		if len(found) > 0 {
			return found[0], len(found) > 1
		}
		level = next
	}
	return nil, false
}

// embedded is the struct that f embeds, if it does, and whether by a pointer.
func embedded(f program.Field) (s *program.Type, ptr bool) {
	if !f.Embedded || f.Type == nil {
		return nil, false
	}
	if f.Type.Kind == reflect.Struct {
		return f.Type, false
	}
	if f.Type.Kind == reflect.Pointer && f.Type.Elem != nil && f.Type.Elem.Kind == reflect.Struct {
		return f.Type.Elem, true
	}
	return nil, false
}

// fieldNames are the names that can follow a dot after a value of type t.
func fieldNames(t *program.Type) []string {
	var names []string
	seen := map[*program.Type]bool{}
	var walk func(t *program.Type)
	walk = func(t *program.Type) {
		if seen[t] || len(names) > 500 {
			return
		}
		seen[t] = true
		for _, f := range t.Fields {
			names = append(names, f.Name)
			if s, _ := embedded(f); s != nil {
				walk(s)
			}
		}
	}
	walk(t)
	return names
}
