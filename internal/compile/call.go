package compile

import (
	"go/constant"
	"reflect"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// call is Fun(Args): len, cap, a question or a conversion; everything else is
// refused.
func (c *checker) call(n *expr.Call) (*operand, error) {
	name := ""
	switch f := n.Fun.(type) {
	case *expr.Ident:
		name = f.Name
	case *expr.Selector:
		if id, ok := f.X.(*expr.Ident); ok && !c.s.inScope(id.Name) {
			name = id.Name + "." + f.Name
		}
	}
	if name == "" || c.s.inScope(name) {
		return nil, c.fail(n, expr.CallHint, "a probe cannot call functions")
	}
	if name == "len" || name == "cap" {
		return c.length(n, name)
	}
	if slices.Contains(asking, name) {
		c.reads.Made = true
		return c.ask(n, name)
	}
	if instead := insteadOf[name]; instead != "" {
		return nil, c.fail(n, "write "+instead, "a probe cannot call functions")
	}
	t := c.s.namedType(name)
	if t == nil {
		hint := expr.CallHint
		if near := expr.Nearest(name, append(append(basicNames(), "len", "cap"), asking...)); near != "" {
			hint = "did you mean " + near + "? " + hint
		}
		return nil, c.fail(n, hint, "a probe cannot call functions")
	}
	if len(n.Args) != 1 {
		return nil, c.fail(n, "", "a conversion takes one value")
	}
	return c.conversion(n, t)
}

func basicNames() []string {
	var names []string
	for name := range basic {
		names = append(names, name)
	}
	return names
}

// length is len(x) or cap(x).
func (c *checker) length(n *expr.Call, name string) (*operand, error) {
	if len(n.Args) != 1 {
		return nil, c.fail(n, "", "%s takes one value", name)
	}
	o, err := c.shape(n.Args[0])
	if err != nil {
		return nil, err
	}
	k := o.kind()
	if k == reflect.Pointer && o.typ.Elem != nil && o.typ.Elem.Kind == reflect.Array {
		return lengthIs(n, o.typ.Elem.Len), nil
	}
	if k == reflect.Array {
		return lengthIs(n, o.typ.Len), nil
	}
	off := int64(8)
	if name == "cap" {
		off = 16
	}
	switch {
	case k == reflect.String && name == "len":
		if o.constant() {
			return lengthIs(n, int64(len(constant.StringVal(o.val)))), nil
		}
		return c.word(n, o.place, off), nil
	case k == reflect.Slice:
		return c.word(n, o.place, off), nil
	case k == reflect.Chan, k == reflect.Map && name == "len":
		return c.headerWord(n, o.place, off-8), nil
	}
	has := "strings, arrays, slices, maps and channels have one"
	if name == "cap" {
		has = "arrays, slices and channels have one"
	}
	return nil, c.fail(n, has, "%s (type %s) has no %s", c.text(n.Args[0]), o.describe(), name)
}

func lengthIs(n expr.Node, v int64) *operand {
	return &operand{node: n, typ: typeInt, val: constant.MakeInt64(v)}
}

// word is the int at off bytes into p.
func (c *checker) word(n expr.Node, p place, off int64) *operand {
	v, why := p.scalar(off, program.I64)
	return result(n, typeInt, v, why)
}

// headerWord is the int at off bytes into what a map or channel points to: the
// first word of a runtime map header is the number of its entries (hmap.count
// up to Go 1.23, maps.Map.used since), the first two of a channel's are the
// number of its elements and its capacity (runtime/chan.go). nil ones have 0.
func (c *checker) headerWord(n expr.Node, p place, off int64) *operand {
	ptr, why := p.scalar(0, program.U64)
	if why != "" {
		return result(n, typeInt, nil, why)
	}
	return result(n, typeInt, load(program.I64, orZero(ptr), off), "")
}

// result is the operand of a computed scalar.
func result(n expr.Node, t *program.Type, v *program.Node, why string) *operand {
	if why != "" {
		return &operand{node: n, typ: t, place: unreadable{why}}
	}
	return &operand{node: n, typ: t, place: computed{0: v}}
}

// conversion is t(x).
func (c *checker) conversion(n *expr.Call, t *program.Type) (*operand, error) {
	o, err := c.eval(n.Args[0])
	if err != nil {
		return nil, err
	}
	refuse := func() (*operand, error) {
		return nil, c.fail(n, "conversions are between numeric types", "cannot convert %s (%s) to %s", c.text(n.Args[0]), o.describe(), short(t))
	}
	if o.isNil {
		return refuse()
	}
	if o.constant() {
		return c.constConversion(n, o, t, refuse)
	}
	from, to := o.kind(), t.Kind
	switch {
	case isNumber(from) && isNumber(to):
		v, why := o.scalar()
		if why == "" {
			s, _ := scalarOf(from)
			d, _ := scalarOf(to)
			v = convert(v, s, d)
		}
		return result(n, t, v, why), nil
	case from == to && (from == reflect.String || from == reflect.Bool):
		return &operand{node: n, typ: t, place: o.place}, nil
	}
	return refuse()
}

func (c *checker) constConversion(n *expr.Call, o *operand, t *program.Type, refuse func() (*operand, error)) (*operand, error) {
	isString := o.val.Kind() == constant.String
	if isString != (t.Kind == reflect.String) || (o.val.Kind() == constant.Bool) != (t.Kind == reflect.Bool) {
		return refuse()
	}
	// A typed fraction may lose it in a conversion of a variable, but a
	// constant must fit: Go says so too.
	v, ok := representable(o.val, t)
	if !ok {
		return nil, c.fail(n, constHint(o, t), "%s cannot be converted to %s", constText(o), short(t))
	}
	return &operand{node: n, typ: t, val: v}, nil
}
