package sink

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

type momentObject struct {
	Type      string       `json:"type"`
	Probe     string       `json:"probe"`
	Location  string       `json:"location"`
	Seq       uint64       `json:"seq"`
	Time      string       `json:"time"`
	PID       int          `json:"pid"`
	Target    string       `json:"target,omitempty"`
	Build     string       `json:"build,omitempty"`
	Goroutine uint64       `json:"goroutine"`
	Function  string       `json:"function"`
	File      string       `json:"file"`
	Line      int          `json:"line"`
	Created   *created     `json:"created,omitempty"`
	Trace     *traceObject `json:"trace,omitempty"`
	Took      int64        `json:"took_ns"`
	Duration  *int64       `json:"duration_ns,omitempty"`
	Cuts      []string     `json:"cuts,omitempty"`
	Watches   nodes        `json:"watches,omitempty"`
	Frames    []frame      `json:"frames"`
}

type created struct {
	Goroutine uint64 `json:"goroutine,omitempty"`
	Function  string `json:"function"`
	File      string `json:"file"`
	Line      int    `json:"line"`
}

type traceObject struct {
	Trace string `json:"trace_id"`
	Span  string `json:"span_id"`
}

type frame struct {
	Function  string    `json:"function"`
	File      string    `json:"file"`
	Line      int       `json:"line"`
	PC        string    `json:"pc,omitempty"`
	Inlined   bool      `json:"inlined,omitempty"`
	Issue     string    `json:"issue,omitempty"`
	Variables variables `json:"variables"`
}

func moment(m *probe.Moment) momentObject {
	o := momentObject{Type: "snapshot", Probe: m.Probe, Location: m.Location, Seq: m.Seq, Time: stamp(m.Time),
		PID: m.PID, Target: m.Target, Build: m.Build, Goroutine: m.Goroutine, Function: m.Function,
		File: m.File, Line: m.Line, Took: m.Took.Nanoseconds(), Cuts: m.Cuts, Watches: m.Watches,
		Frames: make([]frame, len(m.Frames))}
	if m.Call {
		ns := m.Duration.Nanoseconds()
		o.Duration = &ns
	}
	if c := m.Created; c != nil {
		o.Created = &created{c.Goroutine, c.Function, c.File, c.Line}
	}
	if t := m.Trace; t != nil {
		o.Trace = &traceObject{t.Trace, t.Span}
	}
	for i, f := range m.Frames {
		o.Frames[i] = frame{f.Function, f.File, f.Line, hex(f.PC), f.Inlined, f.Issue, f.Variables}
	}
	return o
}

func hex(address uint64) string {
	if address == 0 {
		return ""
	}
	return fmt.Sprintf("0x%x", address)
}

// nodes and variables are lists of the nodes that package probe writes.
type (
	nodes     []probe.NamedValue
	variables []probe.Variable
)

func (ns nodes) MarshalJSON() ([]byte, error) { return probe.AppendNodes(nil, ns), nil }

func (vs variables) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, v := range vs {
		if i > 0 {
			b = append(b, ',')
		}
		b = probe.AppendVariable(b, v)
	}
	return append(b, ']'), nil
}
