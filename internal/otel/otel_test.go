package otel

import (
	"reflect"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
)

func structOf(name string, fields ...program.Field) *program.Type {
	return &program.Type{Kind: reflect.Struct, Name: name, Fields: fields}
}

var (
	ctx      = &program.Type{Kind: reflect.Interface, Name: "context.Context", Size: 16}
	request  = &program.Type{Kind: reflect.Pointer, Elem: structOf("net/http.Request", program.Field{Name: "ctx", Type: ctx, Offset: 232})}
	word     = &program.Type{Kind: reflect.Int, Size: 8}
	identity = structOf(ContextType, program.Field{Name: "traceID", Type: &program.Type{Kind: reflect.Array, Size: 16}},
		program.Field{Name: "spanID", Type: &program.Type{Kind: reflect.Array, Size: 8}, Offset: 16})
)

func TestContextsAreFoundInStructs(t *testing.T) {
	in := structOf("main.in", program.Field{Name: "n", Type: word}, program.Field{Name: "c", Type: ctx, Offset: 8})
	for name, c := range map[string]struct {
		t    *program.Type
		off  int64
		want bool
	}{
		"in itself":        {in, 8, true},
		"in a struct":      {structOf("main.out", program.Field{Name: "in", Type: in, Offset: 32}), 40, true},
		"none":             {structOf("main.none", program.Field{Name: "n", Type: word}), 0, false},
		"behind a pointer": {structOf("main.far", program.Field{Name: "p", Type: &program.Type{Kind: reflect.Pointer, Elem: in}}), 0, false},
		"of no known type": {structOf("main.odd", program.Field{Name: "x"}), 0, false},
	} {
		if off, ok := Inner(c.t); ok != c.want || ok && off != c.off {
			t.Errorf("%s: %d, %v", name, off, ok)
		}
	}
	if off, ok := Request(structOf("gin.Context", program.Field{Name: "Request", Type: request, Offset: 64})); !ok || off != 64 {
		t.Errorf("a request: %d, %v", off, ok)
	}
}

// A span's own identity is not that of its parent, and one whose fields have other
// names is none.
func TestSpansOwnIdentity(t *testing.T) {
	parent := program.Field{Name: "parent", Type: identity}
	own := program.Field{Name: "spanContext", Type: identity, Offset: 56}
	base := structOf("trace.base", parent, own)
	for name, c := range map[string]struct {
		t    *program.Type
		off  int64
		want bool
	}{
		"its own":          {base, 56, true},
		"in what it wraps": {structOf("main.span", program.Field{Name: "base", Type: base, Offset: 8, Embedded: true}), 64, true},
		"its parent's":     {structOf("main.span", parent), 0, false},
		"in a field":       {structOf("main.span", program.Field{Name: "base", Type: base, Offset: 8}), 0, false},
	} {
		if sc, off, ok := Own(c.t); ok != c.want || ok && (off != c.off || sc != identity) {
			t.Errorf("%s: %v, %d, %v", name, sc, off, ok)
		}
	}
	for name, c := range map[string]struct {
		t    *program.Type
		want bool
	}{
		"of 1.0":     {identity, true},
		"nothing":    {nil, false},
		"before 1.0": {structOf(ContextType, program.Field{Name: "TraceID", Type: identity.Fields[0].Type}, program.Field{Name: "SpanID", Type: identity.Fields[1].Type}), false},
		"other size": {structOf(ContextType, program.Field{Name: "traceID", Type: word}, identity.Fields[1]), false},
	} {
		if got := IsIdentity(c.t); got != c.want {
			t.Errorf("an identity, %s: %v", name, got)
		}
	}
}
