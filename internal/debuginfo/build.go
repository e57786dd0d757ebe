package debuginfo

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/cache"
)

// Build is one opened build. Its methods may be used concurrently.
type Build struct {
	Path          string // of the file
	ID            string // Go build id
	GNUID         string // GNU build id in hex; empty if there is none
	GoVersion     string // "go1.26.8"
	Main          string // path of the main package
	ModulePath    string
	ModuleVersion string
	Revision      string // of version control
	Modified      bool   // the tree had changes that were not committed
	PIE           bool
	Text          Section  // .text
	Tried         []string // where debug information was looked for in vain; set by who looked

	settings []string // settingsOf

	file    *os.File
	elf     *elf.File
	debug   map[string]*part
	without bool   // WithoutDebug
	other   string // WithDebug; empty: none
	sep     *separate
	place   onceErr[*tablePlace]
	pcln    pclntab
	funcs   funcTable
	names   onceErr[map[string][]*Func] // by full name
	inlined onceErr[[]string]           // see InlinedNames

	cache  *cache.Dir // nil: none
	cached *cached    // what it had; nil: nothing

	idx     onceErr[*index]
	lines   lineCache
	frames  onceErr[*frameTable]
	types   typeCache
	trees   treeCache
	slots   slotCache
	rt      onceErr[*Runtime]
	hashing onceErr[*Hashing]
	byPcln  onceErr[*pclnIndex]
	mod     onceErr[*moduleData]
	relocs  onceErr[relocTable]
	base    onceErr[uint64] // runtime.types

	itabNames onceErr[map[string][]string]
	anyTypes  onceErr[[]string]
	rtypes    rtypeCache
	sharing   sharedCache
	dicts     onceErr[map[string][]uint64]
}

// onceErr computes a value once.
type onceErr[T any] struct {
	once sync.Once
	v    T
	err  error
}

func (o *onceErr[T]) get(f func() (T, error)) (T, error) {
	o.once.Do(func() {
		defer guard(&o.err)
		o.v, o.err = f()
	})
	return o.v, o.err
}

// Open reads the build at path. The error is an *Error.
//
// A build without debug information opens, too, and HasDebug tells of it: its
// functions, lines and inlined calls are then those of the runtime's tables.
func Open(path string, options ...Option) (*Build, error) { return openWith(path, nil, options) }

func openWith(path string, dir *cache.Dir, options []Option) (b *Build, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b = &Build{Path: path, file: f, cache: dir}
	for _, o := range options {
		o(b)
	}
	if err := b.open(); err != nil {
		b.Close()
		var e *Error
		if !errors.As(err, &e) && !errors.Is(err, ErrMismatch) {
			err = &Error{Path: path, Err: err, Next: "rebuild the program"}
		}
		return nil, err
	}
	return b, nil
}

// Option says how to open a build.
type Option func(*Build)

// WithoutDebug leaves the build's debug information and symbol table alone, as
// if they had been stripped.
func WithoutDebug() Option { return func(b *Build) { b.without = true } }

// Close gives back the file. A closed Build reads no bytes any more.
func (b *Build) Close() error {
	if b.sep != nil {
		b.sep.file.Close()
	}
	return b.file.Close()
}

// Stat describes the file as it was opened.
func (b *Build) Stat() (os.FileInfo, error) { return b.file.Stat() }

func (b *Build) open() (err error) {
	defer guard(&err)
	if err := b.openELF(); err != nil {
		return err
	}
	b.openSections()
	if err := b.readFacts(); err != nil {
		return err
	}
	if b.without {
		b.debug = nil
	}
	if b.other != "" {
		if err := b.openSeparate(); err != nil {
			return err
		}
	}
	b.attach()
	if err := b.readFuncs(); err != nil || b.sep == nil || b.sep.proven {
		return err
	}
	return b.agrees()
}

func (b *Build) openELF() error {
	e, err := elf.NewFile(b.file)
	if err != nil {
		return &Error{b.Path, ErrNotELF, "give the executable itself, not a script or an archive"}
	}
	b.elf = e
	if e.Class != elf.ELFCLASS64 || e.Machine != elf.EM_X86_64 || e.Data != elf.ELFDATA2LSB {
		return &Error{b.Path, ErrArch, "this version observes 64-bit x86 programs only"}
	}
	if e.Type != elf.ET_EXEC && e.Type != elf.ET_DYN {
		return &Error{b.Path, ErrNotELF, "give the linked executable"}
	}
	b.PIE = e.Type == elf.ET_DYN
	return nil
}

func (b *Build) readFacts() error {
	b.ID = string(b.note(".note.go.buildid"))
	b.GNUID = hexString(b.note(".note.gnu.build-id"))
	bi, err := buildinfo.Read(io.NewSectionReader(b.file, 0, 1<<62))
	if err != nil {
		if b.elf.Section(".note.go.buildid") == nil && pclntabSection(b.elf) == nil {
			return &Error{b.Path, ErrNotGo, "only Go programs can be observed"}
		}
		return nil
	}
	b.GoVersion, b.Main = bi.GoVersion, bi.Path
	if versionBefore(b.GoVersion, 22) {
		return &Error{b.Path, ErrGoVersion, fmt.Sprintf("%s built it; rebuild it with Go 1.22 or later", b.GoVersion)}
	}
	b.ModulePath, b.ModuleVersion = bi.Main.Path, bi.Main.Version
	b.settings = settingsOf(bi)
	for _, s := range bi.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return nil
}

func (b *Build) note(name string) []byte { return noteOf(b.elf, name) }

// noteOf returns the description of the first note in a section.
func noteOf(f *elf.File, name string) []byte {
	s := f.Section(name)
	if s == nil || s.Size > 1<<16 {
		return nil
	}
	data, err := readSection(s)
	if err != nil {
		return nil
	}
	r := buf{data: data}
	nameSize, descSize := r.u32(), r.u32()
	r.skip(4 + uint64(nameSize+3)&^3)
	return []byte(r.bytes(uint64(descSize)))
}

func hexString(b []byte) string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(b))
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
