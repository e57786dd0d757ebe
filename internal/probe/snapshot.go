package probe

import "time"

// Defaults of a snapshot's bounds.
const (
	DefaultLimit    = 1        // snapshots that are taken
	DefaultDepth    = 3        // pointers followed in a row
	DefaultMaxItems = 256      // objects copied, and elements shown of one list or map
	DefaultMaxBytes = 32 << 10 // bytes copied
	DefaultMaxTime  = 20 * time.Microsecond
	DefaultFrames   = 10 // frames shown
)

// Bounds say how much a snapshot takes. A zero means the default.
type Bounds struct {
	Depth    int   // pointers followed in a row; strings, elements and map entries cost none
	MaxItems int   // objects copied at the hit, and elements shown of one list or map
	MaxBytes int64 // bytes copied at the hit
	Frames   int   // frames shown, inlined ones included

	// MaxTime is how long the hit may take in the target; NoMaxTime: as long as the
	// other bounds let it. Registers, goroutine and stack are always taken.
	MaxTime time.Duration
}

// NoMaxTime is the MaxTime of a snapshot that is not bounded by time.
const NoMaxTime time.Duration = -1

// WithDefaults fills what is zero.
func (b Bounds) WithDefaults() Bounds {
	fill := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&b.Depth, DefaultDepth)
	fill(&b.MaxItems, DefaultMaxItems)
	fill(&b.Frames, DefaultFrames)
	if b.MaxBytes == 0 {
		b.MaxBytes = DefaultMaxBytes
	}
	if b.MaxTime == 0 {
		b.MaxTime = DefaultMaxTime
	}
	return b
}

// Moment is one moment of a running process: an emitted hit of a snapshot, or the
// beginning of a call that a time asked for.
type Moment struct {
	Probe     string
	Location  string
	Seq       uint64 // 1, 2, 3 … in the order of emission within the probe
	Time      time.Time
	PID       int
	Build     string // Go build ID of the program
	Target    string // name of the process
	Goroutine uint64
	Function  string // of the site: the innermost, inlined copies included
	File      string
	Line      int

	Frames  []Frame       // innermost first
	Watches []NamedValue  // as asked, in order
	Created *Creation     // who started the goroutine; nil unknown, or the first one
	Trace   *TraceID      // the OpenTelemetry span that a context in scope carries
	Cuts    []string      // what was cut from the whole, and which bound did it
	Took    time.Duration // in the target, the copying of this moment

	Duration time.Duration // of the call, or way, that began at this moment; meaningful if Call
	Call     bool          // the snapshot is one of a time
}

// Frame is one function on the stack, the innermost first; a function that the
// compiler inlined has a frame of its own.
type Frame struct {
	Function  string
	File      string
	Line      int
	PC        uint64 // in the running process
	Inlined   bool   // into the next frame
	Variables []Variable
	Issue     string // why it has none, or why the stack ends here; empty: nothing is missing
}

// Role is what a variable is to its function.
type Role string

// The roles.
const (
	RoleReceiver Role = "receiver"
	RoleArgument Role = "argument"
	RoleResult   Role = "result"
	RoleLocal    Role = "local"
	RoleCaptured Role = "captured" // by a closure, of the function around it
)

// Variable is a variable of a frame. Its value's Type is the declared one, but
// for an interface, whose declared one is Declared.
type Variable struct {
	Name  string
	Role  Role
	Value Value
}

// Creation is where a goroutine was started.
type Creation struct {
	Goroutine uint64 // that started it; 0 unknown
	Function  string
	File      string
	Line      int
}

// TraceID names an OpenTelemetry span, in lower-case hexadecimal digits.
type TraceID struct {
	Trace string // 32 digits
	Span  string // 16 digits
}

func (*Moment) event() {}
