package compile

import (
	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// place is where a value lives at a site.
type place interface {
	// scalar reads what lies off bytes into the value; why is not empty if
	// that cannot be done.
	scalar(off int64, s program.Scalar) (n *program.Node, why string)
	// address is the value's own address, nil if it is not in memory.
	address() *program.Node
}

// memory is a value in memory.
type memory struct{ base *program.Node }

func (m memory) scalar(off int64, s program.Scalar) (*program.Node, string) {
	return load(s, m.base, off), ""
}
func (m memory) address() *program.Node { return m.base }

// part is what lies off bytes into another value.
type part struct {
	of  place
	off int64
}

func (p part) scalar(off int64, s program.Scalar) (*program.Node, string) {
	return p.of.scalar(p.off+off, s)
}

func (p part) address() *program.Node {
	if a := p.of.address(); a != nil {
		return plus(a, p.off)
	}
	return nil
}

func within(p place, off int64) place {
	switch p := p.(type) {
	case memory:
		return memory{plus(p.base, off)}
	case part:
		return part{p.of, p.off + off}
	case unreadable:
		return p
	}
	return part{p, off}
}

// computed is a value that is in no place but is the result of nodes: one for
// each of its words.
type computed map[int64]*program.Node

func (c computed) scalar(off int64, _ program.Scalar) (*program.Node, string) {
	if n := c[off]; n != nil {
		return n, ""
	}
	return nil, "not captured"
}
func (c computed) address() *program.Node { return nil }

// unreadable is a value that cannot be read at the site.
type unreadable struct{ why string }

func (u unreadable) scalar(int64, program.Scalar) (*program.Node, string) { return nil, u.why }
func (u unreadable) address() *program.Node                               { return nil }

const whyOptimisedOut = "optimised out"

// pieces is a variable whose parts live in registers and memory.
type pieces struct {
	list    []debuginfo.Piece
	missing func() // told when a part that is wanted does not exist
}

func (p pieces) address() *program.Node { return nil }

func (p pieces) scalar(off int64, s program.Scalar) (*program.Node, string) {
	start := int64(0)
	for _, x := range p.list {
		if off >= start && off+s.Size() <= start+x.Size {
			if n := pieceScalar(x, off-start, s); n != nil {
				return n, ""
			}
			break
		}
		start += x.Size
	}
	p.missing()
	return nil, whyOptimisedOut
}

// pieceScalar reads s at off bytes into one piece; nil if it does not exist.
func pieceScalar(x debuginfo.Piece, off int64, s program.Scalar) *program.Node {
	if at := pieceAddress(x); at != nil {
		return load(s, at, off)
	}
	switch x.Kind {
	case debuginfo.InReg:
		return regScalar(x, off, s)
	case debuginfo.InXReg:
		if off == 0 && s.Float() {
			return &program.Node{Op: program.OpXReg, Type: s, Imm: int64(x.Reg)}
		}
	case debuginfo.Const:
		return constScalar(x.Const>>(8*uint(off)), s)
	}
	return nil
}

// regScalar reads s at off bytes into a general register.
func regScalar(x debuginfo.Piece, off int64, s program.Scalar) *program.Node {
	if s.Float() {
		return nil // Go keeps no floating-point number in a general register
	}
	if off == 0 {
		return &program.Node{Op: program.OpReg, Type: s, Reg: x.Reg}
	}
	whole := &program.Node{Op: program.OpReg, Type: program.U64, Reg: x.Reg}
	shifted := op2(program.OpShr, program.U64, whole, imm(program.U64, 8*off))
	if s == program.Bool {
		low := convert(shifted, program.U64, program.U8)
		return op2(program.OpNe, program.Bool, low, imm(program.U8, 0))
	}
	return convert(shifted, program.U64, s)
}

func constScalar(bits uint64, s program.Scalar) *program.Node {
	v := int64(bits)
	switch s {
	case program.Bool:
		v = int64(bits & 1)
	case program.I8:
		v = int64(int8(bits))
	case program.I16:
		v = int64(int16(bits))
	case program.I32:
		v = int64(int32(bits))
	case program.U8:
		v = int64(uint8(bits))
	case program.U16:
		v = int64(uint16(bits))
	case program.U32, program.F32:
		v = int64(uint32(bits))
	}
	return imm(s, v)
}

// pieceAddress is the address of a piece in memory, nil of any other.
func pieceAddress(x debuginfo.Piece) *program.Node {
	switch x.Kind {
	case debuginfo.AtCFA:
		return &program.Node{Op: program.OpCFA, Type: program.U64, Imm: x.Off}
	case debuginfo.AtAddr:
		return &program.Node{Op: program.OpAddr, Type: program.U64, Imm: x.Off}
	case debuginfo.AtReg:
		return plus(&program.Node{Op: program.OpReg, Type: program.U64, Reg: x.Reg}, x.Off)
	}
	return nil
}
