package expr

import "go/token"

// children are the expressions that a node is made of.
func children(n Node) []Node {
	switch n := n.(type) {
	case *Selector:
		return []Node{n.X}
	case *Index:
		return []Node{n.X, n.I}
	case *Slice:
		return []Node{n.X, n.Lo, n.Hi}
	case *Deref:
		return []Node{n.X}
	case *Unary:
		return []Node{n.X}
	case *Binary:
		return []Node{n.X, n.Y}
	case *Call:
		return n.Args // what is called is a type or len
	case *Assert:
		return []Node{n.X}
	}
	return nil
}

// has tells whether a node, or one that it is made of, is meant.
func has(n Node, meant func(Node) bool) bool {
	if n == nil {
		return false
	}
	if meant(n) {
		return true
	}
	for _, c := range children(n) {
		if has(c, meant) {
			return true
		}
	}
	return false
}

// Asks tells whether an expression has the special of a name in it.
func Asks(n Node, special string) bool {
	return has(n, func(n Node) bool {
		s, ok := n.(*Special)
		return ok && s.Name == special
	})
}

// Named tells whether an expression reads anything that has a name of the
// program's.
func Named(n Node) bool {
	return has(n, func(n Node) bool {
		id, ok := n.(*Ident)
		return ok && id.Name != "true" && id.Name != "false"
	})
}

// And is x && y; it stands where both do.
func And(x, y Node) Node {
	return &Binary{span{x.Pos(), y.End()}, token.LAND, x.End(), x, y}
}
