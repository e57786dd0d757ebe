package value

import (
	"bytes"
	"encoding/hex"
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/otel"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Span finds the OpenTelemetry span that a context carries; nil where there is
// none, or where the way to it was not copied. A value is taken for a context
// if its type is context.Context, or a struct that holds one.
func (r *Reader) Span(t *program.Type, p Place) *probe.TraceID {
	r.late, r.outer, r.rest.on, r.from = false, false, false, p
	for range otel.MaxContexts {
		var ok bool
		if t, p, ok = r.resolve(t, p); !ok {
			return nil
		}
		if val := otel.Field(t, "val"); val != nil && r.spanKey(otel.Field(t, "key"), p) {
			return r.span(val.Type, p.plus(val.Offset))
		}
		off, ok := otel.Inner(t)
		if !ok {
			return nil
		}
		t, p = contextType, p.plus(off)
	}
	return nil
}

var contextType = &program.Type{Name: "context.Context", Kind: reflect.Interface, Size: 16, Iface: true}

// spanKey tells whether the key of a context is that of a span.
func (r *Reader) spanKey(f *program.Field, p Place) bool {
	if f == nil || f.Type == nil || f.Type.Kind != reflect.Interface || r.cfg.Type == nil {
		return false
	}
	at, _, why := r.word(p.plus(f.Offset))
	if why != "" {
		return false
	}
	t := r.cfg.Type(at)
	return t != nil && t.Name == otel.KeyType
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

// span reads the identifiers of the span in an interface.
func (r *Reader) span(t *program.Type, p Place) *probe.TraceID {
	t, p, ok := r.resolve(t, p)
	if !ok {
		return nil
	}
	sc, off, ok := otel.Own(t)
	if !ok {
		return nil
	}
	p = p.plus(off)
	a, _, why1 := r.load(p.plus(otel.Field(sc, "traceID").Offset), 16)
	b, _, why2 := r.load(p.plus(otel.Field(sc, "spanID").Offset), 8)
	if why1 != "" || why2 != "" || bytes.Count(a, []byte{0}) == 16 {
		return nil
	}
	return &probe.TraceID{Trace: hex.EncodeToString(a), Span: hex.EncodeToString(b)}
}
