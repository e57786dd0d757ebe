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
	Goexited   Outcome = "goexited"   // runtime.Goexit ended it
	Unfinished Outcome = "unfinished" // it was under way at the end, or its goroutine ended
	Lost       Outcome = "lost"       // its end was dropped, or may have been: see the accounting
)

// Span is one call of a traced function.
type Span struct {
	Probe     string
	Location  string
	TraceID   string // 32 hexadecimal digits: the application's, or one of ours
	ID        string // 16
	Parent    string // the call around this one; "" of a root
	Root      string // the outermost of these calls
	Above     string // the span above in the trace: Parent, or the application's; "" none
	Joined    *Joined
	Unjoined  string // why the trace that a context may carry was not joined; "" it was, or there is none
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

// Joined is the application's own span that a call was made under.
type Joined struct {
	TraceID
	Flags  uint8 // of W3C Trace Context
	Remote bool  // it began in another process
}

// Sampled tells whether the application keeps its trace.
func (j *Joined) Sampled() bool { return j.Flags&1 != 0 }

// Creator is who started the goroutine of a root span.
type Creator struct {
	Goroutine uint64
	Function  string // that has the go statement; "" unknown
}

func (*Span) event() {}
