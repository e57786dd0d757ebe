package compile

import (
	"go/constant"
	"go/token"
	"math"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// shift is << and >>.
func (c *checker) shift(n *expr.Binary, x, y *operand) (*operand, error) {
	var err error
	if y.typ == nil && y.constant() {
		if y, err = c.assign(y, basic["uint"]); err != nil {
			return nil, err
		}
	}
	if x.typ == nil && x.constant() && !y.constant() && isNumber(x.defaultType().Kind) {
		if x, err = c.assign(x, typeInt); err != nil {
			return nil, err
		}
	}
	if !isInteger(y.kind()) || !canShift(x) {
		return nil, c.x.ErrorAt(n.OpPos, n.OpPos+2, "integers can be shifted, by integers", "operator %s does not apply to %s and %s", n.Op, x.describe(), y.describe())
	}
	if x.constant() && y.constant() {
		return c.constShift(n, x, y)
	}
	a, why := x.scalar()
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	b, why := c.asShift(y)
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	op := program.OpShl
	if n.Op == token.SHR {
		op = program.OpShr
	}
	s, _ := scalarOf(x.kind())
	return result(n, x.typ, op2(op, s, a, b), ""), nil
}

func canShift(x *operand) bool {
	if x.typ == nil && x.constant() {
		return constant.ToInt(x.val).Kind() == constant.Int
	}
	return isInteger(x.kind())
}

func (c *checker) constShift(n *expr.Binary, x, y *operand) (*operand, error) {
	by, ok := constant.Uint64Val(y.val)
	v := constant.ToInt(x.val)
	if !ok || by > maxConstBits || n.Op == token.SHL && intBits(v)+int(by) > maxConstBits {
		return nil, c.fail(n.Y, "", "the shift is too large")
	}
	r := &operand{node: n, typ: x.typ, val: constant.Shift(v, n.Op, uint(by))}
	if r.typ == nil {
		return r, nil
	}
	return c.assign(r, r.typ)
}

// asShift is a shift count as a U64. A negative one, which panics in Go, fails
// as an index out of range does.
func (c *checker) asShift(y *operand) (*program.Node, string) {
	v, why := y.scalar()
	if why != "" {
		return nil, why
	}
	s, _ := scalarOf(y.kind())
	if s.Signed() {
		v = op2(program.OpIndex, program.I64, convert(v, s, program.I64), imm(program.I64, math.MaxInt64))
		s = program.I64
	}
	return convert(v, s, program.U64), ""
}

// maxConstBits bounds the integers that constants may grow to, as Go does.
const maxConstBits = 512

func intBits(v constant.Value) int {
	if v.Kind() != constant.Int {
		return 0
	}
	return constant.BitLen(v)
}
