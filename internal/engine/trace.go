package engine

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/otel"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// tracing makes spans of the records of traces: one where a call begins, one where
// it ends. It is pure but for its random numbers.
type tracing struct {
	plan    *plan
	creator func(pc uint64) string
	out     func(*probe.Span)
	open    map[uint64][]*begun // by goroutine, the outermost first
	count   int
	told    map[int]int64 // by probe, the ends that were recorded
}

// begun is a call that began.
type begun struct {
	span    *probe.Span
	probe   int
	depth   uint64
	lost    uint64        // records that the probe had certainly lost by then
	lap     lap           // of its record
	under   *probe.Joined // the application's span that it runs under, as far as is known
	resumed bool          // it has recovered from a panic, and will return
	exiting bool          // runtime.Goexit was called: it will not return
}

// spanRecord is a record of a trace, decoded.
type spanRecord struct {
	hit  *probe.Hit
	role program.Role
	i    int
	lost losses
	lap  lap
}

// losses are the records that the probes had lost, each: certainly when a record was
// written, and at most. What a limit refused is not among them: it came after every
// end that was recorded, and so between no begin and its end.
type losses struct {
	before, by []uint64
	limited    []bool // the limit has refused some
}

// maxOpen bounds the calls that are remembered.
const maxOpen = 1 << 17

// record takes the next record, in the order of time.
func (t *tracing) record(m spanRecord) {
	goid := m.hit.Goroutine
	if m.role == program.RoleGoexit {
		for _, b := range t.open[goid] { // nothing stops it: deferred calls are all that runs
			b.exiting = true
		}
		return
	}
	depth := m.hit.Values[compile.TraceDepth].Value.Uint
	if m.role == program.RoleStart {
		t.gone(goid, m, func(b *begun) bool { return b.depth > depth || b.depth == depth && b.probe == m.i })
		if !t.full(m.i) {
			t.begin(goid, depth, m)
		}
		return
	}
	t.gone(goid, m, func(b *begun) bool { return b.depth > depth })
	if m.role == program.RoleResume {
		for _, b := range t.open[goid] {
			b.resumed = b.resumed || b.depth == depth
		}
		return
	}
	t.told[m.i]++
	if t.full(m.i) {
		defer t.abandon(m.i)
	}
	// Of several calls in one frame, each probe ends its own.
	stack := t.open[goid]
	for k := len(stack) - 1; k >= 0 && stack[k].depth == depth; k-- {
		if b := stack[k]; b.probe == m.i {
			t.open[goid] = slices.Delete(stack, k, k+1)
			b.ended(m)
			t.finish(goid, b)
			return
		}
	}
}

// full tells that a probe has reached its limit: from then on the target records
// beginnings of calls alone.
func (t *tracing) full(i int) bool {
	limit := t.plan.probes[i].spec.Limit
	return limit > 0 && t.told[i] >= limit
}

// abandon finishes the calls of a probe whose ends nobody will record: what comes
// later in their goroutines is not within them.
func (t *tracing) abandon(i int) {
	for goid, stack := range t.open {
		for k, b := range slices.Backward(stack) {
			if b.probe == i {
				stack = slices.Delete(stack, k, k+1)
				t.open[goid] = stack
				b.span.Outcome = probe.Unfinished
				t.finish(goid, b)
			}
		}
	}
}

// ended says how a call returned. It may be another's end, if its own and the other's
// begin were lost between the two.
func (b *begun) ended(m spanRecord) {
	s := b.span
	if b.lap != m.lap && b.lost != m.lost.by[b.probe] {
		s.Outcome = probe.Lost
		return
	}
	s.Duration, s.Outcome = m.hit.Time.Sub(s.Start), probe.Returned
	if b.resumed || m.role == program.RoleRecover {
		s.Outcome = probe.Recovered
	}
	if v := m.hit.Values[len(m.hit.Values)-1].Value; v.Shape != probe.Unreadable && v.Shape != probe.Nil {
		s.Error = &v
	}
}

func (t *tracing) begin(goid, depth uint64, m spanRecord) {
	if t.count >= maxOpen {
		return
	}
	h := m.hit
	spec := t.plan.probes[m.i].spec
	s := &probe.Span{Probe: spec.ID, Location: spec.At, ID: randomID(8), PID: h.PID, Goroutine: goid, Function: h.Function,
		File: h.File, Line: h.Line, Start: h.Time}
	for _, a := range h.Values[compile.TraceAttrs : len(h.Values)-1] {
		if a.Value.Shape != probe.Unreadable || a.Value.Text != compile.WhyNotHere {
			s.Attrs = append(s.Attrs, a)
		}
	}
	stack := t.open[goid]
	b := &begun{span: s, probe: m.i, depth: depth, lost: m.lost.before[m.i], lap: m.lap}
	b.place(stack, carried(h.Values, s))
	if parent := h.Values[compile.TraceParent].Value.Uint; len(stack) == 0 && parent != 0 {
		s.Creator = &probe.Creator{Goroutine: parent, Function: t.creator(h.Values[compile.TraceCreator].Value.Uint)}
	}
	t.open[goid] = append(stack, b)
	t.count++
}

// place puts a call into a trace: below the span of the application that its
// context carries, else below the call around it. Where the two meet, because
// the context is one that a call around was given too, it is the nearer one.
func (b *begun) place(stack []*begun, app *probe.Joined) {
	s := b.span
	s.Root, s.TraceID, b.under = s.ID, "", app
	if n := len(stack); n > 0 {
		above := stack[n-1]
		s.Parent, s.Root, s.Depth = above.span.ID, above.span.Root, above.span.Depth+1
		if app == nil || slices.ContainsFunc(stack, func(o *begun) bool { return o.under != nil && *o.under == *app }) {
			s.TraceID, s.Above, b.under = above.span.TraceID, above.span.ID, above.under
		}
	}
	switch {
	case s.TraceID != "":
	case app != nil:
		s.TraceID, s.Above = app.Trace, app.Span
	default:
		s.TraceID = randomID(16)
	}
	s.Joined = b.under
}

// carried is the application's span that a call was given; nil: none is known,
// and why that is goes into s, if there may be one.
func carried(values []probe.NamedValue, s *probe.Span) *probe.Joined {
	word := func(i int) uint64 { return values[i].Value.Uint }
	for _, i := range []int{compile.TraceSpan, compile.TraceID, compile.TraceID + 1, compile.TraceSpanID} {
		if v := values[i].Value; v.Shape == probe.Unreadable {
			s.Unjoined = unjoined(v.Text)
			return nil
		}
	}
	var trace [16]byte
	binary.LittleEndian.PutUint64(trace[:], word(compile.TraceID))
	binary.LittleEndian.PutUint64(trace[8:], word(compile.TraceID+1))
	var span [8]byte
	binary.LittleEndian.PutUint64(span[:], word(compile.TraceSpanID))
	if trace == [16]byte{} || span == [8]byte{} {
		return nil // one that OpenTelemetry calls invalid
	}
	return &probe.Joined{TraceID: probe.TraceID{Trace: hex.EncodeToString(trace[:]), Span: hex.EncodeToString(span[:])},
		Flags: uint8(word(compile.TraceFlags)), Remote: word(compile.TraceRemote) != 0}
}

// unjoined says in words why there is no span, by the reason that decode gives.
func unjoined(why string) string {
	switch why {
	case compile.NoSpan, decode.Reason(program.StatusKey), decode.Reason(program.StatusNil):
		return ""
	case decode.Reason(program.StatusLarge):
		return fmt.Sprintf("more than %d contexts lie within each other", otel.MaxContexts)
	case decode.Reason(program.StatusType):
		return "a context, or its span, is of a type that the build does not describe"
	}
	return why
}

// gone finishes the calls of a goroutine that cannot be under way any more.
func (t *tracing) gone(goid uint64, m spanRecord, is func(*begun) bool) {
	for stack := t.open[goid]; len(stack) > 0 && is(stack[len(stack)-1]); stack = t.open[goid] {
		b := stack[len(stack)-1]
		t.open[goid] = stack[:len(stack)-1]
		switch {
		case b.exiting:
			b.span.Outcome = probe.Goexited
		case b.lost != m.lost.by[b.probe] || m.lost.limited[b.probe]:
			b.span.Outcome = probe.Lost
		default:
			b.span.Outcome = probe.Panicked
		}
		t.finish(goid, b)
	}
}

func (t *tracing) finish(goid uint64, b *begun) {
	t.count--
	if len(t.open[goid]) == 0 {
		delete(t.open, goid)
	}
	t.out(b.span)
}

// leave finishes what is under way of goroutines that are no more, or of all.
func (t *tracing) leave(lives func(goid uint64) bool) {
	for goid, stack := range t.open {
		if lives(goid) {
			continue
		}
		for _, b := range slices.Backward(stack) {
			if b.span.Outcome = probe.Unfinished; b.exiting {
				b.span.Outcome = probe.Goexited
			}
			t.count--
			t.out(b.span)
		}
		delete(t.open, goid)
	}
}

func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// traces tells whether a record is one of a trace, and keeps it for spans.
func (w *watch) traces(rec record) bool {
	i := int(binary.LittleEndian.Uint16(rec.data[ring.RecordProbe:]))
	if i >= len(w.l.plan.probes) || w.l.plan.probes[i].spec.Kind != probe.Trace {
		return false
	}
	w.held = append(w.held, rec)
	return true
}

func counterOf(rec []byte) uint64 { return binary.LittleEndian.Uint64(rec[ring.RecordTSC:]) }

// spans makes spans of the records that are older than before: one ring is read
// after the other, and what was written meanwhile may have come without what it
// follows.
func (w *watch) spans(before uint64) {
	if len(w.held) == 0 {
		return
	}
	slices.SortStableFunc(w.held, func(a, b record) int { return cmp.Compare(counterOf(a.data), counterOf(b.data)) })
	n := 0
	lost := w.losses()
	for n < len(w.held) && counterOf(w.held[n].data) < before {
		rec, lap := w.held[n].data, w.held[n].lap
		n++
		i := int(binary.LittleEndian.Uint16(rec[ring.RecordProbe:]))
		hit, err := w.decoder.Record(rec)
		if err != nil || len(hit.Values) <= compile.TraceAttrs {
			w.l.reader.damaged(i)
			continue
		}
		site := int(binary.LittleEndian.Uint16(rec[ring.RecordSite:]))
		w.tracing.record(spanRecord{hit: hit, role: w.l.plan.probes[i].program.Sites[site].Role, i: i, lost: lost, lap: lap})
	}
	w.held = append(w.held[:0], w.held[n:]...)
}

// losses are those of the records at hand. They are younger than the look before the
// last one, and what had been lost by that look was so before them.
func (w *watch) losses() losses {
	totals := w.l.reader.totals()
	now, limited := make([]uint64, len(totals)), make([]bool, len(totals))
	for i, t := range totals {
		now[i] = t.Dropped + t.Suppressed
		if t.Reasoned { // what its limit refused came after all that it told
			now[i] = t.Dropped + t.Why.Budget + t.Why.Passed
		}
		limited[i] = t.Why.Limit > 0
	}
	out := losses{before: w.missed[0], by: now, limited: limited}
	if out.before == nil {
		out.before = make([]uint64, len(now))
	}
	w.missed[0], w.missed[1] = w.missed[1], now
	return out
}

// newTracing makes spans of the records of a session.
func (w *watch) newTracing() *tracing {
	return &tracing{plan: w.l.plan, open: map[uint64][]*begun{}, told: map[int]int64{}, out: func(s *probe.Span) { w.s.out.put(s) },
		creator: func(pc uint64) string {
			if pc == 0 {
				return ""
			}
			if f := w.s.build.FuncAt(pc - w.s.text.Slide - 1); f != nil {
				return f.Name
			}
			return ""
		}}
}

// sweepSpans finishes the calls of goroutines that have ended.
func (w *watch) sweepSpans() {
	if len(w.tracing.open) == 0 || w.lost {
		return
	}
	if live, err := w.goroutines(); err == nil {
		w.tracing.leave(func(goid uint64) bool { _, ok := live[goid]; return ok })
	}
}
