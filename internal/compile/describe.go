package compile

import (
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Bounds of the tables that one snapshot puts into the target.
const (
	maxDescs   = 6000
	maxDynamic = 4000    // types
	maxClosure = 500     // functions whose closures are looked at
	maxRefs    = 2000    // of one type: an array of pointers has one for each
	maxSize    = 1 << 31 // bytes of one type: [1<<48 - 1]byte stands for memory of any length
)

// describer makes the descriptors by which a target follows references. Types
// are worked off by how many references that cost depth lead to them, so that
// where the bounds are reached those near the variables are described.
type describer struct {
	b       Build
	img     *program.Image
	descs   map[*program.Type]int
	pointer map[int]int // descriptor of a pointer to elements of a descriptor, for directories
	dynamic map[uint64]bool
	waiting [][]described // by level
	level   int           // of the type at hand
	done    map[int]bool  // descriptors whose references are listed
	funcs   bool          // closures are listed
}

// described is a type whose references wait to be listed.
type described struct {
	t  *program.Type
	at int
}

func newDescriber(b Build, img *program.Image) *describer {
	img.Descs = []program.Desc{{Size: 1}}
	return &describer{b: b, img: img, descs: map[*program.Type]int{}, pointer: map[int]int{},
		dynamic: map[uint64]bool{}, waiting: make([][]described, img.Depth+2), done: map[int]bool{}}
}

// of is the descriptor of t; free says that the way to it costs no depth. ok is
// false if it has none: then its address is all that can be told.
func (d *describer) of(t *program.Type, free bool) (at int, ok bool) {
	if t == nil || t.Size <= 0 || t.Size >= maxSize || hidden(t) {
		return 0, false
	}
	if plainBytes(t) {
		return 0, true
	}
	level := d.level
	if !free {
		level++
	}
	at, ok = d.descs[t]
	if !ok {
		if len(d.img.Descs) >= maxDescs {
			return 0, false
		}
		at = len(d.img.Descs)
		d.img.Descs = append(d.img.Descs, program.Desc{Size: t.Size, Type: t})
		d.descs[t] = at
	}
	if !d.done[at] && level < len(d.waiting) {
		d.waiting[level] = append(d.waiting[level], described{t, at})
	}
	return at, true
}

// plainBytes tells whether a type is one byte wide and holds no reference.
func plainBytes(t *program.Type) bool {
	return t.Size == 1 && (t.Kind == reflect.Uint8 || t.Kind == reflect.Int8 || t.Kind == reflect.Bool)
}

// hidden are types of the runtime's own whose insides are nobody's business and
// lead everywhere: goroutines, type descriptors. The insides of maps and
// channels are described by hand.
func hidden(t *program.Type) bool {
	for _, p := range []string{"runtime.", "internal/abi.", "internal/runtime/"} {
		if strings.HasPrefix(t.Name, p) {
			return true
		}
	}
	return t.Name == "reflect.rtype"
}

// finish lists the references of all types that were asked for, and of those
// they lead to. What lies deeper than the image goes keeps none.
func (d *describer) finish() {
	for d.level = 0; d.level <= d.img.Depth; d.level++ {
		for len(d.waiting[d.level]) > 0 {
			w := d.waiting[d.level][0]
			d.waiting[d.level] = d.waiting[d.level][1:]
			if !d.done[w.at] {
				d.done[w.at] = true
				d.img.Descs[w.at].Refs = d.insideOf(w.t)
			}
		}
	}
	d.level = 0
}

// insideOf lists the references in a value of type t.
func (d *describer) insideOf(t *program.Type) []program.Ref {
	l := &refLister{d: d}
	l.value(t, 0, 0)
	return l.refs
}

// refLister collects the references in one value.
type refLister struct {
	d    *describer
	refs []program.Ref
}

func (l *refLister) add(r program.Ref) {
	if len(l.refs) < maxRefs {
		l.refs = append(l.refs, r)
	}
}

// maxNesting bounds structs and arrays within each other.
const maxNesting = 32

// value lists what a value of type t at off refers to.
func (l *refLister) value(t *program.Type, off int64, nesting int) {
	if t == nil || nesting > maxNesting || len(l.refs) >= maxRefs {
		return
	}
	switch t.Kind {
	case reflect.String:
		l.add(program.Ref{Kind: program.RefSlice, Free: true, Off: off, Len: off + 8})
	case reflect.Slice:
		l.slice(t, off)
	case reflect.Pointer:
		l.pointer(t, off, false)
	case reflect.Interface:
		l.iface(t, off, t.Name == "error")
	case reflect.Map:
		if at, ok := l.d.mapInside(t.Inner); ok {
			l.add(program.Ref{Kind: program.RefPointer, Free: true, Off: off, Elem: at})
		}
	case reflect.Chan:
		if at, ok := l.d.chanInside(t); ok {
			l.add(program.Ref{Kind: program.RefPointer, Free: true, Off: off, Elem: at})
		}
	case reflect.Func:
		l.add(program.Ref{Kind: program.RefFunc, Off: off})
		l.d.closures()
	case reflect.Array:
		for i := int64(0); t.Elem != nil && i < t.Len && t.Elem.Size > 0 && len(l.refs) < maxRefs; i++ {
			before := len(l.refs)
			l.value(t.Elem, off+i*t.Elem.Size, nesting+1)
			if len(l.refs) == before {
				return // elements without references
			}
		}
	case reflect.Struct:
		l.structure(t, off, nesting)
	}
}

func (l *refLister) slice(t *program.Type, off int64) {
	if t.Elem == nil || t.Elem.Size == 0 {
		return
	}
	if at, ok := l.d.of(t.Elem, true); ok {
		l.add(program.Ref{Kind: program.RefSlice, Free: true, Off: off, Len: off + 8, Elem: at})
	}
}

func (l *refLister) pointer(t *program.Type, off int64, free bool) {
	if at, ok := l.d.of(t.Elem, free); ok {
		l.add(program.Ref{Kind: program.RefPointer, Free: free, Off: off, Elem: at})
	}
}

// iface lists an interface. The chain of wrapped errors and that of contexts
// cost no depth: it is their end that people want to see.
func (l *refLister) iface(t *program.Type, off int64, free bool) {
	kind := program.RefEface
	if t.Iface {
		kind = program.RefIface
	}
	l.add(program.Ref{Kind: kind, Free: free, Off: off, Len: itabType})
	l.d.dynamicOf(t, free)
}

// itabType is where an itab has its type (internal/abi/iface.go, 1.22 to 1.26:
// ITab.Type; the same in runtime2.go before).
const itabType = 8

func (l *refLister) structure(t *program.Type, off int64, nesting int) {
	if elem, at := program.AtomicPointer(t); elem != nil {
		l.pointer(elem, off+at, false)
		return
	}
	context := strings.HasPrefix(t.Name, "context.")
	for _, f := range t.Fields {
		switch {
		case f.Type == nil:
		case t.Name == "time.Location" && f.Name != "name":
			// its tables of zones are large, and no value shows them
		case t.Name == "time.Time" && f.Name == "loc" && f.Type.Kind == reflect.Pointer:
			l.pointer(f.Type, off+f.Offset, true)
		case context && f.Type.Kind == reflect.Interface && (f.Name == "Context" || f.Name == "val"):
			l.iface(f.Type, off+f.Offset, true)
		default:
			l.value(f.Type, off+f.Offset, nesting+1)
		}
	}
}

// dynamicOf lists what an interface of type t may hold. A pointer costs depth
// unless free; a value that is boxed does not.
func (d *describer) dynamicOf(t *program.Type, free bool) {
	if d.level >= d.img.Depth && !free {
		return
	}
	base := d.b.TypesBase()
	for _, c := range d.b.Implementations(t) {
		key := base + c.RType
		if c.RType == 0 || d.dynamic[key] || len(d.img.Dynamic) >= maxDynamic {
			continue
		}
		d.dynamic[key] = true
		if dyn, ok := d.dataWord(c, free); ok {
			dyn.Key = key
			d.img.Dynamic = append(d.img.Dynamic, dyn)
		}
	}
}

// dataWord is how the data word of an interface that holds a c leads to it.
func (d *describer) dataWord(c *program.Type, free bool) (program.Dynamic, bool) {
	at, ok := 0, false
	switch inner := direct(c); {
	case inner == nil:
		at, ok = d.of(c, true)
		return program.Dynamic{Kind: program.RefPointer, Free: true, Elem: at}, ok
	case inner.Kind == reflect.Pointer:
		at, ok = d.of(inner.Elem, free)
		return program.Dynamic{Kind: program.RefPointer, Free: free, Elem: at}, ok
	case inner.Kind == reflect.Map:
		at, ok = d.mapInside(inner.Inner)
	case inner.Kind == reflect.Chan:
		at, ok = d.chanInside(inner)
	case inner.Kind == reflect.Func:
		return program.Dynamic{Kind: program.RefFunc, Free: free}, true
	}
	if !ok {
		return program.Dynamic{Kind: program.RefNone}, true
	}
	return program.Dynamic{Kind: program.RefPointer, Free: true, Elem: at}, true
}

// direct is the pointer-shaped type that an interface keeps in its data word
// instead of a pointer to it; nil where it keeps a pointer (cmd/compile
// types.IsDirectIface: pointers, and structs and arrays of one of them).
func direct(t *program.Type) *program.Type {
	for range maxNesting {
		switch t.Kind {
		case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
			return t
		case reflect.Struct:
			if len(t.Fields) != 1 || t.Fields[0].Type == nil {
				return nil
			}
			t = t.Fields[0].Type
		case reflect.Array:
			if t.Len != 1 || t.Elem == nil {
				return nil
			}
			t = t.Elem
		default:
			return nil
		}
	}
	return nil
}
