package sink

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// JSON writes one object a line. Every line is one Write, so that a reader on
// a pipe never waits for the rest of it.
type JSON struct {
	w   io.Writer
	buf bytes.Buffer
	enc *json.Encoder
}

// NewJSON returns a Sink that writes the output contract's objects to w.
func NewJSON(w io.Writer) *JSON {
	j := &JSON{w: w}
	j.enc = json.NewEncoder(&j.buf)
	j.enc.SetEscapeHTML(false)
	return j
}

// Event writes one event as one line.
func (j *JSON) Event(e probe.Event) error {
	return j.Write(object(e))
}

// Write writes any value as one line.
func (j *JSON) Write(v any) error {
	j.buf.Reset()
	if err := j.enc.Encode(v); err != nil {
		return err
	}
	_, err := j.w.Write(j.buf.Bytes())
	return err
}

// timeFormat is RFC 3339 with all nine digits, so that times align and sort.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

func micros(d time.Duration) int64 { return d.Microseconds() }

type readyObject struct {
	Type   string         `json:"type"`
	PID    int            `json:"pid"`
	Probes []probe.Report `json:"probes"`
	Pause  int64          `json:"pause_us"`
	Clock  string         `json:"clock,omitempty"`
	Note   string         `json:"clock_note,omitempty"`
}

type hitObject struct {
	Type      string `json:"type"`
	Probe     string `json:"probe"`
	Location  string `json:"location"`
	Seq       uint64 `json:"seq"`
	Time      string `json:"time"`
	PID       int    `json:"pid"`
	Goroutine uint64 `json:"goroutine"`
	Function  string `json:"function"`
	File      string `json:"file"`
	Line      int    `json:"line"`
	Message   string `json:"message"`
	Values    values `json:"values"`
}

type countObject struct {
	Type     string `json:"type"`
	Probe    string `json:"probe"`
	Location string `json:"location"`
	Time     string `json:"time"`
	Count    uint64 `json:"count"`
}

type endObject struct {
	Type            string       `json:"type"`
	Probe           string       `json:"probe"`
	Location        string       `json:"location"`
	Reason          probe.Reason `json:"reason"`
	Hits            uint64       `json:"hits"`
	Emitted         uint64       `json:"emitted"`
	Suppressed      uint64       `json:"suppressed"`
	Dropped         uint64       `json:"dropped"`
	ConditionErrors uint64       `json:"condition_errors"`
	Cost            float64      `json:"cost_ns"`
	Pause           int64        `json:"pause_us"`

	SuppressedBy map[string]uint64 `json:"suppressed_by,omitempty"`
	DroppedBy    map[string]uint64 `json:"dropped_by,omitempty"`
	Samples      uint64            `json:"cost_samples,omitempty"`
}

// byReason has those reasons that occurred.
func byReason(list []reason) map[string]uint64 {
	out := map[string]uint64{}
	for _, r := range list {
		if r.n > 0 {
			out[r.name] = r.n
		}
	}
	return out
}

// object is an event in the form of the output contract.
func object(e probe.Event) any {
	switch e := e.(type) {
	case *probe.Ready:
		return readyObject{"ready", e.PID, reports(e.Probes), micros(e.Pause), e.Clock, e.ClockNote}
	case *probe.Hit:
		return hitObject{"hit", e.Probe, e.Location, e.Seq, stamp(e.Time), e.PID, e.Goroutine,
			e.Function, e.File, e.Line, e.Message, e.Values}
	case *probe.Moment:
		return moment(e)
	case *probe.CountNow:
		o := countObject{"count", e.Probe, e.Location, stamp(e.Time), e.Count}
		if e.By != nil {
			return countBy{o, e.By.Expr, rowObjects(e.By), e.By.Other.Count, e.By.Unreadable.Count}
		}
		return o
	case *probe.Measured:
		return measured(e)
	case *probe.Span:
		return span(e)
	case *probe.End:
		return endObject{"end", e.Probe, e.Location, e.Reason, e.Hits, e.Emitted, e.Suppressed,
			e.Dropped, e.ConditionErrors, Tenth(e.CostNS), micros(e.Pause), byReason(suppressions(e)), byReason(drops(e)), e.Samples}
	}
	panic("sink: an event without a form in the output contract")
}

// reports makes every list a list: null is no array.
func reports(in []probe.Report) []probe.Report {
	out := make([]probe.Report, len(in))
	copy(out, in)
	for i := range out {
		if out[i].Issues == nil {
			out[i].Issues = []probe.Issue{}
		}
	}
	return out
}

// Tenth rounds a cost to what its sampling can tell. JSON knows no NaN.
func Tenth(ns float64) float64 {
	if math.IsNaN(ns) || math.IsInf(ns, 0) {
		return 0
	}
	return math.Round(ns*10) / 10
}

// values is an object whose members stay in the order of the template.
type values []probe.NamedValue

// MarshalJSON writes the members in order; of two with one name the first wins.
func (vs values) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	seen := make(map[string]bool, len(vs))
	b.WriteByte('{')
	for _, v := range vs {
		if seen[v.Name] {
			continue
		}
		if len(seen) > 0 {
			b.WriteByte(',')
		}
		seen[v.Name] = true
		if err := member(&b, v); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func member(b *bytes.Buffer, v probe.NamedValue) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v.Name); err != nil {
		return err
	}
	b.WriteByte(':')
	return enc.Encode(v.Value)
}
