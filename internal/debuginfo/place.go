package debuginfo

import (
	"debug/elf"
	"fmt"
	"strings"
)

// Go's linker puts the table of functions into a section of its own. In a
// position-independent build of Go before 1.26, the header has an address that the
// loader relocates, and the system's linker merges the table into .data.rel.ro,
// among the descriptors of types. There it is found by its symbol, or, where that
// was stripped, by what it begins with; and is believed where the program's module
// data points at it and at all of its parts.

// tablePlace is where a build has the table of functions.
type tablePlace struct {
	sec        *elf.Section
	addr, size uint64
	text       uint64 // runtime.text as the module data has it; 0: they were not asked
}

// pclnHead is what the header of a table begins with: the magic number of Go 1.20
// and later, two zeros, the least size of an instruction, the size of a pointer.
const pclnHead = "\xf1\xff\xff\xff\x00\x00\x01\x08"

// mostHeads bounds the places that are looked at. Others than the true one are
// those of Go programs that this one carries as data.
const mostHeads = 64

// Offsets in runtime.moduledata of the addresses of the table's parts, in their
// order, from Go 1.22 to 1.25; the length of the last part is behind its address.
var modParts = [...]uint64{modFuncNames, 32, 56, 80, 104}

// pclntabSection is the section that is the table; nil if none is.
func pclntabSection(f *elf.File) *elf.Section {
	for _, s := range f.Sections {
		if strings.HasSuffix(s.Name, "gopclntab") {
			return s
		}
	}
	return nil
}

// tablePlace finds the table of functions.
func (b *Build) tablePlace() (*tablePlace, error) {
	return b.place.get(func() (*tablePlace, error) {
		if s := pclntabSection(b.elf); s != nil {
			return &tablePlace{sec: s, addr: s.Addr, size: s.Size}, nil
		}
		if p := b.tableBySymbol(); p != nil {
			return p, nil
		}
		return b.searchTable()
	})
}

// read reads the table's bytes.
func (p *tablePlace) read() (string, error) {
	data, err := readSection(p.sec)
	if err != nil || p.size == p.sec.Size {
		return data, err
	}
	return strings.Clone(data[p.addr-p.sec.Addr:][:p.size]), nil // without what is around it
}

func (b *Build) tableBySymbol() *tablePlace {
	var at uint64
	b.eachSymbol(func(name string, value, _ uint64) bool {
		if name == "runtime.pclntab" {
			at = value
		}
		return at == 0
	})
	for _, s := range b.elf.Sections {
		if at == 0 || !constant(s) || at < s.Addr || at-s.Addr >= s.Size {
			continue
		}
		if data, err := readSection(s); err == nil {
			return b.proveTable(s, data, at-s.Addr)
		}
	}
	return nil
}

// constant tells whether a section holds data that only the loader writes.
func constant(s *elf.Section) bool {
	const code, packed = elf.SHF_EXECINSTR, elf.SHF_COMPRESSED
	return s.Type == elf.SHT_PROGBITS && s.Flags&elf.SHF_ALLOC != 0 && s.Flags&(code|packed) == 0 &&
		(s.Flags&elf.SHF_WRITE == 0 || strings.HasPrefix(s.Name, ".data.rel.ro"))
}

// searchTable looks for the table in all constant data.
func (b *Build) searchTable() (*tablePlace, error) {
	var found *tablePlace
	heads := 0
	for _, s := range b.elf.Sections {
		if !constant(s) {
			continue
		}
		data, err := readSection(s)
		if err != nil {
			continue
		}
		for off := nextHead(s, data, 0); off < len(data); off = nextHead(s, data, off+1) {
			if heads++; heads > mostHeads {
				return nil, fmt.Errorf("more than %d places in its data look like it", mostHeads)
			}
			p := b.proveTable(s, data, uint64(off))
			if p != nil && found != nil {
				return nil, fmt.Errorf("there are two, at %#x and %#x", found.addr, p.addr)
			}
			if p != nil {
				found = p
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("there is no section .gopclntab, and nothing in its data is proven to be the table")
	}
	return found, nil
}

// nextHead is the first aligned place from off on that begins like a table; the
// end of the data if there is none.
func nextHead(s *elf.Section, data string, off int) int {
	for off <= len(data) {
		i := strings.Index(data[off:], pclnHead)
		if i < 0 {
			break
		}
		if off += i; (s.Addr+uint64(off))%8 == 0 {
			return off
		}
		off++
	}
	return len(data)
}

// proveTable is the table at an offset of a section's data; nil where there is
// none: where it is not in order itself, or no module data is its own.
func (b *Build) proveTable(s *elf.Section, data string, off uint64) *tablePlace {
	if off >= uint64(len(data)) || !strings.HasPrefix(data[off:], pclnHead) {
		return nil
	}
	p, err := parsePclntab(data[off:])
	if err != nil || !p.ordered() {
		return nil
	}
	at := s.Addr + off
	for _, m := range b.pointersTo(at) {
		if size := b.tableSize(&p, at, m); size != 0 && size <= uint64(len(data))-off {
			return &tablePlace{sec: s, addr: at, size: size, text: b.word(m + modText)}
		}
	}
	return nil
}

// ordered tells whether the functions of a table follow each other, and whether
// what is said of each says where that function begins.
func (p *pclntab) ordered() bool {
	last := uint64(0)
	for i := range p.n {
		pc, fn := p.entry(i)
		if pc < last || uint64(p.u32(fn, 0)) != pc {
			return false
		}
		last = pc
	}
	end, _ := p.entry(p.n)
	return p.n > 0 && end >= last
}

// tableSize is the size of the table p at an address as the module data has it; 0
// where these are no module data of that table.
func (b *Build) tableSize(p *pclntab, at, module uint64) uint64 {
	end, _ := p.entry(p.n)
	if !b.isModuleOf(p, at, module) || end > b.Text.Addr+b.Text.Size-b.word(module+modText) {
		return 0
	}
	r := bufAt(p.header, pclnHeaderFuncNameOff)
	part := uint64(0)
	for _, field := range modParts {
		if part = r.u64(); b.word(module+field) != at+part {
			return 0
		}
	}
	n := b.word(module + modParts[len(modParts)-1] + 8)
	if b.word(module+modFuncTab) != at+part || n > uint64(len(p.funcs)) || n < 8*uint64(p.n) {
		return 0
	}
	return part + n
}
