package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// maxWrapped is how many errors are followed from one to that which it wraps.
const maxWrapped = 3

// errorLater leaves room in an interface's parts for those of an error, which are
// recorded with what the other values of the hit leave.
func (r *recorder) errorLater(parts []program.Shape) []program.Shape {
	if parts[program.IfaceType].Slot < 0 || parts[program.IfaceData].Slot < 0 {
		return parts
	}
	parts = withRoom(parts)
	r.later = append(r.later, func() {
		r.known(parts, slotNode(parts[program.IfaceType].Slot), nonNil(slotNode(parts[program.IfaceData].Slot)), maxWrapped, false)
	})
	return parts
}

// finish records what was put off until the rest had its room.
func (r *recorder) finish() {
	for _, f := range r.later {
		r.limit = maxSlots
		f()
	}
	r.later = nil
}

func slotNode(slot int) *program.Node {
	return &program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(slot)}
}

// withRoom is parts, with those that are not recorded yet.
func withRoom(parts []program.Shape) []program.Shape {
	for len(parts) <= program.IfaceAddr {
		parts = append(parts, bad(nil, whyTooLarge))
	}
	return parts
}

// put records a slot as one of an interface's parts.
func (r *recorder) put(parts []program.Shape, part int, s program.Slot) bool {
	slot, ok := r.add(s)
	if ok {
		parts[part] = program.Shape{Form: program.FormScalar, Type: typeUint64, Slot: slot, Slot2: -1}
	}
	return ok
}

// wrapping are types of errors whose message is made of the strings of a struct
// and of the error that it wraps; package value knows how.
var wrapping = []string{"*io/fs.PathError", "*os.LinkError", "*os.SyscallError", "*net/url.Error", "*strconv.NumError",
	"*net.OpError", "*net.DNSError", "*net.AddrError", "*net.ParseError", "*os/exec.Error",
	"*encoding/json.SyntaxError", "*net/http.ProtocolError"}

// known records the texts in a value of runtime type typ at an address, where the
// type is an error that is known (all: or any string), and what it wraps.
func (r *recorder) known(parts []program.Shape, typ, at *program.Node, levels int, all bool) {
	slot, ok := r.add(program.Slot{Kind: program.SlotScalar, Node: r.partsOf(typ, all), Size: 8})
	if !ok {
		return
	}
	where := slotNode(slot)
	for k := range errorTexts {
		off, there := partOf(where, k)
		if !r.put(parts, program.IfaceTexts+k, program.Slot{Kind: program.SlotBytes, Guard: there, Elem: 1, Max: maxString,
			Node: load(program.U64, op2(program.OpAdd, program.U64, at, off), 0),
			Len:  load(program.I64, op2(program.OpAdd, program.U64, at, off), 8)}) {
			return
		}
	}
	if levels == 0 {
		return
	}
	off, there := partOf(where, errorTexts)
	parts[program.IfaceWrapped] = r.wrapped(memory{op2(program.OpAdd, program.U64, at, off)}, there, levels-1)
	if levels >= maxWrapped-1 {
		r.addresses(parts, typ, at)
	}
}

// wrapped records an interface of type error within an error.
func (r *recorder) wrapped(p place, guard *program.Node, levels int) program.Shape {
	out := program.Shape{Form: program.FormInterface, Slot: -1, Slot2: -1, Fields: withRoom(nil)}
	w, _ := p.scalar(0, program.U64)
	data, _ := p.scalar(8, program.U64)
	if !r.put(out.Fields, program.IfaceWord, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: w, Size: 8}) {
		return bad(nil, whyTooLarge)
	}
	typ := load(program.U64, nonNil(slotNode(out.Fields[program.IfaceWord].Slot)), itabTypeOff)
	if !r.put(out.Fields, program.IfaceType, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: typ, Size: 8}) ||
		!r.put(out.Fields, program.IfaceData, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: data, Size: 8}) {
		return bad(nil, whyTooLarge)
	}
	at := nonNil(slotNode(out.Fields[program.IfaceData].Slot))
	if r.put(out.Fields, program.IfaceBlock, program.Slot{Kind: program.SlotBlock, Guard: guard, Node: at, Size: 16}) {
		r.known(out.Fields, slotNode(out.Fields[program.IfaceType].Slot), at, levels, true)
	}
	return out
}

// addresses records the two ends of the connection that a *net.OpError at an
// address speaks of: of each its type, and the IP and port, or the name.
func (r *recorder) addresses(parts []program.Shape, typ, at *program.Node) {
	t := r.b.TypeByName("*net.OpError")
	if t == nil || t.RType == 0 || t.Elem == nil {
		return
	}
	is := op2(program.OpEq, program.Bool, typ, &program.Node{Op: program.OpAddr, Type: program.U64, Imm: int64(r.b.TypesBase() + t.RType)})
	for part := program.IfaceSource; part <= program.IfaceAddr; part++ {
		f := field(t.Elem, []string{"Source", "Addr"}[part-program.IfaceSource])
		if f == nil {
			return
		}
		fields := withRoom(nil)
		data := nonNil(load(program.U64, at, f.Offset+8))
		w := load(program.U64, at, f.Offset)
		if r.put(fields, program.IfaceWord, program.Slot{Kind: program.SlotScalar, Guard: is, Node: w, Size: 8}) &&
			r.put(fields, program.IfaceType, program.Slot{Kind: program.SlotScalar, Guard: is, Node: load(program.U64, nonNil(w), itabTypeOff), Size: 8}) &&
			r.put(fields, program.IfaceBlock, program.Slot{Kind: program.SlotBlock, Guard: is, Node: data, Size: addrSize}) &&
			r.put(fields, program.IfaceText, program.Slot{Kind: program.SlotBytes, Guard: is, Elem: 1, Max: maxAddr,
				Node: load(program.U64, data, 0), Len: load(program.I64, data, 8)}) {
			parts[part] = program.Shape{Form: program.FormInterface, Slot: -1, Slot2: -1, Fields: fields}
		}
	}
}

const (
	addrSize = 48  // of a net.TCPAddr
	maxAddr  = 128 // bytes of an IP, or of a socket's name
)

// errorTexts is how many strings of an error are recorded.
const errorTexts = program.IfaceWrapped - program.IfaceTexts

// Where the parts of an error lie is one number: for each string, and last for
// the error that it wraps, 1 + its offset in 16 bits, or 0.
const partBits = 16

// partOf is the offset of part k, and the condition for it to be there.
func partOf(where *program.Node, k int) (off, there *program.Node) {
	part := op2(program.OpAnd, program.U64, op2(program.OpShr, program.U64, where, imm(program.U64, int64(k)*partBits)), imm(program.U64, 1<<partBits-1))
	return op2(program.OpSub, program.U64, part, imm(program.U64, 1)), op2(program.OpNe, program.Bool, part, imm(program.U64, 0))
}

// partsOf is where the parts of the value lie that has the runtime type typ: 0
// for what is no error that is known (all: and no string).
func (r *recorder) partsOf(typ *program.Node, all bool) *program.Node {
	sum := imm(program.U64, 0)
	if all {
		sum = convert(op2(program.OpEq, program.Bool, dynamicKind(typ), imm(program.U64, int64(reflect.String))), program.Bool, program.U64)
	}
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
	if all {
		for _, name := range beginWithText {
			known(name, 1)
		}
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
