package compile

import (
	"go/constant"
	"reflect"
	"strconv"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// maxZero is the largest value that stands for that of a key which a map does
// not have; larger ones are reported as missing instead.
const maxZero = 256

// lookup is M[K] of a map. As in Go, a key that is not there gives the zero
// value; a message that shows the value itself says that there is no such key.
func (c *checker) lookup(n *expr.Index, o *operand) (*operand, error) {
	find, err := c.find(n.X, n.I, o)
	if err != nil {
		return nil, err
	}
	elem := o.typ.Elem
	if elem.Size == 0 {
		return nil, c.fail(n, "write contains("+c.text(n.X)+", "+c.text(n.I)+")", "the values of %s are empty: a key is there or not", c.text(n.X))
	}
	if find.why != "" {
		return &operand{node: n, typ: elem, place: unreadable{find.why}}, nil
	}
	if c.x.Root == n && c.message || elem.Size > maxZero {
		find.Imm = int64(program.StatusKey)
	} else {
		find.W = &program.Node{Op: program.OpData, Type: program.U64, Data: make([]byte, max(elem.Size, 8))}
	}
	return &operand{node: n, typ: elem, place: memory{find.Node}}, nil
}

// hasKey is contains(M, K) of a map.
func (c *checker) hasKey(n *expr.Call, o *operand) (*operand, error) {
	find, err := c.find(n.Args[0], n.Args[1], o)
	if err != nil {
		return nil, err
	}
	if find.why != "" {
		return condition(n, nil, find.why), nil
	}
	return condition(n, op2(program.OpNe, program.Bool, find.Node, imm(program.U64, 0)), ""), nil
}

// finding is the search for a key, or why it cannot be made.
type finding struct {
	*program.Node
	why string
}

// find looks for key k in the map o, which was written as m.
func (c *checker) find(m, k expr.Node, o *operand) (finding, error) {
	none := finding{}
	if o.typ.Elem == nil || o.typ.Key == nil {
		return none, c.fail(m, "", "the debug information does not say what %s holds", short(o.typ))
	}
	layout, why := mapLayout(o.typ)
	if why != "" {
		return none, c.fail(m, "len("+c.text(m)+") tells how many entries it has", "%s (type %s) cannot be searched: %s", c.text(m), o.describe(), why)
	}
	layout.Hash = mapHash(c.s.b, o.typ, layout)
	key, err := c.key(k, o.typ.Key, "the map's keys are")
	if err != nil {
		return none, err
	}
	at, why := o.place.scalar(0, program.U64)
	if why != "" {
		return finding{why: why}, nil
	}
	if key.constant() && key.val.Kind() == constant.String {
		c.reads.Names = append(c.reads.Names, constant.StringVal(key.val))
	}
	return search(at, layout, key), nil
}

// search looks for a key from an address on.
func search(at *program.Node, layout *program.Map, key *operand) (out finding) {
	out.Node = &program.Node{Op: program.OpFind, Type: program.U64, X: at, Map: layout}
	switch layout.Key {
	case program.KeyScalar:
		out.Y, out.why = key.scalar()
	case program.KeyString:
		out.Y, out.Z, out.why = key.str()
	default:
		if out.Y = key.place.address(); out.Y == nil {
			out.why = "a key of this type must be in memory"
		}
	}
	return out
}

// hasElement is contains(L, X) of an array or slice.
func (c *checker) hasElement(n *expr.Call, o *operand) (*operand, error) {
	list, elem := n.Args[0], o.typ.Elem
	layout := &program.Map{List: true}
	if elem == nil || elem.Size <= 0 || keyKind(elem, layout) != "" {
		return nil, c.fail(n, "name the element: "+c.text(list)+"[0] == x", "contains cannot compare the elements of %s (type %s)", c.text(list), o.describe())
	}
	layout.KeyStep = elem.Size
	x, err := c.key(n.Args[1], elem, "the elements are")
	if err != nil {
		return nil, err
	}
	at, length, why := elements(o)
	if why != "" {
		return condition(n, nil, why), nil
	}
	find := search(at, layout, x)
	if find.why != "" {
		return condition(n, nil, find.why), nil
	}
	find.W = length
	return condition(n, op2(program.OpNe, program.Bool, find.Node, imm(program.U64, 0)), ""), nil
}

// elements is where those of an array or slice begin, and how many there are.
func elements(o *operand) (at, length *program.Node, why string) {
	if o.kind() == reflect.Array {
		if at = o.place.address(); at == nil {
			return nil, nil, "an array must be in memory to be searched"
		}
		return at, imm(program.I64, o.typ.Len), ""
	}
	if at, why = o.place.scalar(0, program.U64); why != "" {
		return nil, nil, why
	}
	length, why = o.place.scalar(8, program.I64)
	return at, length, why
}

// key is k as a value of the type t of what it is compared with.
func (c *checker) key(k expr.Node, t *program.Type, with string) (*operand, error) {
	key, err := c.eval(k)
	if err != nil {
		return nil, err
	}
	switch {
	case key.isNil && t.Kind == reflect.Pointer:
		return result(k, t, imm(program.U64, 0), ""), nil
	case key.isNil:
		return nil, c.fail(k, "", "nil is none of them: %s %s", with, short(t))
	case key.typ == nil && key.constant() && sameClass(key.val, t):
		return c.assign(key, t)
	case key.typ == nil || !identical(key.typ, t):
		hint := ""
		if isNumber(key.kind()) && isNumber(t.Kind) {
			hint = "convert it: " + short(t) + "(" + c.text(k) + ")"
		}
		return nil, c.fail(k, hint, "%s %s, and %s is %s", with, short(t), c.text(k), key.describe())
	}
	return key, nil
}

// mapLayout reads where a map keeps what is searched, from the runtime's struct
// behind it as the debug information has it.
func mapLayout(t *program.Type) (m *program.Map, why string) {
	m = &program.Map{}
	if why := keyKind(t.Key, m); why != "" {
		return nil, why
	}
	if t.Inner == nil {
		return nil, whyInside
	}
	ok := false
	if _, swiss := fieldOf(t.Inner, "dirPtr"); swiss {
		ok = swissLayout(t, m)
	} else {
		ok = classicLayout(t, m)
	}
	if !ok {
		return nil, whyInside
	}
	return m, ""
}

const whyInside = "the debug information does not describe its inside"

// keyKind says how keys are compared. Floats and interfaces are equal in ways of
// their own.
func keyKind(t *program.Type, m *program.Map) (why string) {
	const maxKey = 128 // larger ones lie elsewhere (MapMaxKeyBytes)
	switch t.Kind {
	case reflect.String:
		m.Key = program.KeyString
		return ""
	case reflect.Struct, reflect.Array:
		if m.Key, m.KeySize = program.KeyMemory, t.Size; plainMemory(t) && t.Size > 0 && t.Size <= maxKey {
			return ""
		}
		return "keys of type " + short(t) + " are not compared byte by byte"
	case reflect.Float32, reflect.Float64:
		return "keys that are fractions cannot be looked up"
	}
	s, ok := scalarOf(t.Kind)
	if m.KeyType, m.KeySize = s, t.Size; !ok {
		return "keys of type " + short(t) + " cannot be looked up"
	}
	return ""
}

// plainMemory tells whether values of a type are equal exactly if their bytes
// are: no strings, fractions, interfaces or padding in it.
func plainMemory(t *program.Type) bool {
	if t == nil {
		return false
	}
	switch t.Kind {
	case reflect.Array:
		return plainMemory(t.Elem)
	case reflect.Struct:
		end := int64(0)
		for _, f := range t.Fields {
			if f.Offset != end || f.Name == "_" || !plainMemory(f.Type) {
				return false
			}
			end += f.Type.Size
		}
		return end == t.Size
	}
	s, ok := scalarOf(t.Kind)
	return ok && !s.Float()
}

func fieldOf(t *program.Type, name string) (program.Field, bool) {
	if t != nil {
		for _, f := range t.Fields {
			if f.Name == name && f.Type != nil {
				return f, true
			}
		}
	}
	return program.Field{}, false
}

// offsets reads the places of fields; ok is false if one is missing.
func offsets(t *program.Type, fields map[string]*int64) (ok bool) {
	ok = true
	for name, to := range fields {
		f, have := fieldOf(t, name)
		*to = f.Offset
		ok = ok && have
	}
	return ok
}

// target is what a pointer type points to; nil if it is none.
func target(t *program.Type) *program.Type {
	if t == nil || t.Kind != reflect.Pointer {
		return nil
	}
	return t.Elem
}

// swissLayout is that of Go 1.24 and later (internal/runtime/maps).
func swissLayout(t *program.Type, m *program.Map) bool {
	in := t.Inner
	if !offsets(in, map[string]*int64{"used": &m.Count, "writing": &m.Busy, "dirPtr": &m.Dir, "dirLen": &m.DirLen}) {
		return false
	}
	m.BusyMask = 0xff
	dir, _ := fieldOf(in, "dirPtr")
	table := target(target(dir.Type))
	var groups int64
	if !offsets(table, map[string]*int64{"index": &m.Index, "groups": &groups}) {
		return false
	}
	ref, _ := fieldOf(table, "groups")
	if !offsets(ref.Type, map[string]*int64{"data": &m.Groups, "lengthMask": &m.Mask}) {
		return false
	}
	m.Groups += groups
	m.Mask += groups
	data, _ := fieldOf(ref.Type, "data")
	group := target(data.Type)
	control, ok1 := fieldOf(group, "ctrl")
	slots, ok2 := fieldOf(group, "slots")
	if !ok1 || !ok2 || control.Offset != 0 || slots.Type.Kind != reflect.Array || slots.Type.Len != program.GroupLen || slots.Type.Elem == nil {
		return false
	}
	slot := slots.Type.Elem
	key, ok1 := fieldOf(slot, "key")
	elem, ok2 := fieldOf(slot, "elem")
	m.GroupSize, m.KeyStep, m.ElemStep = group.Size, slot.Size, slot.Size
	m.Keys, m.Elems = slots.Offset+key.Offset, slots.Offset+elem.Offset
	return ok1 && ok2 && holds(m, t, key.Type, elem.Type)
}

// classicLayout is that of Go 1.23 and earlier (runtime/map.go).
func classicLayout(t *program.Type, m *program.Map) bool {
	in := t.Inner
	if !offsets(in, map[string]*int64{"count": &m.Count, "flags": &m.Busy, "B": &m.B, "buckets": &m.Buckets, "oldbuckets": &m.Old, "nevacuate": &m.Moved}) {
		return false
	}
	m.Classic, m.BusyMask = true, program.ClassicWriting
	buckets, _ := fieldOf(in, "buckets")
	bucket := target(buckets.Type)
	var control int64
	if !offsets(bucket, map[string]*int64{"tophash": &control, "keys": &m.Keys, "values": &m.Elems, "overflow": &m.Overflow}) || control != 0 {
		return false
	}
	keys, _ := fieldOf(bucket, "keys")
	elems, _ := fieldOf(bucket, "values")
	for _, a := range []*program.Type{keys.Type, elems.Type} {
		if a.Kind != reflect.Array || a.Len != program.GroupLen || a.Elem == nil {
			return false
		}
	}
	m.GroupSize, m.KeyStep, m.ElemStep = bucket.Size, keys.Type.Elem.Size, elems.Type.Elem.Size
	return holds(m, t, keys.Type.Elem, elems.Type.Elem)
}

// holds tells whether a group holds a map's keys and values as expected: keys
// themselves, and values or, of large ones, pointers to them.
func holds(m *program.Map, t, key, elem *program.Type) bool {
	if key.Size != t.Key.Size {
		return false
	}
	if elem.Size != t.Elem.Size {
		m.ElemPtr = true
		return elem.Kind == reflect.Pointer && elem.Elem != nil && elem.Elem.Size == t.Elem.Size
	}
	return true
}

// mapHash says how keys of a map of type t are hashed; nil if that is not known.
func mapHash(b Build, t *program.Type, m *program.Map) *program.Hash {
	known, err := b.Hashing()
	base := b.TypesBase()
	if err != nil || base == 0 || t.RType == 0 {
		return nil
	}
	h := &program.Hash{Uses: known.Uses, Schedule: known.Schedule, Hasher: base + t.RType + uint64(known.Hasher)}
	seed := "seed"
	if m.Classic {
		seed = "hash0"
	}
	in, ok := fieldOf(t.Inner, seed)
	if !ok || in.Type.Size != 4 && in.Type.Size != 8 {
		return nil
	}
	h.Seed, h.SeedSize = in.Offset, in.Type.Size
	if !m.Classic && !offsets(t.Inner, map[string]*int64{"globalShift": &h.Shift}) {
		return nil
	}
	h.Func, ok = known.Funcs[hashFunc(m, h)]
	if !ok {
		return nil
	}
	return h
}

// hashFunc is the function by which the compiler hashes keys like those of a map
// (cmd/compile/internal/reflectdata/alg.go: genhash).
func hashFunc(m *program.Map, h *program.Hash) string {
	if m.Key == program.KeyString {
		return "strhash"
	}
	switch m.KeySize {
	case 4, 8:
		h.Word = true
		fallthrough
	case 1, 2, 16:
		return "memhash" + strconv.FormatInt(8*m.KeySize, 10)
	}
	h.Varlen = true
	return "memhash_varlen"
}
