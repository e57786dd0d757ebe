package value

import (
	"bytes"
	"encoding/hex"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// maxHops bounds how many contexts within each other are looked at.
const maxHops = 32

// Span finds the OpenTelemetry span that a context carries; nil where there is
// none, or where the way to it was not copied. A value is taken for a context
// if its type is context.Context, or a struct that holds one.
func (r *Reader) Span(t *program.Type, p Place) *probe.TraceID {
	r.late, r.outer, r.from = false, false, p
	for range maxHops {
		var ok bool
		if t, p, ok = r.resolve(t, p); !ok {
			return nil
		}
		if f := field(t, "val"); f != nil && f.Type.Kind == reflect.Interface {
			if id := r.span(f.Type, p.plus(f.Offset)); id != nil {
				return id
			}
		}
		if t, p, ok = within(t, p, 3, isContext); !ok {
			return nil
		}
	}
	return nil
}

func isContext(t *program.Type) bool {
	return t.Kind == reflect.Interface && t.Name == "context.Context"
}

// resolve goes through interfaces and pointers to the struct behind them.
func (r *Reader) resolve(t *program.Type, p Place) (*program.Type, Place, bool) {
	for range 4 {
		if t == nil {
			return nil, p, false
		}
		switch t.Kind {
		case reflect.Struct:
			return t, p, true
		case reflect.Pointer:
			at, _, why := r.word(p)
			if why != "" || at == 0 {
				return nil, p, false
			}
			t, p = t.Elem, Place{Addr: at}
		case reflect.Interface:
			tab, _, why := r.word(p)
			if why != "" || tab == 0 || r.cfg.Type == nil {
				return nil, p, false
			}
			if t.Iface {
				if tab, why = r.itabType(tab); why != "" {
					return nil, p, false
				}
			}
			if t, p = r.cfg.Type(tab), p.plus(8); t == nil {
				return nil, p, false
			}
			if !r.direct(t) {
				at, _, why := r.word(p)
				if why != "" {
					return nil, p, false
				}
				p = Place{Addr: at}
			}
		default:
			return nil, p, false
		}
	}
	return nil, p, false
}

// within finds a field that is wanted, in nested structs too.
func within(t *program.Type, p Place, depth int, wanted func(*program.Type) bool) (*program.Type, Place, bool) {
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Type == nil {
			continue
		}
		if wanted(f.Type) {
			return f.Type, p.plus(f.Offset), true
		}
		if depth > 0 && f.Type.Kind == reflect.Struct {
			if ft, fp, ok := within(f.Type, p.plus(f.Offset), depth-1, wanted); ok {
				return ft, fp, true
			}
		}
	}
	return nil, p, false
}

// span reads the identifiers of the span in an interface.
func (r *Reader) span(t *program.Type, p Place) *probe.TraceID {
	t, p, ok := r.resolve(t, p)
	if !ok {
		return nil
	}
	if t, p, ok = ownContext(t, p, 2); !ok {
		return nil
	}
	trace, span := field(t, "traceID"), field(t, "spanID")
	a, _, why1 := r.load(p.plus(trace.Offset), 16)
	b, _, why2 := r.load(p.plus(span.Offset), 8)
	if why1 != "" || why2 != "" || bytes.Count(a, []byte{0}) == 16 {
		return nil
	}
	return &probe.TraceID{Trace: hex.EncodeToString(a), Span: hex.EncodeToString(b)}
}

// ownContext finds what a span says of itself, by the names that OpenTelemetry
// gives it: a span holds what it knows of its parent, too.
func ownContext(t *program.Type, p Place, depth int) (*program.Type, Place, bool) {
	if isSpanContext(t) {
		return t, p, true
	}
	for _, name := range []string{"spanContext", "sc"} {
		if f := field(t, name); f != nil && isSpanContext(f.Type) {
			return f.Type, p.plus(f.Offset), true
		}
	}
	for i := range t.Fields {
		if f := &t.Fields[i]; depth > 0 && f.Embedded && f.Type != nil && f.Type.Kind == reflect.Struct {
			if ft, fp, ok := ownContext(f.Type, p.plus(f.Offset), depth-1); ok {
				return ft, fp, true
			}
		}
	}
	return nil, p, false
}

func isSpanContext(t *program.Type) bool {
	trace, span := field(t, "traceID"), field(t, "spanID")
	return trace != nil && span != nil && trace.Type.Size == 16 && span.Type.Size == 8
}
