//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// TestLooksAgain changes what was copied while more is copied, by the record itself:
// the first object lies where later ones are written.
func TestLooksAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		look    program.Look
		written bool
	}{
		{"the word", program.Look{Off: 8, Mask: ^uint64(0)}, true},
		{"a bit of it", program.Look{Off: 8, Mask: 1 << 40}, true},
		{"another bit", program.Look{Off: 8, Mask: 1 << 41}, false},
		{"another word", program.Look{Off: 24, Mask: ^uint64(0)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newImageRig(t)
			r.catch()
			img := &program.Image{Depth: 9, Objects: 9, Object: 4096, Bytes: 1 << 16,
				Descs: []program.Desc{{Size: 1}, {Size: 32, Looks: []program.Look{{Off: 0}, c.look}}, {Size: 16}}}
			r.tables(img)
			const more = 40
			s := &program.Site{Slots: constants(0, 2, int64(r.base)+rigHeap, more)}
			layout := newRecord(s)
			front := int(layout.tail) + ring.ImageHeader + ring.ObjectHeader + program.RegsSize + 2*ring.ObjectHeader
			// The second element of the first object: where the fourth element of the next one goes.
			in := r.block(1) + r.env.Layout.RingOff() + front + ring.ObjectHeader + 64 + ring.ObjectHeader + 3*16 - 8
			s.Slots[0] = constants(int64(r.base) + int64(in-32))[0]
			s.Roots = []program.Root{
				{Ref: program.Ref{Kind: program.RefSlice, Elem: 1}, At: atSlot(0), N: atSlot(1)},
				{Ref: program.Ref{Kind: program.RefSlice, Elem: 2}, At: atSlot(2), N: atSlot(3)},
			}
			r.put(rigHeap+3*16, 1<<40)
			r.put(rigG+int(rigOffsets.GStackHi), r.base+stackTop)
			r.place(s, Live{})
			clear(r.mem[in-64 : in+256])
			r.reset(1, 0)
			r.run(r.start())
			rec := r.record(1, 0)
			object := rec[front:]
			if at := binary.LittleEndian.Uint64(object); at != r.base+uint64(in-32) {
				t.Fatalf("the first object is %#x", at)
			}
			if got := binary.LittleEndian.Uint16(object[ring.ObjectFlags:])&ring.ObjectWritten != 0; got != c.written {
				t.Errorf("written: %v", got)
			}
			next := object[ring.ObjectHeader+64:]
			if flags := binary.LittleEndian.Uint16(next[ring.ObjectFlags:]); flags != 0 {
				t.Errorf("the next object has flags %d", flags)
			}
		})
	}
}
