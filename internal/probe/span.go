package probe

import "time"

// Attr is an attribute of a trace's spans: an expression and its name.
type Attr struct {
	Name, Expr string
	Loose      bool // functions that do not have it go without
}

// Outcome says how a call ended.
type Outcome string

// The outcomes of a call. Their text is part of the output contract.
const (
	Returned   Outcome = "returned"
	Recovered  Outcome = "recovered"  // returned after recovering from a panic
	Panicked   Outcome = "panicked"   // a panic ended it, and somebody above recovered
	Unfinished Outcome = "unfinished" // it was under way at the end, or its goroutine ended
	Lost       Outcome = "lost"       // its end was not recorded: see the accounting
)

// Span is one call of a traced function.
type Span struct {
	Probe     string
	Location  string
	TraceID   string // 32 hexadecimal digits
	ID        string // 16
	Parent    string // "" of a root
	PID       int
	Goroutine uint64
	Function  string
	File      string
	Line      int
	Start     time.Time
	Duration  time.Duration // of a call that returned
	Outcome   Outcome
	Error     *Value // of a call whose error result is not nil
	Attrs     []NamedValue
	Depth     int // spans above it
	Creator   *Creator
}

// Creator is who started the goroutine of a root span.
type Creator struct {
	Goroutine uint64
	Function  string // that has the go statement; "" unknown
}

func (*Span) event() {}
