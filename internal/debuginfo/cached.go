package debuginfo

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/cache"
)

// A build's cache holds what takes long to read: the debug sections that the
// linker compressed, the functions, the index of .debug_info, the files and
// where each function's rows begin in the line programs. It is found by what the
// file says of itself (cacheKey). Each part stands for itself: one that is
// missing or damaged is worked out of the file, as if there were no cache.
//
// It serves answers to people. Whatever is to be put into a process is worked
// out of the file by a Build from Open, which knows no cache.

// OpenCached is Open with a cache. What it does not have yet is put there.
func OpenCached(path string, dir *cache.Dir, options ...Option) (*Build, error) {
	b, err := openWith(path, dir, options)
	if err != nil || dir == nil || b.cached != nil || b.debug["info"] == nil {
		return b, err
	}
	_ = b.fillCache() // a cache that cannot be written costs time, and nothing else
	return b, nil
}

// cacheFormat is the form of the blocks, and of what the code that made them
// understood. Whoever changes one of them counts it up.
const cacheFormat = "debuginfo 1"

// cacheKey names what is cached of a build: by its build ids, which contain a
// hash of its content, its size and its sections. Where the Go build id is no
// such hash (some build systems write "redacted"), the bytes themselves count.
func (b *Build) cacheKey() (string, error) {
	info, err := b.file.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q %q %d\n", cacheFormat, b.ID, b.GNUID, info.Size())
	hashed := strings.Count(b.ID, "/") == 3
	for _, s := range b.elf.Sections {
		fmt.Fprintf(h, "%q %d %d %#x %d %d %d\n", s.Name, s.Type, s.Flags, s.Addr, s.Offset, s.Size, s.FileSize)
		if hashed || s.Type == elf.SHT_NOBITS || !strings.HasPrefix(s.Name, ".debug_") && !strings.Contains(s.Name, "pclntab") {
			continue
		}
		sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
		if _, err := io.Copy(sum, io.NewSectionReader(b.file, int64(s.Offset), int64(s.FileSize))); err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%08x\n", sum.Sum32())
	}
	if b.sep != nil {
		if err := b.sep.sum(h); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// cached is what a cache had of a build. Its methods may be called on nil, which
// has nothing.
type cached struct {
	entry *cache.Entry
	spoil func() // forgets the entry, so that the next command makes it anew
	seqs  onceErr[string]
	pcln  onceErr[bool]
}

// attach looks into the cache, and lets the compressed sections come from there.
func (b *Build) attach() {
	if b.cache == nil || b.debug["info"] == nil {
		return
	}
	key, err := b.cacheKey()
	if err != nil {
		return
	}
	entry := b.cache.Load(key)
	if entry == nil {
		return
	}
	b.cached = &cached{entry: entry, spoil: func() { b.cache.Remove(key) }}
	for name, l := range b.debug {
		if block := sectionBlock + name; entry.Has(block) {
			l.kept = func() (string, bool) { return b.cached.block(block) }
		}
	}
	// Every question needs .debug_info; its checksum is made while the functions
	// are read. Who needs it asks again, and has the error.
	go func() { _, _ = b.debug["info"].read() }()
}

// block reads a block as text, which is what sections are.
func (c *cached) block(name string) (string, bool) {
	if c == nil {
		return "", false
	}
	data, ok := c.entry.Block(name)
	if !ok {
		c.spoil()
		return "", false
	}
	return unsafe.String(unsafe.SliceData(data), len(data)), true // nobody changes data
}

// good says whether a block could be read, and forgets the entry if not.
func (c *cached) good(ok bool) bool {
	if !ok {
		c.spoil()
	}
	return ok
}

// Names of blocks. Sections have sectionBlock before theirs.
const (
	sectionBlock = "debug_"
	blockFuncs   = "funcs"
	blockIndex   = "index"
	blockNames   = "names"
	blockFiles   = "files"
	blockSeqs    = "sequences"
)

// fillCache works out everything that a cache holds and puts it there.
func (b *Build) fillCache() (err error) {
	defer guard(&err)
	key, err := b.cacheKey()
	if err != nil {
		return err
	}
	x, err := b.indexed()
	if err != nil {
		return err
	}
	t, err := b.fileTable()
	if err != nil {
		return err
	}
	files, err := b.packFiles(x, t)
	if err != nil {
		return err
	}
	seqs, err := b.packSequences(x)
	if err != nil {
		return err
	}
	blocks := []cache.Block{
		{Name: blockFuncs, Data: b.packFuncs()},
		{Name: blockIndex, Data: packIndex(x)},
		{Name: blockNames, Data: packNames(x.named())},
		{Name: blockFiles, Data: files},
		{Name: blockSeqs, Data: seqs},
	}
	for _, name := range slices.Sorted(maps.Keys(b.debug)) {
		l := b.debug[name]
		if l.sec == nil || l.sec.Flags&elf.SHF_COMPRESSED == 0 || l.sec.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := l.read()
		if err != nil {
			return err
		}
		blocks = append(blocks, cache.Block{Name: sectionBlock + name, Data: unsafe.Slice(unsafe.StringData(data), len(data))})
	}
	return b.cache.Store(key, blocks)
}

// pack writes the blocks' form: numbers and texts behind their lengths, as in
// DWARF itself, so that buf reads them.
type pack struct{ data []byte }

func (p *pack) uleb(n uint64) { p.data = binary.AppendUvarint(p.data, n) }
func (p *pack) text(s string) {
	p.uleb(uint64(len(s)))
	p.data = append(p.data, s...)
}

// delta writes ascending numbers as their differences.
func (p *pack) delta(n, last uint64) uint64 {
	p.uleb(n - last)
	return n
}

// unpack reads what pack wrote.
type unpack struct{ buf }

func (u *unpack) text() string { return u.bytes(u.uleb()) }

// count is a number of things that follow, of at least one byte each.
func (u *unpack) count() int {
	n := u.uleb()
	if n > uint64(len(u.data)-u.off) {
		u.bad = true
		return 0
	}
	return int(n)
}

// whole tells that a block was read to its end and nothing was amiss.
func (u *unpack) whole() bool { return !u.bad && u.off == len(u.data) }

func (b *Build) packFuncs() []byte {
	var p pack
	p.uleb(b.pcln.text)
	p.uleb(b.typesSymbol())
	p.uleb(uint64(len(b.funcs)))
	last := uint64(0)
	for i := range b.funcs {
		f := &b.funcs[i]
		last = p.delta(f.Entry, last)
		p.uleb(f.End - f.Entry)
		p.uleb(max(f.DeferReturn, f.Entry) - f.Entry)
		p.uleb(uint64(uint32(f.StartLine)))
		p.uleb(f.pcln)
		flags := uint64(f.FuncID) << 3
		for bit, on := range []bool{f.Assembly, f.Wrapper, strings.HasPrefix(f.Name, f.Package)} {
			if on {
				flags |= 1 << bit
			}
		}
		p.uleb(flags)
		p.text(f.Name)
		if flags&4 != 0 {
			p.uleb(uint64(len(f.Package)))
		} else {
			p.text(f.Package)
		}
	}
	return p.data
}

// funcs takes a build's functions from the cache.
func (c *cached) funcs(b *Build) bool {
	data, ok := c.block(blockFuncs)
	if !ok {
		return false
	}
	u := unpack{buf{data: data}}
	b.pcln.text = u.uleb()
	types := u.uleb()
	b.funcs = make([]Func, u.count())
	last := uint64(0)
	for i := range b.funcs {
		f := &b.funcs[i]
		f.index = int32(i)
		f.Entry = last + u.uleb()
		last = f.Entry
		f.End = f.Entry + u.uleb()
		if d := u.uleb(); d != 0 {
			f.DeferReturn = f.Entry + d
		}
		f.StartLine = int(int32(u.uleb()))
		f.pcln = u.uleb()
		flags := u.uleb()
		f.FuncID, f.Assembly, f.Wrapper = uint8(flags>>3), flags&1 != 0, flags&2 != 0
		f.Name = u.text()
		if flags&4 == 0 {
			f.Package = u.text()
		} else if n := u.uleb(); n <= uint64(len(f.Name)) {
			f.Package = f.Name[:n]
		} else {
			u.bad = true
		}
		if u.bad {
			break
		}
	}
	if !c.good(u.whole() && len(b.funcs) > 0) {
		b.funcs, b.pcln.text = nil, 0
		return false
	}
	_, _ = b.base.get(func() (uint64, error) { return types, nil })
	return true
}

func packIndex(x *index) []byte {
	var p pack
	p.uleb(uint64(len(x.pcs)))
	last := uint64(0)
	for _, f := range x.pcs {
		last = p.delta(f.pc, last)
		p.uleb(f.die)
	}
	p.uleb(uint64(len(x.inlined)))
	last = 0
	for _, in := range x.inlined {
		last = p.delta(in.origin, last)
		p.uleb(in.fn)
	}
	p.uleb(uint64(len(x.abs)))
	for _, a := range x.abs {
		p.text(a.name)
		p.uleb(uint64(len(a.dies)))
		for _, d := range a.dies {
			p.uleb(d)
		}
	}
	return p.data
}

// index takes the index of .debug_info from the cache, all but the names.
func (c *cached) index(x *index) bool {
	data, ok := c.block(blockIndex)
	if !ok {
		return false
	}
	u := unpack{buf{data: data}}
	x.pcs = make([]pcDIE, u.count())
	last := uint64(0)
	for i := range x.pcs {
		last += u.uleb()
		x.pcs[i] = pcDIE{last, u.uleb()}
	}
	x.inlined = make([]inlinedIn, u.count())
	last = 0
	for i := range x.inlined {
		last += u.uleb()
		x.inlined[i] = inlinedIn{last, u.uleb()}
	}
	x.abs = make([]absFunc, u.count())
	for i := range x.abs {
		x.abs[i].name = u.text()
		x.abs[i].dies = make([]uint64, u.count())
		for k := range x.abs[i].dies {
			x.abs[i].dies[k] = u.uleb()
		}
	}
	return c.good(u.whole())
}

func packNames(n *nameIndex) []byte {
	var p pack
	for _, t := range []*table[string]{&n.globals, &n.consts, &n.types} {
		list := t.sorted()
		p.uleb(uint64(len(list)))
		for _, e := range list {
			p.text(e.key)
			p.uleb(e.die)
		}
	}
	list := n.rtypes.sorted()
	p.uleb(uint64(len(list)))
	for _, e := range list {
		p.uleb(e.key)
		p.uleb(e.die)
	}
	return p.data
}

// cachedNames takes the names from the cache, or else from .debug_info.
func (b *Build) cachedNames(x *index) *nameIndex {
	if data, ok := b.cached.block(blockNames); ok {
		n := &nameIndex{}
		u := unpack{buf{data: data}}
		sorted := true
		for _, t := range []*table[string]{&n.globals, &n.consts, &n.types} {
			t.list = make([]keyed[string], u.count())
			for i := range t.list {
				t.list[i] = keyed[string]{u.text(), u.uleb()}
			}
			sorted = sorted && ordered(t.list)
		}
		n.rtypes.list = make([]keyed[uint64], u.count())
		for i := range n.rtypes.list {
			n.rtypes.list[i] = keyed[uint64]{u.uleb(), u.uleb()}
		}
		if b.cached.good(sorted && ordered(n.rtypes.list) && u.whole()) {
			return n
		}
	}
	fresh := &index{info: x.info, units: x.units, names: &nameIndex{}}
	if err := b.scan(fresh); err != nil {
		return &nameIndex{}
	}
	return fresh.names
}

func (b *Build) packFiles(x *index, t *fileTable) ([]byte, error) {
	number := make(map[*unit]uint64, len(x.units))
	for i, u := range x.units {
		number[u] = uint64(i)
	}
	var p pack
	p.uleb(uint64(len(t.names)))
	for _, name := range t.names {
		p.text(name)
		var uses pack // of each unit: its number, and that of the file in it
		n := 0
		for _, u := range t.units[name] {
			l, err := b.linesOf(u)
			if err != nil {
				return nil, err
			}
			for i, file := range l.files {
				if file == name {
					uses.uleb(number[u])
					uses.uleb(uint64(i) + l.first)
					n++
				}
			}
		}
		p.uleb(uint64(n))
		p.data = append(p.data, uses.data...)
	}
	return p.data, nil
}

// files takes the table of files from the cache. Who uses a file is read when
// that is asked for.
func (c *cached) files(x *index) *fileTable {
	data, ok := c.block(blockFiles)
	if !ok {
		return nil
	}
	u := unpack{buf{data: data}}
	t := &fileTable{names: make([]string, u.count()), kept: data}
	t.at = make([]int, len(t.names))
	for i := range t.names {
		t.names[i] = u.text()
		t.at[i] = u.off
		for range u.count() {
			if u.uleb() >= uint64(len(x.units)) {
				u.bad = true
			}
			u.skipLEB()
		}
	}
	if !c.good(u.whole() && slices.IsSorted(t.names)) {
		return nil
	}
	return t
}

// keptFuncs is FileFuncs by the cache; ok is false if that does not have it.
func (b *Build) keptFuncs(t *fileTable, file string) (out []*Func, ok bool) {
	i, found := slices.BinarySearch(t.names, file)
	if !found {
		return nil, true
	}
	u := unpack{buf{data: t.kept, off: t.at[i]}}
	for range u.count() {
		unit, number := u.uleb(), u.uleb()
		seqs, ok := b.keptSequences(int(unit), -1)
		if !ok {
			return nil, false
		}
		for i := range seqs {
			if slices.Contains(seqs[i].files, uint32(number)) {
				if f := b.FuncAt(seqs[i].low); f != nil {
					out = append(out, f)
				}
			}
		}
	}
	return out, true
}

// packSequences writes where each function's rows begin in each unit's line
// program: first a table of offsets, four bytes for each unit and one more.
func (b *Build) packSequences(x *index) ([]byte, error) {
	var p pack
	offsets := make([]byte, 4*(len(x.units)+1))
	for i, u := range x.units {
		if u.goLang && u.hasLines {
			l, err := b.linesOf(u)
			if err != nil {
				return nil, err
			}
			seqs, err := l.sequences()
			if err != nil {
				return nil, err
			}
			p.sequences(seqs)
		}
		binary.LittleEndian.PutUint32(offsets[4*(i+1):], uint32(len(p.data)))
	}
	return append(offsets, p.data...), nil
}

func (p *pack) sequences(seqs []lineSeq) {
	p.uleb(uint64(len(seqs)))
	last := uint64(0)
	for i := range seqs {
		s := &seqs[i]
		last = p.delta(s.low, last)
		p.uleb(s.high - s.low)
		p.uleb(uint64(s.off))
		p.uleb(uint64(len(s.files)))
		for _, f := range s.files {
			p.uleb(uint64(f))
		}
	}
}

// sequences is what reads a unit's sequences from the cache; nil: nothing does.
func (c *cached) sequences(b *Build, u *unit, l *lineUnit) func() ([]lineSeq, bool) {
	if c == nil || !c.entry.Has(blockSeqs) {
		return nil
	}
	return func() ([]lineSeq, bool) {
		x, err := b.indexed()
		if err != nil {
			return nil, false
		}
		i, ok := slices.BinarySearchFunc(x.units, u.off, func(u *unit, off uint64) int { return cmpU64(u.off, off) })
		if !ok {
			return nil, false
		}
		return b.keptSequences(i, len(l.program))
	}
}

// keptSequences are the sequences of unit i by the cache. program is the length
// of its line program; -1: nobody is going to run it.
func (b *Build) keptSequences(i, program int) ([]lineSeq, bool) {
	x, err := b.indexed()
	if err != nil {
		return nil, false
	}
	all, _ := b.cached.seqs.get(func() (string, error) {
		data, _ := b.cached.block(blockSeqs)
		return data, nil
	})
	size := 4 * (len(x.units) + 1)
	if len(all) < size {
		return nil, false
	}
	from, to := le32(all[4*i:]), le32(all[4*(i+1):])
	if from > to || uint64(to) > uint64(len(all)-size) {
		return nil, b.cached.good(false)
	}
	if from == to {
		return nil, true
	}
	seqs, ok := unpackSequences(all[size:][from:to], program)
	return seqs, b.cached.good(ok)
}

func unpackSequences(data string, program int) ([]lineSeq, bool) {
	u := unpack{buf{data: data}}
	seqs := make([]lineSeq, u.count())
	last := uint64(0)
	for i := range seqs {
		s := &seqs[i]
		last += u.uleb()
		s.low, s.high = last, last+u.uleb()
		off := u.uleb()
		if program >= 0 && off > uint64(program) {
			return nil, false
		}
		s.off = int(off)
		s.files = make([]uint32, u.count())
		for k := range s.files {
			s.files[k] = uint32(u.uleb())
		}
	}
	return seqs, u.whole()
}
