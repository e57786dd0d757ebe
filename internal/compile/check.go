package compile

import (
	"go/constant"
	"go/token"
	"reflect"
	"strconv"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

const addOp = token.ADD

// checker checks one expression against what is in scope at one site, and
// turns it into nodes on the way.
type checker struct {
	x       *expr.Expr
	s       *site
	reads   program.Reads
	message bool // x is shown, not asked
}

func (c *checker) fail(n expr.Node, hint, format string, args ...any) *expr.Error {
	return c.x.Errorf(n, hint, format, args...)
}

// eval checks n. The error is an *expr.Error. What cannot be read is no error:
// its place says so.
func (c *checker) eval(n expr.Node) (*operand, error) {
	switch n := n.(type) {
	case *expr.Ident:
		return c.ident(n)
	case *expr.Special:
		return c.special(n)
	case *expr.Duration:
		return c.durationLit(n), nil
	case *expr.Lit:
		v := n.Value
		return &operand{node: n, val: v, char: n.Kind == token.CHAR}, nil
	case *expr.Selector:
		return c.selector(n)
	case *expr.Index:
		return c.index(n)
	case *expr.Slice:
		return c.slice(n)
	case *expr.Deref:
		return c.deref(n)
	case *expr.Unary:
		c.reads.Made = true
		return c.unary(n)
	case *expr.Binary:
		c.reads.Made = true
		return c.binary(n)
	case *expr.Call:
		return c.call(n)
	case *expr.Assert:
		return c.assert(n)
	}
	return nil, c.fail(n, "", "this is not part of the probe language")
}

// value is eval of what must have a value with a type: nil and untyped
// constants take their default type.
func (c *checker) value(n expr.Node) (*operand, error) {
	o, err := c.eval(n)
	if err != nil {
		return nil, err
	}
	if o.isNil {
		return nil, c.fail(n, "compare a variable with it: err != nil", "nil has no value of its own")
	}
	if o.typ == nil {
		return c.assign(o, o.defaultType())
	}
	return o, nil
}

func (c *checker) special(n *expr.Special) (*operand, error) {
	switch n.Name {
	case "line":
		return &operand{node: n, typ: typeInt, val: constant.MakeInt64(int64(c.s.line))}, nil
	case "function":
		return &operand{node: n, typ: typeString, val: constant.MakeString(c.s.function)}, nil
	case "duration":
		return c.duration(n)
	}
	goid := &program.Node{Op: program.OpGoid, Type: program.U64}
	return &operand{node: n, typ: typeUint64, place: computed{0: goid}}, nil
}

// assign gives an untyped constant the type t.
func (c *checker) assign(o *operand, t *program.Type) (*operand, error) {
	v, ok := representable(o.val, t)
	if !ok {
		return nil, c.fail(o.node, constHint(o, t), "%s (%s) cannot be used as %s", constText(o), o.describe(), short(t))
	}
	return &operand{node: o.node, typ: t, val: v}, nil
}

func constText(o *operand) string {
	if o.char {
		if i, ok := constant.Int64Val(o.val); ok && i >= 0 && i <= 0x10ffff {
			return strconv.QuoteRune(rune(i))
		}
	}
	return o.val.String()
}

func constHint(o *operand, t *program.Type) string {
	switch v := o.val.Kind(); {
	case t.Kind == reflect.String && o.char:
		return `a string is written with double quotes: "x"`
	case isInteger(t.Kind) && v == constant.Float:
		return "the value is an integer; convert it to compare with a fraction: float64(x)"
	case isInteger(t.Kind) && v == constant.Int:
		return "it is out of the range of " + short(t)
	case isNumber(t.Kind) && v == constant.String:
		return "write the number without quotes"
	}
	return ""
}

// deref is *X.
func (c *checker) deref(n *expr.Deref) (*operand, error) {
	o, err := c.value(n.X)
	if err != nil {
		return nil, err
	}
	if o.kind() != reflect.Pointer {
		return nil, c.fail(n, "only pointers can be followed", "cannot follow %s: its type is %s, which is no pointer", c.text(n.X), o.describe())
	}
	return c.follow(n, o)
}

// follow is what the pointer o points to.
func (c *checker) follow(n expr.Node, o *operand) (*operand, error) {
	if o.typ.Elem == nil {
		return nil, c.fail(n, "", "the debug information does not say what %s points to", short(o.typ))
	}
	p, why := o.place.scalar(0, program.U64)
	if why != "" {
		return &operand{node: n, typ: o.typ.Elem, place: unreadable{why}}, nil
	}
	return &operand{node: n, typ: o.typ.Elem, place: memory{nonNil(p)}}, nil
}

// text is an expression as it was written.
func (c *checker) text(n expr.Node) string { return c.x.Src[n.Pos():n.End()] }

// selector is X.Name: a field, or a package's variable.
func (c *checker) selector(n *expr.Selector) (*operand, error) {
	if id, ok := n.X.(*expr.Ident); ok && !c.s.inScope(id.Name) {
		if o := c.s.global(id.Name+"."+n.Name, n); o != nil {
			return c.read(o.full, o), nil
		}
		if o := c.s.constant(id.Name+"."+n.Name, n); o != nil {
			return o, nil
		}
		return nil, c.unknownPackage(id, n)
	}
	o, err := c.value(n.X)
	if err != nil {
		return nil, err
	}
	return c.field(n, o)
}

func (c *checker) field(n *expr.Selector, o *operand) (*operand, error) {
	if o.kind() == reflect.Pointer && o.typ.Elem != nil && o.typ.Elem.Kind != reflect.Pointer {
		target, err := c.follow(n.X, o)
		if err != nil {
			return nil, err
		}
		o = target
	}
	if o.kind() != reflect.Struct {
		return nil, c.noFields(n, o)
	}
	path, ambiguous := findField(o.typ, n.Name)
	switch {
	case path == nil:
		return nil, c.noField(n, o.typ)
	case ambiguous:
		return nil, c.x.ErrorAt(n.NamePos, n.End(), "name the embedded struct that is meant",
			"%s is ambiguous: several embedded structs of %s have it", n.Name, short(o.typ))
	}
	p := o.place
	var err error
	c.looksInto(o.typ)
	for i, st := range path {
		if i < len(path)-1 {
			c.looksInto(st.field.Type)
		}
		c.read(st.field.Name, &operand{typ: st.field.Type})
		p = within(p, st.field.Offset)
		if st.deref && i < len(path)-1 {
			var target *operand
			if target, err = c.follow(n, &operand{node: n, typ: st.field.Type, place: p}); err != nil {
				return nil, err
			}
			p = target.place
		}
	}
	return &operand{node: n, typ: path[len(path)-1].field.Type, place: p}, nil
}
