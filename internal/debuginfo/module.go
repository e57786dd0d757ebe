package debuginfo

import (
	"debug/elf"
	"slices"
	"strings"
)

// moduleData is what the build's runtime.firstmoduledata says. It is found
// without a symbol table: it is the structure that begins with the address of
// the pclntab and agrees with it in every field that both have.
type moduleData struct {
	addr     uint64
	text     uint64
	types    uint64
	funcData string // the functions' tables, from gofunc to the end of its section
}

// Offsets in runtime.moduledata (runtime/symtab.go); those that differ between
// Go versions are in layouts.
const (
	modFuncNames = 8
	modFuncTab   = 128
	modMinPC     = 160
	modMaxPC     = 168
	modText      = 176

	modAlign = 63 // how far the pclntab's tables may be padded
)

// module finds the module data.
func (b *Build) module() (*moduleData, error) {
	return b.mod.get(func() (*moduleData, error) {
		b.needPclntab()
		at, err := b.tablePlace()
		l, ok := b.layout()
		if err != nil || !ok {
			return nil, damaged("the module data of %s is not known", b.GoVersion)
		}
		var found *moduleData
		for _, addr := range b.pointersTo(at.addr) {
			if m := b.moduleAt(addr, at.addr, l); m != nil {
				if found != nil {
					return nil, damaged("two module data, at %#x and %#x", found.addr, m.addr)
				}
				found = m
			}
		}
		if found == nil {
			return nil, damaged("no module data belongs to the table of functions")
		}
		return found, nil
	})
}

// moduleAt reads the module data at addr; nil if it is none.
func (b *Build) moduleAt(addr, pclntab uint64, l layout) *moduleData {
	if !b.isModuleOf(&b.pcln, pclntab, addr) {
		return nil
	}
	m := &moduleData{addr: addr, text: b.word(addr + modText)}
	m.types = b.word(addr + uint64(l.moduleTypes))
	gofunc := b.word(addr + uint64(l.moduleGofunc))
	for _, s := range b.elf.Sections {
		if s.Flags&elf.SHF_ALLOC != 0 && gofunc >= s.Addr && gofunc-s.Addr < s.Size {
			data, err := readSection(s)
			if err != nil {
				return nil
			}
			m.funcData = data[gofunc-s.Addr:]
			return m
		}
	}
	return nil
}

// isModuleOf tells whether at addr is the module data of the table p, which lies
// at pclntab.
func (b *Build) isModuleOf(p *pclntab, pclntab, addr uint64) bool {
	text := b.word(addr + modText)
	first, _ := p.entry(0)
	last, _ := p.entry(p.n)
	namesOff := bufAt(p.header, pclnHeaderFuncNameOff)
	return b.word(addr) == pclntab && b.word(addr+modFuncNames) == pclntab+namesOff.u64() &&
		uint64(len(p.names))-b.word(addr+modFuncNames+8) <= modAlign &&
		b.word(addr+modFuncTab+8) == uint64(p.n)+1 &&
		b.word(addr+modMinPC) == text+first && b.word(addr+modMaxPC) == text+last &&
		text >= b.Text.Addr && text < b.Text.Addr+b.Text.Size
}

// pointersTo lists the words of the program's data that hold an address.
func (b *Build) pointersTo(to uint64) []uint64 {
	out := b.relocations().to(to)
	for _, s := range b.elf.Sections {
		if s.Type != elf.SHT_PROGBITS || s.Flags&(elf.SHF_ALLOC|elf.SHF_WRITE) != elf.SHF_ALLOC|elf.SHF_WRITE {
			continue
		}
		data, err := readSection(s)
		if err != nil {
			continue
		}
		for off := (8 - s.Addr&7) & 7; off+8 <= uint64(len(data)); off += 8 {
			if le64(data[off:]) == to {
				out = append(out, s.Addr+off)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // a word may hold what its relocation says, too
}

// relocTable is what the loader puts into words, sorted by address.
type relocTable []struct{ at, value uint64 }

func (t relocTable) to(v uint64) []uint64 {
	var out []uint64
	for _, r := range t {
		if r.value == v {
			out = append(out, r.at)
		}
	}
	return out
}

// relocations reads the relative relocations of a position-independent build.
func (b *Build) relocations() relocTable {
	t, _ := b.relocs.get(func() (relocTable, error) {
		const relative = uint64(elf.R_X86_64_RELATIVE)
		var t relocTable
		for _, s := range b.elf.Sections {
			if !b.PIE || s.Type != elf.SHT_RELA || !strings.HasPrefix(s.Name, ".rela") || s.Flags&elf.SHF_ALLOC == 0 {
				continue
			}
			data, err := readSection(s)
			if err != nil {
				continue
			}
			for r := (buf{data: data}); r.more(); {
				at, info, addend := r.u64(), r.u64(), r.u64()
				if !r.bad && info&0xffffffff == relative {
					t = append(t, struct{ at, value uint64 }{at, addend})
				}
			}
		}
		slices.SortFunc(t, func(a, b struct{ at, value uint64 }) int { return cmpU64(a.at, b.at) })
		return t, nil
	})
	return t
}
