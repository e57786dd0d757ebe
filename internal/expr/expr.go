// Package expr is the syntax of the probe language: Go expressions without
// calls and writes, and templates that hold such expressions in braces.
//
// Text that a person wrote comes in; trees that are known to be within the
// language go out, or an *Error that marks the place and names the remedy.
// Nothing here knows a build: names and types are checked by package compile,
// which comes next on the way of a probe.
package expr

import (
	"go/constant"
	"go/token"
)

// Expr is one parsed expression.
type Expr struct {
	Src  string // the whole text that it stood in; nodes' offsets count in it
	Text string // the expression as written, without the space around it
	Root Node
}

// Node is a node of an expression. Pos and End are byte offsets in Expr.Src.
type Node interface {
	Pos() int
	End() int
}

type span struct{ pos, end int }

func (s span) Pos() int { return s.pos }
func (s span) End() int { return s.end }

// Ident is a name.
type Ident struct {
	span
	Name string
}

// Special is $goroutine, $function, $line or $duration, without the dollar sign.
type Special struct {
	span
	Name string
}

// Lit is a literal. Kind is token.INT, FLOAT, CHAR, IMAG or STRING.
type Lit struct {
	span
	Kind  token.Token
	Value constant.Value
}

// Selector is X.Name; the name starts at NamePos.
type Selector struct {
	span
	X       Node
	Name    string
	NamePos int
}

// Index is X[I].
type Index struct {
	span
	X, I Node
}

// Slice is X[Lo:Hi]; Lo and Hi may be nil.
type Slice struct {
	span
	X, Lo, Hi Node
}

// Deref is *X.
type Deref struct {
	span
	X Node
}

// Unary is Op X, Op one of + - ^ !.
type Unary struct {
	span
	Op token.Token
	X  Node
}

// Binary is X Op Y; the operator starts at OpPos.
type Binary struct {
	span
	Op    token.Token
	OpPos int
	X, Y  Node
}

// Assert is X.(Type).
type Assert struct {
	span
	X    Node
	Type *TypeName
}

// TypeName is a type where only a type can stand, as it was written.
type TypeName struct {
	span
	Name string
}

// Call is Fun(Arg): len, cap and their like, or a conversion. Which one it is, or
// that it is a call of a function and refused, only package compile can tell.
type Call struct {
	span
	Fun  Node
	Args []Node
}

// Specials are the names that follow a dollar sign, and what they stand for.
var Specials = []string{"duration", "function", "goroutine", "line"}
