package probe

import "math"

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
	String    // Data, Len, Truncated; byte slices too, of snapshots with Bits 8
	Struct    // Fields
	List      // array or slice: Elems, Len, Truncated
	Interface // Type is the dynamic type, Elems[0] its value when it has one
	Pointer   // Uint is the address; Elems[0] what it points to, where that was read
	Map       // Len (-1 unknown), Entries, Truncated
	Chan      // Len (-1 unknown); Uint is the address; Fields more of it; Elems what waits in it
	Func      // Text is the name, where known; Uint the address; Fields what a closure captured
	Literal   // Text is the value as people write it: big.Int, net.IP, an address of C
	Redacted  // Text is the rule that hides it
)

// Value is one value of the target as it was at a hit: of a log at a depth of
// one, of a snapshot as deep as asked. It is plain data: how it prints is
// decided by String and by MarshalJSON.
type Value struct {
	Shape     Shape
	Type      string // Go type name
	Bool      bool
	Int       int64
	Uint      uint64
	Float     float64 // see AsFloat
	Bits      int
	Data      []byte
	Text      string
	Fields    []NamedValue
	Elems     []Value
	Len       int64
	Truncated bool

	// Of snapshots only.
	Entries  []Entry // of a map
	Address  uint64  // where the value lies; of a pointer, slice, string, map or channel what it points to; 0 unknown
	Declared string  // of an interface: its own type, while Type is the dynamic one
	Late     bool    // read from memory after the hit; without it the value is of the moment of the hit
	Note     string  // what is to be known besides: "held", "being written", "shown above"
	Cut      string  // why it is Truncated or has no Elems: the bound that was reached
}

// Entry is one entry of a map.
type Entry struct{ Key, Value Value }

// Why makes the value that stands for one that could not be read.
func Why(reason string) Value { return Value{Shape: Unreadable, Text: reason} }

// Real makes a number with a fraction, of 32 or 64 bits.
func Real(f float64, bits int) Value {
	v := Value{Shape: Float, Float: f, Bits: bits}
	if f == 0 && math.Signbit(f) {
		v.Uint = math.Float64bits(f)
	}
	return v
}

// AsFloat is the number of a Float. Values come from the daemon by gob, which takes
// any zero for one that need not be sent: the sign of a negative one is in Uint.
func (v Value) AsFloat() float64 {
	if v.Float == 0 && v.Uint != 0 {
		return math.Float64frombits(v.Uint)
	}
	return v.Float
}
