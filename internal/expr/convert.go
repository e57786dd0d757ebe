package expr

import (
	"go/ast"
	"go/constant"
	"go/token"
	"slices"
	"strings"
)

func (c *converter) refuse(n ast.Node, hint, format string, args ...any) *Error {
	return c.x.Errorf(c.span(n), hint, format, args...)
}

// outside explains a form of Go that is no part of the language.
func (c *converter) outside(n ast.Node) *Error {
	switch n.(type) {
	case *ast.FuncLit:
		return c.refuse(n, "it reads variables and fields only", "a probe cannot define functions")
	case *ast.CompositeLit:
		return c.refuse(n, "compare field by field", "composite literals are not part of the probe language")
	case *ast.IndexListExpr:
		return c.refuse(n, "", "type arguments are not part of the probe language")
	case *ast.ArrayType, *ast.StructType, *ast.FuncType, *ast.InterfaceType, *ast.MapType, *ast.ChanType:
		return c.refuse(n, "conversions are between numeric types: int64(x), float64(x)", "this type cannot be used in a probe")
	case *ast.BadExpr:
		return c.refuse(n, "", "this is not a Go expression")
	}
	return c.refuse(n, "", "this is not part of the probe language")
}

func (c *converter) ident(n *ast.Ident) (Node, error) {
	sp := c.span(n)
	if d, ok := c.durations[sp.pos]; ok {
		return &Duration{sp, d}, nil
	}
	if !slices.Contains(c.dollars, sp.pos) {
		if n.Name == "_" {
			return nil, c.refuse(n, "", "_ has no value")
		}
		return &Ident{sp, n.Name}, nil
	}
	name := n.Name[1:]
	if !slices.Contains(Specials, name) {
		hint := specialsHint
		if near := Nearest(name, Specials); near != "" {
			hint = "did you mean $" + near + "? " + specialsHint
		}
		return nil, c.refuse(n, hint, "there is no $%s", name)
	}
	return &Special{sp, name}, nil
}

func (c *converter) literal(n *ast.BasicLit) (Node, error) {
	v := constant.MakeFromLiteral(n.Value, n.Kind, 0)
	if v.Kind() == constant.Unknown {
		return nil, c.refuse(n, "", "the literal is malformed or too large")
	}
	if n.Kind == token.IMAG {
		return nil, c.refuse(n, "", "complex numbers can be printed, not computed with")
	}
	return &Lit{c.span(n), n.Kind, v}, nil
}

func (c *converter) selector(n *ast.SelectorExpr, depth int) (Node, error) {
	x, err := c.node(n.X, depth)
	if err != nil {
		return nil, err
	}
	if sel := c.span(n.Sel); slices.Contains(c.dollars, sel.pos) {
		return nil, c.x.ErrorAt(sel.pos, sel.end, specialsHint, "a field's name has no dollar sign")
	}
	return &Selector{c.span(n), x, n.Sel.Name, c.span(n.Sel).pos}, nil
}

func (c *converter) index(n *ast.IndexExpr, depth int) (Node, error) {
	x, err := c.node(n.X, depth)
	if err != nil {
		return nil, err
	}
	i, err := c.node(n.Index, depth)
	return &Index{c.span(n), x, i}, err
}

func (c *converter) assert(n *ast.TypeAssertExpr, depth int) (Node, error) {
	if n.Type == nil {
		return nil, c.refuse(n, "name a type: x.(*T)", "x.(type) belongs to a switch")
	}
	x, err := c.node(n.X, depth)
	return &Assert{c.span(n), x, c.typeName(n.Type)}, err
}

func (c *converter) typeName(n ast.Expr) *TypeName {
	sp := c.span(n)
	return &TypeName{sp, c.x.Src[sp.pos:sp.end]}
}

func (c *converter) slice(n *ast.SliceExpr, depth int) (Node, error) {
	if n.Slice3 {
		return nil, c.refuse(n, "write x[low:high]", "slices with a capacity are not part of the probe language")
	}
	x, err := c.node(n.X, depth)
	if err != nil {
		return nil, err
	}
	out := &Slice{span: c.span(n), X: x}
	if n.Low != nil {
		if out.Lo, err = c.node(n.Low, depth); err != nil {
			return nil, err
		}
	}
	if n.High != nil {
		out.Hi, err = c.node(n.High, depth)
	}
	return out, err
}

func (c *converter) unary(n *ast.UnaryExpr, depth int) (Node, error) {
	switch n.Op {
	case token.ADD, token.SUB, token.XOR, token.NOT:
	case token.AND:
		return nil, c.refuse(n, "a pointer variable prints its address or what it points to", "addresses cannot be taken in a probe")
	case token.ARROW:
		return nil, c.refuse(n, "len(ch) tells how many values wait", "a probe cannot receive from a channel: it must not change the program")
	default:
		return nil, c.refuse(n, "", "operator %s is not part of the probe language", n.Op)
	}
	x, err := c.node(n.X, depth)
	return &Unary{c.span(n), n.Op, x}, err
}

func (c *converter) binary(n *ast.BinaryExpr, depth int) (Node, error) {
	x, err := c.node(n.X, depth)
	if err != nil {
		return nil, err
	}
	y, err := c.node(n.Y, depth)
	return &Binary{c.span(n), n.Op, c.base + int(n.OpPos), x, y}, err
}

func (c *converter) call(n *ast.CallExpr, depth int) (Node, error) {
	switch n.Fun.(type) {
	case *ast.ArrayType, *ast.InterfaceType, *ast.MapType, *ast.ChanType, *ast.FuncType, *ast.StructType, *ast.FuncLit:
		return nil, c.outside(n.Fun)
	}
	fun, err := c.node(n.Fun, depth)
	if err != nil {
		return nil, err
	}
	if n.Ellipsis.IsValid() {
		return nil, c.refuse(n, CallHint, "a probe cannot call functions")
	}
	out := &Call{span: c.span(n), Fun: fun}
	id, _ := n.Fun.(*ast.Ident)
	for i, a := range n.Args {
		if i == 1 && id != nil && id.Name == "is" {
			out.Args = append(out.Args, c.typeName(a))
			continue
		}
		arg, err := c.node(a, depth)
		if err != nil {
			return nil, err
		}
		out.Args = append(out.Args, arg)
	}
	return out, nil
}

// CallHint is the remedy for a call of a function.
const CallHint = "read the fields it would read; there are len, cap, contains, startsWith, endsWith, matches, is, and conversions between numeric types"

// Nearest returns the candidate that name most likely means, or "".
func Nearest(name string, candidates []string) string {
	best, bestDist := "", 1+max(1, len(name)/3)
	if len(name) < 2 {
		bestDist = 1 // every other letter is as near
	}
	for _, c := range candidates {
		if c == name {
			continue
		}
		d := distance(strings.ToLower(name), strings.ToLower(c))
		if d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// distance is the edit distance of a and b, where two neighbours swapped count
// as one edit.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	prev2, prev := []int(nil), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev = prev, row
	}
	return prev[len(b)]
}
