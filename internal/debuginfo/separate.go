package debuginfo

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"strings"
)

// WithDebug reads the debug information of a build that has none from another
// file: the same build before it was stripped, what objcopy --only-keep-debug
// makes of it, or what a store keeps. A file that is not proven to be of this
// build is an error, a *MismatchError.
func WithDebug(path string) Option { return func(b *Build) { b.other = path } }

// separate is debug information in a file of its own.
type separate struct {
	file   *os.File
	elf    *elf.File
	proven bool   // by equal bytes
	moved  []move // where data lie elsewhere than in the build that it was made of
}

// move is a section of data of that build, and where it lies in this one.
type move struct{ from, size, to uint64 }

// openSeparate opens the file and proves that it is of this build.
func (b *Build) openSeparate() (err error) {
	defer guard(&err)
	f, err := os.Open(b.other)
	if err != nil {
		return err
	}
	s := &separate{file: f}
	if s.elf, err = elf.NewFile(f); err == nil {
		err = b.prove(s)
	} else {
		err = &Error{b.other, ErrNotELF, "debug information is a binary, a .debug file or a store"}
	}
	if err != nil {
		f.Close()
		return err
	}
	b.sep = s
	for name, l := range sectionsOf(s.elf) {
		b.debug[name] = l
	}
	return nil
}

// prove compares the identities, the costly part only where it decides.
func (b *Build) prove(s *separate) error {
	if s.elf.Section(".debug_info") == nil {
		return &Error{b.other, ErrNoDWARF, "give the binary that was not stripped, or its .debug file"}
	}
	theirs, err := Identify(s.elf)
	if err != nil {
		return err
	}
	ours, err := Identify(b.elf)
	if err != nil {
		return err
	}
	if theirs.Text != "" && theirs.Text != ours.Text && theirs.Pclntab == ours.Pclntab {
		if ours, theirs, err = b.wholeIdentities(theirs); err != nil {
			return err
		}
	}
	moved, why := match(ours, theirs)
	if why != "" {
		ours.facts(b)
		if other, err := Open(b.other, WithoutDebug()); err == nil {
			if theirs.Main == "" { // it is no file of a store, which knows them
				theirs.facts(other)
			}
			other.Close()
		}
		return &MismatchError{Path: b.other, Why: why, Build: *ours, Debug: *theirs}
	}
	if moved {
		s.moved = moves(ours, theirs)
	}
	s.proven = theirs.Text != "" && !moved
	return nil
}

// wholeIdentities are the identities with the sums of their codes.
func (b *Build) wholeIdentities(theirs *Identity) (ours, other *Identity, err error) {
	if ours, err = identityOf(b.Path); err != nil || theirs.Code != "" {
		return ours, theirs, err
	}
	other, err = identityOf(b.other)
	return ours, other, err
}

func identityOf(path string) (*Identity, error) {
	b, err := Open(path, WithoutDebug())
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return b.Identity(true)
}

func moves(ours, theirs *Identity) []move {
	var out []move
	for _, t := range theirs.Sections {
		for _, o := range ours.Sections {
			if t.Name == o.Name && variables[t.Name] && t.Write {
				out = append(out, move{t.Addr, t.Size, o.Addr})
			}
		}
	}
	return out
}

// dataAddr is where a variable is that the debug information has at addr; false
// if that is not known.
func (b *Build) dataAddr(addr uint64) (uint64, bool) {
	if b.sep == nil || b.sep.moved == nil {
		return addr, true
	}
	for _, m := range b.sep.moved {
		if addr >= m.from && addr-m.from < m.size {
			return m.to + addr - m.from, true
		}
	}
	return 0, false
}

// agrees holds separate debug information to the build's own tables: the
// functions that it describes have to begin where the build's do, and the
// descriptors of types have to be those that it numbers.
func (b *Build) agrees() error {
	x, err := b.indexed()
	if err != nil {
		return err
	}
	for pc := range x.pcs.all() {
		f := b.FuncAt(pc)
		if pc >= b.Text.Addr && pc < b.Text.Addr+b.Text.Size && (f == nil || f.Entry != pc) {
			return damaged("%s has a function at %#x where the program has none", b.other, pc)
		}
	}
	if b.sep.moved == nil {
		return nil
	}
	base := b.TypesBase()
	for off, at := range x.rtypes.all() {
		var d die
		u := x.unitAt(at)
		if u == nil || !b.readDIE(x.info, u, at, &d) {
			return damaged("type at %#x", at)
		}
		if d.name == "uintptr" || d.name == "unsafe.Pointer" {
			continue // see rtypeOffset
		}
		raw, err := b.Bytes(base+off, rtHeader)
		if err != nil || d.kind != 0 && uint64(raw[rtKind]&31) != d.kind&31 || d.byteSize != 0 && le64(string(raw)) != d.byteSize {
			return fmt.Errorf("%s: the descriptors of its types lie elsewhere: %w", b.other, ErrMismatch)
		}
	}
	return nil
}

// sum adds to a sum what tells this debug information from other.
func (s *separate) sum(h io.Writer) error {
	fmt.Fprintf(h, "separate %v\n", s.moved)
	for _, sec := range s.elf.Sections {
		fmt.Fprintf(h, "%q %#x %d %d\n", sec.Name, sec.Addr, sec.Size, sec.FileSize)
		if sec.Type == elf.SHT_NOBITS || !strings.HasPrefix(sec.Name, ".debug_") {
			continue
		}
		if _, err := io.Copy(h, io.NewSectionReader(s.file, int64(sec.Offset), int64(sec.FileSize))); err != nil {
			return err
		}
	}
	return nil
}

// DebugPath is the file that WithDebug took the debug information from, or "".
func (b *Build) DebugPath() string { return b.other }
