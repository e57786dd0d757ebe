package otlp

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// Attr is an attribute by name; its Value is a string, an int64 or a bool.
type Attr struct {
	Key   string
	Value any
}

// Resource is the process whose spans they are.
type Resource []Attr

// The messages of the protocol, as far as they are needed.
type (
	request struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   resource     `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
		SchemaURL  string       `json:"schemaUrl"`
	}
	resource struct {
		Attributes []keyValue `json:"attributes"`
	}
	scopeSpans struct {
		Scope scope  `json:"scope"`
		Spans []span `json:"spans"`
	}
	scope struct {
		Name string `json:"name"`
	}
	span struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		ParentSpanID string     `json:"parentSpanId,omitempty"`
		Flags        uint32     `json:"flags"`
		Name         string     `json:"name"`
		Kind         int        `json:"kind"`
		Start        string     `json:"startTimeUnixNano"`
		End          string     `json:"endTimeUnixNano"`
		Attributes   []keyValue `json:"attributes"`
		Status       status     `json:"status"`
	}
	keyValue struct {
		Key   string   `json:"key"`
		Value anyValue `json:"value"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code,omitempty"`
	}
	anyValue struct {
		String *string `json:"stringValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
		Int    *string `json:"intValue,omitempty"` // as protobuf's JSON writes 64 bits
		Double any     `json:"doubleValue,omitempty"`
		Array  *array  `json:"arrayValue,omitempty"`
		Bytes  []byte  `json:"bytesValue,omitempty"`
	}
	array struct {
		Values []anyValue `json:"values"`
	}
)

const (
	scopeName    = "github.com/sidelight-dev/sidelight"
	schemaURL    = "https://opentelemetry.io/schemas/1.37.0"
	kindInternal = 1
	codeError    = 2

	flagSampled  = 1
	flagIsKnown  = 0x100 // it is known whether the span above is of another process
	flagIsRemote = 0x200
)

// Encode makes an ExportTraceServiceRequest, in one line.
func Encode(r Resource, spans []*probe.Span) ([]byte, error) {
	out := make([]span, len(spans))
	for i, s := range spans {
		out[i] = encode(s)
	}
	var attrs []keyValue
	for _, a := range r {
		attrs = append(attrs, plain(a.Key, a.Value))
	}
	return json.Marshal(request{[]resourceSpans{{Resource: resource{attrs}, SchemaURL: schemaURL,
		ScopeSpans: []scopeSpans{{scope{scopeName}, out}}}}})
}

func encode(s *probe.Span) span {
	out := span{TraceID: s.TraceID, SpanID: s.ID, ParentSpanID: s.Above, Flags: flags(s), Name: sink.ShortFunction(s.Function),
		Kind: kindInternal, Start: nanos(s.Start.UnixNano()), End: nanos(s.Start.Add(s.Duration).UnixNano())}
	out.Attributes = append(out.Attributes,
		plain("code.function.name", s.Function), plain("code.file.path", s.File), plain("code.line.number", int64(s.Line)),
		plain("sidelight.goroutine", int64(s.Goroutine)), plain("sidelight.outcome", string(s.Outcome)))
	if s.Outcome != probe.Returned && s.Outcome != probe.Recovered {
		// Its end is not known: that it is told as a moment must not be taken for its time.
		out.Attributes = append(out.Attributes, plain("sidelight.end_unknown", true))
	}
	if c := s.Creator; c != nil {
		out.Attributes = append(out.Attributes, plain("sidelight.started_by.goroutine", int64(c.Goroutine)),
			plain("sidelight.started_by.function", c.Function))
	}
	switch {
	case s.Error != nil:
		out.Status = status{valid(sink.ErrorText(*s.Error)), codeError}
		out.Attributes = append(out.Attributes, plain("error.type", s.Error.Type))
	case s.Outcome == probe.Panicked:
		out.Status = status{"a panic ended the call", codeError}
		out.Attributes = append(out.Attributes, plain("error.type", "panic"))
	}
	for _, a := range s.Attrs {
		out.Attributes = append(out.Attributes, keyValue{valid(a.Name), value(a.Value, 4)})
	}
	return out
}

// flags are the W3C flags of the trace, and whether the span above is of another
// process.
func flags(s *probe.Span) uint32 {
	f := uint32(flagSampled | flagIsKnown)
	if j := s.Joined; j != nil {
		if f = uint32(j.Flags) | flagIsKnown; j.Remote && s.Above == j.Span {
			f |= flagIsRemote
		}
	}
	return f
}

func nanos(n int64) string { return strconv.FormatInt(n, 10) }

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func plain(key string, v any) keyValue {
	switch v := v.(type) {
	case int64:
		return keyValue{key, integer(nanos(v))}
	case bool:
		return keyValue{key, anyValue{Bool: &v}}
	case string:
		return keyValue{key, text(v)}
	}
	panic("otlp: an attribute of another type")
}

func text(s string) anyValue {
	s = valid(s)
	return anyValue{String: &s}
}

func integer(s string) anyValue { return anyValue{Int: &s} }

// value is a value as a typed attribute: what has no type there is text, as a log
// prints it. depth bounds lists within each other.
func value(v probe.Value, depth int) anyValue {
	switch {
	case v.Shape == probe.Nil:
		return anyValue{} // empty is null
	case v.Shape == probe.Bool:
		return anyValue{Bool: &v.Bool}
	case v.Shape == probe.Int:
		return integer(strconv.FormatInt(v.Int, 10))
	case v.Shape == probe.Uint && v.Uint <= math.MaxInt64:
		return integer(strconv.FormatUint(v.Uint, 10))
	case v.Shape == probe.Float:
		return double(v.Float)
	case v.Shape == probe.String && !v.Truncated && !utf8.Valid(v.Data):
		return anyValue{Bytes: v.Data}
	case v.Shape == probe.Interface && len(v.Elems) == 1 && depth > 0:
		return value(v.Elems[0], depth-1)
	case v.Shape == probe.List && !v.Truncated && depth > 0:
		list := &array{Values: []anyValue{}}
		for _, e := range v.Elems {
			list.Values = append(list.Values, value(e, depth-1))
		}
		return anyValue{Array: list}
	}
	return text(v.String())
}

// double is a number as protobuf's JSON writes it.
func double(f float64) anyValue {
	switch {
	case math.IsNaN(f):
		return anyValue{Double: "NaN"}
	case math.IsInf(f, 1):
		return anyValue{Double: "Infinity"}
	case math.IsInf(f, -1):
		return anyValue{Double: "-Infinity"}
	}
	return anyValue{Double: f}
}
