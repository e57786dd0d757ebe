package value

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// foreign tells that memory of this type belongs to C: Go's rules for pointers
// do not hold there.
func foreign(t *program.Type) bool {
	return t == nil || strings.Contains(t.Name, "_Ctype_") || t.Kind == reflect.Invalid
}

// hidden tells that a type is one of the runtime's own that lead everywhere, and
// that nobody asked for: goroutines, threads, processors.
func hidden(t *program.Type) bool {
	switch t.Name {
	case "runtime.g", "runtime.m", "runtime.p", "runtime.mspan", "runtime.mheap", "runtime.sudog", "runtime.moduledata":
		return true
	}
	return strings.HasPrefix(t.Name, "internal/abi.")
}

func (r *Reader) pointer(t *program.Type, p Place) probe.Value {
	at, late, why := r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil, Late: late}
	}
	v := probe.Value{Shape: probe.Pointer, Uint: at, Address: at, Late: late}
	if foreign(t.Elem) || hidden(t.Elem) {
		return v
	}
	return r.pointee(v, t.Elem, p)
}

// pointee adds what a pointer at from leads to, once in each variable.
func (r *Reader) pointee(v probe.Value, elem *program.Type, from Place) probe.Value {
	key := thing{v.Uint, elem}
	if r.seen[key] {
		v.Note = "shown above"
		return v
	}
	if r.hops++; r.late && r.hops > r.cfg.Bounds.Depth && !(r.rest.on && r.copied(v.Uint)) {
		r.hops--
		v.Cut = fmt.Sprintf("deeper than --depth %d", r.cfg.Bounds.Depth)
		return v
	}
	r.seen[key] = true
	e := r.follow(elem, from, v.Uint)
	r.hops--
	if e.Shape == probe.Unreadable {
		v.Cut = e.Text
		delete(r.seen, key)
		return v
	}
	v.Elems = []probe.Value{e}
	return v
}

// iface reads an interface: its dynamic type, and the value.
func (r *Reader) iface(t *program.Type, p Place) probe.Value {
	tab, late, why := r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	if tab == 0 {
		return probe.Value{Shape: probe.Nil, Late: late}
	}
	v := probe.Value{Shape: probe.Interface, Declared: Name(t.Name), Late: late}
	rtype := tab
	if t.Iface {
		if rtype, why = r.itabType(tab); why != "" {
			v.Type, v.Cut = fmt.Sprintf("unknown type (itab 0x%x)", tab), why
			return v
		}
	}
	var dyn *program.Type
	if r.cfg.Type != nil {
		dyn = r.cfg.Type(rtype)
	}
	if dyn == nil {
		v.Type, v.Cut = fmt.Sprintf("unknown type 0x%x", rtype), "the debug information does not have its type"
		return v
	}
	v.Type = dyn.Name
	late0, other, rest := r.late, r.other, r.rest.on
	if r.cfg.Listed != nil && !r.cfg.Listed(rtype) {
		r.late, r.other, r.rest.on = r.lately(), true, false
	}
	e := r.dynamic(dyn, p.plus(8))
	r.late, r.other, r.rest.on = late0, other, rest
	if e.Shape == probe.Unreadable {
		v.Cut = e.Text
		return v
	}
	v.Elems = []probe.Value{e}
	text, late := r.message(dyn, e)
	v.Text, v.Late = text, v.Late || late
	return v
}

// dynamic reads a value of type t out of an interface's data word.
func (r *Reader) dynamic(t *program.Type, data Place) probe.Value {
	if r.direct(t) {
		return r.value(t, data)
	}
	at, _, why := r.word(data)
	if why != "" {
		return probe.Why(why)
	}
	return r.unbox(t, data, at)
}

// direct tells whether an interface holds a value of type t itself, and not a
// pointer to it.
func (r *Reader) direct(t *program.Type) bool {
	if r.cfg.Direct != nil {
		return r.cfg.Direct(t)
	}
	return Direct(t)
}

// Direct is what every Go version agrees on: pointers, and what consists of
// nothing but one.
func Direct(t *program.Type) bool {
	for range maxNesting {
		if t == nil {
			return false
		}
		switch t.Kind {
		case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func:
			return true
		case reflect.Array:
			if t.Len != 1 {
				return false
			}
			t = t.Elem
		case reflect.Struct:
			if len(t.Fields) != 1 {
				return false
			}
			t = t.Fields[0].Type
		default:
			return false
		}
	}
	return false
}

// itabType reads the type out of an itab, which the runtime never changes nor frees.
func (r *Reader) itabType(tab uint64) (rtype uint64, why string) {
	return r.lasting(tab + uint64(r.cfg.ItabType))
}

// function reads a func value: the name of its code, and what it captured.
func (r *Reader) function(t *program.Type, p Place) probe.Value {
	at, l0, why := r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil, Late: l0}
	}
	v := probe.Value{Shape: probe.Func, Uint: at, Address: at, Late: l0}
	saved := r.from
	r.from = p
	defer func() { r.from = saved }()
	pc, l, why := r.word(Place{Addr: at})
	if why != "" {
		v.Cut = why
		return v
	}
	v.Uint, v.Late = pc, l0 || l
	if r.cfg.Function != nil {
		v.Text = r.cfg.Function(pc)
	}
	if r.cfg.Closure == nil || v.Text == "" {
		return v
	}
	key := thing{at, t}
	if r.seen[key] {
		v.Note = "shown above"
		return v
	}
	r.seen[key] = true
	late, rest := r.late, r.rest.on
	if r.cfg.Listed != nil && !r.cfg.Listed(pc) { // only its first word was copied
		r.late, r.rest.on = r.lately(), false
	}
	v.Fields = r.captured(at, r.cfg.Closure(pc))
	r.late, r.rest.on = late, rest
	return v
}

// captured reads the variables of a closure at addr.
func (r *Reader) captured(addr uint64, layout []program.Field) []probe.NamedValue {
	var out []probe.NamedValue
	for _, f := range layout {
		p := Place{Addr: addr + uint64(f.Offset)}
		name, shared := strings.CutPrefix(f.Name, "&")
		var v probe.Value
		switch at, late, why := r.word(p); {
		case !shared:
			v = r.value(f.Type, p)
		case why != "" || f.Type == nil || f.Type.Elem == nil:
			v = probe.Why(why)
		default:
			v = r.follow(f.Type.Elem, p, at)
			v.Late = v.Late || late
		}
		out = append(out, probe.NamedValue{Name: name, Value: v})
	}
	return out
}
