package compile

import (
	"encoding/binary"
	"go/constant"
	"math"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/expr"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// operand is a checked expression: a constant, or a value that lives somewhere.
type operand struct {
	node    expr.Node
	typ     *program.Type  // nil: an untyped constant or nil itself
	val     constant.Value // of a constant
	isNil   bool
	char    bool   // an untyped constant written as a character
	untyped bool   // a comparison's result: any boolean type fits
	place   place  // of what is no constant
	full    string // of a package's variable: its name with the path
}

func (o *operand) constant() bool { return o.val != nil }

// kind of the underlying type; Invalid for untyped constants and nil.
func (o *operand) kind() reflect.Kind {
	if o.typ == nil {
		return reflect.Invalid
	}
	return o.typ.Kind
}

// describe is the operand's type as an error names it.
func (o *operand) describe() string {
	switch {
	case o.isNil:
		return "nil"
	case o.typ != nil:
		return short(o.typ)
	case o.char:
		return "untyped rune constant"
	}
	switch o.val.Kind() {
	case constant.Bool:
		return "untyped bool constant"
	case constant.String:
		return "untyped string constant"
	case constant.Float:
		return "untyped float constant"
	}
	return "untyped int constant"
}

// defaultType is the type that an untyped constant takes by itself.
func (o *operand) defaultType() *program.Type {
	switch {
	case o.typ != nil:
		return o.typ
	case o.char:
		return basic["int32"]
	}
	switch o.val.Kind() {
	case constant.Bool:
		return typeBool
	case constant.String:
		return typeString
	case constant.Float:
		return basic["float64"]
	}
	return typeInt
}

// scalar reads the operand's value, which must be one scalar.
func (o *operand) scalar() (*program.Node, string) {
	s, _ := scalarOf(o.kind())
	if o.constant() {
		return constNode(o.val, o.typ), ""
	}
	return o.place.scalar(0, s)
}

// str reads a string's address and length.
func (o *operand) str() (ptr, n *program.Node, why string) {
	if o.constant() {
		text := constant.StringVal(o.val)
		return &program.Node{Op: program.OpData, Type: program.U64, Data: []byte(text)},
			imm(program.I64, int64(len(text))), ""
	}
	if ptr, why = o.place.scalar(0, program.U64); why != "" {
		return nil, nil, why
	}
	n, why = o.place.scalar(8, program.I64)
	return ptr, n, why
}

// representable converts constant v to type t, if t can hold it: exactly, but
// for the rounding of floats.
func representable(v constant.Value, t *program.Type) (constant.Value, bool) {
	switch k := t.Kind; {
	case k == reflect.Bool:
		return v, v.Kind() == constant.Bool
	case k == reflect.String:
		return v, v.Kind() == constant.String
	case isInteger(k):
		i := constant.ToInt(v)
		return i, i.Kind() == constant.Int && fits(i, t)
	case k == reflect.Float32 || k == reflect.Float64:
		f := constant.ToFloat(v)
		if f.Kind() != constant.Float && f.Kind() != constant.Int {
			return nil, false
		}
		return roundFloat(f, k)
	}
	return nil, false
}

func roundFloat(v constant.Value, k reflect.Kind) (constant.Value, bool) {
	var f float64
	if k == reflect.Float32 {
		f32, _ := constant.Float32Val(v)
		f = float64(f32)
	} else {
		f, _ = constant.Float64Val(v)
	}
	if math.IsInf(f, 0) {
		return nil, false
	}
	return constant.MakeFloat64(f), true
}

// fits tells whether an integer constant is within the bounds of t.
func fits(v constant.Value, t *program.Type) bool {
	bits := uint(8 * t.Size)
	if t.Kind >= reflect.Uint {
		return constant.Sign(v) >= 0 && constant.BitLen(v) <= int(bits)
	}
	if constant.Sign(v) >= 0 {
		return constant.BitLen(v) < int(bits)
	}
	// -2^(bits-1) is the one negative number of that length that fits.
	return constant.BitLen(constant.BinaryOp(v, addOp, constant.MakeInt64(1))) < int(bits)
}

// constBits is a representable constant of scalar type t as the machine has it.
func constBits(v constant.Value, t *program.Type) uint64 {
	switch k := t.Kind; {
	case k == reflect.Bool:
		if constant.BoolVal(v) {
			return 1
		}
		return 0
	case k == reflect.Float32:
		f, _ := constant.Float32Val(v)
		return uint64(math.Float32bits(f))
	case k == reflect.Float64:
		f, _ := constant.Float64Val(v)
		return math.Float64bits(f)
	}
	v = constant.ToInt(v)
	if i, exact := constant.Int64Val(v); exact {
		return uint64(i)
	}
	u, _ := constant.Uint64Val(v)
	return u
}

func constNode(v constant.Value, t *program.Type) *program.Node {
	s, _ := scalarOf(t.Kind)
	return imm(s, int64(constBits(v, t)))
}

// constBytes is a constant as it would lie in memory; a string's is its text.
func constBytes(v constant.Value, t *program.Type) []byte {
	if t.Kind == reflect.String {
		return []byte(constant.StringVal(v))
	}
	return binary.LittleEndian.AppendUint64(nil, constBits(v, t))[:t.Size]
}
