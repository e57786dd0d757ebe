package debuginfo

import (
	"debug/elf"
	"strings"
)

// word is the pointer that the program will find at a linked address, with the
// relocation applied that a position-independent executable has there; as
// linked. 0 if there is none.
func (b *Build) word(addr uint64) uint64 {
	raw, err := b.Bytes(addr, 8)
	if err != nil {
		return 0
	}
	if v := le64(string(raw)); v != 0 || !b.PIE {
		return v
	}
	const relative = uint64(elf.R_X86_64_RELATIVE)
	for _, s := range b.elf.Sections {
		if s.Type != elf.SHT_RELA || !strings.HasPrefix(s.Name, ".rela") || s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		data, err := readSection(s)
		if err != nil {
			continue
		}
		for r := (buf{data: data}); r.more(); {
			at, info, addend := r.u64(), r.u64(), r.u64()
			if at == addr && info&0xffffffff == relative {
				return addend
			}
		}
	}
	return 0
}
