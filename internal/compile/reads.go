package compile

import (
	"go/constant"
	"reflect"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// read notes that an expression reads what is called name. A truth by itself
// tells of no content, whatever it is called.
func (c *checker) read(name string, o *operand) *operand {
	if name != "" && o.kind() != reflect.Bool {
		c.reads.Names = append(c.reads.Names, name)
	}
	return o
}

// looksInto notes that an expression looks into a value of type t.
func (c *checker) looksInto(t *program.Type) {
	if t == nil {
		return
	}
	if t.Kind == reflect.Pointer && t.Elem != nil {
		t = t.Elem
	}
	if t.Typed {
		c.reads.Types = append(c.reads.Types, t.Name)
	}
}

// shape is value of something of which only the shape is asked: its length.
func (c *checker) shape(n expr.Node) (*operand, error) {
	names := len(c.reads.Names)
	o, err := c.value(n)
	c.reads.Names = c.reads.Names[:names]
	return o, err
}

// isNothing tells whether an operand is nil or an empty string.
func isNothing(o *operand) bool {
	return o.isNil || o.constant() && o.val.Kind() == constant.String && constant.StringVal(o.val) == ""
}

// works notes that an expression is right at a site.
func (c *compiler) works(x *expr.Expr, t *program.Type, reads program.Reads) {
	if c.worked[x] == nil {
		c.worked[x] = t
	}
	have := c.reads[x]
	for _, n := range reads.Names {
		if !slices.Contains(have.Names, n) {
			have.Names = append(have.Names, n)
		}
	}
	for _, t := range reads.Types {
		if !slices.Contains(have.Types, t) {
			have.Types = append(have.Types, t)
		}
	}
	have.Made = have.Made || reads.Made
	c.reads[x] = have
}

// around records the text that n is a part of, nil if it is of none: the part of
// a secret is one, though it may not look like it.
func (c *checker) around(r *recorder, n expr.Node) *program.Shape {
	var whole *operand
	for {
		switch x := n.(type) {
		case *expr.Slice:
			n = x.X
		case *expr.Index:
			n = x.X
		case *expr.Call:
			if len(x.Args) != 1 {
				return nil
			}
			n = x.Args[0]
			continue
		default:
			n = nil
		}
		if n == nil {
			break
		}
		o, err := c.value(n)
		if err != nil || !isText(o) {
			break
		}
		whole = o
	}
	if whole == nil || whole.constant() {
		return nil
	}
	shape := r.capture(whole)
	return &shape
}
