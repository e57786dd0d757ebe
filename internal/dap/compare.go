package dap

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/token"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// binary answers comparisons and their combinations.
func (e *evaluator) binary(x *ast.BinaryExpr) (probe.Value, error) {
	a, err := e.eval(x.X)
	if err != nil {
		return a, err
	}
	if (x.Op == token.LAND || x.Op == token.LOR) && a.Shape == probe.Bool {
		if a.Bool == (x.Op == token.LOR) {
			return a, nil
		}
		return e.eval(x.Y)
	}
	b, err := e.eval(x.Y)
	if err != nil {
		return b, err
	}
	for _, v := range []probe.Value{a, b} {
		if v.Shape == probe.Unreadable || v.Shape == probe.Redacted {
			return v, missing(v, "value")
		}
	}
	switch x.Op {
	case token.EQL, token.NEQ:
		if same, ok := equal(a, b); ok {
			return truth(same == (x.Op == token.EQL)), nil
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		if c, ok := order(a, b); ok {
			return truth(map[token.Token]bool{token.LSS: c < 0, token.LEQ: c <= 0, token.GTR: c > 0, token.GEQ: c >= 0}[x.Op]), nil
		}
	default:
		return a, fmt.Errorf("%s is not computed over a snapshot; add the expression to \"watch\" in the configuration", x.Op)
	}
	return a, fmt.Errorf("%s and %s are not compared here", text(a), text(b))
}

func integer(v probe.Value) (int64, bool) {
	switch v.Shape {
	case probe.Int:
		return v.Int, true
	case probe.Uint:
		return int64(v.Uint), v.Uint < 1<<63
	}
	return 0, false
}

// equal compares two values; ok is false where that cannot be decided.
func equal(a, b probe.Value) (same, ok bool) {
	isNil := func(v probe.Value) bool { return v.Shape == probe.Nil }
	switch {
	case isNil(a) || isNil(b):
		nilable := func(v probe.Value) bool {
			switch v.Shape {
			case probe.Nil, probe.Pointer, probe.Interface, probe.Map, probe.Chan, probe.Func, probe.List:
				return true
			}
			return false
		}
		return isNil(a) && isNil(b), nilable(a) && nilable(b)
	case a.Shape == probe.Bool && b.Shape == probe.Bool:
		return a.Bool == b.Bool, true
	case a.Shape == probe.Pointer && b.Shape == probe.Pointer:
		return a.Uint == b.Uint, true
	case a.Shape == probe.Interface && len(a.Elems) == 1 && b.Shape != probe.Interface:
		return equal(a.Elems[0], b)
	}
	c, ok := order(a, b)
	return c == 0, ok
}

// order compares numbers and strings.
func order(a, b probe.Value) (int, bool) {
	if a.Shape == probe.String && b.Shape == probe.String {
		return bytes.Compare(a.Data, b.Data), !a.Truncated && !b.Truncated
	}
	if a.Shape == probe.Uint && b.Shape == probe.Uint {
		return cmp.Compare(a.Uint, b.Uint), true
	}
	i, iOK := integer(a)
	j, jOK := integer(b)
	switch {
	case iOK && jOK:
		return cmp.Compare(i, j), true
	case iOK && b.Shape == probe.Uint:
		return -1, true
	case jOK && a.Shape == probe.Uint:
		return 1, true
	case a.Shape == probe.Float && b.Shape == probe.Float:
		return cmp.Compare(a.Float, b.Float), a.Float == a.Float && b.Float == b.Float
	case a.Shape == probe.Float && jOK && j > -1<<53 && j < 1<<53:
		return cmp.Compare(a.Float, float64(j)), a.Float == a.Float
	case b.Shape == probe.Float && iOK && i > -1<<53 && i < 1<<53:
		return cmp.Compare(float64(i), b.Float), b.Float == b.Float
	}
	return 0, false
}
