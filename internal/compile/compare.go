package compile

import (
	"go/constant"
	"go/token"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

var compareOps = map[token.Token]program.Op{
	token.EQL: program.OpEq, token.NEQ: program.OpNe, token.LSS: program.OpLt,
	token.LEQ: program.OpLe, token.GTR: program.OpGt, token.GEQ: program.OpGe,
}

// compare is == != < <= > >=.
func (c *checker) compare(n *expr.Binary, x, y *operand) (*operand, error) {
	if x.isNil != y.isNil {
		if x.isNil {
			x = y
		}
		return c.compareNil(n, x)
	}
	x, y, err := c.match(n, x, y)
	if err != nil {
		return nil, err
	}
	equality := n.Op == token.EQL || n.Op == token.NEQ
	k := x.defaultType().Kind
	if hint, ok := canCompare(k, equality); !ok {
		return nil, c.x.ErrorAt(n.OpPos, n.OpPos+len(n.Op.String()), hint, "operator %s does not compare values of type %s", n.Op, x.describe())
	}
	switch {
	case x.constant() && y.constant():
		return &operand{node: n, val: constant.MakeBool(constant.Compare(x.val, n.Op, y.val))}, nil
	case k == reflect.String:
		return c.compareStrings(n, x, y), nil
	case k == reflect.Interface:
		return c.compareInterfaces(n, x, y), nil
	}
	a, why := x.scalar()
	if why != "" {
		return condition(n, nil, why), nil
	}
	b, why := y.scalar()
	if why != "" {
		return condition(n, nil, why), nil
	}
	return condition(n, op2(compareOps[n.Op], program.Bool, a, b), ""), nil
}

// condition is the result of a comparison: a boolean of any type.
func condition(n expr.Node, v *program.Node, why string) *operand {
	r := result(n, typeBool, v, why)
	r.untyped = true
	return r
}

func canCompare(k reflect.Kind, equality bool) (hint string, ok bool) {
	switch k {
	case reflect.String:
		return "", true
	case reflect.Bool, reflect.Pointer, reflect.UnsafePointer, reflect.Chan, reflect.Interface:
		return "it can be compared with == and !=", equality
	case reflect.Struct:
		return "compare field by field", false
	case reflect.Array:
		return "compare its elements", false
	case reflect.Slice, reflect.Map, reflect.Func:
		return "it can be compared with nil only", false
	}
	return "", isNumber(k)
}

// compareNil is x == nil or x != nil.
func (c *checker) compareNil(n *expr.Binary, x *operand) (*operand, error) {
	switch k := x.kind(); {
	case n.Op != token.EQL && n.Op != token.NEQ:
		return nil, c.fail(n, "nil can be compared with == and !=", "operator %s does not apply to nil", n.Op)
	case k == reflect.Pointer, k == reflect.UnsafePointer, k == reflect.Slice, k == reflect.Map, k == reflect.Chan, k == reflect.Func, k == reflect.Interface:
	default:
		hint := ""
		switch {
		case k == reflect.String:
			hint = `an empty string is ""`
		case isNumber(k):
			hint = "a number's zero is 0"
		}
		return nil, c.fail(n, hint, "%s (%s) cannot be nil", c.text(x.node), x.describe())
	}
	// The first word of each of these is 0 exactly if it is nil.
	word, why := x.place.scalar(0, program.U64)
	if why != "" {
		return condition(n, nil, why), nil
	}
	return condition(n, op2(compareOps[n.Op], program.Bool, word, imm(program.U64, 0)), ""), nil
}

func (c *checker) compareStrings(n *expr.Binary, x, y *operand) *operand {
	p1, n1, why := x.str()
	if why != "" {
		return condition(n, nil, why)
	}
	p2, n2, why := y.str()
	if why != "" {
		return condition(n, nil, why)
	}
	op, negate := program.OpStrEq, false
	switch n.Op {
	case token.NEQ:
		negate = true
	case token.LSS:
		op = program.OpStrLt
	case token.GEQ: // not less
		op, negate = program.OpStrLt, true
	case token.GTR: // the other is less
		op = program.OpStrLt
		p1, n1, p2, n2 = p2, n2, p1, n1
	case token.LEQ:
		op, negate = program.OpStrLt, true
		p1, n1, p2, n2 = p2, n2, p1, n1
	}
	v := &program.Node{Op: op, Type: program.Bool, X: p1, Y: n1, Z: p2, W: n2}
	if negate {
		v = op1(program.OpNot, program.Bool, v)
	}
	return condition(n, v, "")
}

// compareInterfaces is x == y for two interfaces of one type, as in err ==
// io.EOF. Their first words tell the dynamic types. Where those are the same
// and pointers, the second words decide; other dynamic values would have to be
// compared by what they point to, and that is an error of the evaluation unless
// the words are the same.
func (c *checker) compareInterfaces(n *expr.Binary, x, y *operand) *operand {
	var w [4]*program.Node
	for i, o := range []*operand{x, y} {
		for j := range int64(2) {
			v, why := o.place.scalar(8*j, program.U64)
			if why != "" {
				return condition(n, nil, why)
			}
			w[2*i+int(j)] = v
		}
	}
	and := func(a, b *program.Node) *program.Node { return op2(program.OpAndAnd, program.Bool, a, b) }
	eq := func(a, b *program.Node) *program.Node { return op2(program.OpEq, program.Bool, a, b) }
	null := eq(w[0], imm(program.U64, 0))
	// 0 if the dynamic type is a pointer, else 1, which is out of range.
	odd := op2(program.OpXor, program.U64, pointerBit(dynamicType(x.typ, w[0])), imm(program.U64, 1))
	outside := op2(program.OpIndex, program.I64, asI64(odd), imm(program.I64, 1))
	different := op2(program.OpNe, program.Bool, outside, imm(program.I64, 0))
	same := and(eq(w[0], w[2]), op2(program.OpOrOr, program.Bool, op2(program.OpOrOr, program.Bool, null, eq(w[1], w[3])), different))
	if n.Op == token.NEQ {
		same = op1(program.OpNot, program.Bool, same)
	}
	return condition(n, same, "")
}

// Offsets in the runtime's descriptions of types and interface tables, the same
// in Go 1.22 to 1.26 (internal/abi/type.go, internal/abi/iface.go).
const (
	typeKindOff = 23 // abi.Type.Kind_; its low five bits are the reflect.Kind
	typeKindMax = 31
	itabTypeOff = 8 // abi.ITab.Type
)

// dynamicType is the address of the runtime type of an interface whose first
// word is w and which is not nil.
func dynamicType(iface *program.Type, w *program.Node) *program.Node {
	if iface.Iface {
		return load(program.U64, nonNil(w), itabTypeOff)
	}
	return nonNil(w)
}

// dynamicKind is the reflect.Kind of the runtime type at t; U64.
func dynamicKind(t *program.Node) *program.Node {
	return convert(op2(program.OpAnd, program.U8, load(program.U8, t, typeKindOff), imm(program.U8, typeKindMax)),
		program.U8, program.U64)
}

// pointerBit is 1 if values of the runtime type at t are pointers, which an
// interface holds in its second word itself, else 0; U64.
func pointerBit(t *program.Node) *program.Node {
	var mask int64
	for _, k := range []reflect.Kind{reflect.Pointer, reflect.UnsafePointer, reflect.Chan, reflect.Map, reflect.Func} {
		mask |= 1 << k
	}
	bits := op2(program.OpShr, program.U64, imm(program.U64, mask), dynamicKind(t))
	return op2(program.OpAnd, program.U64, bits, imm(program.U64, 1))
}
