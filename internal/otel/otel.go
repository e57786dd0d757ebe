// Package otel recognises OpenTelemetry's spans in the contexts of a program.
//
// Types of a build come in (package program); what goes out is where in a value
// of them the next context lies, or a span's own identity. It imports nothing
// but program. Before it stands debuginfo, which reads the types; after it stand
// compile, which lets the target go through a chain of contexts when a call
// begins, and value, which goes through the same in a snapshot.
//
// The facts are those of go.opentelemetry.io/otel/trace, 1.0 to 1.47: context.go
// (a span lies in the chain under currentSpanKey, the only key of its type),
// trace.go (SpanContext) and, for the fields of spans, sdk/trace/span.go and
// trace/{nonrecording,auto}.go.
package otel

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Names of types.
const (
	KeyType     = "go.opentelemetry.io/otel/trace.traceContextKeyType" // of the key under which a context has its span
	SpanType    = "go.opentelemetry.io/otel/trace.Span"
	ContextType = "go.opentelemetry.io/otel/trace.SpanContext"
)

// nothings are the spans that have no identity.
var nothings = map[string]bool{
	"go.opentelemetry.io/otel/trace.noopSpan":  true,
	"go.opentelemetry.io/otel/trace/noop.Span": true,
}

// IsNothing tells whether t is a span without an identity.
func IsNothing(t *program.Type) bool { return nothings[t.Name] }

// MaxContexts is how many contexts within each other are looked at: that of a
// request in a large server has ten to twenty.
const MaxContexts = 64

// IsContext tells whether t is the interface type context.Context.
func IsContext(t *program.Type) bool {
	return t != nil && t.Kind == reflect.Interface && t.Name == "context.Context"
}

// Field is a struct's field by name; nil if it has none.
func Field(t *program.Type, name string) *program.Field {
	if t == nil || t.Kind != reflect.Struct {
		return nil
	}
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// Inner is where in a struct the first context lies, in nested structs too.
func Inner(t *program.Type) (off int64, ok bool) { return find(t, 3, IsContext) }

// find is where the first field lies that is wanted.
func find(t *program.Type, depth int, wanted func(*program.Type) bool) (int64, bool) {
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Type == nil {
			continue
		}
		if wanted(f.Type) {
			return f.Offset, true
		}
		if depth > 0 && f.Type.Kind == reflect.Struct {
			if off, ok := find(f.Type, depth-1, wanted); ok {
				return f.Offset + off, true
			}
		}
	}
	return 0, false
}

// Request is where in a struct the first pointer to an http.Request lies, as the
// contexts of web frameworks have one.
func Request(t *program.Type) (off int64, ok bool) { return find(t, 1, IsRequest) }

// IsRequest tells whether t is *http.Request.
func IsRequest(t *program.Type) bool {
	return t != nil && t.Kind == reflect.Pointer && t.Elem != nil && t.Elem.Name == "net/http.Request"
}

// Own is where a span keeps its own identity, and of which type that is: a span
// holds that of its parent, too.
func Own(t *program.Type) (sc *program.Type, off int64, ok bool) { return own(t, 2) }

func own(t *program.Type, depth int) (*program.Type, int64, bool) {
	if IsIdentity(t) {
		return t, 0, true
	}
	for _, name := range []string{"spanContext", "sc"} {
		if f := Field(t, name); f != nil && IsIdentity(f.Type) {
			return f.Type, f.Offset, true
		}
	}
	for i := range t.Fields {
		if f := &t.Fields[i]; depth > 0 && f.Embedded && f.Type != nil && f.Type.Kind == reflect.Struct {
			if sc, off, ok := own(f.Type, depth-1); ok {
				return sc, f.Offset + off, true
			}
		}
	}
	return nil, 0, false
}

// IsIdentity tells whether t is a trace.SpanContext in the form that is known: before
// 1.0 its fields had other names.
func IsIdentity(t *program.Type) bool {
	trace, span := Field(t, "traceID"), Field(t, "spanID")
	return trace != nil && span != nil && trace.Type != nil && span.Type != nil && trace.Type.Size == 16 && span.Type.Size == 8
}
