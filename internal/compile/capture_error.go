package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Bounds of an error in a log: how many are followed from one to that which it
// wraps, and slots in all.
const (
	maxWrapped    = 3
	maxErrorSlots = 60
)

// room is how many errors may be followed from the next one. The first two of a
// hit are read as far as can be; what comes later shares what they leave.
func (r *recorder) room() (levels int) {
	switch {
	case len(r.slots) < maxErrorSlots && r.nodes < maxNodes/2:
		return maxWrapped
	case len(r.slots) < maxSlots-maxErrorSlots/2 && r.nodes < maxNodes*3/4:
		return 1
	}
	return 0
}

// wrapping are types of errors whose message is made of the strings of a struct
// and of the error that it wraps; package value knows how.
var wrapping = []string{"*io/fs.PathError", "*os.LinkError", "*os.SyscallError", "*net/url.Error", "*strconv.NumError",
	"*net.OpError", "*net.DNSError", "*net.AddrError", "*net.ParseError", "*os/exec.Error",
	"*encoding/json.SyntaxError", "*net/http.ProtocolError"}

// held records what an interface holds: its data word, the first bytes that it
// points to and, where the dynamic type is a string or an error that is known,
// the texts in it and the error that it wraps. The fields of the shape say where.
func (r *recorder) held(typ, data, guard *program.Node, levels int) (parts []program.Shape) {
	add := func(s program.Slot) (*program.Node, bool) {
		slot, ok := r.add(s)
		if ok {
			parts = append(parts, program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1})
		}
		return &program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(slot)}, ok
	}
	word, ok := add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: data, Size: 8})
	if !ok {
		return parts
	}
	at := nonNil(word)
	if _, ok := add(program.Slot{Kind: program.SlotBlock, Guard: guard, Node: at, Size: 16}); !ok {
		return parts
	}
	slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: r.partsOf(typ), Size: 8})
	if !ok {
		return parts
	}
	where := &program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(slot)}
	for k := range int64(errorTexts) {
		off, there := partOf(where, k)
		if _, ok := add(program.Slot{Kind: program.SlotBytes, Guard: there, Node: load(program.U64, op2(program.OpAdd, program.U64, at, off), 0),
			Len: load(program.I64, op2(program.OpAdd, program.U64, at, off), 8), Elem: 1, Max: maxString}); !ok {
			return parts
		}
	}
	if levels == 0 {
		return parts
	}
	off, there := partOf(where, errorTexts)
	parts = append(parts, r.wrapped(memory{op2(program.OpAdd, program.U64, at, off)}, there, levels-1))
	if levels >= maxWrapped-1 {
		parts = append(parts, r.addresses(typ, at)...)
	}
	return parts
}

// addresses records the two ends of the connection that a *net.OpError at an
// address speaks of: of each its type, and the IP and port, or the name.
func (r *recorder) addresses(typ, at *program.Node) (parts []program.Shape) {
	t := r.b.TypeByName("*net.OpError")
	if t == nil || t.RType == 0 || t.Elem == nil {
		return nil
	}
	is := op2(program.OpEq, program.Bool, typ, &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(r.b.TypesBase() + t.RType)})
	for _, name := range []string{"Source", "Addr"} {
		f := field(t.Elem, name)
		if f == nil {
			return nil
		}
		out := program.Shape{Form: program.FormInterface, Slot: -1, Slot2: -1}
		data := load(program.U64, at, f.Offset+8)
		w := load(program.U64, at, f.Offset)
		for _, s := range []program.Slot{
			{Kind: program.SlotScalar, Guard: is, Node: w, Size: 8},
			{Kind: program.SlotScalar, Guard: is, Node: load(program.U64, nonNil(w), itabTypeOff), Size: 8},
			{Kind: program.SlotBlock, Guard: is, Node: nonNil(data), Size: addrSize},
			{Kind: program.SlotBytes, Guard: is, Node: load(program.U64, nonNil(data), 0), Len: load(program.I64, nonNil(data), 8), Elem: 1, Max: maxAddr},
		} {
			slot, ok := r.add(s)
			if !ok {
				return parts
			}
			out.Fields = append(out.Fields, program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1})
		}
		parts = append(parts, out)
	}
	return parts
}

const (
	addrSize = 48  // of a net.TCPAddr
	maxAddr  = 128 // bytes of an IP, or of a socket's name
)

// wrapped records an interface of type error within an error.
func (r *recorder) wrapped(p place, guard *program.Node, levels int) program.Shape {
	out := program.Shape{Form: program.FormInterface, Slot: -1, Slot2: -1}
	w, _ := p.scalar(0, program.U64)
	data, _ := p.scalar(8, program.U64)
	var nodes []*program.Node
	for _, n := range []*program.Node{w, nil} {
		if n == nil {
			n = load(program.U64, nonNil(nodes[0]), itabTypeOff)
		}
		slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Guard: guard, Node: n, Size: 8})
		if !ok {
			return bad(nil, whyTooLarge)
		}
		out.Fields = append(out.Fields, program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1})
		nodes = append(nodes, &program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(slot)})
	}
	out.Fields = append(out.Fields, r.held(nodes[1], data, guard, levels)...)
	return out
}

// errorTexts is how many strings of an error are recorded.
const errorTexts = 3

// Where the parts of an error lie is one number: for each string, and last for
// the error that it wraps, 1 + its offset in 16 bits, or 0.
const partBits = 16

// partOf is the offset of part k, and the condition for it to be there.
func partOf(where *program.Node, k int64) (off, there *program.Node) {
	part := op2(program.OpAnd, program.U64, op2(program.OpShr, program.U64, where, imm(program.U64, k*partBits)), imm(program.U64, 1<<partBits-1))
	return op2(program.OpSub, program.U64, part, imm(program.U64, 1)), op2(program.OpNe, program.Bool, part, imm(program.U64, 0))
}

// partsOf is where the parts of the value lie that has the runtime type typ: 0
// for what is neither a string nor an error that is known.
func (r *recorder) partsOf(typ *program.Node) *program.Node {
	sum := convert(op2(program.OpEq, program.Bool, dynamicKind(typ), imm(program.U64, int64(reflect.String))), program.Bool, program.U64)
	known := func(name string, parts int64) {
		t := r.b.TypeByName(name)
		if t == nil || t.RType == 0 {
			return
		}
		if parts == 0 {
			parts = errorParts(t)
		}
		at := &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(r.b.TypesBase() + t.RType)}
		is := convert(op2(program.OpEq, program.Bool, typ, at), program.Bool, program.U64)
		sum = op2(program.OpAdd, program.U64, sum, op2(program.OpMul, program.U64, is, imm(program.U64, parts)))
	}
	for _, name := range beginWithText {
		known(name, 1)
	}
	for _, name := range wrapping {
		known(name, 0)
	}
	return sum
}

// errorParts says where the first strings of an error lie, and what it wraps.
func errorParts(t *program.Type) (parts int64) {
	if t.Kind != reflect.Pointer || t.Elem == nil {
		return 0
	}
	texts := 0
	for _, f := range t.Elem.Fields {
		switch {
		case f.Type == nil || f.Offset >= 1<<partBits-1:
		case f.Type.Kind == reflect.String && texts < errorTexts:
			parts |= (f.Offset + 1) << (texts * partBits)
			texts++
		case f.Type.Kind == reflect.Interface && f.Type.Name == "error" && parts>>(errorTexts*partBits) == 0 && f.Offset < 1<<(partBits-1)-1:
			parts |= (f.Offset + 1) << (errorTexts * partBits)
		}
	}
	return parts
}
