package compile

import (
	"fmt"
	"go/constant"
	"reflect"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// ident is a name: a variable in scope, a variable of the function's own
// package, or a predeclared name.
func (c *checker) ident(n *expr.Ident) (*operand, error) {
	if v := c.s.variable(n.Name); v != nil {
		return c.read(v.name, &operand{node: n, typ: v.typ, place: v.place}), nil
	}
	if o := c.s.own(n.Name, n); o != nil {
		return c.read(o.full, o), nil
	}
	switch n.Name {
	case "true", "false":
		return &operand{node: n, val: constant.MakeBool(n.Name == "true")}, nil
	case "nil":
		return &operand{node: n, isNil: true}, nil
	case "len", "cap", "contains", "startsWith", "endsWith", "matches", "is":
		return nil, c.fail(n, "write "+n.Name+"(x)", "%s is no value", n.Name)
	}
	if basic[n.Name] != nil {
		return nil, c.fail(n, "write "+n.Name+"(x) to convert x", "%s is a type, not a value", n.Name)
	}
	return nil, c.fail(n, c.inScopeHint(n.Name), "nothing named %s is in scope at %s", n.Name, c.s.where())
}

// inScopeHint tells what may have been meant and what there is.
func (c *checker) inScopeHint(name string) string {
	names := c.s.names()
	hint := ""
	if slices.Contains(expr.Specials, name) {
		hint = "did you mean $" + name + "? "
	} else if missing := c.s.b.Missing(); missing != "" {
		return missing
	} else if missing := c.s.b.MissingAt(c.s.pc); missing != "" {
		return missing
	} else if near := expr.Nearest(name, append(names, c.s.packageVars(c.s.pkg)...)); near != "" {
		hint = "did you mean " + near + "? "
	}
	there := "the build names no variables there"
	if len(names) > 0 {
		there = "in scope there: " + list(names, 12)
	}
	if !c.s.b.Optimised(c.s.pc) {
		return hint + there
	}
	return hint + there + " (what the compiler removed altogether is not known; go build -gcflags=all=-N keeps it)"
}

// list is names for a person: sorted, each once, the first few.
func list(names []string, limit int) string {
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// unknownPackage explains id.Name where id is nothing in scope.
func (c *checker) unknownPackage(id *expr.Ident, n *expr.Selector) error {
	if full := c.s.b.GlobalNames(id.Name + "." + n.Name); len(full) > 1 {
		return c.fail(n, "they are "+list(full, 6), "%s is ambiguous: %d packages of that name have such a variable", c.text(n), len(full))
	}
	if vars := c.s.packageVars(id.Name); len(vars) > 0 {
		hint := "a variable that is not used, or a constant, is not in the program; functions cannot be called"
		if near := expr.Nearest(n.Name, vars); near != "" {
			hint = "did you mean " + id.Name + "." + near + "? " + hint
		}
		return c.x.ErrorAt(n.NamePos, n.End(), hint, "package %s has no variable %s in this build", id.Name, n.Name)
	}
	return c.fail(id, c.inScopeHint(id.Name), "nothing named %s is in scope at %s, and no package of that name has variables in this build", id.Name, c.s.where())
}

// noField explains that a struct has no field of that name.
func (c *checker) noField(n *expr.Selector, t *program.Type) error {
	names := fieldNames(t)
	hint := ""
	if near := expr.Nearest(n.Name, names); near != "" {
		hint = "did you mean " + near + "? "
	}
	if len(names) == 0 {
		hint += "it has no fields"
	} else {
		hint += "it has " + list(names, 12)
	}
	return c.x.ErrorAt(n.NamePos, n.End(), hint, "%s (type %s) has no field %s", c.text(n.X), short(t), n.Name)
}

// noFields explains that a value is no struct.
func (c *checker) noFields(n *expr.Selector, o *operand) error {
	hint := "only structs have fields; methods cannot be called"
	switch {
	case o.kind() == reflect.Interface:
		hint = "print " + c.text(n.X) + " itself: it shows its dynamic type and its scalar or string value"
	case o.kind() == reflect.Pointer:
		hint = "follow the pointer first: (*" + c.text(n.X) + ")." + n.Name
	}
	return c.x.ErrorAt(n.NamePos, n.End(), hint, "%s has type %s, which has no fields", c.text(n.X), o.describe())
}
