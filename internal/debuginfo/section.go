package debuginfo

import (
	"debug/elf"
	"fmt"
	"io"
	"strings"
)

// Section says where a section of the file lies.
type Section struct {
	Addr   uint64 // as linked
	Size   uint64 // bytes
	Offset uint64 // in the file
}

// maxSection is the most that one uncompressed section may hold. The largest
// Go programs known have less than a tenth of it.
const maxSection = 1 << 30

func readSection(s *elf.Section) (string, error) {
	if s.Type == elf.SHT_NOBITS {
		return "", nil
	}
	if s.Size > maxSection {
		return "", damaged("section %s claims %d bytes", s.Name, s.Size)
	}
	var out strings.Builder
	out.Grow(int(min(s.Size, 64<<20)))
	n, err := io.Copy(&out, io.LimitReader(s.Open(), maxSection))
	if err != nil {
		return "", damaged("section %s: %v", s.Name, err)
	}
	if uint64(n) != s.Size {
		return "", damaged("section %s holds %d of %d bytes", s.Name, n, s.Size)
	}
	return out.String(), nil
}

// section finds a debug section by its name without ".debug_"; an empty one if
// the build does not have it.
func (b *Build) section(name string) (*part, error) {
	p := b.debug[name]
	if p == nil {
		return &part{}, nil
	}
	return p, p.ready()
}

// sectionsOf are a file's debug sections by their names without ".debug_".
func sectionsOf(f *elf.File) map[string]*part {
	out := make(map[string]*part)
	for _, s := range f.Sections {
		if name, ok := strings.CutPrefix(s.Name, ".debug_"); ok {
			out[name] = &part{sec: s, make: func() (string, error) { return readSection(s) }}
		}
	}
	return out
}

func (b *Build) openSections() {
	b.debug = sectionsOf(b.elf)
	if s := b.elf.Section(".text"); s != nil {
		b.Text = Section{Addr: s.Addr, Size: s.Size, Offset: s.Offset}
	}
}

// Bytes reads n bytes of the file that are loaded at a linked address: text,
// read-only data or initialised data. Places that the linker leaves to the
// loader (relocations of a PIE) are as the file has them.
func (b *Build) Bytes(addr uint64, n int) ([]byte, error) {
	for _, p := range b.elf.Progs {
		if p.Type != elf.PT_LOAD || addr < p.Vaddr || addr-p.Vaddr >= p.Memsz {
			continue
		}
		off := addr - p.Vaddr
		if n < 0 || uint64(n) > p.Memsz-off {
			break
		}
		out := make([]byte, n)
		if off < p.Filesz {
			k := min(uint64(n), p.Filesz-off)
			if _, err := p.ReadAt(out[:k], int64(off)); err != nil {
				return nil, fmt.Errorf("%s: %d bytes at %#x: %w", b.Path, n, addr, err)
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: %d bytes at %#x are not part of the file", b.Path, n, addr)
}

// TextBytes reads the whole of .text.
func (b *Build) TextBytes() ([]byte, error) { return b.Bytes(b.Text.Addr, int(b.Text.Size)) }
