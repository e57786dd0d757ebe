//go:build linux && amd64

package jit

import (
	"fmt"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// orderTree fills the rig's heap with a tree of n/2 orders, struct{ left, right
// *order; name string; price float64 }, each with a name of 12 bytes of its own,
// and gives the image that copies them, and the site.
func (r *rig) orderTree(n int) (*program.Image, *program.Site) {
	const size, name = 40, 16
	orders := n / 2
	at := func(i int) uint64 { return r.base + rigHeap + uint64(i*(size+name)) }
	for i := range orders {
		off := rigHeap + i*(size+name)
		for j, child := range []int{2*i + 1, 2*i + 2} {
			r.put(off+8*j, 0)
			if child < orders {
				r.put(off+8*j, at(child))
			}
		}
		r.put(off+16, at(i)+size)
		r.put(off+24, 12)
	}
	r.put(rigG+int(rigOffsets.GStackHi), r.base+stackTop+8<<10)
	img := &program.Image{Stack: 8 << 10, G: 440, Depth: 100, Objects: 5000, Object: 4096, Bytes: 120 << 10,
		Descs: []program.Desc{{Size: 1}, {Size: size, Refs: []program.Ref{
			{Kind: program.RefPointer, Off: 0, Elem: 1}, {Kind: program.RefPointer, Off: 8, Elem: 1},
			{Kind: program.RefSlice, Free: true, Off: 16, Len: 24}}}}}
	root := program.Root{Ref: program.Ref{Kind: program.RefPointer, Elem: 1}, At: program.Source{Base: program.BaseRegs, Off: 8 * int64(amd64.RDI)}}
	return img, &program.Site{Roots: []program.Root{root}}
}

// BenchmarkImages prints the least time of a snapshot by its objects, without a
// bound of time and with one that leaves room for all.
func BenchmarkImages(b *testing.B) {
	for i, n := range []int{0, 10, 100, 1000, 10, 100, 1000} {
		timed := i >= 4
		b.Run(fmt.Sprintf("%d timed %v", n, timed), func(b *testing.B) {
			r := newImageRig(b)
			img, s := r.orderTree(n)
			if timed {
				img.Time, r.env.Tick = 40_000, 0.4
			}
			if n == 0 {
				s.Roots = nil
			}
			r.tables(img)
			r.passesOf(1000, b, s, nil, Live{})
			if got := r.lastObjects(s); got != n {
				b.Fatalf("%d objects, want %d", got, n)
			}
		})
	}
}

// lastObjects is how many objects the last image in block 1's ring has.
func (r *rig) lastObjects(s *program.Site) int {
	r.put(r.block(1)+ring.BlockHead, 0)
	r.put(r.block(1)+ring.BlockTail, 0)
	r.loop(1, s, nil, Live{})
	r.call()
	rec := r.record(1, 0)
	return int(rec[int(newRecord(s).tail)+ring.ImageObjects]) | int(rec[int(newRecord(s).tail)+ring.ImageObjects+1])<<8
}
