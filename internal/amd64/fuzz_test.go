package amd64

import (
	"testing"
)

// FuzzDecode: whatever the bytes, an instruction has a length that the bytes
// have, needs all of them, and overwrites nothing that it does not write.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{"\x90", "\x48\x8b\x05\x01\x00\x00\x00", "\xc4\xe2\xfb\xf5\xc1",
		"\x62\xf1\x7c\x48\x10\x00", "\x64\x48\x8b\x0c\x25\xf8\xff\xff\xff", "\xf3\x48\xab", "\xff\x24\xc8"} {
		f.Add([]byte(seed), uint64(0x401000))
	}
	f.Fuzz(func(t *testing.T, code []byte, pc uint64) {
		i, err := Decode(code, pc)
		if err != nil {
			return
		}
		if i.Len < 1 || i.Len > maxLen || i.Len > len(code) || len(i.Bytes) != i.Len || i.PC != pc {
			t.Fatalf("% x: length %d, bytes % x", code, i.Len, i.Bytes)
		}
		if _, err := Decode(code[:i.Len-1], pc); err == nil {
			t.Fatalf("% x: shorter bytes are an instruction, too", i.Bytes)
		}
		if i.Kills&^i.Writes != 0 || i.KillFlags&^i.WriteFlags != 0 {
			t.Fatalf("% x: overwrites what it does not write", i.Bytes)
		}
		if i.Unknown && (i.Reads != AllRegs || i.Kills != 0 || i.KillFlags != 0) {
			t.Fatalf("% x: unknown effects are not the worst", i.Bytes)
		}
		if m := i.Mem; m.Present && m.DispSize > 0 && m.DispOff+m.DispSize+i.ImmLen != i.Len {
			t.Fatalf("% x: displacement at %d+%d, immediate of %d", i.Bytes, m.DispOff, m.DispSize, i.ImmLen)
		}
	})
}

// FuzzFlow: whatever the bytes, blocks cover the function, edges agree at both
// ends, and fixed registers are never free.
func FuzzFlow(f *testing.F) {
	f.Add([]byte("\x48\x89\xc3\x75\xfb\xc3"), uint16(3))
	f.Add([]byte("\x48\x8d\x05\x00\x10\x00\x00\xff\x24\xc8\xc3"), uint16(0))
	f.Fuzz(func(t *testing.T, code []byte, hidden uint16) {
		const entry = 0x401000
		read := func(addr uint64, n int) ([]byte, error) { // every word names some place in the function
			return []byte{byte(addr >> 3), 0x10, 0x40, 0, 0, 0, 0, 0}, nil
		}
		g, err := Flow(code, entry, FlowOptions{Read: read, Entries: []uint64{entry + uint64(hidden)}})
		if err != nil {
			return
		}
		next := 0
		for b := range g.Blocks {
			if g.Blocks[b].First != next || g.Blocks[b].Last < next {
				t.Fatalf("block %d begins at %d, not %d", b, g.Blocks[b].First, next)
			}
			next = g.Blocks[b].Last + 1
			for i := g.Blocks[b].First; i <= g.Blocks[b].Last; i++ {
				if l := g.Live(g.Insts[i].PC); l.Regs&fixedRegs != 0 || l.Regs&g.Insts[i].Reads != 0 {
					t.Fatalf("%#x: %v free", g.Insts[i].PC, l.Regs)
				}
			}
		}
		if next != len(g.Insts) {
			t.Fatalf("blocks cover %d of %d instructions", next, len(g.Insts))
		}
	})
}
