package compile

import (
	"go/constant"
	"go/token"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// unary is Op X.
func (c *checker) unary(n *expr.Unary) (*operand, error) {
	o, err := c.eval(n.X)
	if err != nil {
		return nil, err
	}
	if !unaryFits(n.Op, o) {
		hint := ""
		if n.Op == token.NOT && !o.isNil {
			hint = "! turns a condition round; to ask for zero, write " + c.text(n.X) + " == 0"
		}
		return nil, c.fail(n, hint, "operator %s does not apply to %s (%s)", n.Op, c.text(n.X), o.describe())
	}
	if o.constant() {
		return c.constUnary(n, o)
	}
	if n.Op == token.ADD {
		return &operand{node: n, typ: o.typ, place: o.place}, nil
	}
	v, why := o.scalar()
	if why != "" {
		return result(n, o.typ, nil, why), nil
	}
	s, _ := scalarOf(o.kind())
	op := map[token.Token]program.Op{token.SUB: program.OpNeg, token.XOR: program.OpCom, token.NOT: program.OpNot}[n.Op]
	r := result(n, o.typ, op1(op, s, v), "")
	r.untyped = o.untyped
	return r, nil
}

func unaryFits(op token.Token, o *operand) bool {
	if o.isNil {
		return false
	}
	k := o.defaultType().Kind
	switch op {
	case token.NOT:
		return k == reflect.Bool
	case token.XOR:
		return isInteger(k)
	}
	return isNumber(k)
}

func (c *checker) constUnary(n *expr.Unary, o *operand) (*operand, error) {
	prec := uint(0)
	if n.Op == token.XOR && o.typ != nil && o.kind() >= reflect.Uint {
		prec = uint(8 * o.typ.Size)
	}
	r := &operand{node: n, typ: o.typ, char: o.char, val: constant.UnaryOp(n.Op, o.val, prec)}
	if r.typ == nil {
		return r, nil
	}
	return c.assign(r, r.typ)
}

// binary is X Op Y.
func (c *checker) binary(n *expr.Binary) (*operand, error) {
	before := len(c.reads.Names)
	x, err := c.eval(n.X)
	if err != nil {
		return nil, err
	}
	y, err := c.eval(n.Y)
	if err != nil {
		return nil, err
	}
	if isNothing(x) || isNothing(y) {
		c.reads.Names = c.reads.Names[:before] // whether there is a value tells none of it
	}
	switch n.Op {
	case token.SHL, token.SHR:
		return c.shift(n, x, y)
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ:
		return c.compare(n, x, y)
	}
	logic := n.Op == token.LAND || n.Op == token.LOR
	if logic {
		if err := c.conditions(n, x, y); err != nil {
			return nil, err
		}
	}
	if x, y, err = c.match(n, x, y); err != nil {
		return nil, err
	}
	if logic {
		return c.logic(n, x, y)
	}
	return c.arith(n, x, y)
}

// match gives both operands one type, as Go does.
func (c *checker) match(n *expr.Binary, x, y *operand) (*operand, *operand, error) {
	var err error
	switch {
	case x.isNil || y.isNil:
		return nil, nil, c.mismatch(n, x, y)
	case x.typ == nil && y.typ == nil:
		if isNumber(x.defaultType().Kind) != isNumber(y.defaultType().Kind) ||
			!isNumber(x.defaultType().Kind) && x.val.Kind() != y.val.Kind() {
			return nil, nil, c.mismatch(n, x, y)
		}
	case x.typ == nil:
		if !sameClass(x.val, y.typ) {
			return nil, nil, c.mismatch(n, x, y)
		}
		x, err = c.assign(x, y.typ)
	case y.typ == nil:
		if !sameClass(y.val, x.typ) {
			return nil, nil, c.mismatch(n, x, y)
		}
		y, err = c.assign(y, x.typ)
	case !identical(x.typ, y.typ):
		if x.kind() != reflect.Bool || y.kind() != reflect.Bool || !x.untyped && !y.untyped {
			return nil, nil, c.mismatch(n, x, y)
		}
		if x.untyped {
			x = &operand{node: x.node, typ: y.typ, val: x.val, place: x.place}
		}
	}
	return x, y, err
}

// sameClass tells whether a constant is of the sort that t holds: number,
// string or boolean.
func sameClass(v constant.Value, t *program.Type) bool {
	switch v.Kind() {
	case constant.Bool:
		return t.Kind == reflect.Bool
	case constant.String:
		return t.Kind == reflect.String
	}
	return isNumber(t.Kind)
}

func (c *checker) mismatch(n *expr.Binary, x, y *operand) error {
	hint := ""
	switch {
	case isNumber(x.kind()) && isNumber(y.kind()):
		hint = "convert one of them: " + short(x.typ) + "(" + c.text(n.Y) + ")"
		if wider(y.typ, x.typ) {
			hint = "convert one of them: " + short(y.typ) + "(" + c.text(n.X) + ")"
		}
	case x.kind() == reflect.String && y.char || y.kind() == reflect.String && x.char:
		hint = `a string is written with double quotes: "x"`
	case x.kind() == reflect.Interface || y.kind() == reflect.Interface:
		hint = "an interface can be compared with nil and with another one of its type"
	case x.kind() == reflect.Pointer && x.typ.Elem != nil && y.typ != nil && identical(x.typ.Elem, y.typ):
		hint = "follow the pointer: *" + c.text(n.X)
	}
	return c.fail(n, hint, "%s and %s do not go together: %s is %s, %s is %s",
		c.text(n.X), c.text(n.Y), c.text(n.X), x.describe(), c.text(n.Y), y.describe())
}

// wider tells whether a holds more than b: fractions, or more bits.
func wider(a, b *program.Type) bool {
	if af, bf := !isInteger(a.Kind), !isInteger(b.Kind); af != bf {
		return af
	}
	return a.Size > b.Size
}

var arithOps = map[token.Token]program.Op{
	token.ADD: program.OpAdd, token.SUB: program.OpSub, token.MUL: program.OpMul,
	token.QUO: program.OpDiv, token.REM: program.OpRem, token.AND: program.OpAnd,
	token.OR: program.OpOr, token.XOR: program.OpXor, token.AND_NOT: program.OpAndNot,
}

// arith is + - * / % & | ^ &^ on operands of one type.
func (c *checker) arith(n *expr.Binary, x, y *operand) (*operand, error) {
	k := x.defaultType().Kind
	if !arithFits(n.Op, k) || !arithFits(n.Op, y.defaultType().Kind) {
		hint := ""
		if k == reflect.String && n.Op == token.ADD {
			hint = "write them one after the other in the message: {a}{b}"
		}
		return nil, c.x.ErrorAt(n.OpPos, n.OpPos+len(n.Op.String()), hint, "operator %s does not apply to %s", n.Op, x.describe())
	}
	if (n.Op == token.QUO || n.Op == token.REM) && y.constant() && constant.Sign(y.val) == 0 &&
		(isInteger(k) || x.constant()) {
		return nil, c.fail(n.Y, "", "division by zero")
	}
	if x.constant() && y.constant() {
		return c.constArith(n, x, y)
	}
	a, why := x.scalar()
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	b, why := y.scalar()
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	s, _ := scalarOf(x.kind())
	return result(n, x.typ, op2(arithOps[n.Op], s, a, b), ""), nil
}

func arithFits(op token.Token, k reflect.Kind) bool {
	switch op {
	case token.ADD, token.SUB, token.MUL, token.QUO:
		return isNumber(k)
	}
	return isInteger(k)
}

func (c *checker) constArith(n *expr.Binary, x, y *operand) (*operand, error) {
	op, a, b := n.Op, x.val, y.val
	integer := isInteger(x.defaultType().Kind) && isInteger(y.defaultType().Kind)
	if op == token.QUO && integer {
		op = token.QUO_ASSIGN // go/constant's name for integer division
	}
	if integer {
		a, b = constant.ToInt(a), constant.ToInt(b)
	}
	if !integer && !isNumber(x.defaultType().Kind) || intBits(a)+intBits(b) > maxConstBits {
		return nil, c.fail(n, "", "the constant is too large")
	}
	r := &operand{node: n, typ: x.typ, char: x.char || y.char, val: constant.BinaryOp(a, op, b)}
	if r.typ == nil {
		return r, nil
	}
	return c.assign(r, r.typ)
}

// conditions refuses operands of && and || that are none.
func (c *checker) conditions(n *expr.Binary, operands ...*operand) error {
	for _, o := range operands {
		if o.isNil || o.defaultType().Kind != reflect.Bool {
			return c.fail(o.node, compareHint(c.text(o.node), o), "operator %s needs conditions on both sides, and %s is %s", n.Op, c.text(o.node), o.describe())
		}
	}
	return nil
}

// compareHint is the remedy for a value where a condition is wanted.
func compareHint(text string, o *operand) string {
	hint := "compare it with something"
	switch k := o.kind(); {
	case k == reflect.String:
		hint += ": " + text + ` != ""`
	case isNumber(k):
		hint += ": " + text + " != 0"
	case k == reflect.Pointer, k == reflect.Slice, k == reflect.Map, k == reflect.Interface, k == reflect.Chan, k == reflect.Func:
		hint += ": " + text + " != nil"
	}
	return hint
}

// logic is && and ||.
func (c *checker) logic(n *expr.Binary, x, y *operand) (*operand, error) {
	if x.constant() && y.constant() {
		return &operand{node: n, typ: x.typ, val: constant.BinaryOp(x.val, n.Op, y.val)}, nil
	}
	op := program.OpAndAnd
	if n.Op == token.LOR {
		op = program.OpOrOr
	}
	if x.typ == nil {
		x = &operand{node: x.node, typ: y.typ, val: x.val}
	}
	if y.typ == nil {
		y = &operand{node: y.node, typ: x.typ, val: y.val}
	}
	a, why := x.scalar()
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	b, why := y.scalar()
	if why != "" {
		return result(n, x.typ, nil, why), nil
	}
	r := result(n, x.typ, op2(op, program.Bool, a, b), "")
	r.untyped = x.untyped && y.untyped
	return r, nil
}
