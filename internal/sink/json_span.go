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
	ParentSpan string         `json:"parent_span_id"`
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
	Joined     *joinedObject  `json:"joined,omitempty"`
	Unjoined   string         `json:"unjoined,omitempty"`
}

// joinedObject is the application's span that a call was made under.
type joinedObject struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
	Sampled bool   `json:"sampled"`
	Remote  bool   `json:"remote"`
}

type creatorObject struct {
	Goroutine uint64 `json:"goroutine"`
	Function  string `json:"function"`
}

// failed tells whether a call returned an error, or was ended by a panic.
func failed(e *probe.Span) bool { return e.Error != nil || e.Outcome == probe.Panicked }

func span(e *probe.Span) spanObject {
	o := spanObject{Type: "span", Probe: e.Probe, Location: e.Location, TraceID: e.TraceID, SpanID: e.ID, ParentID: e.Parent,
		ParentSpan: e.Above, Unjoined: e.Unjoined,
		Time: stamp(e.Start), PID: e.PID, Goroutine: e.Goroutine, Function: e.Function, File: e.File, Line: e.Line,
		Outcome: e.Outcome, Status: "ok", Attributes: e.Attrs}
	if ns := e.Duration.Nanoseconds(); e.Outcome == probe.Returned || e.Outcome == probe.Recovered {
		o.Duration = &ns
	} else {
		o.Status = "unset"
	}
	if failed(e) {
		o.Status = "error"
	}
	if e.Error != nil {
		o.Error = ErrorText(*e.Error)
	}
	if j := e.Joined; j != nil {
		o.Joined = &joinedObject{j.Trace, j.Span, j.Sampled(), j.Remote}
	}
	if e.Creator != nil {
		o.StartedBy = &creatorObject{e.Creator.Goroutine, e.Creator.Function}
	}
	return o
}
