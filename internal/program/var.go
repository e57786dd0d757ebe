package program

// PieceKind says where a piece of a variable is.
type PieceKind uint8

// The kinds of place.
const (
	PieceMissing PieceKind = iota // optimised away
	PieceReg                      // in general register Reg
	PieceXReg                     // in vector register Reg (0 … 15)
	PieceCFA                      // in memory at the canonical frame address + Off
	PieceAddr                     // in memory at the linked address Off
	PieceAtReg                    // in memory at the value of general register Reg + Off
	PieceConst                    // the value itself is Const
	PieceSlot                     // in the fixed part of slot Off; unreadable where its status is not OK
)

// Piece is a run of bytes of a variable.
type Piece struct {
	Kind  PieceKind
	Reg   Reg // hardware number; vector registers: 0 … 15
	Off   int64
	Size  int64 // bytes; the pieces of a variable cover it from its first byte on
	Const uint64
}

// Var is a variable in scope at a site of a snapshot, or a watched expression.
// Its pieces tell where its bytes are at the site; decode finds them in the
// image and in the slots.
type Var struct {
	Name   string
	Role   string // a probe.Role
	Type   *Type
	Line   int     // of its declaration
	Pieces []Piece // what cannot be read is PieceMissing
	Why    string  // not empty: it cannot be read at all
	// Indirect: the pieces make up a pointer to the variable, which lies
	// DerefOff bytes behind it, because it escapes or is shared with a closure.
	Indirect bool
	DerefOff int64
	Static   []byte // of a watched constant: its bytes, or its text
	Reads    Reads  // of a watched expression
	Dict     int    // 1 + the index of its true type in the generic function's dictionary; 0: Type is true
}
