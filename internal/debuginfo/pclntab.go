package debuginfo

import "fmt"

// pclntab is the runtime's table of functions, as linked into the program. Its
// layout (runtime.pcHeader, runtime._func) is the same from Go 1.20 to 1.26;
// only the header's textStart is no longer filled in since 1.26.
type pclntab struct {
	text   uint64 // address that entry offsets are relative to: runtime.text
	header string
	names  string // funcnametab
	pctab  string
	funcs  string // pclntable: functab, then the _func structs
	cutab  string
	files  string
	n      int // functions
}

// Offsets in runtime._func (runtime/runtime2.go).
const (
	funcName        = 4
	funcDeferReturn = 12
	funcPCSP        = 16
	funcPCFile      = 20
	funcPCLn        = 24
	funcNPCData     = 28
	funcCU          = 32
	funcStartLine   = 36
	funcID          = 40
	funcFlag        = 41
	funcNFuncData   = 43
	funcSize        = 44
)

// From internal/abi/symtab.go.
const (
	pclnMagic             = 0xfffffff1 // Go 1.20 and later
	flagTopFrame          = 1 << 0
	flagAsm               = 1 << 2
	pcdataUnsafePoint     = 0
	funcdataLocals        = 1
	unsafePointSafe       = -1
	unsafePointUnsafe     = -2
	unsafePointRestart1   = -3
	unsafePointRestart2   = -4
	unsafePointAtEntry    = -5
	funcIDWrapperTo124    = 22
	funcIDWrapperFrom125  = 23
	noDeferReturn         = 0
	pclnHeaderSize        = 72
	pclnHeaderCount       = 8
	pclnHeaderFuncNameOff = 32
)

func (b *Build) readPclntab() error {
	place, err := b.tablePlace()
	if err != nil {
		return &Error{b.Path, ErrNotGo, fmt.Sprintf("the table of Go functions is missing: %v", err)}
	}
	data, err := place.read()
	if err != nil {
		return err
	}
	r := buf{data: data}
	magic := r.u32()
	r.skip(3)
	ptr := r.u8()
	if r.bad || magic != pclnMagic || ptr != 8 {
		return &Error{b.Path, ErrGoVersion, "Go 1.22 to 1.26 are supported; rebuild it with one of them"}
	}
	p, err := parsePclntab(data)
	if err != nil {
		return err
	}
	if p.text == 0 { // the loader writes it, or it is in the module data alone
		p.text = place.text
	}
	b.pcln = p
	return nil
}

// parsePclntab takes a table apart. Behind it, there may be other data.
func parsePclntab(data string) (pclntab, error) {
	r := bufAt(data, pclnHeaderCount)
	n := r.u64()
	r.skip(8)
	textStart := r.u64()
	var parts [6]string
	offs := []uint64{r.u64(), r.u64(), r.u64(), r.u64(), r.u64(), uint64(len(data))}
	if r.bad {
		return pclntab{}, damaged("pclntab header")
	}
	for i := range 5 {
		if offs[i] > offs[i+1] || offs[i+1] > uint64(len(data)) {
			return pclntab{}, damaged("pclntab header")
		}
		parts[i] = data[offs[i]:offs[i+1]]
	}
	if n > uint64(len(parts[4]))/8 {
		return pclntab{}, damaged("pclntab claims %d functions", n)
	}
	return pclntab{text: textStart, header: data[:pclnHeaderSize], names: parts[0], cutab: parts[1], files: parts[2],
		pctab: parts[3], funcs: parts[4], n: int(n)}, nil
}

// needPclntab reads the table where the functions came from a cache, so that
// nobody had to read it before. It was whole when they were put there.
func (b *Build) needPclntab() {
	if b.cached != nil {
		_, _ = b.cached.pcln.get(func() (bool, error) {
			text := b.pcln.text
			err := b.readPclntab()
			b.pcln.text = text
			return true, err
		})
	}
}

// RuntimeFile is the file of a function's first instruction as the runtime's own
// table has it, which says so even where debug information is damaged; "" if it
// does not, or where the functions came from a cache.
func (b *Build) RuntimeFile(f *Func) string {
	if b.cached != nil {
		return ""
	}
	v, ok := b.pcln.at(b.pcln.u32(f.pcln, funcPCFile), 0)
	if !ok {
		return ""
	}
	return b.pcln.file(f.pcln, v.value)
}

// RuntimeFiles calls visit for the file of each run of instructions of a function
// as the runtime's own table has it, until it returns false; see RuntimeFile.
func (b *Build) RuntimeFiles(f *Func, visit func(file string) bool) {
	if b.cached != nil {
		return
	}
	b.pcln.walk(b.pcln.u32(f.pcln, funcPCFile), func(v pcValue) bool {
		return visit(b.pcln.file(f.pcln, v.value))
	})
}

// entry is functab entry i: offset of the function from text, and of its _func.
// Entry n is the end of the last function.
func (p *pclntab) entry(i int) (pc, fn uint64) {
	r := bufAt(p.funcs, uint64(i)*8)
	return uint64(r.u32()), uint64(r.u32())
}

func (p *pclntab) u32(fn uint64, field int) uint32 {
	r := bufAt(p.funcs, fn+uint64(field))
	return r.u32()
}

func (p *pclntab) u8(fn uint64, field int) uint8 {
	r := bufAt(p.funcs, fn+uint64(field))
	return r.u8()
}

func (p *pclntab) name(off uint32) string {
	r := bufAt(p.names, uint64(off))
	return r.cstr()
}

// pcValue is one run of equal values in a pc-value table.
type pcValue struct {
	start, end uint64 // offsets from the function's entry
	value      int32
}

// walk calls visit for each run of the table at off until it returns false. It
// reports whether the table was well formed as far as it was read.
func (p *pclntab) walk(off uint32, visit func(pcValue) bool) bool {
	if off == 0 {
		return true
	}
	r := bufAt(p.pctab, uint64(off))
	v := pcValue{value: -1}
	for first := true; ; first = false {
		d := uint32(r.uleb())
		if d == 0 && !first || r.bad {
			return !r.bad
		}
		v.value += int32(-(d & 1) ^ d>>1)
		v.start = v.end
		v.end += uint64(uint32(r.uleb()))
		if r.bad || v.end > 1<<31 {
			return false
		}
		if !visit(v) {
			return true
		}
	}
}

// at is the run that holds an offset from the function's entry.
func (p *pclntab) at(table uint32, off uint64) (pcValue, bool) {
	found := pcValue{value: -1}
	ok := false
	p.walk(table, func(v pcValue) bool {
		if off < v.end {
			found, ok = v, true
			return false
		}
		return true
	})
	return found, ok
}

// size of a function: where its stack-depth table ends, which covers exactly
// the function's own bytes and not the padding behind. 0: no such table.
func (p *pclntab) size(fn uint64) uint64 {
	var end uint64
	p.walk(p.u32(fn, funcPCSP), func(v pcValue) bool {
		end = v.end
		return true
	})
	return end
}

// pcdata is the offset of one of the function's PCDATA tables; 0: none.
func (p *pclntab) pcdata(fn uint64, table uint32) uint32 {
	if table >= p.u32(fn, funcNPCData) {
		return 0
	}
	return p.u32(fn, funcSize+4*int(table))
}

func (p *pclntab) hasFuncdata(fn uint64, i uint8) bool {
	if i >= p.u8(fn, funcNFuncData) {
		return false
	}
	n := p.u32(fn, funcNPCData)
	if n > 64 {
		return false
	}
	return p.u32(fn, funcSize+4*int(n)+4*int(i)) != ^uint32(0)
}

// UnsafePoint tells that the scheduler never preempts a goroutine at pc
// asynchronously: no goroutine can be found parked there, other than by a call
// that returns to pc. It follows isAsyncSafePoint in runtime/preempt.go. Where
// the runtime has reasons of its own besides (stack space, names of inlined
// functions) it says false, which is the careful answer. Outside Go functions
// it says true: an unknown pc is never preempted.
func (b *Build) UnsafePoint(pc uint64) bool {
	f := b.FuncAt(pc)
	if f == nil {
		return true
	}
	b.needPclntab()
	p, off := &b.pcln, pc-f.Entry
	if f.Assembly || !p.hasFuncdata(f.pcln, funcdataLocals) {
		return true
	}
	v, ok := p.at(p.pcdata(f.pcln, pcdataUnsafePoint), off)
	if !ok {
		return false
	}
	switch v.value {
	case unsafePointUnsafe:
		return true
	case unsafePointRestart1, unsafePointRestart2:
		return off != v.start // resumes at the start of the sequence
	case unsafePointAtEntry:
		return off != 0
	}
	return false
}

// StackDepth is how many bytes below its value at the function's entry the
// stack pointer is at pc (the pcsp table); false where the table is silent.
func (b *Build) StackDepth(pc uint64) (int64, bool) {
	f := b.FuncAt(pc)
	if f == nil {
		return 0, false
	}
	b.needPclntab()
	v, ok := b.pcln.at(b.pcln.u32(f.pcln, funcPCSP), pc-f.Entry)
	return int64(v.value), ok
}
