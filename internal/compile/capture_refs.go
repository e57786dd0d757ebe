package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// slice records a slice's length and first elements; a byte slice is recorded
// as a string is. One that is not to be opened has its length only.
func (r *recorder) slice(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	if t.Elem == nil {
		return bad(t, whyType)
	}
	if depth > 0 && t.Elem.Kind == reflect.Uint8 && t.Elem.Size == 1 {
		return r.text(t, p, 1, guard)
	}
	size := t.Elem.Size
	if depth <= 0 || size == 0 || size > maxBlock {
		out := r.leaf(program.FormSlice, typeInt, within(p, 8), blk.at(8), guard)
		out.Type, out.Slot, out.Slot2 = t, -1, out.Slot
		return out
	}
	ptr, why := p.scalar(0, program.U64)
	if why != "" {
		return bad(t, why)
	}
	n, why := p.scalar(8, program.I64)
	if why != "" {
		return bad(t, why)
	}
	ptr = r.pinned(ptr, guard)
	first := min(maxElems, maxBlock/size)
	slot, ok := r.add(program.Slot{Kind: program.SlotBytes, Guard: guard, Node: ptr, Len: n, Elem: size, Max: first * size})
	if !ok {
		return bad(t, whyTooLarge)
	}
	out := program.Shape{Form: program.FormSlice, Type: t, Slot: slot, Slot2: -1}
	// The elements lie in the slot just added; what they point to has slots of
	// its own, which exist only if the element does.
	blk = &block{r: r, slot: slot, size: first * size}
	for i := range first {
		exists := op2(program.OpLt, program.Bool, imm(program.I64, i), n)
		if guard != nil {
			exists = op2(program.OpAndAnd, program.Bool, guard, exists)
		}
		at := memory{plus(ptr, i*size)}
		out.Elems = append(out.Elems, r.shape(t.Elem, at, blk.at(i*size), exists, depth-1))
	}
	return out
}

// pointer records an address and, of a struct, what lies there.
func (r *recorder) pointer(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	out := r.leaf(program.FormPointer, t, p, blk, guard)
	if depth <= 0 || out.Form != program.FormPointer || t.Elem == nil || t.Elem.Kind != reflect.Struct || t.Elem.Size == 0 {
		return out
	}
	at, why := p.scalar(0, program.U64)
	if why != "" {
		return out
	}
	if blk == nil {
		at = slotNode(out.Slot) // as it was just recorded: see pinned
	} else {
		at = r.pinned(at, guard)
	}
	out.Elems = []program.Shape{r.structure(t.Elem, memory{nonNil(at)}, nil, guard, depth)}
	return out
}

// pinned is a pointer that is read once, for what is read in several parts: another
// goroutine may set it meanwhile, and the parts would be of two things.
func (r *recorder) pinned(ptr, guard *program.Node) *program.Node {
	if slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: ptr, Size: 8}); ok {
		return slotNode(slot)
	}
	return ptr
}

// header records the address of a map or a channel, and its length.
func (r *recorder) header(t *program.Type, p place, blk *block, guard *program.Node) program.Shape {
	form := program.FormMap
	if t.Kind == reflect.Chan {
		form = program.FormChan
	}
	return r.behind(form, program.I64, t, p, blk, guard)
}

// function records the address of a closure, and that of its code.
func (r *recorder) function(t *program.Type, p place, blk *block, guard *program.Node) program.Shape {
	return r.behind(program.FormFunc, program.U64, t, p, blk, guard)
}

// behind records a pointer and the first word that it points to.
func (r *recorder) behind(form program.Form, s program.Scalar, t *program.Type, p place, blk *block, guard *program.Node) program.Shape {
	out := r.leaf(form, t, p, blk, guard)
	if out.Form != form {
		return out
	}
	if ptr, why := p.scalar(0, program.U64); why == "" {
		if slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: load(s, nonNil(ptr), 0), Size: 8}); ok {
			out.Slot2 = slot
		}
	}
	return out
}

// beginWithText are dynamic types, by name, that point to a struct whose first
// field is the text of the error: errors.New, and fmt.Errorf with %w (src/errors
// and src/fmt, Go 1.22 to 1.26).
var beginWithText = []string{"*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors"}

// iface records an interface: its dynamic type, its data word, and of what that
// points to the first 16 bytes and the string there. Which of them is the value
// depends on the type, which only decode knows.
func (r *recorder) iface(t *program.Type, p place, blk *block, guard *program.Node, depth int) program.Shape {
	word := r.leaf(program.FormScalar, typeUint64, p, blk, guard)
	w, why := p.scalar(0, program.U64)
	if why != "" || word.Form != program.FormScalar {
		return bad(t, max(why, word.Why))
	}
	out := program.Shape{Form: program.FormInterface, Type: t, Slot: -1, Slot2: -1}
	typ := dynamicType(t, w)
	out.Fields = []program.Shape{word, word}
	if t.Iface {
		slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: typ, Size: 8})
		if !ok {
			return bad(t, whyTooLarge)
		}
		out.Fields[1] = program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1}
	}
	if depth < 0 || r.limit-len(r.slots) < maxValueSlots/2 {
		return out // the type alone, where the value would crowd out its neighbours
	}
	data, why := p.scalar(8, program.U64)
	if why != "" {
		return out
	}
	for _, s := range []program.Slot{
		{Kind: program.SlotScalar, Guard: guard, Node: data, Size: 8},
		{Kind: program.SlotBlock, Guard: guard, Node: nonNil(data), Size: 16},
		{Kind: program.SlotBytes, Guard: r.holdsText(typ, guard), Node: load(program.U64, nonNil(data), 0),
			Len: load(program.I64, nonNil(data), 8), Elem: 1, Max: maxString},
	} {
		slot, ok := r.add(s)
		if !ok {
			break
		}
		out.Fields = append(out.Fields, program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1})
	}
	if depth > 0 && t.Iface && len(out.Fields) == program.IfaceText+1 {
		out.Fields = r.errorLater(out.Fields)
	}
	return out
}

// holdsText is the condition for a dynamic type to be a string, or a pointer to
// what begins with one.
func (r *recorder) holdsText(typ, guard *program.Node) *program.Node {
	cond := op2(program.OpEq, program.Bool, dynamicKind(typ), imm(program.U64, int64(reflect.String)))
	for _, name := range beginWithText {
		t := r.b.TypeByName(name)
		if t == nil || t.RType == 0 {
			continue
		}
		at := &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(r.b.TypesBase() + t.RType)}
		cond = op2(program.OpOrOr, program.Bool, cond, op2(program.OpEq, program.Bool, typ, at))
	}
	if guard != nil {
		cond = op2(program.OpAndAnd, program.Bool, guard, cond)
	}
	return cond
}
