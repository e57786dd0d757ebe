package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// scalarOf is the machine type of a value of kind k, if one scalar holds it.
func scalarOf(k reflect.Kind) (program.Scalar, bool) {
	switch k {
	case reflect.Bool:
		return program.Bool, true
	case reflect.Int8:
		return program.I8, true
	case reflect.Int16:
		return program.I16, true
	case reflect.Int32:
		return program.I32, true
	case reflect.Int, reflect.Int64:
		return program.I64, true
	case reflect.Uint8:
		return program.U8, true
	case reflect.Uint16:
		return program.U16, true
	case reflect.Uint32:
		return program.U32, true
	case reflect.Uint, reflect.Uint64, reflect.Uintptr, reflect.Pointer, reflect.UnsafePointer,
		reflect.Map, reflect.Chan, reflect.Func:
		return program.U64, true
	case reflect.Float32:
		return program.F32, true
	case reflect.Float64:
		return program.F64, true
	}
	return 0, false
}

// isInteger tells whether a kind is one of Go's integer kinds.
func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uintptr }

// isNumber tells whether a kind can be computed with.
func isNumber(k reflect.Kind) bool {
	return isInteger(k) || k == reflect.Float32 || k == reflect.Float64
}

func imm(s program.Scalar, v int64) *program.Node {
	return &program.Node{Op: program.OpConst, Type: s, Imm: v}
}

func op2(op program.Op, s program.Scalar, x, y *program.Node) *program.Node {
	return &program.Node{Op: op, Type: s, X: x, Y: y}
}

func op1(op program.Op, s program.Scalar, x *program.Node) *program.Node {
	return &program.Node{Op: op, Type: s, X: x}
}

// plus is the address n + off.
func plus(n *program.Node, off int64) *program.Node {
	if off == 0 {
		return n
	}
	switch n.Op {
	case program.OpCFA, program.OpAddr:
		return &program.Node{Op: n.Op, Type: n.Type, Imm: n.Imm + off}
	}
	return op2(program.OpAdd, program.U64, n, imm(program.U64, off))
}

// load reads memory of type s at address n + off.
func load(s program.Scalar, n *program.Node, off int64) *program.Node {
	switch n.Op {
	case program.OpCFA, program.OpAddr:
		n, off = plus(n, off), 0
	}
	return &program.Node{Op: program.OpLoad, Type: s, X: n, Imm: off}
}

func nonNil(n *program.Node) *program.Node {
	switch n.Op {
	case program.OpCFA, program.OpAddr, program.OpNonNil:
		return n
	}
	return op1(program.OpNonNil, program.U64, n)
}

// convert makes n of type from one of type to, as Go converts numbers.
func convert(n *program.Node, from, to program.Scalar) *program.Node {
	if from == to {
		return n
	}
	return op1(program.OpConv, to, n)
}

// orZero is an address that can be read where p is nil: p, or that of eight
// zero bytes. It is how the length of a nil map is 0 without a branch.
func orZero(p *program.Node) *program.Node {
	zero := &program.Node{Op: program.OpData, Type: program.U64, Data: make([]byte, 16)}
	// p | -p has its top bit set unless p is 0; shifted down it is a mask.
	set := op2(program.OpShr, program.I64,
		op2(program.OpOr, program.I64, asI64(p), op1(program.OpNeg, program.I64, asI64(p))),
		imm(program.U64, 63))
	mask := convert(op1(program.OpCom, program.I64, set), program.I64, program.U64)
	return op2(program.OpOr, program.U64, p, op2(program.OpAnd, program.U64, mask, zero))
}

func asI64(n *program.Node) *program.Node { return convert(n, program.U64, program.I64) }

// maxNodes bounds what is evaluated at one site, where shared parts count as
// often as they are evaluated; jit takes a few more. A condition may have half.
const maxNodes = 2000

// searchNodes is what a search in a map or a text counts for.
const searchNodes = 40

// count is the number of nodes that evaluating n visits, maxNodes+1 if more.
func count(n *program.Node, seen map[*program.Node]int) int {
	if n == nil {
		return 0
	}
	if c, ok := seen[n]; ok {
		return c
	}
	c := 1
	switch n.Op {
	case program.OpFind, program.OpMatch, program.OpSpan:
		c = searchNodes
	}
	for _, x := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		c = min(c+count(x, seen), maxNodes+1)
	}
	seen[n] = c
	return c
}

// slotNodes is count of all that a slot evaluates.
func slotNodes(s *program.Slot) int {
	seen := map[*program.Node]int{}
	return count(s.Node, seen) + count(s.Len, seen) + count(s.Guard, seen)
}
