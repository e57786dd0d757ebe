package patch

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// FuzzDisplace: whatever the instruction, its displaced form is instructions to
// the last byte, and faults only where it says so.
func FuzzDisplace(f *testing.F) {
	for _, seed := range []string{"\xe8\x00\x01\x00\x00", "\x75\x10", "\xff\x54\x24\x08", "\xe3\x05",
		"\x48\x8b\x0d\x10\x00\x00\x00", "\x41\xff\xd4", "\x66\x48\xe8\x00\x01\x00\x00"} {
		f.Add([]byte(seed), uint64(0x401000), uint32(0x100000))
	}
	f.Fuzz(func(t *testing.T, code []byte, pc uint64, away uint32) {
		inst, err := amd64.Decode(code, pc)
		if err != nil {
			return
		}
		at := pc + uint64(away)
		moved, faults, err := Displace(inst, 0, at)
		if err != nil {
			return
		}
		starts := map[uint64]bool{}
		for off := 0; off < len(moved); {
			part, err := amd64.Decode(moved[off:], at+uint64(off))
			if err != nil {
				t.Fatalf("% x became % x: %v", inst.Bytes, moved, err)
			}
			starts[part.PC] = true
			off += part.Len
		}
		for _, fault := range faults {
			if !starts[fault.At] || fault.PC != pc {
				t.Fatalf("% x became % x with the fault entry %+v", inst.Bytes, moved, fault)
			}
		}
	})
}
