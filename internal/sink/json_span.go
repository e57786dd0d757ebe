package sink

import "github.com/sidelight-dev/sidelight/internal/probe"

// spanObject is a span; its duration is null where its end is not known.
type spanObject struct {
	Type       string         `json:"type"`
	Probe      string         `json:"probe"`
	Location   string         `json:"location"`
	TraceID    string         `json:"trace_id"`
	SpanID     string         `json:"span_id"`
	ParentID   string         `json:"parent_id"`
	Time       string         `json:"time"`
	Duration   *int64         `json:"duration_ns"`
	PID        int            `json:"pid"`
	Goroutine  uint64         `json:"goroutine"`
	Function   string         `json:"function"`
	File       string         `json:"file"`
	Line       int            `json:"line"`
	Outcome    probe.Outcome  `json:"outcome"`
	Status     string         `json:"status"`
	Error      string         `json:"error,omitempty"`
	Attributes values         `json:"attributes"`
	StartedBy  *creatorObject `json:"started_by,omitempty"`
}

type creatorObject struct {
	Goroutine uint64 `json:"goroutine"`
	Function  string `json:"function"`
}

func span(e *probe.Span) spanObject {
	o := spanObject{Type: "span", Probe: e.Probe, Location: e.Location, TraceID: e.TraceID, SpanID: e.ID, ParentID: e.Parent,
		Time: stamp(e.Start), PID: e.PID, Goroutine: e.Goroutine, Function: e.Function, File: e.File, Line: e.Line,
		Outcome: e.Outcome, Status: "ok", Attributes: e.Attrs}
	if ns := e.Duration.Nanoseconds(); e.Outcome == probe.Returned || e.Outcome == probe.Recovered {
		o.Duration = &ns
	} else {
		o.Status = "unset"
	}
	if e.Outcome == probe.Panicked {
		o.Status = "error"
	}
	if e.Error != nil {
		o.Status, o.Error = "error", ErrorText(*e.Error)
	}
	if e.Creator != nil {
		o.StartedBy = &creatorObject{e.Creator.Goroutine, e.Creator.Function}
	}
	return o
}
