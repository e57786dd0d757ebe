package debuginfo

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// leaf is a part of a type that the compiler never splits.
type leaf struct{ off, size int64 }

// maxLeaves bounds what is looked at: the compiler itself splits no type into
// more than a few words, and passes at most 9 in registers.
const maxLeaves = 256

// maxNesting bounds structs within structs; a damaged one may hold itself.
const maxNesting = 16

// leaves are the parts into which the compiler splits a variable of type t,
// in order: words of strings, slices and interfaces, fields of structs,
// elements of arrays of one element (cmd/compile/internal/ssa/decompose.go).
func leaves(t *program.Type, base int64, out []leaf) []leaf { return split(t, base, out, 0) }

func split(t *program.Type, base int64, out []leaf, depth int) []leaf {
	if t == nil || t.Size <= 0 || len(out) >= maxLeaves || depth > maxNesting {
		return out
	}
	switch t.Kind {
	case reflect.String, reflect.Slice, reflect.Interface:
		for off := int64(0); off < min(t.Size, 24); off += 8 {
			out = append(out, leaf{base + off, 8})
		}
		return out
	case reflect.Complex64, reflect.Complex128:
		return append(out, leaf{base, t.Size / 2}, leaf{base + t.Size/2, t.Size / 2})
	case reflect.Struct:
		for i := range t.Fields {
			out = split(t.Fields[i].Type, base+t.Fields[i].Offset, out, depth+1)
		}
		return out
	case reflect.Array:
		if t.Len == 1 {
			return split(t.Elem, base, out, depth+1)
		}
	}
	return append(out, leaf{base, t.Size})
}

// place puts the pieces of a location where they belong in the variable. The
// compiler lists one piece for each part and leaves padding out, so that after
// a part of 4 bytes the next piece may be 4 bytes further than it seems; the
// padding is made a piece of its own here. Why is set by what is missing of the
// parts themselves.
func (l *Loc) place(t *program.Type) {
	if len(l.Pieces) == 0 {
		return
	}
	parts := leaves(t, 0, nil)
	if l.listed && len(l.Pieces) < len(parts) {
		// A location list of optimised code names only the parts that the compiler
		// still has, and not which: one place may be a string's length, two of three
		// a slice's length and capacity (cmd/compile/internal/ssa/debug.go,
		// PutLocationList).
		l.Pieces, l.Why = nil, WhyOptimised
		return
	}
	if len(l.Pieces) > 1 {
		l.Pieces = spread(present(l.Pieces, parts), parts)
	}
	have := 0
	for _, p := range parts {
		if covered(l.Pieces, p) {
			have++
		}
	}
	switch {
	case have == len(parts):
		l.Why = ""
	case have == 0:
		l.Why = WhyOptimised
	default:
		l.Why = WhyPartly
	}
}

// present drops pieces that stand for padding. Without optimisation the compiler
// lists them for arguments in registers, and up to Go 1.24 too many of them
// (ComputePadding in cmd/compile/internal/abi/abiutils.go). Such lists have a
// place for every part; lists that lack one are made elsewhere, without padding.
func present(pieces []Piece, parts []leaf) []Piece {
	var out []Piece
	for _, p := range pieces {
		if p.Kind != Missing {
			out = append(out, p)
		}
	}
	if len(out) != len(parts) {
		return pieces
	}
	for i := range out {
		if out[i].Size != parts[i].size {
			return pieces
		}
	}
	return out
}

// spread inserts padding before each piece that would begin in it.
func spread(pieces []Piece, parts []leaf) []Piece {
	out := make([]Piece, 0, len(pieces))
	pos, k := int64(0), 0
	for _, p := range pieces {
		for k < len(parts) && parts[k].off+parts[k].size <= pos {
			k++
		}
		if k < len(parts) && parts[k].off > pos {
			out = append(out, Piece{Kind: Missing, Size: parts[k].off - pos})
			pos = parts[k].off
		}
		out = append(out, p)
		pos += p.Size
	}
	return out
}

// covered tells whether a part can be read from one piece.
func covered(pieces []Piece, part leaf) bool {
	pos := int64(0)
	for _, p := range pieces {
		if pos <= part.off && part.off+part.size <= pos+p.Size {
			return p.Kind != Missing
		}
		pos += p.Size
	}
	return false
}
