package interp

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// A root points to a struct of a string and a closure that is not listed; the
// string's bytes follow without costing depth, the closure lies too deep.
func TestImage(t *testing.T) {
	const base = 0x10000
	mem := make([]byte, 256)
	put := func(off int, words ...uint64) {
		for i, w := range words {
			binary.LittleEndian.PutUint64(mem[off+8*i:], w)
		}
	}
	put(0, 7, 8)                      // g
	put(64, 1, 2, 3)                  // the stack
	put(128, base+200, 5, base+232-8) // the struct
	copy(mem[200:], "alice")
	s := &State{Goid: 18, StackHi: base + 64 + 24}
	s.Regs[4], s.Regs[14], s.Regs[0] = base+64, base, base+128
	s.X[1] = 0xF1
	s.Mem = func(addr uint64, n int) []byte {
		if off := addr - base; off < uint64(len(mem)) && off+uint64(n) <= uint64(len(mem)) {
			return mem[off:][:n]
		}
		return nil
	}
	s.Image = &program.Image{G: 16, Stack: 16, Depth: 1, Objects: 9, Object: 64, Bytes: 1000, Descs: []program.Desc{
		{Size: 1}, {Size: 24, Refs: []program.Ref{{Kind: program.RefSlice, Free: true, Len: 8}, {Kind: program.RefFunc, Off: 16}}}}}
	site := &program.Site{Roots: []program.Root{{Ref: program.Ref{Kind: program.RefPointer, Elem: 1}}}}

	var want []byte
	word := func(vs ...uint64) {
		for _, v := range vs {
			want = binary.LittleEndian.AppendUint64(want, v)
		}
	}
	object := func(addr, n, desc, count, depth, flags uint64) { word(addr, n|desc<<32, count|depth<<32|flags<<48) }
	word(24+24+256+24+16+24+16+24+24+24+8|ring.CutDepth<<32, 2, 0)
	object(0, 256, ring.NoDesc, 256, 0, 0)
	word(s.Regs[:]...)
	word(s.X[:]...)
	object(base, 16, ring.NoDesc, 16, 0, 0)
	word(7, 8)
	object(base+64, 16, ring.NoDesc, 24, 0, ring.ObjectShort)
	word(1, 2)
	object(base+128, 24, 1, 1, 1, 0)
	word(base+200, 5, base+224)
	object(base+200, 5, 0, 5, 1, 0)
	want = append(want, "alice\x00\x00\x00"...)

	got := s.Record(site, 0, 0, 0)[ring.RecordHeader:]
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}
