package debuginfo

import (
	"reflect"
	"strings"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// typeCache holds the types that were read, by the offset of their DIE.
type typeCache struct {
	mu   sync.Mutex
	byID map[uint64]*program.Type
}

// typeAt reads the type whose DIE is at off. Types may be cyclic, and are
// complete when the call returns. Never nil: what cannot be read has kind
// Invalid.
func (b *Build) typeAt(off uint64) (t *program.Type) {
	t = &program.Type{Name: "?"}
	defer ignore()
	b.types.mu.Lock()
	defer b.types.mu.Unlock()
	if b.types.byID == nil {
		b.types.byID = map[uint64]*program.Type{}
	}
	x, err := b.indexed()
	if err != nil {
		return t
	}
	r := typeReader{b: b, x: x, types: b.types.byID}
	t = r.read(off)
	for len(r.work) > 0 { // the insides are read breadth first: no deep recursion
		f := r.work[len(r.work)-1]
		r.work = r.work[:len(r.work)-1]
		f()
	}
	return t
}

type typeReader struct {
	b     *Build
	x     *index
	types map[uint64]*program.Type
	work  []func()
}

// read makes the type at off, and leaves its insides to work.
func (r *typeReader) read(off uint64) *program.Type {
	if t := r.types[off]; t != nil {
		return t
	}
	t := &program.Type{Name: "?"}
	r.types[off] = t
	name, d, u, ok := r.underlying(off)
	if !ok {
		return t
	}
	t.Name, t.Size, t.RType = name, int64(d.byteSize), r.b.rtypeOffset(&d)
	t.Kind = kindOf(&d)
	t.Typed = declared(name, t.Kind)
	r.fill(t, &d, u)
	return t
}

// underlying follows typedefs to the DIE that says what the type is. Go's own
// interface, map and channel types are typedef DIEs that have a kind.
func (r *typeReader) underlying(off uint64) (name string, d die, u *unit, ok bool) {
	for range 8 {
		if u = r.x.unitAt(off); u == nil || !r.b.readDIE(r.x.info, u, off, &d) {
			return name, d, u, false
		}
		if name == "" || strings.HasPrefix(name, ".param") {
			name = d.name
		}
		if d.tag != tagTypedef || d.kind != 0 || d.typ == 0 {
			return name, d, u, true
		}
		off = d.typ
	}
	return name, d, u, false
}

// kindOf is the reflect.Kind that Go's linker put into DW_AT_go_kind, or the
// one that the DIE's shape shows (types of C have no such attribute).
func kindOf(d *die) reflect.Kind {
	if k := reflect.Kind(d.kind & 31); k != reflect.Invalid && k <= reflect.UnsafePointer {
		return k
	}
	switch d.tag {
	case tagBase:
		return baseKind(d.encoding, d.byteSize)
	case tagPointer:
		if d.typ == 0 {
			return reflect.UnsafePointer
		}
		return reflect.Pointer
	case tagStruct:
		return reflect.Struct
	case tagArray:
		return reflect.Array
	case tagSubroutine:
		return reflect.Func
	}
	return reflect.Invalid
}

// baseKind reads an encoding of DWARF 5, section 7.8.
func baseKind(encoding, size uint64) reflect.Kind {
	at := func(kinds ...reflect.Kind) reflect.Kind {
		for i, n := range []uint64{1, 2, 4, 8} {
			if size == n && i < len(kinds) {
				return kinds[i]
			}
		}
		return reflect.Invalid
	}
	switch encoding {
	case 2:
		return reflect.Bool
	case 4:
		return at(0, 0, reflect.Float32, reflect.Float64)
	case 5, 6:
		return at(reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64)
	case 7, 8:
		return at(reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64)
	}
	return reflect.Invalid
}

// sizes of the kinds whose DIEs carry none.
func fixedTypeSize(k reflect.Kind) int64 {
	switch k {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func:
		return 8
	case reflect.Interface, reflect.String:
		return 16
	case reflect.Slice:
		return 24
	}
	return 0
}

// declared tells whether a type has a name of its own that is not predeclared.
func declared(name string, k reflect.Kind) bool {
	if name == "error" {
		return true
	}
	switch k {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map, reflect.Chan, reflect.Func,
		reflect.Struct, reflect.Interface:
		for _, p := range []string{"*", "[", "map[", "chan ", "<-chan ", "func(", "struct {", "interface {", "noalg.", "go.shape."} {
			if strings.HasPrefix(name, p) {
				return false
			}
		}
		return name != ""
	}
	return name != "unsafe.Pointer" && strings.Contains(name, ".") && !strings.HasPrefix(name, "go.shape.")
}

// fill reads what a type is made of.
func (r *typeReader) fill(t *program.Type, d *die, u *unit) {
	if n := fixedTypeSize(t.Kind); n != 0 {
		t.Size = n
	}
	elem, key, typ, next, children := d.elem, d.key, d.typ, d.next, d.children
	link := func(to **program.Type, off uint64) {
		if off != 0 {
			r.work = append(r.work, func() { *to = r.read(off) })
		}
	}
	switch t.Kind {
	case reflect.Pointer:
		link(&t.Elem, typ)
	case reflect.Slice:
		link(&t.Elem, elem)
	case reflect.Chan:
		link(&t.Elem, elem)
		link(&t.Inner, r.pointed(typ))
	case reflect.Map:
		link(&t.Elem, elem)
		link(&t.Key, key)
		link(&t.Inner, r.pointed(typ))
	case reflect.Interface:
		t.Iface = r.b.dieName(typ) == "runtime.iface"
	case reflect.Array:
		link(&t.Elem, typ)
		if children {
			r.arrayLen(t, u, next)
		}
	case reflect.Struct:
		if children {
			r.fields(t, u, next)
		}
	}
}

// pointed is the DIE of what the pointer type at off points to; 0 unknown. The
// linker gives the DIEs of maps and channels such a type: a pointer to the
// runtime's struct, with the map's own keys, elements and groups.
func (r *typeReader) pointed(off uint64) uint64 {
	_, d, _, ok := r.underlying(off)
	if off == 0 || !ok || d.tag != tagPointer {
		return 0
	}
	return d.typ
}

func (r *typeReader) arrayLen(t *program.Type, u *unit, off uint64) {
	var d die
	for r.b.readDIE(r.x.info, u, off, &d) && d.tag != 0 {
		if d.tag == tagSubrange {
			t.Len = int64(d.count)
		}
		off = d.next
	}
}

func (r *typeReader) fields(t *program.Type, u *unit, off uint64) {
	var d die
	for r.b.readDIE(r.x.info, u, off, &d) && d.tag != 0 {
		off = d.next
		if d.tag != tagMember {
			continue
		}
		i, typ := len(t.Fields), d.typ
		t.Fields = append(t.Fields, program.Field{Name: d.name, Offset: int64(d.memberLoc), Embedded: d.embedded})
		r.work = append(r.work, func() { t.Fields[i].Type = r.read(typ) })
	}
}

// TypeByName is the type with this name as Go writes it ("main.Order",
// "*main.Order", "[]int"), or nil if the build has none. A declared type may be
// named by the last element of its package's path (store.Cents), where that is
// unambiguous.
func (b *Build) TypeByName(name string) *program.Type {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	off, ok := x.types.get(name)
	if !ok {
		if off, ok = x.typeEnding(name); !ok {
			return nil
		}
	}
	return b.typeAt(off)
}

// typeEnding finds the one declared type whose path ends in name.
func (x *index) typeEnding(name string) (off uint64, ok bool) {
	if !strings.Contains(name, ".") || strings.ContainsAny(name, "*[]{}() ") {
		return 0, false
	}
	for full, at := range x.types.all() {
		if !strings.HasSuffix(full, "/"+name) || strings.ContainsAny(full[:len(full)-len(name)], "*[]{}() ") {
			continue
		}
		if ok {
			return 0, false
		}
		off, ok = at, true
	}
	return off, ok
}

// TypeByRuntime is the type whose runtime descriptor (*_type) lies off bytes
// behind TypesBase, or nil if there is none. Where the debug information does
// not have it, the descriptor itself is read.
func (b *Build) TypeByRuntime(off uint64) *program.Type {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	if off == 0 {
		return nil
	}
	if d, ok := x.rtypes.get(off); ok {
		return b.typeAt(d)
	}
	return b.rtypeAt(off)
}
