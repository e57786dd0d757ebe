package program

// Reg is a general register of amd64 by its hardware number: 0 RAX, 1 RCX,
// 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8 … 15 R8 … R15. (Not DWARF's
// numbering; debuginfo translates.)
type Reg uint8

// Scalar is the machine type of a Node's value.
type Scalar uint8

// The machine types. Pointers and uintptr are U64.
const (
	Bool Scalar = iota // one byte, 0 or 1
	I8
	I16
	I32
	I64
	U8
	U16
	U32
	U64
	F32
	F64
)

// Size of a scalar in bytes.
func (s Scalar) Size() int64 {
	switch s {
	case Bool, I8, U8:
		return 1
	case I16, U16:
		return 2
	case I32, U32, F32:
		return 4
	}
	return 8
}

// Signed tells whether s is a signed integer.
func (s Scalar) Signed() bool { return s >= I8 && s <= I64 }

// Float tells whether s is a floating-point number.
func (s Scalar) Float() bool { return s == F32 || s == F64 }

// Op is what a Node does.
type Op uint8

// The operations. X, Y, Z are the operands; Type is the type of the result
// unless it says otherwise. Integer arithmetic wraps as Go's does in Type.
const (
	OpConst    Op = iota // Imm (bits of Type: sign- or zero-extended; F64 bits, F32 bits in the low half)
	OpReg                // general register Reg at the site, low Type.Size bytes
	OpXReg               // vector register Imm (0 … 15), low F32 or F64
	OpCFA                // canonical frame address + Imm; U64
	OpAddr               // linked address Imm plus the slide; U64
	OpLoad               // memory of Type at address X + Imm; StatusFault if it cannot be read
	OpNonNil             // X (U64); StatusNil if it is below 4096
	OpIndex              // X (I64) if 0 ≤ X < Y (I64), else StatusRange; result I64
	OpGoid               // goroutine id; U64
	OpDuration           // at a RoleStop: nanoseconds since its RoleStart; I64

	OpAdd // X + Y, both of Type; likewise below
	OpSub
	OpMul
	OpDiv // StatusDivide when an integer Y is 0; the least integer / -1 wraps
	OpRem
	OpAnd
	OpOr
	OpXor
	OpAndNot
	OpShl // Y is U64; ≥ width gives 0
	OpShr // arithmetic for signed; ≥ width as Go
	OpNeg
	OpCom  // ^X
	OpConv // X converted to Type as Go converts numbers

	OpEq // Bool: X == Y, both of X.Type; likewise below
	OpNe
	OpLt
	OpLe
	OpGt
	OpGe
	OpNot    // !X
	OpAndAnd // X && Y, Y only if X
	OpOrOr

	// OpStrEq: Bool: the strings (X = pointer, Y = length) and (Z = pointer, W = length)
	// are equal. A constant string is an OpData node for the pointer.
	OpStrEq
	// OpStrLt: Bool: the first string sorts before the second, bytewise.
	OpStrLt
	OpData // address of the constant bytes Data, placed beside the code; U64

	OpRequire // Y if X (Bool) is true, else the status Imm
	OpMatch   // Bool: the text (X = pointer, Y = length) is matched by the automaton Data, Imm; see Automaton
	// OpFind: U64: the address of the value of a key in the map at X; see Map. Where
	// there is none: the status Imm, or if that is 0 the address W, or 0. Of a list
	// that begins at X and has W (I64) elements: the address of the first that is
	// equal, or 0.
	OpFind
	// OpSlot: U64: what the scalar slot Imm of the site recorded, or its status. It
	// is part of later slots only, and keeps them from evaluating the same again.
	OpSlot
	// OpSpan: U64: the address of the identity of the OpenTelemetry span that the
	// context.Context of words X and Y carries; see Chain. StatusKey: it carries none;
	// StatusType: a context, or the span, has a type that Chain does not list;
	// StatusLarge: more than Chain.Max contexts lie within each other.
	OpSpan
)

// Node is a pure expression over the target's state at a site. Evaluating it
// gives a value of Type or a Status other than StatusOK, which every enclosing
// node passes on at once (&&, || after a decided left side do not evaluate the
// right one).
type Node struct {
	Op         Op
	Type       Scalar
	Reg        Reg
	Imm        int64
	Data       []byte
	X, Y, Z, W *Node
	Map        *Map   // OpFind
	Chain      *Chain // OpSpan
}

// MaxCompare is the most bytes of two strings that OpStrEq and OpStrLt look at,
// which bounds the time of a hit: where more would have to be compared, and
// where a length is negative, they give StatusCorrupt. Strings of different
// lengths are not equal without a look at their bytes.
const MaxCompare = 16 << 10

// MaxLen is the least length that a SlotBytes takes for absurd (StatusCorrupt).
const MaxLen = 1 << 40
