//go:build linux && amd64

package jit

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// An edge is an image that random ones seldom come to.
type edge struct {
	img  program.Image
	cut  uint16
	fill func(r *rig)
	site func(r *rig) *program.Site
}

// constants are slots of constants, and atSlot is where one of them is copied.
func constants(values ...int64) (slots []program.Slot) {
	for _, v := range values {
		slots = append(slots, scalarSlot(constant(program.U64, v)))
	}
	return slots
}

func atSlot(i int) program.Source { return program.Source{Base: program.BaseSlot, Slot: i} }

// slices is a site with one root: a slice of n elements of descriptor 1 at the
// beginning of the heap.
func slices(n int64) func(r *rig) *program.Site {
	return func(r *rig) *program.Site {
		return &program.Site{Slots: constants(int64(r.base)+rigHeap, n),
			Roots: []program.Root{{Ref: program.Ref{Kind: program.RefSlice, Elem: 1}, At: atSlot(0), N: atSlot(1)}}}
	}
}

// pointers are descriptors of a pointer and of what it points to.
func pointers(size int64) []program.Desc {
	return []program.Desc{{Size: 1}, {Size: 8, Refs: []program.Ref{{Kind: program.RefPointer, Elem: 2}}}, {Size: size}}
}

var imageEdges = map[string]edge{
	"references to what has no room": {
		img: program.Image{Depth: 9, Objects: 100, Object: 1 << 16, Bytes: 200000, Descs: pointers(60000)},
		cut: ring.CutBytes | ring.CutRefs,
		fill: func(r *rig) {
			for i := range 8100 {
				r.put(rigHeap+8*i, r.base+rigHeap+uint64(i))
			}
		},
		site: func(r *rig) *program.Site {
			s := slices(8100)(r)
			s.Slots = append(s.Slots, constants(int64(r.base)+rigHeap+8, 8099, int64(r.base)+rigHeap+16, 8098)...)
			s.Roots = append(s.Roots, s.Roots[0], s.Roots[0])
			s.Roots[1].At, s.Roots[1].N, s.Roots[2].At, s.Roots[2].N = atSlot(2), atSlot(3), atSlot(4), atSlot(5)
			return s
		},
	},
	"more objects than are remembered": {
		img: program.Image{Depth: 9, Objects: 9000, Object: 1 << 16, Bytes: 250000, Descs: pointers(1)},
		fill: func(r *rig) {
			const n = 2900
			for i := range n {
				to := r.base + rigHeap + uint64(8*i)
				r.put(rigHeap+8*i, to)
				r.put(rigHeap+8*(2*n-1-i), to)
			}
		},
		site: slices(2 * 2900),
	},
	"more bytes than 64 bits count": {
		img: program.Image{Depth: 9, Objects: 9, Object: 64, Bytes: 4000, Descs: []program.Desc{{Size: 1}, {Size: 1 << 38}}},
		cut: ring.CutCorrupt,
		site: func(r *rig) *program.Site {
			s := slices(30)(r)
			s.Roots[0].Kind = program.RefBuckets
			return s
		},
	},
	"a part of an element of 2^38 bytes": {
		img:  program.Image{Depth: 9, Objects: 9, Object: 64, Bytes: 4000, Descs: []program.Desc{{Size: 1}, {Size: 1 << 38}}},
		site: slices(1),
	},
	"a stack that cannot be read": {
		img:  program.Image{Depth: 9, Objects: 9, Object: 64, Stack: 100 << 10, Bytes: 200000, Descs: pointers(8)},
		fill: func(r *rig) { r.put(rigG+int(rigOffsets.GStackHi), r.base+stackTop+100<<10) },
		site: slices(1),
	},
	"no room behind the roots": {
		img:  program.Image{Depth: 9, Objects: 9, Object: 64, Bytes: 24 + 3*24 + 256, Descs: pointers(8)},
		cut:  ring.CutBytes,
		site: slices(1),
	},
	"nothing wanted": {
		img:  program.Image{Object: 8, Bytes: 4000, Descs: pointers(8)},
		cut:  ring.CutDepth,
		site: slices(1),
	},
}

func TestImagesAtTheEdges(t *testing.T) {
	for name, e := range imageEdges {
		r := newImageRig(t)
		r.catch()
		if e.fill != nil {
			e.fill(r)
		}
		s := e.site(r)
		r.tables(&e.img)
		r.place(s, Live{})
		in := r.start()
		want := plainImage(s, r.oracle(s, in).Record(s, r.env.Probe, r.env.Site, 0))
		if cut := binary.LittleEndian.Uint16(want[newRecord(s).tail+ring.ImageCut:]); cut != e.cut {
			t.Errorf("%s: cut by %#x, want %#x", name, cut, e.cut)
		}
		for range 2 {
			r.reset(1, 0)
			unchanged(t, name, in, r.run(in), Live{})
			if got := plainImage(s, r.record(1, 0)); !bytes.Equal(got, want) {
				t.Errorf("%s: differs at %d\n%s", name, firstDifference(got, want), differences(showImage(s, got), showImage(s, want)))
			}
		}
	}
}
