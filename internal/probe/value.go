package probe

// Shape says how a Value is to be shown.
type Shape uint8

// The shapes of values.
const (
	Unreadable Shape = iota // Text says why: optimised out, nil pointer, out of range …
	Nil
	Bool      // Bool
	Int       // Int
	Uint      // Uint
	Float     // Float, Bits 32 or 64
	Complex   // Fields "real" and "imag"
	String    // Data, Len, Truncated; byte slices too
	Struct    // Fields
	List      // array or slice: Elems, Len, Truncated
	Interface // Type is the dynamic type, Elems[0] its value when it has one
	Pointer   // Uint is the address; Elems[0] the struct that it points to, where that was read
	Map       // Len (-1 unknown)
	Chan      // Len (-1 unknown); Uint is the address
	Func      // Text is the name, where known; Uint the address
)

// Value is one value of the target as it was at a hit, at a depth of one.
// It is plain data: how it prints is decided by String and by MarshalJSON.
type Value struct {
	Shape     Shape
	Type      string // Go type name
	Bool      bool
	Int       int64
	Uint      uint64
	Float     float64
	Bits      int
	Data      []byte
	Text      string
	Fields    []NamedValue
	Elems     []Value
	Len       int64
	Truncated bool
}

// Why makes the value that stands for one that could not be read.
func Why(reason string) Value { return Value{Shape: Unreadable, Text: reason} }
