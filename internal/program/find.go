package program

// Automaton is what OpMatch runs over the bytes of a text. Data is a byte's class
// for each of the 256 bytes, then for each state, 1 << Shift bytes apart, the
// next state for each class. A text is matched if a pass over it comes to
// StateSure, or ends in a state that is not less than Accept.
type Automaton struct {
	Start, Accept, Shift uint8
}

// The states that end a pass.
const (
	StateDead = 0 // never matched any more
	StateSure = 1 // matched whatever follows
)

// Imm is an automaton as a Node's Imm has it.
func (a Automaton) Imm() int64 { return int64(a.Start) | int64(a.Accept)<<8 | int64(a.Shift)<<16 }

// AutomatonOf reads a Node's Imm.
func AutomatonOf(imm int64) Automaton {
	return Automaton{Start: uint8(imm), Accept: uint8(imm >> 8), Shift: uint8(imm >> 16)}
}

// MaxMatch is the most bytes of a text that OpMatch looks at. A text that is
// longer, and not decided by then, gives StatusLarge; a negative length gives
// StatusCorrupt.
const MaxMatch = 4 << 10

// Map is where the runtime keeps what a look-up in a map of one type reads. All
// offsets are in bytes, from the debug information of the build. A list is
// searched in the same way: its elements are the keys, and only KeyStep counts.
//
// Entries lie in groups of eight, with a control byte for each that tells
// whether it is there. Swiss maps (Go 1.24) have tables of groups, found through
// a directory, or a single group; classic ones have an array of groups, called
// buckets, each with more of them chained to it, and while they grow a second
// array whose entries have not moved yet. OpFind goes where the hash of the key
// leads, if it can be computed; else it looks at every group.
type Map struct {
	Key     KeyKind
	KeyType Scalar // KeyScalar
	KeySize int64  // of a key, in bytes; not KeyString
	Hash    *Hash  // nil: it cannot be computed

	List bool // elements KeyStep bytes apart

	Count     int64 // number of entries, 8 bytes
	Busy      int64 // byte that has a bit of BusyMask while somebody writes
	BusyMask  uint8
	GroupSize int64
	Keys      int64 // of the first entry in a group
	Elems     int64
	KeyStep   int64 // from one to the next
	ElemStep  int64
	ElemPtr   bool // the group holds a pointer to the value

	Classic bool
	Dir     int64 // Swiss: pointer to the directory, or to the only group
	DirLen  int64 // number of tables; 0: Dir is the group
	Index   int64 // of a table: its first place in the directory
	Groups  int64 // of a table: pointer to the first group
	Mask    int64 // of a table: number of groups less 1

	B        int64 // classic: byte with the logarithm of the number of buckets
	Buckets  int64
	Old      int64 // the array that is being left, or nil
	Moved    int64 // how much of it has been left, 8 bytes: it changes whenever entries move
	Overflow int64 // of a bucket: the next one of its chain
}

// Found is the search in whose find an address lies: the OpFind by which it is made,
// or an OpSlot that may name one; nil: none. What is read there may be gone, or may
// never have been that of the key, unless the entry is looked at once more.
func (n *Node) Found() *Node {
	for n != nil {
		switch n.Op {
		case OpFind:
			if n.Map.List {
				return nil
			}
			return n
		case OpSlot:
			return n
		case OpAdd, OpNonNil:
			n = n.X
		case OpRequire:
			n = n.Y
		default:
			return nil
		}
	}
	return nil
}

// The words of a SlotPlace: the address, and by what it is known that the entry is
// still there. PlaceHead are the map's Buckets and Moved, or its Dir and DirLen.
const (
	PlaceAddr    = 0
	PlaceMap     = 8
	PlaceControl = 16 // address of the entry's control byte; 0: the address is that of no entry
	PlaceKey     = 24 // address of its key
	PlaceSought  = 32 // KeyScalar: the key; KeyString: its address in the entry, and its length; KeyMemory: its address
	PlaceHead    = 48
	PlaceSize    = 64
)

// Constants of classic maps (runtime/map.go, Go 1.22 and 1.23).
const (
	ClassicFull     = 5 // the least control byte of an entry that is there
	ClassicWriting  = 4 // flag: somebody writes
	ClassicSameSize = 8 // flag: the array grows into one of the same size
	GroupLen        = 8
)

// SwissEmpty is the control byte of a Swiss map's entry that was never there: a
// search ends in its group (internal/runtime/maps, Go 1.24 to 1.26). Those that
// are there have the hash's low 7 bits.
const SwissEmpty = 0x80

// Hash is how the runtime hashes the keys of a map by AES (runtime/asm_amd64.s and
// alg.go, the same from Go 1.22 to 1.26), and what has to be so in the process: else
// OpFind looks at every group. Addresses are as linked.
type Hash struct {
	Uses   uint64 // byte that is not 0 if the runtime hashes by AES
	Hasher uint64 // pointer to the closure by which the map's type hashes
	Func   uint64 // what the closure has to point to
	Varlen bool   // and then it holds KeySize

	Schedule uint64 // the process's round keys, ScheduleLen bytes at a multiple of 16
	Word     bool   // keys of 4 or 8 bytes: three rounds; others: those of memhash
	Seed     int64  // offset of the map's seed,
	SeedSize int64  // of 4 or 8 bytes
	Shift    int64  // Swiss: offset of the byte that says how far to shift the hash for a place in the directory
}

// ScheduleLen is how much of the round keys hashing uses.
const ScheduleLen = 128

// KeyKind says how a key is compared.
type KeyKind uint8

// The kinds of key.
const (
	KeyScalar KeyKind = iota // with Y, a value of KeyType
	KeyString                // with the string at Y of length Z
	KeyMemory                // with the KeySize bytes at Y
)

// Bounds of OpFind: a list of more elements is not looked at, nor is a map of more
// entries whose hash is not known, nor are more groups and places of a directory;
// all give StatusLarge. It gives StatusWriting if the map is being written, or was
// so that the answer may be wrong, and StatusCorrupt if the key is longer than
// MaxCompare or the length of a list negative.
//
// Whoever reads what lies in an entry (OpLoad, SlotBlock, OpFind with a key there)
// looks at it once more afterwards, and gives StatusWriting unless nobody writes the
// map, its head is what it was, and the entry is there and has the same key: the
// writer may have been quick, or may have had the processor in between.
const (
	MaxEntries = 4 << 10
	MaxGroups  = 1 << maxBuckets
	maxBuckets = 10
)

// MaxB is the largest logarithm of a number of buckets, all of which are looked
// at; MaxHashB that of one where the hash names the bucket.
const (
	MaxB     = maxBuckets
	MaxHashB = 40
)
