package value

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// maxWaiting bounds how many waiting goroutines are counted.
const maxWaiting = 10_000

// channel reads a channel: what is in it, and who waits.
func (r *Reader) channel(t *program.Type, p Place) probe.Value {
	at, late, why := r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil, Late: late}
	}
	v := probe.Value{Shape: probe.Chan, Uint: at, Address: at, Len: -1, Late: late}
	key := thing{at, t}
	if r.seen[key] {
		v.Note = "shown above"
		return v
	}
	r.seen[key] = true
	saved := r.from
	r.from = p
	defer func() { r.from = saved }()
	m := table{r: r, v: &v} // for its reading of fields
	in, head := t.Inner, Place{Addr: at}
	n, ok1 := m.number(in, head, "qcount")
	size, ok2 := m.number(in, head, "dataqsiz")
	closed, ok3 := m.number(in, head, "closed")
	if !ok1 || !ok2 || !ok3 {
		v.Cut = m.cut
		return v
	}
	if n > size || size >= maxLen {
		v.Cut = whyLength
		return v
	}
	v.Len = int64(n)
	v.Fields = append(v.Fields, named("cap", probe.Value{Shape: probe.Int, Type: "int", Int: int64(size), Late: v.Late}),
		named("closed", probe.Value{Shape: probe.Bool, Type: "bool", Bool: closed != 0, Late: v.Late}),
		named("receivers", r.waiting(in, head, "recvq")), named("senders", r.waiting(in, head, "sendq")))
	r.queued(&v, &m, t.Elem, in, head, size)
	return v
}

func named(name string, v probe.Value) probe.NamedValue {
	return probe.NamedValue{Name: name, Value: v}
}

// queued adds what waits in the channel's buffer, the next to be received first.
func (r *Reader) queued(v *probe.Value, m *table, elem, in *program.Type, head Place, size uint64) {
	if v.Len == 0 {
		return
	}
	buf, ok1 := m.number(in, head, "buf")
	first, ok2 := m.number(in, head, "recvx")
	if !ok1 || !ok2 || elem == nil || elem.Size < 0 || first >= size {
		v.Truncated, v.Cut = true, whyDamaged
		return
	}
	r.from = head.plus(field(in, "buf").Offset)
	for i := range uint64(min(v.Len, int64(r.cfg.Bounds.MaxItems))) {
		e := r.value(elem, Place{Addr: buf + (first+i)%size*uint64(elem.Size)})
		if e.Shape == probe.Unreadable {
			v.Cut = e.Text
			break
		}
		v.Elems = append(v.Elems, e)
	}
	if v.Truncated = int64(len(v.Elems)) < v.Len; v.Truncated && v.Cut == "" {
		v.Cut = fmt.Sprintf("more than --max-items %d elements", r.cfg.Bounds.MaxItems)
	}
}

// waiting counts the goroutines in a queue of a channel. The links between them
// are not copied at the hit unless they lay within its bounds.
func (r *Reader) waiting(in *program.Type, head Place, queue string) probe.Value {
	q := field(in, queue)
	first := field(typeOf(q), "first")
	if first == nil || first.Type.Elem == nil {
		return probe.Why("the debug information does not tell how it is laid out")
	}
	p := head.plus(q.Offset + first.Offset)
	at, late, why := r.word(p)
	next := field(first.Type.Elem, "next")
	v := probe.Value{Shape: probe.Int, Type: "int", Late: late}
	saved := r.from
	defer func() { r.from = saved }()
	if last := field(q.Type, "last"); last != nil && why == "" && at != 0 {
		if l, _, why := r.word(head.plus(q.Offset + last.Offset)); why == "" && l == at {
			v.Int = 1
			return v
		}
	}
	for ; why == "" && at != 0; v.Int++ {
		if next == nil || v.Int == maxWaiting {
			return probe.Why("more than can be counted")
		}
		r.from = p
		p = Place{Addr: at + uint64(next.Offset)}
		at, late, why = r.word(p)
		v.Late = v.Late || late
	}
	switch {
	case why != "" && v.Int > 0:
		v.Note = "at least: " + why
	case why != "":
		return probe.Why(why)
	}
	return v
}

func typeOf(f *program.Field) *program.Type {
	if f == nil {
		return nil
	}
	return f.Type
}
