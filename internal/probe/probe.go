// Package probe holds the words of Sidelight as types: what a person asks of a
// running process, and what comes back. Everybody speaks them; they import
// nothing of the project.
//
// A Spec goes in at the command line, the editor or a probe file and goes down
// through engine and compile; Events come up from engine and go out through
// sink.
package probe

import (
	"fmt"
	"time"
)

// Kind is what a probe does at each hit.
type Kind string

// The kinds of probe. Their text is part of the output and file formats.
const (
	Log      Kind = "log"      // emit a message with values
	Count    Kind = "count"    // count the hits
	Snapshot Kind = "snapshot" // keep a whole moment
	Measure  Kind = "measure"  // add up a number: its distribution
	Trace    Kind = "trace"    // emit spans: calls with their times
	Time     Kind = "time"     // add up durations
)

// Records tells whether each hit of such a probe is recorded by itself, and so
// may be limited in rate.
func (k Kind) Records() bool { return k == Log || k == Snapshot || k == Trace }

// Snapshots tells whether a probe takes snapshots: of a place, or of calls.
func (s Spec) Snapshots() bool { return s.Kind == Snapshot || s.Kind == Time && s.Calls }

// Defaults of the limits that keep a probe from living or shouting for ever.
const (
	DefaultFor  = time.Hour
	DefaultRate = 1000 // hits emitted a second by a log
)

// Spec is a probe as it was asked for: a question put into a running process.
type Spec struct {
	ID      string        // names the probe in the output; unique within one command
	Kind    Kind          //
	At      string        // location: file.go:LINE, pkg.Func, pkg.(*Type).Method
	Message string        // template of a log: text with {expressions}
	If      string        // condition; empty: always
	For     time.Duration // life; the removal comes with it
	Limit   int64         // hits after which the probe is removed; 0: none
	Rate    int64         // hits emitted a second; 0: no limit; logs and snapshots only, those of calls as well
	After   int64         // hits that are passed over before the first one is emitted; logs and snapshots only
	Every   int64         // of those that follow, every so manyth is emitted; 0: each
	Seen    int64         // hits that count as passed already, of an earlier installation
	Watch   []string      // expressions of a snapshot
	Bounds  Bounds        // of a snapshot
	Calls   bool          // of a time: snapshots of the beginnings of its calls, told at their ends; Limit and Rate are theirs
	Value   string        // the number of a measure
	By      string        // of an aggregate: what tells its rows apart; empty: one row
	Own     bool          // of a time: the function's own code only, no inlined copies
	Attrs   []Attr        // of a trace
	To      string        // of a time between two locations: the second one
	Turns   bool          // of a time: it may come in turns with the others of its session, which all must allow it, to keep the budget
	Period  time.Duration // between the events of an aggregate; 0: a second
}

// Issue is something that a person should know of a probe: why a site was
// refused, why a value cannot be read. It is data and never fails a neighbour.
// Code is stable, Message says what to do next.
type Issue struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (i Issue) String() string { return fmt.Sprintf("%s: %s", i.Code, i.Message) }

// Issue codes. They are part of the output contract.
const (
	IssueNoCode       = "no-code"       // no such file, line or function in the build
	IssueRefusedCode  = "refused-code"  // runtime, assembly and other code that takes no probe
	IssueOptimisedOut = "optimised-out" // a variable cannot be read at this site
	IssueApproximate  = "approximate"   // the line table makes an exact count impossible
	IssueTrap         = "trap"          // the site costs a trap (one to three microseconds) instead of a jump
	IssueTaken        = "taken"         // another live Sidelight holds the site
	IssueUndecodable  = "undecodable"   // an instruction here is not understood
	IssueExpression   = "expression"    // an expression cannot be served by this build
	IssueDraining     = "draining"      // goroutines are parked inside the window; trap until they leave
	IssueNoDebug      = "no-debug-info" // the build has no debug information: variables are not known
	IssueUnsupported  = "unsupported"   // anything else this version does not do
)

// Site is one machine address of a location as the answer shows it.
type Site struct {
	Address  uint64 // in the running process
	Function string // innermost, inlined copies included
	File     string
	Line     int
	Jump     bool // false: trap
}

// Report says what became of one probe at installation.
type Report struct {
	Probe    string  `json:"probe"`
	Location string  `json:"location"`
	Sites    int     `json:"sites"`
	Jumps    int     `json:"jumps"`
	Traps    int     `json:"traps"`
	Issues   []Issue `json:"issues"`
}

// Event is anything that a session tells: *Ready, *Hit, *Moment, *CountNow, *End.
type Event interface{ event() }

// Ready comes once, when every site counts and has its jump, or after 2 s.
type Ready struct {
	PID    int
	Time   time.Time // when all of them were in
	Probes []Report
	Pause  time.Duration // the longest time that one thread was held

	// Clock is what the probes read the time from; "" where none tells a time.
	// ClockNote says why, where that is not the time-stamp counter.
	Clock     string
	ClockNote string
}

// Clocks of a process.
const (
	ClockTSC  = "tsc"  // the processor's time-stamp counter, calibrated
	ClockVDSO = "vdso" // the kernel's monotonic clock, by the vDSO
)

// Hit is one emitted hit of a log.
type Hit struct {
	Probe     string
	Location  string
	Seq       uint64 // 1, 2, 3 … in the order of emission within the probe
	Time      time.Time
	PID       int
	Goroutine uint64
	Function  string
	File      string
	Line      int
	Message   string
	Values    []NamedValue // in template order, each expression once
}

// NamedValue is an expression of a template and what it was at the hit.
type NamedValue struct {
	Name  string
	Value Value
}

// CountNow is the running count of a count probe, once a second and at the end.
type CountNow struct {
	Probe    string
	Location string
	Time     time.Time
	Count    uint64
	By       *Rows // nil: not by key
	Final    bool
}

// Reason says why a probe ended.
type Reason string

// Reasons for an end. Their text is part of the output contract.
const (
	EndLimit       Reason = "limit"
	EndExpired     Reason = "expired"
	EndInterrupted Reason = "interrupted"
	EndExited      Reason = "target exited"
	EndBudget      Reason = "budget"
	EndRemoved     Reason = "removed" // by its name, while others of its session go on
)

// End is the last word of a probe. Hits = Emitted + Suppressed + Dropped.
type End struct {
	Probe           string
	Location        string
	Reason          Reason
	Hits            uint64 // passes whose condition held
	Emitted         uint64
	Suppressed      uint64        // by rate, limit or budget
	Dropped         uint64        // buffer full, preemption pending, no stack left
	Why             Refusals      // of those two, for what records: logs, snapshots, traces
	ConditionErrors uint64        // passes whose condition could not be evaluated
	CostNS          float64       // sampled mean cost of a pass, nanoseconds
	Samples         uint64        // passes of which that is the mean
	Pause           time.Duration // the longest time that one thread was held
}

// Refusals say why hits were not recorded. The first four are all of Suppressed,
// the others all of Dropped.
type Refusals struct {
	Rate   uint64
	Limit  uint64
	Budget uint64
	Passed uint64 // not among those that were asked for by number
	Full   uint64 // the buffer had no room
	Moment uint64 // preemption was pending, no stack or processor was there, or the record was damaged
}

// State is how a probe that lives is doing.
type State struct {
	Probe      string
	Kind       Kind
	Location   string
	Started    time.Time
	Hits       uint64 // passes whose condition held
	Emitted    uint64
	Suppressed uint64
	Dropped    uint64
	CostNS     float64 // sampled mean cost of a pass, nanoseconds
	Throttled  bool    // it is over the budget: it counts, and emits nothing for a while
}

func (*Ready) event()    {}
func (*Hit) event()      {}
func (*CountNow) event() {}
func (*End) event()      {}
