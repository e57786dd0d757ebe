package compile

import (
	"go/constant"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// index is X[I].
func (c *checker) index(n *expr.Index) (*operand, error) {
	o, err := c.value(n.X)
	if err != nil {
		return nil, err
	}
	if o.kind() == reflect.Pointer && o.typ.Elem != nil && o.typ.Elem.Kind == reflect.Array {
		if o, err = c.follow(n.X, o); err != nil {
			return nil, err
		}
	}
	switch o.kind() {
	case reflect.String, reflect.Slice, reflect.Array:
	case reflect.Map:
		return c.lookup(n, o)
	default:
		return nil, c.fail(n, "strings, arrays, slices and maps have indexes", "cannot index %s (type %s)", c.text(n.X), o.describe())
	}
	i, err := c.indexValue(n.I)
	if err != nil {
		return nil, err
	}
	if i.constant() {
		if err := c.constIndex(n, o, i); err != nil {
			return nil, err
		}
	}
	elem := typeUint8
	if o.kind() != reflect.String {
		if elem = o.typ.Elem; elem == nil {
			return nil, c.fail(n, "", "the debug information does not say what %s holds", short(o.typ))
		}
	}
	return &operand{node: n, typ: elem, place: c.element(o, i, elem)}, nil
}

// indexValue checks an index: an integer, not negative where that is known.
func (c *checker) indexValue(n expr.Node) (*operand, error) {
	i, err := c.eval(n)
	if err != nil {
		return nil, err
	}
	if i.typ == nil && i.constant() {
		if i, err = c.assign(i, typeInt); err != nil {
			return nil, err
		}
	}
	if !isInteger(i.kind()) {
		return nil, c.fail(n, "", "an index must be an integer, and %s is %s", c.text(n), i.describe())
	}
	if i.constant() && constant.Sign(i.val) < 0 {
		return nil, c.fail(n, "", "the index %s is negative", i.val)
	}
	return i, nil
}

// constIndex refuses a constant index that is known to be out of range.
func (c *checker) constIndex(n *expr.Index, o, i *operand) error {
	limit := int64(-1)
	switch {
	case o.kind() == reflect.Array:
		limit = o.typ.Len
	case o.constant():
		limit = int64(len(constant.StringVal(o.val)))
	}
	if v, _ := constant.Int64Val(i.val); limit >= 0 && v >= limit {
		return c.fail(n.I, "", "the index %d is out of range: %s has %d elements", v, c.text(n.X), limit)
	}
	return nil
}

// element is where element i of o lives.
func (c *checker) element(o, i *operand, elem *program.Type) place {
	if o.kind() == reflect.Array && i.constant() {
		v, _ := constant.Int64Val(i.val)
		return within(o.place, v*elem.Size)
	}
	base, n, why := c.elements(o)
	if why == "" {
		var at *program.Node
		if at, why = c.asInt64(i); why == "" {
			at = op2(program.OpIndex, program.I64, at, n)
			return memory{offsetBy(base, at, elem.Size)}
		}
	}
	return unreadable{why}
}

// elements is the address and the number of o's elements.
func (c *checker) elements(o *operand) (base, n *program.Node, why string) {
	switch o.kind() {
	case reflect.Array:
		if base = o.place.address(); base == nil {
			if u, ok := o.place.(unreadable); ok {
				return nil, nil, u.why
			}
			return nil, nil, "an array in registers has constant indexes only"
		}
		return base, imm(program.I64, o.typ.Len), ""
	}
	return o.str()
}

// asInt64 is an integer operand as an I64; one too large for it becomes
// negative, which is out of range everywhere.
func (c *checker) asInt64(i *operand) (*program.Node, string) {
	n, why := i.scalar()
	if why != "" {
		return nil, why
	}
	s, _ := scalarOf(i.kind())
	return convert(n, s, program.I64), ""
}

// offsetBy is base + i*size.
func offsetBy(base, i *program.Node, size int64) *program.Node {
	if i.Op == program.OpConst {
		return plus(base, i.Imm*size)
	}
	off := convert(i, program.I64, program.U64)
	if size != 1 {
		off = op2(program.OpMul, program.U64, off, imm(program.U64, size))
	}
	return op2(program.OpAdd, program.U64, base, off)
}

// slice is X[Lo:Hi] of a string or a slice.
func (c *checker) slice(n *expr.Slice) (*operand, error) {
	o, err := c.value(n.X)
	if err != nil {
		return nil, err
	}
	if o.kind() != reflect.String && o.kind() != reflect.Slice {
		return nil, c.fail(n, "strings and slices can be sliced", "cannot slice %s (type %s)", c.text(n.X), o.describe())
	}
	var lo, hi *operand
	if n.Lo != nil {
		if lo, err = c.indexValue(n.Lo); err != nil {
			return nil, err
		}
	}
	if n.Hi != nil {
		if hi, err = c.indexValue(n.Hi); err != nil {
			return nil, err
		}
	}
	return &operand{node: n, typ: o.typ, place: c.sliced(o, lo, hi)}, nil
}

// sliced is the place of o[lo:hi]: as in Go, 0 ≤ lo ≤ hi ≤ the length of a
// string or the capacity of a slice.
func (c *checker) sliced(o, lo, hi *operand) place {
	ptr, n, why := o.str()
	if why != "" {
		return unreadable{why}
	}
	limit, size := n, int64(1)
	if o.kind() == reflect.Slice {
		if limit, why = o.place.scalar(16, program.I64); why != "" {
			return unreadable{why}
		}
		if o.typ.Elem != nil {
			size = o.typ.Elem.Size
		}
	}
	if hi != nil {
		if n, why = c.asInt64(hi); why != "" {
			return unreadable{why}
		}
		n = op2(program.OpIndex, program.I64, n, addOne(limit))
	}
	out := computed{0: ptr, 8: n, 16: limit}
	if lo == nil {
		return out
	}
	from, why := c.asInt64(lo)
	if why != "" {
		return unreadable{why}
	}
	from = op2(program.OpIndex, program.I64, from, addOne(n))
	out[0] = offsetBy(ptr, from, size)
	out[8] = op2(program.OpSub, program.I64, n, from)
	out[16] = op2(program.OpSub, program.I64, limit, from)
	return out
}

func addOne(n *program.Node) *program.Node {
	if n.Op == program.OpConst {
		return imm(n.Type, n.Imm+1)
	}
	return op2(program.OpAdd, program.I64, n, imm(program.I64, 1))
}
