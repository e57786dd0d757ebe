package expr

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strings"
	"time"
)

// maxLen bounds an expression and a template: more is a mistake, and the
// record of one hit could not hold it.
const maxLen = 8 << 10

// maxDepth bounds the nesting of an expression, so that nobody's recursion has
// to fear it.
const maxDepth = 64

// Parse reads one expression. The error is an *Error.
func Parse(src string) (*Expr, error) { return parseAt(src, 0, len(src)) }

// parseAt reads the expression src[lo:hi]; offsets count in src.
func parseAt(src string, lo, hi int) (*Expr, error) {
	for lo < hi && isSpace(src[lo]) {
		lo++
	}
	for hi > lo && isSpace(src[hi-1]) {
		hi--
	}
	x := &Expr{Src: src, Text: src[lo:hi]}
	switch {
	case lo == hi:
		return nil, x.ErrorAt(lo, hi, "write a Go expression, such as order.ID or len(items)", "there is no expression here")
	case hi-lo > maxLen:
		return nil, x.ErrorAt(lo, lo+1, "shorten it", "the expression is %d bytes long; at most %d are allowed", hi-lo, maxLen)
	}
	text, dollars, err := hideDollars(x, lo)
	if err != nil {
		return nil, err
	}
	text, durations := hideDurations(text, lo)
	fset := token.NewFileSet()
	tree, perr := parser.ParseExprFrom(fset, "", text, parser.SkipObjectResolution)
	if perr != nil {
		return nil, x.syntaxError(perr, lo)
	}
	c := &converter{x: x, base: lo - fset.File(tree.Pos()).Base(), dollars: dollars, durations: durations}
	if x.Root, err = c.node(tree, 0); err != nil {
		return nil, err
	}
	return x, nil
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

// hideDollars replaces each $ outside literals by an underscore, which Go's
// parser accepts in its place, and says where they stood. Offsets stay as they
// were.
func hideDollars(x *Expr, base int) (text string, dollars []int, err error) {
	if !strings.Contains(x.Text, "$") {
		return x.Text, nil, nil
	}
	out := []byte(x.Text)
	for i := 0; i < len(out); {
		if n := literalLen(x.Text[i:]); n > 0 {
			i += n
			continue
		}
		if out[i] == '$' {
			if i > 0 && isNameByte(out[i-1]) || i+1 == len(out) || !isNameByte(out[i+1]) {
				return "", nil, x.ErrorAt(base+i, base+i+1, specialsHint, "a dollar sign must be followed by a name")
			}
			out[i] = '_'
			dollars = append(dollars, base+i)
		}
		i++
	}
	return string(out), dollars, nil
}

const specialsHint = "there are $goroutine, $function, $line and, of a time, $duration"

func isNameByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}

// literalLen is the length of the string or character literal at the start of
// s, 0 if there is none. One that does not end takes all of s.
func literalLen(s string) int {
	if s == "" || s[0] != '"' && s[0] != '\'' && s[0] != '`' {
		return 0
	}
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == quote:
			return i + 1
		case s[i] == '\\' && quote != '`':
			i++
		}
	}
	return len(s)
}

// syntaxError says in the words of this language what Go's parser found.
func (x *Expr) syntaxError(err error, base int) *Error {
	var list scanner.ErrorList
	if !errors.As(err, &list) || len(list) == 0 {
		return x.ErrorAt(base, base+len(x.Text), "", "this is not a Go expression: %v", err)
	}
	first := list[0]
	pos := min(base+first.Pos.Offset, base+len(x.Text))
	msg, hint := explainSyntax(first.Msg, x.Src[pos:base+len(x.Text)])
	return x.ErrorAt(pos, pos+1, hint, "%s", msg)
}

func explainSyntax(msg, rest string) (text, hint string) {
	found := func(ops ...string) bool {
		return slices.ContainsFunc(ops, func(op string) bool { return strings.Contains(msg, "found '"+op+"'") })
	}
	switch {
	case found("=", ":=", "+=", "-=", "*=", "/=", "++", "--"):
		return "a probe cannot write", "it only reads the program; to compare, write =="
	case found("EOF") || strings.Contains(msg, "found newline"):
		return "the expression ends too early: " + msg, ""
	case strings.Contains(msg, "illegal character"):
		return msg, "expressions are Go's own: names, fields, indexes, arithmetic, comparison"
	case strings.HasPrefix(msg, "expected 'EOF', found"):
		word := rest
		if i := strings.IndexAny(word, " \t\n)"); i > 0 {
			word = word[:i]
		}
		if word == "and" || word == "or" || word == "not" {
			return "unexpected " + word, "Go writes &&, || and !"
		}
		return "the expression should have ended here", "one expression is allowed; an operator may be missing"
	}
	return msg, ""
}

// converter turns Go's tree into ours and refuses what is no part of the
// language.
type converter struct {
	x       *Expr
	base    int // to add to a token.Pos
	dollars []int

	durations map[int]time.Duration // by where they stand
}

func (c *converter) span(n ast.Node) span {
	return span{c.base + int(n.Pos()), c.base + int(n.End())}
}

func (c *converter) node(n ast.Expr, depth int) (Node, error) {
	if depth > maxDepth {
		return nil, c.refuse(n, "take it apart", "the expression is nested more than %d deep", maxDepth)
	}
	depth++
	switch n := n.(type) {
	case *ast.ParenExpr:
		return c.node(n.X, depth)
	case *ast.Ident:
		return c.ident(n)
	case *ast.BasicLit:
		return c.literal(n)
	case *ast.SelectorExpr:
		return c.selector(n, depth)
	case *ast.IndexExpr:
		return c.index(n, depth)
	case *ast.TypeAssertExpr:
		return c.assert(n, depth)
	case *ast.SliceExpr:
		return c.slice(n, depth)
	case *ast.StarExpr:
		x, err := c.node(n.X, depth)
		return &Deref{c.span(n), x}, err
	case *ast.UnaryExpr:
		return c.unary(n, depth)
	case *ast.BinaryExpr:
		return c.binary(n, depth)
	case *ast.CallExpr:
		return c.call(n, depth)
	}
	return nil, c.outside(n)
}
