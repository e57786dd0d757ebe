package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Bounds of what one hit records. They keep a hit short and its record small.
const (
	maxString     = 256     // bytes of a string
	maxElems      = 8       // elements of an array or a slice
	maxBlock      = 512     // bytes of a struct, an array or a slice's elements
	maxValueSlots = 40      // slots of one value
	maxSlots      = 128     // slots of one hit
	maxRecord     = 8 << 10 // bytes of one hit's slots
)

const (
	whyTooLarge = "too large for a log"
	whyTooDeep  = "deeper than a log goes"
	whyType     = "its type is not in the debug information"
)

// recorder builds the slots of one site.
type recorder struct {
	b     Build
	slots []program.Slot
	bytes int64
	nodes int // what the condition and the slots evaluate
	limit int // slots that the value at hand may use
	later []func()
}

// capture records one operand and returns how it is built again.
func (r *recorder) capture(o *operand) program.Shape {
	if o.constant() {
		return program.Shape{Form: program.FormStatic, Type: o.typ, Static: constBytes(o.val, o.typ)}
	}
	r.limit = min(len(r.slots)+maxValueSlots, maxSlots)
	return r.shape(o.typ, r.once(o.place), nil, nil, 1)
}

// once is p without a search that every part of it would make again: a place in
// memory that was searched for is recorded first.
func (r *recorder) once(p place) place {
	m, ok := p.(memory)
	if !ok || !searches(m.base) {
		return p
	}
	slot, ok := r.address(m.base)
	if !ok {
		return unreadable{whyTooLarge}
	}
	return memory{&program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(slot)}}
}

// address records an address.
func (r *recorder) address(at *program.Node) (slot int, ok bool) {
	kind := program.SlotScalar
	if f := at.Found(); f != nil && f.Op == program.OpFind {
		kind = program.SlotPlace
	}
	return r.add(program.Slot{Kind: kind, Node: at, Size: 8})
}

// searches tells whether evaluating n searches a map.
func searches(n *program.Node) bool {
	return n != nil && (n.Op == program.OpFind || searches(n.X) || searches(n.Y) || searches(n.Z) || searches(n.W))
}

// add records one more slot; ok is false if there is no room for it.
func (r *recorder) add(s program.Slot) (index int, ok bool) {
	size := int64(8)
	switch s.Kind {
	case program.SlotBlock:
		size = s.Size
	case program.SlotBytes:
		size += s.Max
	case program.SlotPlace:
		size = program.PlaceSize
	}
	nodes := slotNodes(&s)
	if len(r.slots) >= r.limit || r.bytes+size+8 > maxRecord || r.nodes+nodes > maxNodes {
		return -1, false
	}
	r.bytes += size + 8
	r.nodes += nodes
	r.slots = append(r.slots, s)
	return len(r.slots) - 1, true
}

// block is a run of memory that one slot records, once a part of it is wanted.
type block struct {
	r     *recorder
	slot  int // -1: not recorded yet
	off   int64
	base  *program.Node
	size  int64
	guard *program.Node
	root  *block // of a part of a block: the whole
}

func (b *block) at(off int64) *block {
	if b == nil {
		return nil
	}
	root := b
	if b.root != nil {
		root = b.root
	}
	return &block{root: root, off: b.off + off}
}

// leaf places size bytes at the start of b in its slot; ok is false if they do
// not lie within it, or if it cannot be recorded.
func (b *block) leaf(size int64) (slot int, off int64, ok bool) {
	if b == nil {
		return -1, 0, false
	}
	root := b
	if b.root != nil {
		root = b.root
	}
	if b.off+size > root.size {
		return -1, 0, false
	}
	if root.slot < 0 {
		root.slot, ok = root.r.add(program.Slot{Kind: program.SlotBlock, Guard: root.guard, Node: root.base, Size: root.size})
		if !ok {
			return -1, 0, false
		}
	}
	return root.slot, b.off, true
}

func bad(t *program.Type, why string) program.Shape {
	return program.Shape{Form: program.FormUnreadable, Type: t, Slot: -1, Slot2: -1, Why: why}
}

// shape records the value of type t at p. blk, if there is one, is the memory
// around p that is recorded anyway; guard is the condition for p to exist; depth
// is how many pointers, slices and interfaces may be opened.
func (r *recorder) shape(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	if t == nil {
		return bad(nil, whyType)
	}
	if u, ok := p.(unreadable); ok {
		return bad(t, u.why)
	}
	switch t.Kind {
	case reflect.String:
		return r.text(t, p, 1, guard)
	case reflect.Struct:
		return r.structure(t, p, blk, guard, depth)
	case reflect.Array:
		return r.array(t, p, blk, guard, depth)
	case reflect.Slice:
		return r.slice(t, p, blk, guard, depth)
	case reflect.Interface:
		return r.iface(t, p, blk, guard, depth)
	case reflect.Pointer:
		return r.pointer(t, p, blk, guard, depth)
	case reflect.Map, reflect.Chan:
		return r.header(t, p, blk, guard)
	case reflect.Func:
		return r.function(t, p, blk, guard)
	case reflect.Complex64, reflect.Complex128:
		return r.complex(t, p, blk, guard)
	}
	return r.leaf(program.FormScalar, t, p, blk, guard)
}

// leaf records a value that is one scalar.
func (r *recorder) leaf(form program.Form, t *program.Type, p place, blk *block, guard *program.Node) program.Shape {
	s, ok := scalarOf(t.Kind)
	if !ok {
		return bad(t, "values of this type cannot be read yet")
	}
	if slot, off, ok := blk.leaf(s.Size()); ok {
		return program.Shape{Form: form, Type: t, Slot: slot, Off: off, Slot2: -1}
	}
	n, why := p.scalar(0, s)
	if why != "" {
		return bad(t, why)
	}
	slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: n, Size: s.Size()})
	if !ok {
		return bad(t, whyTooLarge)
	}
	return program.Shape{Form: form, Type: t, Slot: slot, Slot2: -1}
}

// text records the bytes of a string or of a byte slice.
func (r *recorder) text(t *program.Type, p place, elem int64, guard *program.Node) program.Shape {
	ptr, why := p.scalar(0, program.U64)
	if why != "" {
		return bad(t, why)
	}
	n, why := p.scalar(8, program.I64)
	if why != "" {
		return bad(t, why)
	}
	slot, ok := r.add(program.Slot{Kind: program.SlotBytes, Guard: guard, Node: ptr, Len: n, Elem: elem, Max: maxString})
	if !ok {
		return bad(t, whyTooLarge)
	}
	return program.Shape{Form: program.FormString, Type: t, Slot: slot, Slot2: -1}
}

// around is the block that parts of p are recorded in: the one that is there,
// or a new one of the value itself if it lies in memory.
func (r *recorder) around(size int64, p place, blk *block, guard *program.Node) *block {
	if blk != nil {
		return blk
	}
	if at := p.address(); at != nil && size > 0 {
		return &block{r: r, slot: -1, base: at, size: min(size, maxBlock), guard: guard}
	}
	return nil
}

func (r *recorder) structure(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	out := program.Shape{Form: program.FormStruct, Type: t, Slot: -1, Slot2: -1}
	blk = r.around(t.Size, p, blk, guard)
	for _, f := range t.Fields {
		if f.Name == "_" {
			continue
		}
		out.Names = append(out.Names, f.Name)
		out.Fields = append(out.Fields, r.shape(f.Type, within(p, f.Offset), blk.at(f.Offset), guard, depth-1))
	}
	if t.Name == "time.Time" {
		out.Elems = r.zoneLater(t, p, guard)
	}
	return out
}

func (r *recorder) array(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	out := program.Shape{Form: program.FormArray, Type: t, Slot: -1, Slot2: -1}
	if t.Elem == nil {
		return bad(t, whyType)
	}
	n := min(t.Len, maxElems)
	blk = r.around(n*t.Elem.Size, p, blk, guard)
	for i := range n {
		off := i * t.Elem.Size
		out.Elems = append(out.Elems, r.shape(t.Elem, within(p, off), blk.at(off), guard, depth-1))
	}
	return out
}

func (r *recorder) complex(t *program.Type, p place, blk *block, guard *program.Node) program.Shape {
	part := basic["float64"]
	if t.Kind == reflect.Complex64 {
		part = basic["float32"]
	}
	out := program.Shape{Form: program.FormComplex, Type: t, Slot: -1, Slot2: -1}
	for i := range int64(2) {
		out.Fields = append(out.Fields, r.leaf(program.FormScalar, part, within(p, i*part.Size), blk.at(i*part.Size), guard))
	}
	return out
}
