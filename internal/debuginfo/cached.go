package debuginfo

import (
	"crypto/sha256"
	"debug/elf"
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
// linker compressed, and tables: the functions, the units and the index of
// .debug_info, the files and where each function's rows begin in the line
// programs. It is found by what the file says of itself (cacheKey). A part that
// turns out to be damaged is worked out of the file, as if there were no cache.
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
const cacheFormat = "debuginfo 2"

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
		if hashed || s.Type == elf.SHT_NOBITS || !strings.HasPrefix(s.Name, ".debug_") && !b.holdsTable(s) {
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

// holdsTable tells whether a section has the table of functions.
func (b *Build) holdsTable(s *elf.Section) bool {
	at, err := b.tablePlace()
	return err == nil && at.sec == s
}

// cached is what a cache has of a build; nil: nothing.
type cached struct {
	tables map[string]*part
	anew   onceErr[map[string]string] // the tables made once more
	pcln   onceErr[bool]              // needPclntab
}

// Names of blocks: those of tables are theirs, sections have this before them.
const sectionBlock = "debug_"

// Tables besides those of a scan.
const (
	tableFuncs     = "funcs"
	tableFuncNames = "funcnames"
	tableUnits     = "units"
	tableFiles     = "files"
	tableUses      = "uses"
	tableSeqs      = "sequences"
)

var tables = []string{tableFuncs, tableFuncNames, tableUnits, tablePCs, tableInlined, tableRTypes,
	tableAbs, tableGlobals, tableConsts, tableTypes, tableFiles, tableUses, tableSeqs}

// attach looks into the cache, and lets tables and compressed sections come from
// there.
func (b *Build) attach() {
	if b.cache == nil || b.debug["info"] == nil {
		return
	}
	key, err := b.cacheKey()
	if err != nil {
		return
	}
	spoil := func() { b.cache.Remove(key) } // so that the next command makes it anew
	entry, c := b.cache.Load(key), &cached{tables: map[string]*part{}}
	for _, name := range tables {
		kept := entry.Block(name)
		if kept == nil {
			return
		}
		c.tables[name] = &part{kept: kept, spoil: spoil, make: func() (string, error) { return b.tableAnew(name) }}
	}
	for name, p := range b.debug {
		if kept := entry.Block(sectionBlock + name); kept != nil && uint64(kept.Len()) == p.sec.Size {
			p.kept, p.spoil = kept, spoil
		}
	}
	b.cached = c
}

// tableAnew makes a table out of the file: the very one that is in the cache.
func (b *Build) tableAnew(name string) (string, error) {
	all, err := b.cached.anew.get(func() (map[string]string, error) {
		o := &Build{Path: b.Path, file: b.file, without: b.without, other: b.other}
		if err := o.open(); err != nil {
			return nil, err
		}
		if o.sep != nil {
			defer o.sep.file.Close()
		}
		return o.pack()
	})
	return all[name], err
}

// fillCache works out everything that a cache holds and puts it there.
func (b *Build) fillCache() (err error) {
	defer guard(&err)
	key, err := b.cacheKey()
	if err != nil {
		return err
	}
	packed, err := b.pack()
	if err != nil {
		return err
	}
	var blocks []cache.Block
	add := func(name, data string) {
		blocks = append(blocks, cache.Block{Name: name, Data: unsafe.Slice(unsafe.StringData(data), len(data))})
	}
	for _, name := range tables {
		add(name, packed[name])
	}
	for _, name := range slices.Sorted(maps.Keys(b.debug)) {
		p := b.debug[name]
		if p.sec.Flags&elf.SHF_COMPRESSED == 0 || p.sec.Type == elf.SHT_NOBITS {
			continue
		}
		data, err := p.all()
		if err != nil {
			return err
		}
		add(sectionBlock+name, data)
	}
	return b.cache.Store(key, blocks)
}

// pack makes all tables.
func (b *Build) pack() (map[string]string, error) {
	x, err := b.indexed()
	if err != nil {
		return nil, err
	}
	t, err := b.fileTable()
	if err != nil {
		return nil, err
	}
	out := map[string]string{tableUnits: packUnits(x.units)}
	out[tableFuncs], out[tableFuncNames] = b.packFuncs()
	if out[tableFiles], out[tableUses], err = b.packFiles(x, t); err != nil {
		return nil, err
	}
	if out[tableSeqs], err = b.packSequences(x); err != nil {
		return nil, err
	}
	for name, p := range x.tables {
		if out[name], err = p.all(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
