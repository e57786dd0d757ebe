package program

// Aggregate says what a probe adds up in the target, instead of recording hits.
type Aggregate struct {
	Hist   bool   // the distribution of a number
	Number Scalar // of Hist: I64, U64 or F64
	By     *Key   // not nil: for each value of this key; the key of the first site
	Pair   bool   // the number is the time from a Start to a Stop, in nanoseconds (F64)
	Frames bool   // Pair: they belong to one call, not only to one goroutine
	Type   *Type  // of the expression that is measured
	Filter bool   // Pair: calls may be left out at their start

	Reads   Reads // what the number reads
	ByReads Reads // what the key reads
}

// Key is what tells the rows of an aggregate apart: an integer or a boolean
// (Node), or a string (Node its address, Len its length).
type Key struct {
	Node *Node
	Len  *Node // nil: not a string
	Type *Type
}

// Role is what a site of a probe with pairs does.
type Role uint8

// The roles of a site.
const (
	RoleHit     Role = iota
	RoleStart        // takes the time
	RoleStop         // ends what RoleStart began
	RoleRecover      // likewise, where a function returns after it has recovered from a panic
	RoleUnwind       // calls deeper than the frame of the caller are gone: the entry of runtime.deferreturn
	RoleGoexit       // all calls of the goroutine are gone: the entry of runtime.Goexit
	RoleResume       // the call at hand has recovered from a panic, and goes on to a RoleStop that others come to, too
)

// Silent tells whether a pass of a site of this role is no hit: it only says what
// becomes of calls.
func (r Role) Silent() bool { return r == RoleUnwind || r == RoleGoexit || r == RoleResume }

// Ends tells whether a site of this role ends what a RoleStart began.
func (r Role) Ends() bool { return r == RoleStop || r == RoleRecover }
