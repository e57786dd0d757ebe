package debuginfo

import (
	"debug/elf"
	"net/url"
	"sort"
	"strings"
)

// Func is a function that has code of its own in the build.
type Func struct {
	// Name is the linker's: main.(*T).M, main.f.func1; for an instantiation of
	// a generic function main.G[go.shape.int]. Dots in the last element of a
	// package path are written %2e, as Go's own tracebacks do.
	Name    string
	Package string // import path, unescaped; "main" for the main package
	Entry   uint64
	End     uint64 // first address behind its own bytes, padding excluded
	// DeferReturn is the address at which a function continues when a panic in
	// it was recovered; 0: none. Control comes there from nowhere in its code.
	DeferReturn uint64
	StartLine   int   // of the func keyword
	FuncID      uint8 // internal/abi.FuncID; the numbers differ between Go versions
	Assembly    bool
	Wrapper     bool // made by the compiler: method wrappers, defer wrappers, equality

	pcln  uint64 // offset of its _func
	index int32
}

// Contains tells whether pc is one of f's own bytes.
func (f *Func) Contains(pc uint64) bool { return f.Entry <= pc && pc < f.End }

// Symbol is the entry of the function with this full name, as linked.
func (b *Build) Symbol(name string) (addr uint64, ok bool) {
	if f := b.FuncNamed(name); f != nil {
		return f.Entry, true
	}
	return 0, false
}

func (b *Build) readFuncs() error {
	if b.keptFuncs() {
		return nil
	}
	if err := b.readPclntab(); err != nil {
		return err
	}
	text, full := b.readSymbols()
	if text != 0 {
		b.pcln.text = text
	}
	if b.pcln.text < b.Text.Addr || b.pcln.text >= b.Text.Addr+b.Text.Size {
		base, err := b.textFromDWARF()
		if m, problem := b.module(); err != nil && problem == nil {
			base, err = m.text, nil
		}
		if err != nil {
			return err
		}
		b.pcln.text = base
	}
	if err := b.makeFuncs(full); err != nil {
		return err
	}
	if len(full) == 0 {
		b.shapeNames()
	}
	return nil
}

func (b *Build) makeFuncs(full map[uint64]string) error {
	p := &b.pcln
	wrapper := uint8(funcIDWrapperFrom125)
	if versionBefore(b.GoVersion, 25) {
		wrapper = funcIDWrapperTo124
	}
	all := make([]Func, 0, p.n)
	for i := range p.n {
		off, fn := p.entry(i)
		next, _ := p.entry(i + 1)
		if next < off {
			return damaged("pclntab: function %d ends before it begins", i)
		}
		if next == off {
			continue
		}
		size := p.size(fn)
		if size == 0 || size > next-off {
			size = next - off
		}
		f := Func{Entry: p.text + off, End: p.text + off + size, pcln: fn, index: int32(len(all))}
		f.Name = p.name(p.u32(fn, funcName))
		if strings.Contains(f.Name, "[...]") {
			if s := full[f.Entry]; s != "" {
				f.Name = s
			}
		}
		f.Package = packageOf(f.Name)
		if d := p.u32(fn, funcDeferReturn); d != noDeferReturn {
			f.DeferReturn = f.Entry + uint64(d)
		}
		f.StartLine = int(int32(p.u32(fn, funcStartLine)))
		f.FuncID = p.u8(fn, funcID)
		f.Assembly = p.u8(fn, funcFlag)&flagAsm != 0
		f.Wrapper = f.FuncID == wrapper
		all = append(all, f)
	}
	if len(all) == 0 {
		return damaged("pclntab holds no function")
	}
	if !sort.SliceIsSorted(all, func(i, j int) bool { return all[i].Entry < all[j].Entry }) {
		return damaged("pclntab is not sorted")
	}
	b.funcs.all = all
	return nil
}

// shapeNames finds in the debug information what the symbol table would have
// told: the full names of instantiations.
func (b *Build) shapeNames() {
	var idx *index
	for i := range b.funcs.all {
		f := &b.funcs.all[i]
		if !strings.Contains(f.Name, "[...]") {
			continue
		}
		if idx == nil {
			var err error
			if idx, err = b.indexed(); err != nil {
				return
			}
		}
		if d, ok := idx.dieAt(f.Entry); ok {
			if name := b.dieName(d); name != "" {
				f.Name = name
			}
		}
	}
}

// readSymbols reads from the symbol table, where there is one, the address of
// runtime.text and the full names of instantiations by address.
func (b *Build) readSymbols() (text uint64, full map[uint64]string) {
	full = make(map[uint64]string)
	b.eachSymbol(func(name string, value, _ uint64) bool {
		if name == "runtime.text" {
			text = value
		}
		if strings.IndexByte(name, '[') >= 0 {
			full[value] = name
		}
		return true
	})
	return text, full
}

// eachSymbol walks the symbol table until visit returns false.
func (b *Build) eachSymbol(visit func(name string, value, size uint64) bool) {
	sec := b.elf.SectionByType(elf.SHT_SYMTAB)
	if b.without || sec == nil || int(sec.Link) >= len(b.elf.Sections) {
		return
	}
	syms, err := readSection(sec)
	if err != nil {
		return
	}
	strs, err := readSection(b.elf.Sections[sec.Link])
	if err != nil {
		return
	}
	for r := (buf{data: syms}); r.more(); {
		nameOff := r.u32()
		r.skip(4)
		value, size := r.u64(), r.u64()
		if s := bufAt(strs, uint64(nameOff)); !r.bad && !visit(s.cstr(), value, size) {
			return
		}
	}
}

// textFromDWARF finds the base of the pclntab's offsets by a function that
// both it and the debug information know.
func (b *Build) textFromDWARF() (uint64, error) {
	idx, err := b.indexed()
	if err != nil {
		return 0, err
	}
	for i := range b.pcln.n {
		off, fn := b.pcln.entry(i)
		if name := b.pcln.name(b.pcln.u32(fn, funcName)); name == "runtime.main" || name == "main.main" {
			if pc, ok := idx.entryOf(b, name); ok {
				return pc - off, nil
			}
		}
	}
	return 0, damaged("cannot tell where the Go code begins")
}

// packageOf is the import path in a function's or variable's name.
func packageOf(name string) string {
	if rest, ok := strings.CutPrefix(name, "type:"); ok { // type:.eq.pkg.T
		if i := strings.IndexByte(rest, '.'); i >= 0 {
			return "type:" + rest[:i]
		}
	}
	end := len(name)
	if i := strings.IndexAny(name, "[("); i >= 0 {
		end = i
	}
	slash := strings.LastIndexByte(name[:end], '/') + 1
	if i := strings.IndexByte(name[slash:end], '.'); i >= 0 {
		name = name[:slash+i]
	} else {
		return ""
	}
	return unescape(name)
}

// unescape undoes the linker's escapes of dots and the like in package paths.
func unescape(name string) string {
	if strings.IndexByte(name, '%') >= 0 {
		if s, err := url.PathUnescape(name); err == nil {
			return s
		}
	}
	return name
}

// versionBefore tells whether a Go version is older than 1.minor. An unknown
// version (a development build) counts as new.
func versionBefore(version string, minor int) bool {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return false
	}
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return n < minor
}
