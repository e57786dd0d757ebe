// Package program is the central value of Sidelight: a probe compiled against
// one build. compile makes it; jit (and its oracle interp) turns it into what
// runs in the target; decode reads by it what the target recorded. It imports
// only the standard library.
//
// A Program has one Site for each machine address of its location. A site has a
// condition and slots, both made of Nodes: small pure expression trees over the
// registers and the memory of the target at the site. All addresses are as
// linked; the slide of a position-independent executable is added by jit.
package program

// Program is a probe compiled against a build.
type Program struct {
	Index  int   // position among the probes of its session: the record's Probe
	Log    bool  // records hits; otherwise it counts only
	Limit  int64 // hits after which it is exhausted; 0 none
	Rate   int64 // emitted hits a second; 0 no limit
	Values []Value
	Asks   Reads    // what the condition reads
	Text   []string // literal texts around the values: len(Parts)+1
	Parts  []int    // for each hole in the template, the index in Values
	Sites  []Site
	Image  *Image // of a snapshot: what each hit copies besides; of a time with snapshots: what each RoleStart does; nil for other kinds

	Aggregate *Aggregate // what is added up in the target; nil: nothing but hits
}

// Value is one expression of the template: every site has the same values in
// the same order; Site.Captures says how each is recorded there.
type Value struct {
	Expr  string // as written
	Type  *Type
	Reads Reads
}

// Reads is what an expression reads, for those who must not show all of it.
type Reads struct {
	Names []string // variables, fields and constant keys on the way; a package's variable with its path
	Types []string // declared types that it looks into
	Made  bool     // the value is made of what was read, and is none of it itself
}

// Site is one machine address and what happens there.
type Site struct {
	PC       uint64 // as linked
	Function string // innermost, inlined copies included
	File     string // as the build knows it
	Line     int
	Cond     *Node // Bool; nil: always
	Captures []Capture
	Slots    []Slot // what is recorded at a hit, in order
	CFA      CFA    // how to find the canonical frame address here
	Vars     []Var  // of a snapshot: what is in scope, innermost first
	Watches  []Var  // of a snapshot: its expressions, in order; Name is the text
	Dict     *Var   // of a snapshot in a generic function: the pointer to its dictionary; nil: none, or not known where
	Roots    []Root // of a snapshot, in the order of their importance; its slots are scalars, blocks and places only

	Role    Role   // of an aggregate or a trace
	Window  uint64 // where the bytes that give way may begin, before PC; 0: at PC
	Inlined bool   // RoleStart, RoleStop: of a copy inside another function's frame
	Resumed bool   // RoleStop: a RoleResume of the function leads here
	Value   *Node  // of an aggregate: the number; nil: none, or a time
	Key     *Key   // of an aggregate by key; at a RoleStart where there are pairs
}

// CFA is the rule for the canonical frame address at a site: register + offset.
type CFA struct {
	Reg    Reg
	Offset int64
}

// Capture says how value i of the program was recorded at a site.
type Capture struct {
	Shape      Shape
	Whole      *Shape // of a part of a text: all of it, which tells whether the part is of a secret; else nil
	Unreadable string // not empty: known at compile time (optimised out …)
}

// Form says how decode builds a value from the bytes of slots.
type Form uint8

// The forms of a captured value.
const (
	FormUnreadable Form = iota // Why: known at compile time
	FormStatic                 // Static: a scalar's bytes, or the text of a string
	FormScalar                 // Type.Size bytes at Slot and Off: numbers, booleans, bare addresses
	FormComplex                // Fields: the real and the imaginary part
	FormString                 // Slot is a SlotBytes; byte slices too
	FormStruct                 // Fields and Names
	FormArray                  // Elems: the first of Type.Len elements
	FormSlice                  // Slot is a SlotBytes, its Len the length; Elems: the first elements; or Slot -1 and the length alone at Slot2 and Off
	FormInterface              // see Shape.Fields
	FormPointer                // address at Slot and Off; Elems[0], if there: what it points to
	FormMap                    // address at Slot and Off; Slot2: length, -1 not captured
	FormChan                   // likewise
	FormFunc                   // closure's address at Slot and Off; Slot2: address of its code
)

// Shape tells decode how the slots of a value build it. A leaf lies at Off in
// the bytes of Slot: those of a scalar, of a block, or the first ones of a
// SlotBytes. Where its slot has a status, the leaf is unreadable for that
// reason, and its neighbours are intact.
type Shape struct {
	Form   Form
	Type   *Type
	Slot   int
	Off    int64
	Slot2  int
	Names  []string
	Elems  []Shape
	Why    string
	Static []byte

	// Fields are a struct's fields, or a complex number's parts. Those of an
	// interface are the parts that are named by constants below.
	Fields []Shape
}

// The parts of a time.Time's location, in Shape.Elems: what it made last of some
// time holds from a second to another, and is so many seconds ahead of UTC.
const (
	TimeStart = iota
	TimeEnd
	TimeOffset
)

// The parts of an interface. Those that are not recorded have no slot, or are
// left out at the end.
const (
	IfaceWord    = iota // its first word; 0: nil
	IfaceType           // the address of its dynamic type
	IfaceData           // its data word
	IfaceBlock          // the first 16 bytes that the data word points to
	IfaceText           // the string there, where the dynamic type is known to begin with one
	IfaceTexts          // of an error that is known: its first three strings, in the order of its fields
	_                   //
	_                   //
	IfaceWrapped        // the error that it wraps; FormInterface
	IfaceSource         // of a *net.OpError, the two ends: word, type, the address's first bytes
	IfaceAddr           // (as IfaceBlock), and its IP or name (as IfaceText)
)

// SlotKind says how a slot is laid out in a record.
type SlotKind uint8

// The kinds of slot. See ring for the layout of a record.
const (
	// SlotScalar records Size bytes (1, 2, 4, 8) of Node's value.
	SlotScalar SlotKind = iota
	// SlotBlock records Size bytes of memory at the address Node.
	SlotBlock
	// SlotBytes records the 8-byte value of Len*Elem's Len, then min(Len*Elem, Max)
	// bytes of memory at the address Node. Elem is the size of an element.
	SlotBytes
	// SlotPlace records the address Node, which OpFind gives, in PlaceSize bytes: what
	// later slots read at the OpSlot is looked at again, and in a snapshot's image what
	// was copied from there, when it is complete.
	SlotPlace
)

// Slot is one thing recorded at a hit. Where Node, Len or the memory cannot be
// read the slot's status says why (see Status), and its neighbours are intact.
type Slot struct {
	Kind  SlotKind
	Guard *Node // Bool; not nil and false or failing: status StatusAbsent
	Node  *Node
	Len   *Node // SlotBytes
	Elem  int64 // SlotBytes: bytes an element; at least 1
	Size  int64 // SlotScalar, SlotBlock: bytes
	Max   int64 // SlotBytes: most bytes copied (a multiple of Elem)
}

// Status of a slot or of an evaluation. The numbers are stored in records.
type Status uint8

// What became of a slot.
const (
	StatusOK      Status = 0
	StatusNil     Status = 1  // nil pointer on the way
	StatusFault   Status = 2  // memory could not be read
	StatusRange   Status = 3  // index out of range
	StatusDivide  Status = 4  // division by zero
	StatusAbsent  Status = 5  // guard did not hold
	StatusCorrupt Status = 6  // negative or absurd length
	StatusKey     Status = 7  // a map has no such key
	StatusType    Status = 8  // an interface holds another type
	StatusWriting Status = 9  // a map is being written
	StatusLarge   Status = 10 // more than is searched in the target
	StatusLast           = StatusLarge
)
