package debuginfo

import (
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// The linker writes debug information of a type only where a variable or a
// function refers to it. What is put into interfaces by static data alone has
// none, but a descriptor of the runtime, which tells as much.

// rtypeCache holds the types that were read from descriptors, by their offset.
type rtypeCache struct {
	mu    sync.Mutex
	types map[uint64]*program.Type
}

// Offsets in the runtime's descriptors (internal/abi/type.go), the same from Go
// 1.22 to 1.26; in a map's of 1.24 and later the first two words, too.
const (
	rtSize        = 0
	rtFlag        = 20
	rtKind        = 23
	rtName        = 40
	rtHeader      = 48
	rtElem        = 48 // of arrays, channels, pointers and slices; a map's key
	rtMapElem     = 56
	rtLen         = 64 // of arrays
	rtList        = 56 // fields of structs, methods of interfaces
	rtListLen     = 64
	rtFieldSize   = 24
	rtFieldType   = 8
	rtFieldOff    = 16
	rtFlagUncomm  = 1 << 0
	rtFlagStar    = 1 << 1
	rtFlagNamed   = 1 << 2
	rtNameEmbeds  = 1 << 3
	maxRtypes     = 20_000
	maxRtypeDepth = 64
)

// rtypeAt reads the type whose descriptor lies off bytes behind TypesBase; nil
// if there is none that makes sense.
func (b *Build) rtypeAt(off uint64) *program.Type {
	base := b.TypesBase()
	if base == 0 {
		return nil
	}
	b.rtypes.mu.Lock()
	defer b.rtypes.mu.Unlock()
	if b.rtypes.types == nil {
		b.rtypes.types = map[uint64]*program.Type{}
	}
	r := rtypeReader{b: b, base: base, types: b.rtypes.types}
	return r.read(off, 0)
}

type rtypeReader struct {
	b     *Build
	base  uint64
	types map[uint64]*program.Type
}

func (r *rtypeReader) read(off uint64, depth int) *program.Type {
	if t, ok := r.types[off]; ok {
		return t
	}
	if x, err := r.b.indexed(); err == nil {
		if d, ok := x.rtypes.get(off); ok && off != 0 {
			return r.b.typeAt(d)
		}
	}
	head, err := r.b.Bytes(r.base+off, rtHeader)
	if err != nil || depth > maxRtypeDepth || len(r.types) > maxRtypes {
		return nil
	}
	k := reflect.Kind(head[rtKind] & 31)
	t := &program.Type{Size: int64(le64(string(head[rtSize:]))), Kind: k, RType: off, Typed: head[rtFlag]&rtFlagNamed != 0}
	if k == reflect.Invalid || k > reflect.UnsafePointer || t.Size < 0 || t.Size > 1<<40 || !plausible(t) {
		return nil
	}
	nameOff := uint64(head[rtName]) | uint64(head[rtName+1])<<8 | uint64(head[rtName+2])<<16 | uint64(head[rtName+3])<<24
	name, _, ok := r.name(r.base + nameOff)
	if !ok || name == "" {
		return nil
	}
	if head[rtFlag]&rtFlagStar != 0 {
		name = strings.TrimPrefix(name, "*")
	}
	t.Name = name
	r.types[off] = t
	if !r.inside(t, r.base+off, depth) {
		r.types[off] = nil
		return nil
	}
	r.fullName(t, r.base+off, head[rtFlag])
	return t
}

// plausible holds a size against what the kind says.
func plausible(t *program.Type) bool {
	if n := fixedTypeSize(t.Kind); n != 0 {
		return t.Size == n
	}
	return t.Kind >= reflect.Array || t.Size <= 16
}

// name reads a name: flags, length and text.
func (r *rtypeReader) name(at uint64) (name string, flags byte, ok bool) {
	head, err := r.b.Bytes(at, 4)
	if err != nil {
		return "", 0, false
	}
	n, used := 0, 0
	for i := 1; i < 4; i++ {
		n |= int(head[i]&0x7f) << (7 * (i - 1))
		if head[i]&0x80 == 0 {
			used = 1 + i
			break
		}
	}
	if used == 0 || n > 1<<14 {
		return "", 0, false
	}
	text, err := r.b.Bytes(at+uint64(used), n)
	return string(text), head[0], err == nil
}

// link reads a type that a descriptor points to.
func (r *rtypeReader) link(at uint64, depth int) *program.Type {
	p := r.b.word(at)
	if p <= r.base {
		return nil
	}
	return r.read(p-r.base, depth+1)
}

func (r *rtypeReader) word(at uint64) uint64 {
	raw, err := r.b.Bytes(at, 8)
	if err != nil {
		return 0
	}
	return le64(string(raw))
}

func (r *rtypeReader) inside(t *program.Type, at uint64, depth int) bool {
	switch t.Kind {
	case reflect.Pointer, reflect.Slice, reflect.Chan:
		t.Elem = r.link(at+rtElem, depth)
		return t.Elem != nil
	case reflect.Array:
		t.Elem, t.Len = r.link(at+rtElem, depth), int64(r.word(at+rtLen))
		return t.Elem != nil && t.Len >= 0 && t.Len <= 1<<40
	case reflect.Map:
		t.Key, t.Elem = r.link(at+rtElem, depth), r.link(at+rtMapElem, depth)
		return t.Key != nil && t.Elem != nil
	case reflect.Interface:
		t.Iface = r.word(at+rtListLen) > 0
	case reflect.Struct:
		return r.fields(t, at, depth)
	}
	return true
}

func (r *rtypeReader) fields(t *program.Type, at uint64, depth int) bool {
	n := r.word(at + rtListLen)
	list := r.b.word(at + rtList)
	if n > 1<<14 {
		return false
	}
	for i := range n {
		f := list + i*rtFieldSize
		name, flags, ok := r.name(r.b.word(f))
		typ := r.link(f+rtFieldType, depth)
		off := int64(r.word(f + rtFieldOff))
		if !ok || typ == nil || off < 0 || off > t.Size {
			return false
		}
		t.Fields = append(t.Fields, program.Field{Name: name, Type: typ, Offset: off, Embedded: flags&rtNameEmbeds != 0})
	}
	return true
}

// fullName makes a type's name what the debug information calls it: with the
// whole path of its package, where the descriptor has the last element only.
func (r *rtypeReader) fullName(t *program.Type, at uint64, flags byte) {
	switch {
	case t.Typed && flags&rtFlagUncomm != 0:
		off := uint64(rtHeader)
		switch t.Kind {
		case reflect.Pointer, reflect.Slice:
			off += 8
		case reflect.Chan:
			off += 16
		case reflect.Array:
			off += 24
		case reflect.Func:
			off += 8
		case reflect.Interface, reflect.Struct:
			off += 32
		case reflect.Map:
			return
		}
		raw, err := r.b.Bytes(at+off, 4)
		if err != nil {
			return
		}
		path, _, ok := r.name(r.base + (le64(string(append(raw, 0, 0, 0, 0))) & 0xffffffff))
		end := strings.IndexByte(t.Name+"[", '[')
		if dot := strings.LastIndexByte(t.Name[:end], '.'); ok && path != "" && dot >= 0 {
			t.Name = path + t.Name[dot:]
		}
	case t.Typed:
	case t.Kind == reflect.Pointer:
		t.Name = "*" + t.Elem.Name
	case t.Kind == reflect.Slice:
		t.Name = "[]" + t.Elem.Name
	case t.Kind == reflect.Array:
		t.Name = "[" + strconv.FormatInt(t.Len, 10) + "]" + t.Elem.Name
	case t.Kind == reflect.Map:
		t.Name = "map[" + t.Key.Name + "]" + t.Elem.Name
	}
}
