package compile

import (
	"reflect"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/otel"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// named is a build that has types of these names only.
type named struct {
	*world
	types map[string]*program.Type
}

func (n *named) TypeByName(name string) *program.Type { return n.types[name] }

// A build with an OpenTelemetry from before 1.0, whose spans have their identity in
// fields of other names, is traced without it.
func TestOldIdentitiesAreNoneThatIsKnown(t *testing.T) {
	bytes := func(n int64) *program.Type { return &program.Type{Kind: reflect.Array, Size: n} }
	identity := func(trace, span string) *program.Type {
		return &program.Type{Kind: reflect.Struct, Name: otel.ContextType, Size: 24,
			Fields: []program.Field{{Name: trace, Type: bytes(16)}, {Name: span, Type: bytes(8), Offset: 16}}}
	}
	iface := &program.Type{Kind: reflect.Interface, Size: 16}
	value := &program.Type{Kind: reflect.Struct, Fields: []program.Field{{Name: "Context", Type: iface}, {Name: "key", Type: iface, Offset: 16},
		{Name: "val", Type: iface, Offset: 32}}}
	b := &named{newWorld(), map[string]*program.Type{
		otel.KeyType:        {Kind: reflect.Int, RType: 64},
		"*context.valueCtx": {Kind: reflect.Pointer, RType: 128, Elem: value},
	}}
	for id, known := range map[*program.Type]bool{identity("traceID", "spanID"): true, identity("TraceID", "SpanID"): false, nil: false} {
		b.types[otel.ContextType] = id
		if got := spansOf(b); (got != nil) != known {
			t.Errorf("%+v: known is %v", id, got != nil)
		}
	}
}
