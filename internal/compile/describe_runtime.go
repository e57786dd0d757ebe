package compile

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// The insides of maps and channels, by the runtime's own structs as the debug
// information of the build has them.

// field is a struct's field by name; nil if it has none.
func field(t *program.Type, name string) *program.Field {
	if t == nil {
		return nil
	}
	for i := range t.Fields {
		if t.Fields[i].Name == name {
			return &t.Fields[i]
		}
	}
	return nil
}

// pointee is what a field points to, through n pointers; nil if it does not.
func pointee(f *program.Field, n int) *program.Type {
	if f == nil {
		return nil
	}
	t := f.Type
	for ; n > 0 && t != nil; n-- {
		if t.Kind != reflect.Pointer {
			return nil
		}
		t = t.Elem
	}
	return t
}

// inside enters a descriptor whose references are made by refs, once.
func (d *describer) inside(t *program.Type, refs func() []program.Ref) (at int, ok bool) {
	if at, ok := d.descs[t]; ok {
		return at, true
	}
	if t.Size <= 0 || len(d.img.Descs) >= maxDescs {
		return 0, false
	}
	at = len(d.img.Descs)
	d.img.Descs = append(d.img.Descs, program.Desc{Size: t.Size, Type: t})
	d.descs[t] = at
	d.img.Descs[at].Refs = refs()
	return at, true
}

// mapInside describes the struct behind a map: internal/runtime/maps.Map of Go
// 1.24 and later, or runtime.hmap.
func (d *describer) mapInside(m *program.Type) (at int, ok bool) {
	switch {
	case m == nil:
		return 0, false
	case field(m, "dirPtr") != nil:
		return d.swiss(m)
	case field(m, "buckets") != nil:
		return d.classic(m)
	}
	return 0, false
}

// swiss describes a Swiss map. Its dirPtr leads to one group where dirLen is 0,
// else to a directory of tables, each with a run of groups (map.go, table.go).
func (d *describer) swiss(m *program.Type) (at int, ok bool) {
	dir, n := field(m, "dirPtr"), field(m, "dirLen")
	table := pointee(dir, 2)
	groups := field(table, "groups")
	if n == nil || groups == nil {
		return 0, false
	}
	data, mask := field(groups.Type, "data"), field(groups.Type, "lengthMask")
	group := pointee(data, 1)
	if group == nil || mask == nil {
		return 0, false
	}
	at, ok = d.inside(m, func() []program.Ref {
		slots, ok := d.of(group, true)
		if !ok {
			return nil
		}
		d.look(slots, group, "ctrl")
		tables, ok := d.inside(table, func() []program.Ref {
			return []program.Ref{{Kind: program.RefGroups, Free: true, Off: groups.Offset + data.Offset,
				Len: groups.Offset + mask.Offset, Elem: slots}}
		})
		if !ok {
			return nil
		}
		list := d.pointerTo(tables)
		d.img.Descs[list].Looks = []program.Look{{Mask: ^uint64(0)}}
		return []program.Ref{{Kind: program.RefDirectory, Free: true, Off: dir.Offset, Len: n.Offset,
			Elem: slots, Elem2: list}}
	})
	if ok {
		d.look(at, m, "writing", "used", "dirPtr", "dirLen")
	}
	return at, ok
}

// look makes the descriptor of t look again at fields of it, in this order: of a
// map's head, the flag of a writer comes first, because he takes it back last.
func (d *describer) look(at int, t *program.Type, fields ...string) {
	if at == 0 || len(d.img.Descs[at].Looks) > 0 {
		return
	}
	for _, name := range fields {
		f := field(t, name)
		if f == nil || f.Type.Size <= 0 || f.Type.Size > 8 || f.Offset&7+f.Type.Size > 8 || f.Offset&^7+8 > t.Size {
			continue
		}
		mask := ^uint64(0) >> (64 - 8*f.Type.Size)
		if name == "flags" {
			mask = program.ClassicWriting | program.ClassicSameSize
		}
		d.img.Descs[at].Looks = append(d.img.Descs[at].Looks, program.Look{Off: f.Offset &^ 7, Mask: mask << (8 * (f.Offset & 7))})
	}
}

// pointerTo describes a pointer to elements of a descriptor.
func (d *describer) pointerTo(elem int) int {
	if at, ok := d.pointer[elem]; ok {
		return at
	}
	at := len(d.img.Descs)
	d.img.Descs = append(d.img.Descs, program.Desc{Size: 8, Refs: []program.Ref{
		{Kind: program.RefPointer, Free: true, Elem: elem}}})
	d.pointer[elem] = at
	return at
}

// classic describes a map of buckets (runtime/map.go up to Go 1.23).
func (d *describer) classic(m *program.Type) (at int, ok bool) {
	now, old, b := field(m, "buckets"), field(m, "oldbuckets"), field(m, "B")
	bucket := pointee(now, 1)
	overflow := field(bucket, "overflow")
	if bucket == nil || old == nil || b == nil || overflow == nil {
		return 0, false
	}
	at, ok = d.inside(m, func() []program.Ref {
		at, ok := d.bucket(bucket, overflow.Offset)
		if !ok {
			return nil
		}
		return []program.Ref{
			{Kind: program.RefBuckets, Free: true, Off: now.Offset, Len: b.Offset, Elem: at},
			{Kind: program.RefOld, Free: true, Off: old.Offset, Len: b.Offset, Elem: at},
		}
	})
	if ok {
		d.look(at, m, "flags", "count", "B", "buckets", "oldbuckets", "nevacuate")
	}
	return at, ok
}

// bucket describes a bucket: its keys and values, and the bucket that overflows
// it.
func (d *describer) bucket(t *program.Type, overflow int64) (int, bool) {
	if at, ok := d.descs[t]; ok {
		return at, true
	}
	if len(d.img.Descs) >= maxDescs {
		return 0, false
	}
	at := len(d.img.Descs)
	d.img.Descs = append(d.img.Descs, program.Desc{Size: t.Size, Type: t})
	d.descs[t] = at
	l := &refLister{d: d}
	for _, f := range t.Fields {
		if f.Offset != overflow {
			l.value(f.Type, f.Offset, 0)
		}
	}
	l.add(program.Ref{Kind: program.RefPointer, Free: true, Off: overflow, Elem: at})
	d.img.Descs[at].Refs = l.refs
	d.look(at, t, "tophash", "overflow")
	return at, true
}

// chanInside describes the struct behind a channel (runtime/chan.go: hchan): its
// buffer, and the chains of those who wait.
func (d *describer) chanInside(c *program.Type) (at int, ok bool) {
	h := c.Inner
	buf, n := field(h, "buf"), field(h, "dataqsiz")
	if buf == nil || n == nil {
		return 0, false
	}
	return d.inside(h, func() []program.Ref {
		var refs []program.Ref
		if c.Elem != nil && c.Elem.Size > 0 {
			if at, ok := d.of(c.Elem, true); ok {
				refs = append(refs, program.Ref{Kind: program.RefSlice, Free: true, Off: buf.Offset, Len: n.Offset, Elem: at})
			}
		}
		for _, q := range []string{"recvq", "sendq"} {
			if r, ok := d.waiters(field(h, q)); ok {
				refs = append(refs, r)
			}
		}
		return refs
	})
}

// waiters describes the chain of sudogs of a queue: only their number is told.
func (d *describer) waiters(q *program.Field) (program.Ref, bool) {
	if q == nil {
		return program.Ref{}, false
	}
	first := field(q.Type, "first")
	sudog := pointee(first, 1)
	next := field(sudog, "next")
	if next == nil {
		return program.Ref{}, false
	}
	at, ok := d.inside(sudog, func() []program.Ref { return nil })
	if !ok {
		return program.Ref{}, false
	}
	d.img.Descs[at].Refs = []program.Ref{{Kind: program.RefPointer, Free: true, Off: next.Offset, Elem: at}}
	return program.Ref{Kind: program.RefPointer, Free: true, Off: q.Offset + first.Offset, Elem: at}, true
}

// closures lists what closures captured, by their code. Their variables cost no
// depth: it is the closure that does.
func (d *describer) closures() {
	if d.funcs || d.level >= d.img.Depth {
		return
	}
	d.funcs = true
	for _, entry := range d.b.Closures(maxClosure) {
		fields := d.b.Closure(entry)
		if len(fields) == 0 || d.dynamic[entry] {
			continue
		}
		last := fields[len(fields)-1]
		if last.Type == nil {
			continue
		}
		t := &program.Type{Name: "closure", Kind: reflect.Struct, Fields: fields, Size: last.Offset + last.Type.Size}
		if at, ok := d.of(t, false); ok {
			d.dynamic[entry] = true
			d.img.Dynamic = append(d.img.Dynamic, program.Dynamic{Key: entry, Kind: program.RefPointer, Elem: at})
		}
	}
}
