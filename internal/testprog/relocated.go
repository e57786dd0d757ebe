package testprog

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// ZeroRelocated copies a position-independent executable and makes zeros of the
// words that the loader relocates: some linkers leave them so, others write there
// what the loader will.
func ZeroRelocated(t testing.TB, path string) string {
	t.Helper()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for _, s := range f.Sections {
		if s.Type == elf.SHT_RELA && s.Flags&elf.SHF_ALLOC != 0 {
			n += zeroWords(f, image, image[s.Offset:][:s.FileSize])
		}
	}
	if n == 0 {
		t.Fatalf("the loader relocates nothing in %s", path)
	}
	out := filepath.Join(t.TempDir(), "prog.exe")
	if err := os.WriteFile(out, image, 0o700); err != nil {
		t.Fatal(err)
	}
	return out
}

// zeroWords clears what relative relocations are for, and counts the words.
func zeroWords(f *elf.File, image, rela []byte) (n int) {
	const entry, relative = 24, uint64(elf.R_X86_64_RELATIVE)
	for ; len(rela) >= entry; rela = rela[entry:] {
		addr := binary.LittleEndian.Uint64(rela)
		for _, p := range f.Progs {
			if binary.LittleEndian.Uint64(rela[8:]) == relative && p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr < p.Filesz {
				clear(image[p.Off+addr-p.Vaddr:][:8])
				n++
			}
		}
	}
	return n
}
