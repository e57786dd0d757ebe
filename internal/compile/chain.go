package compile

import (
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/otel"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// spans is how a build's contexts carry OpenTelemetry spans.
type spans struct {
	*program.Chain
	identity *program.Type // trace.SpanContext
}

// contexts of the standard library, 1.18 to 1.26, by their names: the build may
// have lost the table of its conversions. The first ones are met most often.
var contexts = []string{"*context.cancelCtx", "*context.timerCtx", "context.backgroundCtx", "context.todoCtx", "*context.emptyCtx",
	"context.withoutCancelCtx", "*context.afterFuncCtx", "context.stopCtx"}

// kinds are OpenTelemetry's own spans: where the compiler knows which one a context
// is given, no conversion tells of it.
var kinds = []string{"*go.opentelemetry.io/otel/sdk/trace.recordingSpan", "go.opentelemetry.io/otel/sdk/trace.nonRecordingSpan",
	"go.opentelemetry.io/otel/trace.nonRecordingSpan", "*go.opentelemetry.io/otel/trace.autoSpan",
	"go.opentelemetry.io/otel/trace.noopSpan", "go.opentelemetry.io/otel/trace/noop.Span"}

// spansOf reads how the build's contexts carry spans; nil: it has no OpenTelemetry, or
// one from before 1.0.
func spansOf(b Build) *spans {
	key, value := b.TypeByName(otel.KeyType), b.TypeByName("*context.valueCtx")
	s := &spans{&program.Chain{Max: otel.MaxContexts}, b.TypeByName(otel.ContextType)}
	if key == nil || key.RType == 0 || value == nil || value.RType == 0 || !otel.IsIdentity(s.identity) {
		return nil
	}
	base := b.TypesBase()
	s.SpanKey, s.Value = base+key.RType, base+value.RType
	for name, off := range map[string]*int64{"Context": &s.Next, "key": &s.Key, "val": &s.Val} {
		f := otel.Field(value.Elem, name)
		if f == nil || f.Type == nil || f.Type.Kind != reflect.Interface {
			return nil
		}
		*off = f.Offset
	}
	// The program's own types come by the empty interface: without a symbol table no
	// conversion tells of them.
	all := append(implementing(b, "context.Context", contexts), b.Implementations(b.TypeByName("interface {}"))...)
	s.Contexts = links(base, all, func(t *program.Type) (int64, bool) {
		if off, ok := otel.Inner(t); ok {
			return off, true
		}
		return -1, strings.HasPrefix(t.Name, "context.") // the root of a chain
	})
	s.Spans = links(base, implementing(b, otel.SpanType, kinds), func(t *program.Type) (int64, bool) {
		sc, off, ok := otel.Own(t)
		return off, ok && sc.Name == s.identity.Name
	})
	return s
}

// implementing are the types of these names, and those that the build converts to
// an interface; nil those that it does not have.
func implementing(b Build, iface string, names []string) (all []*program.Type) {
	for _, name := range names {
		all = append(all, b.TypeByName(name))
	}
	return append(all, b.Implementations(b.TypeByName(iface))...)
}

// links are the types of which find tells what lies where in the struct behind.
func links(base uint64, all []*program.Type, find func(t *program.Type) (int64, bool)) (out []program.Link) {
	seen := map[uint64]bool{}
	for _, c := range all {
		if c == nil || c.RType == 0 || seen[c.RType] {
			continue
		}
		seen[c.RType] = true
		if otel.IsNothing(c) {
			out = append(out, program.Link{Type: base + c.RType, Off: -1})
			continue
		}
		t := c
		if p := direct(c); p != nil {
			t = p.Elem
		}
		if t == nil || t.Kind != reflect.Struct {
			continue
		}
		if off, ok := find(t); ok {
			out = append(out, program.Link{Type: base + c.RType, Off: off})
		}
	}
	return out
}

// carrier is the context that a call is given: its two words, and in which
// variable.
type carrier struct {
	name      string
	tab, data *program.Node
	why       string // it cannot be read
}

// carrierOf finds the context of the calls that begin at a site: the first
// argument of type context.Context; else that of the first *http.Request; else
// that in the first argument, or behind it, that holds one of them; else likewise
// of what a closure captured. nil: there is none.
func carrierOf(b Build, s *site, at locate.Site) *carrier {
	var best *debuginfo.Variable
	rank := len(holders) * 2
	for _, v := range b.ScopeOf(at.PC, at.Function, at.Line) {
		if v.Type == nil || v.Result || !v.Param && !v.Captured {
			continue
		}
		for i, holds := range holders {
			if v.Captured {
				i += len(holders)
			}
			if i < rank && holds(v.Type) {
				best, rank = v, i
			}
		}
	}
	if best == nil {
		return nil
	}
	c := &carrier{name: best.Name}
	if strings.HasPrefix(c.name, "~") {
		c.name = "the context without a name"
	}
	c.read(best.Type, s.locate(best))
	return c
}

// holders tell whether a type holds a context, from the plainest way on.
var holders = []func(t *program.Type) bool{
	otel.IsContext,
	otel.IsRequest,
	func(t *program.Type) bool {
		if t.Kind == reflect.Pointer && t.Elem != nil {
			t = t.Elem
		}
		if t.Kind != reflect.Struct {
			return false
		}
		_, ctx := otel.Inner(t)
		_, req := otel.Request(t)
		return ctx || req
	},
}

// read finds the words of the context in a value of type t.
func (c *carrier) read(t *program.Type, p place) {
	for !otel.IsContext(t) {
		if t.Kind == reflect.Pointer {
			at, why := p.scalar(0, program.U64)
			if why != "" {
				c.why = why
				return
			}
			t, p = t.Elem, memory{nonNil(at)}
			continue
		}
		off, ok := otel.Inner(t)
		if ok {
			p = within(p, off)
			break
		}
		off, _ = otel.Request(t)
		t, p = requestOf(t), within(p, off)
	}
	tab, why1 := p.scalar(0, program.U64)
	data, why2 := p.scalar(8, program.U64)
	c.tab, c.data, c.why = tab, data, max(why1, why2)
}

// requestOf is the type *http.Request that a struct has a field of.
func requestOf(t *program.Type) *program.Type {
	for _, f := range t.Fields {
		if otel.IsRequest(f.Type) {
			return f.Type
		}
		if f.Type != nil && f.Type.Kind == reflect.Struct {
			if r := requestOf(f.Type); r != nil {
				return r
			}
		}
	}
	return nil
}

// span records the identity of the span that the calls of a site are given. What
// is not recorded leaves the captures as they are.
func (t *tracer) span(s *site, at locate.Site, r *recorder, out []program.Capture) {
	if t.spans == nil {
		return
	}
	c := carrierOf(t.b, s, at)
	if c == nil {
		return
	}
	if c.why != "" {
		t.issue(probe.IssueOptimisedOut, "%s: %s is %s there: spans do not join the trace that it may carry", s.where(), c.name, c.why)
		out[TraceSpan].Unreadable = c.name + " is " + c.why
		return
	}
	out[TraceSpan] = t.word(r, &program.Node{Op: program.OpSpan, Type: program.U64, X: c.tab, Y: c.data, Chain: t.spans.Chain})
	id := &program.Node{Op: program.OpSlot, Type: program.U64, Imm: int64(out[TraceSpan].Shape.Slot)}
	trace, span := otel.Field(t.spans.identity, "traceID"), otel.Field(t.spans.identity, "spanID")
	out[TraceID] = t.word(r, load(program.U64, id, trace.Offset))
	out[TraceID+1] = t.word(r, load(program.U64, id, trace.Offset+8))
	out[TraceSpanID] = t.word(r, load(program.U64, id, span.Offset))
	for i, name := range map[int]string{TraceFlags: "traceFlags", TraceRemote: "remote"} {
		if f := otel.Field(t.spans.identity, name); f != nil && f.Type != nil && f.Type.Size == 1 {
			out[i] = t.word(r, convert(load(program.U8, id, f.Offset), program.U8, program.U64))
		}
	}
}
