package compile

import (
	"go/constant"
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/pattern"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// asking are the questions that the language has beside Go's own operators.
var asking = []string{"contains", "startsWith", "endsWith", "matches", "is"}

// insteadOf are calls that a person may try, and what says the same here.
var insteadOf = map[string]string{
	"strings.Contains":   "contains(s, sub)",
	"strings.HasPrefix":  "startsWith(s, prefix)",
	"strings.HasSuffix":  "endsWith(s, suffix)",
	"bytes.Contains":     "contains(s, sub)",
	"bytes.HasPrefix":    "startsWith(s, prefix)",
	"bytes.HasSuffix":    "endsWith(s, suffix)",
	"regexp.MatchString": "matches(s, pattern)",
	"slices.Contains":    "contains(list, x)",
	"errors.Is":          "err == pkg.ErrName, or is(err, *pkg.Type)",
	"errors.As":          "is(err, *pkg.Type) or err.(*pkg.Type)",
}

// ask is one of asking.
func (c *checker) ask(n *expr.Call, name string) (*operand, error) {
	if len(n.Args) != 2 {
		return nil, c.fail(n, "", "%s takes two values", name)
	}
	if name == "is" {
		return c.is(n)
	}
	o, err := c.value(n.Args[0])
	if err != nil {
		return nil, err
	}
	if name == "contains" {
		switch {
		case o.kind() == reflect.Map:
			return c.hasKey(n, o)
		case o.kind() == reflect.Slice && !isText(o), o.kind() == reflect.Array:
			return c.hasElement(n, o)
		}
	}
	if !isText(o) {
		return nil, c.fail(n.Args[0], "", "%s needs a string or a byte slice, and %s is %s", name, c.text(n.Args[0]), o.describe())
	}
	sub, err := c.value(n.Args[1])
	if err != nil {
		return nil, err
	}
	if !isText(sub) {
		return nil, c.fail(n.Args[1], `a text is written with double quotes: "x"`, "%s needs a text, and %s is %s", name, c.text(n.Args[1]), sub.describe())
	}
	if name == "startsWith" || name == "endsWith" {
		return c.affix(n, o, sub, name == "endsWith"), nil
	}
	return c.search(n, name, o, sub)
}

// isText tells whether an operand is a string or a byte slice.
func isText(o *operand) bool {
	return o.kind() == reflect.String || o.kind() == reflect.Slice && o.typ.Elem != nil && o.typ.Elem.Kind == reflect.Uint8
}

// affix is startsWith and endsWith: a part of o is compared with sub.
func (c *checker) affix(n expr.Node, o, sub *operand, end bool) *operand {
	p, np, why := o.str()
	if why != "" {
		return condition(n, nil, why)
	}
	q, nq, why := sub.str()
	if why != "" {
		return condition(n, nil, why)
	}
	if end {
		p = op2(program.OpAdd, program.U64, p, convert(op2(program.OpSub, program.I64, np, nq), program.I64, program.U64))
	}
	same := &program.Node{Op: program.OpStrEq, Type: program.Bool, X: p, Y: nq, Z: q, W: nq}
	return condition(n, op2(program.OpAndAnd, program.Bool, op2(program.OpGe, program.Bool, np, nq), same), "")
}

// search is contains and matches, both by an automaton of the text or pattern.
func (c *checker) search(n *expr.Call, name string, o, sub *operand) (*operand, error) {
	if !sub.constant() {
		return nil, c.fail(n.Args[1], `startsWith and endsWith take variables, too`, "what %s looks for must be written out, as a text in quotes", name)
	}
	text := constant.StringVal(sub.val)
	make, what := pattern.Literal, "the text"
	if name == "matches" {
		make, what = pattern.Compile, "the pattern"
	}
	t, err := make(text)
	if err != nil {
		return nil, c.fail(n.Args[1], "", "%s cannot be searched for: %v", what, err)
	}
	if o.constant() {
		return &operand{node: n, val: constant.MakeBool(t.Match([]byte(constant.StringVal(o.val))))}, nil
	}
	p, np, why := o.str()
	if why != "" {
		return condition(n, nil, why), nil
	}
	if t.Start == program.StateSure { // found in every text; one that cannot be read is none
		return condition(n, op2(program.OpGe, program.Bool, np, imm(program.I64, 0)), ""), nil
	}
	return condition(n, &program.Node{Op: program.OpMatch, Type: program.Bool, X: p, Y: np, Data: t.Data, Imm: t.Imm()}, ""), nil
}

// assert is X.(T).
func (c *checker) assert(n *expr.Assert) (*operand, error) {
	o, t, at, err := c.asserted(n.X, n.Type)
	if err != nil {
		return nil, err
	}
	same, why := c.holdsType(o, at)
	if why != "" {
		return &operand{node: n, typ: t, place: unreadable{why}}, nil
	}
	data, why := o.place.scalar(8, program.U64)
	if why != "" {
		return &operand{node: n, typ: t, place: unreadable{why}}, nil
	}
	data = &program.Node{Op: program.OpRequire, Type: program.U64, Imm: int64(program.StatusType), X: same, Y: data}
	if direct(t) != nil {
		return &operand{node: n, typ: t, place: word{data}}, nil
	}
	return &operand{node: n, typ: t, place: memory{data}}, nil
}

// is is the question whether an interface holds a type.
func (c *checker) is(n *expr.Call) (*operand, error) {
	name, ok := n.Args[1].(*expr.TypeName)
	if !ok {
		return nil, c.fail(n, "write is(err, *fs.PathError)", "is takes a value and a type")
	}
	names := len(c.reads.Names)
	o, _, at, err := c.asserted(n.Args[0], name)
	if err != nil {
		return nil, err
	}
	c.reads.Names = c.reads.Names[:names] // a type tells nothing of the content
	same, why := c.holdsType(o, at)
	return condition(n, same, why), nil
}

// asserted checks an interface and a type that it may hold; at is the linked
// address of the type's description.
func (c *checker) asserted(x expr.Node, name *expr.TypeName) (o *operand, t *program.Type, at int64, err error) {
	if o, err = c.value(x); err != nil {
		return nil, nil, 0, err
	}
	if o.kind() != reflect.Interface {
		return nil, nil, 0, c.fail(x, "", "%s is no interface: its type is %s", c.text(x), o.describe())
	}
	t = c.s.typeNamed(name.Name)
	switch {
	case t == nil:
		hint := "a type is written as its package says it: *fs.PathError; types that the program does not use are not in it"
		if c.s.typeNamed("*"+name.Name) != nil && c.s.typeNamed(strings.TrimPrefix(name.Name, "*")) == nil {
			hint = "did you mean *" + name.Name + "?"
		}
		return nil, nil, 0, c.fail(name, hint, "no type named %s is in this build", name.Name)
	case t.Kind == reflect.Interface:
		return nil, nil, 0, c.fail(name, "name a concrete type", "%s is an interface, and what implements it is not known here", name.Name)
	case t.Size == 8 && t.Kind == reflect.Struct && len(t.Fields) > 1 && leadsAway(t):
		// Some versions of Go keep such a one in the interface itself.
		return nil, nil, 0, c.fail(name, "print the interface itself", "how an interface holds a %s is not known here", name.Name)
	case t.RType == 0:
		return nil, nil, 0, c.fail(name, "", "no value of type %s is ever held by an interface in this build", name.Name)
	}
	c.looksInto(t)
	return o, t, int64(c.s.b.TypesBase() + t.RType), nil
}

// holdsType is the condition for an interface to hold the type described at a
// linked address.
func (c *checker) holdsType(o *operand, at int64) (*program.Node, string) {
	w, why := o.place.scalar(0, program.U64)
	if why != "" {
		return nil, why
	}
	typ := &program.Node{Op: program.OpAddr, Type: program.U64, Imm: at}
	if !o.typ.Iface {
		return op2(program.OpEq, program.Bool, w, typ), ""
	}
	some := op2(program.OpNe, program.Bool, w, imm(program.U64, 0))
	return op2(program.OpAndAnd, program.Bool, some, op2(program.OpEq, program.Bool, dynamicType(o.typ, w), typ)), ""
}

// leadsAway tells whether a struct of one word has a pointer in it.
func leadsAway(t *program.Type) bool {
	for _, f := range t.Fields {
		if f.Type != nil && (direct(f.Type) != nil || f.Type.Kind == reflect.Struct && leadsAway(f.Type)) {
			return true
		}
	}
	return false
}

// word is a value that is one word, at whatever offset its parts are asked for.
type word struct{ node *program.Node }

func (w word) scalar(off int64, s program.Scalar) (*program.Node, string) {
	if off != 0 || s != program.U64 {
		return nil, "not captured"
	}
	return w.node, ""
}
func (w word) address() *program.Node { return nil }
