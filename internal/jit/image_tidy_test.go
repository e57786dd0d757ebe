//go:build linux && amd64

package jit

import (
	"github.com/sidelight-dev/sidelight/internal/program"
)

// tidy builds a heap as a real program has it: objects of known types that refer
// to each other as their types say, shared and in cycles. What graph makes is
// mostly wrong; this is mostly right.
type tidy struct {
	*graph
	img      *program.Image
	free     int // offset in the rig
	made     map[int][]uint64
	listed   []uint64 // types
	unlisted []uint64
	codes    []uint64
	itabs    map[uint64]uint64
}

// tidy gives img tidy types, whose objects fill a part of the heap, and s more
// roots, which lead to them.
func (w *graph) tidy(img *program.Image, s *program.Site) {
	t := &tidy{graph: w, img: img, free: rigHeap, made: map[int][]uint64{}, itabs: map[uint64]uint64{}}
	img.Dynamic = nil
	for i := range img.Descs {
		if i > 0 {
			img.Descs[i] = t.desc()
		}
	}
	for i := range 8 {
		typ := t.alloc(8)
		w.r.put(int(typ-w.r.base), uint64(w.Intn(80)))
		if i < 3 {
			t.unlisted = append(t.unlisted, typ)
			continue
		}
		t.listed = append(t.listed, typ)
		kind := []program.RefKind{program.RefPointer, program.RefPointer, program.RefFunc, program.RefNone}[w.Intn(4)]
		img.Dynamic = append(img.Dynamic, program.Dynamic{Key: typ - w.r.env.Slide, Kind: kind, Elem: w.Intn(len(img.Descs)), Free: w.Intn(2) == 0})
	}
	for i := range 4 {
		code := 5<<44 + uint64(64*i) // in no memory of the rig: it is compared, not read
		t.codes = append(t.codes, code)
		if i > 0 {
			img.Dynamic = append(img.Dynamic, program.Dynamic{Key: code - w.r.env.Slide, Kind: program.RefPointer, Elem: w.Intn(len(img.Descs))})
		}
	}
	for i := range 1 + w.Intn(6) {
		at := int64(8 * (60 + i)) // on the stack
		root := program.Root{Ref: program.Ref{Kind: program.RefPointer, Elem: w.Intn(len(img.Descs)), Free: w.Intn(2) == 0},
			At: program.Source{Base: program.BaseStack, Off: at}}
		w.r.put(stackTop+int(at), t.target(root.Elem, 1))
		s.Roots = append(s.Roots, root)
	}
}

// desc is a type whose fields do not overlap.
func (t *tidy) desc() (d program.Desc) {
	field := func(kind program.RefKind, off, n int64) {
		elem := t.Intn(len(t.img.Descs))
		d.Refs = append(d.Refs, program.Ref{Kind: kind, Free: t.Intn(3) == 0, Off: off, Len: n, Elem: elem, Elem2: t.Intn(len(t.img.Descs))})
	}
	for range 1 + t.Intn(6) {
		off := d.Size
		switch kind := program.RefKind(t.Intn(10)); kind {
		case program.RefNone:
			d.Size += 8
		case program.RefPointer, program.RefFunc:
			field(kind, off, 0)
			d.Size += 8
		case program.RefSlice, program.RefGroups, program.RefDirectory:
			field(kind, off, off+8)
			d.Size += 16
		case program.RefIface, program.RefEface:
			field(kind, off, 8)
			d.Size += 16
		default: // a classic map: flags and B, buckets, old buckets
			field(program.RefBuckets, off+8, off+1)
			field(program.RefOld, off+16, off+1)
			d.Size += 24
		}
	}
	return d
}

// alloc is n bytes of the heap, or 0 when the part of it that is meant is full.
func (t *tidy) alloc(n int64) uint64 {
	if n += -n & 7; t.free+int(n) > rigHeap+48<<10 {
		return 0
	}
	t.free += int(n)
	return t.r.base + uint64(t.free) - uint64(n)
}

// target is the address of n elements: old ones or new ones, seldom none.
func (t *tidy) target(desc int, n int64) uint64 {
	old := t.made[desc]
	switch {
	case t.Intn(12) == 0:
		return 0
	case t.Intn(60) == 0:
		return t.far()
	case n == 1 && len(old) > 0 && t.Intn(3) == 0:
		return old[t.Intn(len(old))]
	}
	size := t.img.Descs[desc].Size
	at := t.alloc(n * size)
	if at == 0 {
		return 0
	}
	t.made[desc] = append(t.made[desc], at)
	for i := range n {
		t.element(int(at-t.r.base)+int(i*size), desc)
	}
	return at
}

// element fills an element at an offset in the rig.
func (t *tidy) element(at, desc int) {
	for _, ref := range t.img.Descs[desc].Refs {
		off, n := at+int(ref.Off), int64(t.Intn(4))
		switch ref.Kind {
		case program.RefPointer:
			t.r.put(off, t.target(ref.Elem, 1))
		case program.RefSlice:
			t.r.put(at+int(ref.Len), uint64(n))
			t.r.put(off, t.target(ref.Elem, n))
		case program.RefGroups:
			t.r.put(at+int(ref.Len), uint64(n))
			t.r.put(off, t.target(ref.Elem, n+1))
		case program.RefDirectory:
			t.r.put(at+int(ref.Len), uint64(n))
			if n > 0 {
				t.r.put(off, t.target(ref.Elem2, n))
			} else {
				t.r.put(off, t.target(ref.Elem, 1))
			}
		case program.RefBuckets:
			t.r.put(at+int(ref.Len)-1, uint64(8*t.Intn(2))|uint64(n)<<8)
			t.r.put(off, t.target(ref.Elem, 1<<n))
		case program.RefOld:
			t.r.put(off, t.target(ref.Elem, 1<<n))
		case program.RefIface, program.RefEface:
			t.iface(off, ref.Kind)
		case program.RefFunc:
			t.r.put(off, t.closure())
		}
	}
}

// iface fills an interface.
func (t *tidy) iface(off int, kind program.RefKind) {
	i := t.Intn(len(t.listed) + len(t.unlisted))
	var typ, data uint64
	if i < len(t.listed) {
		typ = t.listed[i]
		switch d := t.img.Dynamic[i]; d.Kind {
		case program.RefFunc:
			data = t.closure()
		default:
			data = t.target(d.Elem, 1)
		}
	} else {
		typ, data = t.unlisted[i-len(t.listed)], t.target(0, 80)
	}
	if kind == program.RefIface {
		itab := t.itabs[typ]
		if itab == 0 {
			if itab = t.alloc(24); itab != 0 {
				t.r.put(int(itab-t.r.base)+8, typ)
			}
			t.itabs[typ] = itab
		}
		typ = itab
	}
	t.r.put(off, typ)
	t.r.put(off+8, data)
}

// closure is the address of a function's code and what it captures.
func (t *tidy) closure() uint64 {
	i := t.Intn(len(t.codes))
	at := t.alloc(8)
	if i > 0 {
		at = t.target(t.img.Dynamic[len(t.listed)+i-1].Elem, 1)
	}
	if at != 0 && at < t.r.base+rigHole-8 {
		t.r.put(int(at-t.r.base), t.codes[i])
	}
	return at
}
