package compile

import (
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// parseAggregate parses what a probe adds up, and by what.
func (src *source) parseAggregate(spec probe.Spec) error {
	for _, p := range []struct {
		part, text string
		to         **expr.Expr
	}{{"expression", spec.Value, &src.value}, {"by", spec.By, &src.by}} {
		if strings.TrimSpace(p.text) == "" {
			continue
		}
		x, err := expr.Parse(p.text)
		if err != nil {
			return &Error{p.part, err}
		}
		*p.to = x
	}
	return nil
}

// aggregates tells whether a probe adds anything up.
func (src *source) aggregates() bool { return src.value != nil || src.by != nil }

// aggregate compiles what a site adds up; ok is false if it takes no probe.
func (c *compiler) aggregate(s *site, out *program.Site) (ok bool) {
	ok = true
	if x := c.src.value; x != nil {
		if out.Value = c.number(s, x); out.Value == nil {
			ok = false
		}
	}
	if x := c.src.by; x != nil {
		if out.Key = c.key(s, x); out.Key == nil {
			ok = false
		}
	}
	return ok
}

// number is the value of an expression as one of the three machine types that
// distributions have; nil if it cannot be read at the site.
func (c *compiler) number(s *site, x *expr.Expr) *program.Node {
	s.lost = nil
	ch := &checker{x: x, s: s}
	o, err := ch.value(x.Root)
	if err == nil && !isNumber(o.kind()) {
		err = ch.fail(x.Root, numberHint(x.Text, o), "%s is no number: its type is %s", x.Text, o.describe())
	}
	if err != nil {
		c.wrong(s, x, err, "the site takes no probe")
		return nil
	}
	c.works(x, o.typ, ch.reads)
	n, why := o.scalar()
	if why == "" && count(n, map[*program.Node]int{}) > maxNodes/4 {
		why = "the expression is too long"
	}
	if why != "" {
		c.lost(s, x, why, "the site takes no probe")
		return nil
	}
	from, _ := scalarOf(o.kind())
	return convert(n, from, wide(from))
}

// wide is the machine type in which numbers of a type are added up.
func wide(s program.Scalar) program.Scalar {
	switch {
	case s.Float():
		return program.F64
	case s.Signed():
		return program.I64
	}
	return program.U64
}

func numberHint(text string, o *operand) string {
	switch o.kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Chan, reflect.Array:
		return "measure its length: len(" + text + ")"
	case reflect.Bool:
		return "count tells how often a condition holds: sidelight count … --if '" + text + "'"
	case reflect.Pointer:
		if o.typ.Elem != nil && o.typ.Elem.Kind == reflect.Struct {
			return "measure one of its fields"
		}
		return "follow it to a number: (*" + text + ")"
	case reflect.Struct:
		return "measure one of its fields"
	}
	return "integers, floats, durations and lengths can be measured"
}

// key is what an expression tells rows apart by; nil if it cannot be read at the
// site.
func (c *compiler) key(s *site, x *expr.Expr) *program.Key {
	s.lost = nil
	ch := &checker{x: x, s: s}
	o, err := ch.value(x.Root)
	if err == nil && !isInteger(o.kind()) && o.kind() != reflect.Bool && o.kind() != reflect.String {
		err = ch.fail(x.Root, keyHint(x.Text, o), "rows cannot be told apart by %s: its type is %s", x.Text, o.describe())
	}
	if err != nil {
		c.wrong(s, x, err, "the site takes no probe")
		return nil
	}
	c.works(x, o.typ, ch.reads)
	k := &program.Key{Type: o.typ}
	why := ""
	if o.kind() == reflect.String {
		k.Node, k.Len, why = o.str()
	} else {
		k.Node, why = o.scalar()
	}
	if why == "" && count(k.Node, map[*program.Node]int{}) > maxNodes/4 {
		why = "the expression is too long"
	}
	if why != "" {
		c.lost(s, x, why, "the site takes no probe")
		return nil
	}
	return k
}

func keyHint(text string, o *operand) string {
	switch k := o.kind(); {
	case isNumber(k):
		return "make it an integer: int64(" + text + ")"
	case k == reflect.Interface:
		return "integers, booleans and strings can tell rows apart"
	case k == reflect.Pointer && o.typ.Elem != nil && o.typ.Elem.Kind == reflect.Struct:
		return "name a field that is an integer, a boolean or a string"
	}
	return "integers, booleans and strings can tell rows apart"
}

// sum is what a program adds up, once its sites are compiled.
func (c *compiler) sum(p *program.Program) {
	src := c.src
	if !src.aggregates() {
		return
	}
	a := &program.Aggregate{}
	if src.value != nil {
		a.Hist, a.Type, a.Reads = true, c.worked[src.value], c.reads[src.value]
		if a.Type != nil {
			s, _ := scalarOf(a.Type.Kind)
			a.Number = wide(s)
		}
	}
	if src.by != nil {
		a.By = &program.Key{Type: c.worked[src.by]}
		a.ByReads = c.reads[src.by]
	}
	for i := range p.Sites {
		if k := p.Sites[i].Key; k != nil && a.By != nil {
			a.By = k
			break
		}
	}
	p.Aggregate = a
	c.agree(p)
}

// agree drops sites at which the expressions have another type than at most: an
// instantiation of a generic function may differ, and its numbers cannot be added
// to the others'.
func (c *compiler) agree(p *program.Program) {
	kept := p.Sites[:0]
	for _, s := range p.Sites {
		if s.Value != nil && s.Value.Type != p.Aggregate.Number ||
			s.Key != nil && (s.Key.Len == nil) != (p.Aggregate.By.Len == nil) {
			c.issue(probe.IssueExpression, "%s: the expression has another type there than elsewhere, and the site takes no probe", s.Function)
			continue
		}
		kept = append(kept, s)
	}
	p.Sites = kept
}
