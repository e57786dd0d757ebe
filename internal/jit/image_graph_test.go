//go:build linux && amd64

package jit

import (
	"bytes"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// graph is a random heap of a target and what is known of it.
type graph struct {
	*author
	popular []uint64 // addresses that much refers to; some are of listed types or code
}

// far is an address in the rig's heap, often one that others have too, seldom
// near its end, where a page that cannot be read follows.
func (w *graph) far() uint64 {
	switch w.Intn(12) {
	case 0:
		return w.r.base + rigHole - uint64(8*w.Intn(40))
	case 1, 2, 3, 4, 5:
		return w.popular[w.Intn(len(w.popular))]
	}
	return w.r.base + rigHeap + 8*uint64(w.Intn(60<<10/8))
}

// word is a word of the heap.
func (w *graph) word(bad int) uint64 {
	switch w.Intn(10) {
	case 0:
		return 0
	case 1, 2:
		return uint64(w.Intn(12))
	case 3:
		if w.Intn(bad) == 0 {
			return w.Uint64() | 1<<62&^(1<<63) // no address, no length
		}
		return uint64(w.Intn(300))
	case 4:
		switch w.Intn(2 * bad) {
		case 0:
			return ^uint64(w.Intn(3))
		case 1:
			return 1<<40 - uint64(w.Intn(3))
		}
	}
	return w.far()
}

func (w *graph) ref(off, size int64, descs int) program.Ref {
	ref := program.Ref{Kind: program.RefKind(1 + w.Intn(9)), Free: w.Intn(5) == 0, Off: off, Elem: w.Intn(descs), Elem2: w.Intn(descs)}
	switch ref.Kind {
	case program.RefSlice, program.RefGroups, program.RefDirectory:
		ref.Len = 8 * w.Int63n(size/8)
	case program.RefBuckets, program.RefOld:
		ref.Len = 1 + w.Int63n(size-1)
	case program.RefIface:
		ref.Len = 8
	}
	if off+16 > size && (ref.Kind == program.RefIface || ref.Kind == program.RefEface) {
		ref.Kind, ref.Len = program.RefPointer, 0
	}
	return ref
}

func (w *graph) desc(descs int) program.Desc {
	d := program.Desc{Size: int64(1 + w.Intn(40))}
	if w.Intn(4) > 0 {
		d.Size = int64(8 * (1 + w.Intn(6)))
	}
	if w.Intn(8) == 0 {
		d.Size = int64(8 * (1 + w.Intn(200)))
	}
	if d.Size%8 != 0 {
		return d // words at odd addresses may be addresses of the test itself
	}
	for range w.Intn(3) * w.Intn(3) {
		d.Looks = append(d.Looks, program.Look{Off: w.Int63n(d.Size - 7), Mask: w.Uint64()})
	}
	for off := int64(0); off < d.Size; off += 8 {
		if w.Intn(2) == 0 {
			d.Refs = append(d.Refs, w.ref(off, d.Size, descs))
		}
	}
	return d
}

// image is random descriptors, dynamic types and bounds.
func (w *graph) image() *program.Image {
	n := 2 + w.Intn(30)
	img := &program.Image{Descs: []program.Desc{{Size: 1}}, Stack: 8 * w.Int63n(600), G: 380 + w.Int63n(30),
		Depth: []int{w.Intn(9), 1000}[w.Intn(2)], Objects: 1000, Object: int64(8 + w.Intn(4000))}
	if w.Intn(3) == 0 {
		img.Objects, img.Object = w.Intn(40), int64(8+w.Intn(200))
	}
	for len(img.Descs) < n {
		img.Descs = append(img.Descs, w.desc(n))
	}
	for _, p := range w.popular[:w.Intn(len(w.popular))] {
		kind := []program.RefKind{program.RefNone, program.RefPointer, program.RefPointer, program.RefFunc}[w.Intn(4)]
		img.Dynamic = append(img.Dynamic, program.Dynamic{Key: p - w.r.env.Slide, Kind: kind, Elem: w.Intn(n), Free: w.Intn(4) == 0})
	}
	img.Bytes = ImageRoots(img) + w.Int63n(3000)
	if w.Intn(2) == 0 {
		img.Bytes = 60000
	}
	return img
}

func (w *graph) source(s *program.Site) program.Source {
	switch w.Intn(3) {
	case 0:
		if off := 8 * w.Int63n(32); off != 8*int64(amd64.R14) { // the rig's g leads into the test itself
			return program.Source{Base: program.BaseRegs, Off: off}
		}
	case 1:
		if w.Intn(30) == 0 {
			return program.Source{Base: program.BaseStack, Off: rigHole - stackTop}
		}
		return program.Source{Base: program.BaseStack, Off: 8 * w.Int63n(40)}
	}
	// A slot of words as they lie in the heap: what a random expression makes of
	// them may be an address of the test itself.
	src := program.Source{Base: program.BaseSlot, Slot: len(s.Slots) - 1 - w.Intn(3)}
	if slot := &s.Slots[src.Slot]; slot.Kind == program.SlotBlock {
		src.Off = 8 * w.Int63n(slot.Size/8)
	}
	return src
}

// site is scalars, blocks and roots.
func (w *graph) site(img *program.Image) *program.Site {
	// Random expressions write maps of odd addresses into the heap.
	heap := w.r.mem[rigHeap:rigHole]
	kept := bytes.Clone(heap)
	defer func() { copy(heap, kept) }()
	s := &program.Site{CFA: program.CFA{Reg: amd64.RSP, Offset: 16}}
	if w.Intn(3) == 0 {
		s.Cond = w.node(program.Bool, 1+w.Intn(5))
	}
	for len(s.Slots) < 3 {
		slot := w.slot()
		if slot.Kind != program.SlotBytes {
			s.Slots = append(s.Slots, slot)
		}
	}
	at := func() *program.Node { return constant(program.U64, int64(w.far())) }
	nonNil := &program.Node{Op: program.OpNonNil, Type: program.U64, X: reg(program.U64, pointerRegs[0])}
	s.Slots = append(s.Slots, scalarSlot(&program.Node{Op: program.OpLoad, Type: program.U64, Imm: 8, X: at()}),
		program.Slot{Kind: program.SlotBlock, Node: at(), Size: 40}, scalarSlot(nonNil))
	for range w.Intn(12) {
		r := program.Root{Ref: w.ref(0, 32, len(img.Descs)), At: w.source(s), N: w.source(s), Data: w.source(s)}
		if r.Kind != program.RefIface {
			r.Len = 0
		}
		s.Roots = append(s.Roots, r)
	}
	return s
}

// fill fills the heap and the stack; one in bad of the words that could be is bad.
func (w *graph) fill(bad int) {
	for _, i := range w.Perm(60 << 10 / 8)[:40] {
		w.popular = append(w.popular, w.r.base+rigHeap+8*uint64(i))
	}
	for off := rigHeap; off < rigHole; off += 8 {
		w.r.put(off, w.word(bad))
	}
	for off := stackTop; off < rigRuntime; off += 8 {
		w.r.put(off, w.word(bad))
	}
}

func (w *graph) state(bad int) cpu {
	c := w.author.state()
	for i := range c.Regs {
		if reg := program.Reg(i); reg != amd64.RSP && reg != amd64.R14 && w.Intn(3) > 0 {
			c.Regs[i] = w.word(bad)
		}
	}
	for _, reg := range pointerRegs {
		c.Regs[reg] = w.word(bad)
	}
	for i := range 15 {
		c.X[i][0] = w.word(bad)
	}
	hi := c.Regs[amd64.RSP] + uint64(w.Intn(12<<10))
	if w.Intn(12) == 0 {
		hi = c.Regs[amd64.RSP] - uint64(w.Intn(20))
	}
	w.r.put(rigG+int(rigOffsets.GStackHi), hi)
	return c
}
