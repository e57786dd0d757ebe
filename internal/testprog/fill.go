package testprog

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// Fill copies a program that another linker than Go's has linked, and lets the
// last section of its code use the last page to the end, as one in nine does (or
// nearly) by chance.
func Fill(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			fillSegment(f, data, i)
		}
	}
	out := filepath.Join(t.TempDir(), "filled")
	if err := os.WriteFile(out, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return out
}

// fillSegment lets a segment, and its last section, end where a page does.
func fillSegment(f *elf.File, data []byte, segment int) {
	const page, phdr, shdr = 4096, 56, 64 // of ELF64
	u64 := func(at uint64) uint64 { return binary.LittleEndian.Uint64(data[at:]) }
	put := func(at, v uint64) { binary.LittleEndian.PutUint64(data[at:], v) }
	p := f.Progs[segment]
	grow := -(p.Off + p.Filesz) & (page - 1)
	at := u64(32) + uint64(segment)*phdr // e_phoff
	put(at+32, p.Filesz+grow)
	put(at+40, p.Memsz+grow)
	for i, s := range f.Sections {
		if s.Type != elf.SHT_NOBITS && s.Offset+s.FileSize == p.Off+p.Filesz {
			put(u64(40)+uint64(i)*shdr+32, s.FileSize+grow) // e_shoff, sh_size
		}
	}
}
