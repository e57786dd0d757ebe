package program

// Image says what a snapshot copies out of the target at a hit: the registers
// of the site, the goroutine's descriptor, the upper part of its stack, and of
// the memory that the values in scope point to as much as the bounds allow,
// breadth first. What comes out is a small core dump, which decode reads values
// from as a debugger does.
//
// The target follows pointers by descriptors: a Desc says where in a value of
// one type lie references to others. Nothing else of a type is known there.
type Image struct {
	Descs   []Desc    // by number; the first is Desc{Size: 1}: bytes, such as those of a string
	Dynamic []Dynamic // in any order, each key once

	Stack   int64 // most bytes of the stack, from the stack pointer up
	G       int64 // size of runtime.g
	Depth   int   // how many references that are not Free may be followed in a row
	Objects int   // most objects, the roots not counted
	Object  int64 // most bytes of one object; of a larger element only the first ones are copied
	Bytes   int64 // most bytes of the whole image, from its header on; see jit.ImageBytes
	Time    int64 // nanoseconds, from the record's time on, after which no further reference is followed; 0 none. Only the target heeds it: package interp has no clock
}

// Desc describes a run of elements of one type. No two descriptors of one image
// are for the same type.
type Desc struct {
	Size  int64  // bytes of one element; at least 1
	Refs  []Ref  // in one element, by rising Off
	Looks []Look // at words of one element that change with what it belongs to, in the order in which they are looked at
	Type  *Type  // for people and tests; nil for bytes
}

// Look is a word of an element, at Off, which is compared with memory again when
// everything is copied: where a bit of Mask differs, the object is marked (see ring).
// A map is copied piece by piece, and its entries may move meanwhile.
type Look struct {
	Off  int64
	Mask uint64
}

// RefKind says how a reference names what it refers to. The numbers are stored
// in the target's tables.
type RefKind uint8

// The kinds of reference. W is the word at Ref.Off, N the word at Ref.Len.
const (
	RefNone      RefKind = 0
	RefPointer   RefKind = 1 // W points to one element
	RefSlice     RefKind = 2 // W points to N elements (I64); strings, slices
	RefGroups    RefKind = 3 // W points to N+1 elements; the groups of a Swiss table
	RefBuckets   RefKind = 4 // W points to 1<<B elements, B the byte at Ref.Len; a classic map's buckets
	RefOld       RefKind = 5 // W points to 1<<B elements, or half as many unless the byte before B has bit 3 (sameSizeGrow); oldbuckets
	RefDirectory RefKind = 6 // N = 0: W points to one element; else to N elements of Ref.Elem2; a Swiss map's dirPtr
	RefIface     RefKind = 7 // W is an itab, whose word at Ref.Len is the type; the next word is the data: see Dynamic
	RefEface     RefKind = 8 // W is the type; the next word is the data
	RefFunc      RefKind = 9 // W points to a closure, whose first word is code: see Dynamic
)

// Ref is a reference at Off in an element.
type Ref struct {
	Kind  RefKind
	Free  bool // costs no depth: the inside of a map, a link of a context
	Off   int64
	Len   int64
	Elem  int // descriptor of what it refers to
	Elem2 int
}

// Dynamic is what an interface's dynamic type, or a closure's code, leads to.
// A type that is not listed is copied as bytes, as many as the runtime's type
// says (its first word), and of an unlisted closure the first ClosureBytes.
type Dynamic struct {
	Key  uint64  // linked address of the runtime's *_type, or of the code
	Kind RefKind // of the data word, taken as a reference: RefPointer to Elem for values kept indirectly, pointers, maps and channels; RefFunc for functions; RefNone: not followed. Of a closure: RefPointer or RefNone
	Elem int
	Free bool
}

// ClosureBytes is how much is copied of a closure of which nothing is known: its
// code and what it may have captured. What it captured is as large as the code
// says, so there may be something else in these bytes, or behind them.
const ClosureBytes = 64

// Base says what the offset of a Source counts from.
type Base uint8

// The bases.
const (
	BaseRegs  Base = iota // the general registers by hardware number, 8 bytes each, then the low halves of the vector registers
	BaseStack             // the stack pointer at the site
	BaseSlot              // the fixed part of slot Slot; nothing where its status is not OK
)

// RegsSize is the size of the register root: 16 general registers and 16 low
// halves of vector registers.
const RegsSize = 16*8 + 16*8

// Source is a word in one of the roots.
type Source struct {
	Base Base
	Slot int
	Off  int64
}

// Root is a reference that a snapshot starts from. Its W is at At, its N, where
// the kind has one, at N (B is the low byte there), and at Data an interface's
// data word, or for RefOld the byte before B. Ref.Off and, but for RefIface,
// Ref.Len are not used.
type Root struct {
	Ref
	At, N, Data Source
}

// Sources are the words that the kind of r reads: W first, then N or the data
// word, then the byte before B.
func (r *Root) Sources() []Source {
	switch r.Kind {
	case RefSlice, RefGroups, RefBuckets, RefDirectory:
		return []Source{r.At, r.N}
	case RefOld:
		return []Source{r.At, r.N, r.Data}
	case RefIface, RefEface:
		return []Source{r.At, r.Data}
	}
	return []Source{r.At}
}
