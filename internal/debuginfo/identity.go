package debuginfo

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// Identity tells a build from any other: by the ids that the linker wrote, and by
// sums of its code. Ids are quick to compare but may be absent, or the same for
// all builds of a build system; and a build that was stripped by its linker has
// others than its twin that was not (docs/decisions/twins.md).
type Identity struct {
	GoID          string `json:"go_build_id"`
	GNUID         string `json:"gnu_build_id"`
	GoVersion     string `json:"go_version"`
	Main          string `json:"main"`
	Module        string `json:"module"`
	ModuleVersion string `json:"module_version"`
	Revision      string `json:"revision"`
	Modified      bool   `json:"modified"`
	Flags         string `json:"flags,omitempty"` // that it was built with, but -ldflags
	// Sums in hex; empty where the file does not have the bytes.
	Text     string        `json:"text"`     // the bytes of .text
	Pclntab  string        `json:"pclntab"`  // the table of functions and their lines
	Code     string        `json:"code"`     // the functions without the addresses of data
	Sections []SectionSpan `json:"sections"` // that are loaded
}

// SectionSpan is where a section is loaded.
type SectionSpan struct {
	Name  string `json:"name"`
	Addr  uint64 `json:"addr"`
	Size  uint64 `json:"size"`
	Write bool   `json:"write,omitempty"`
}

// IdentitySection is the name of the section with an Identity, as JSON, of the
// build that a file's debug information is of.
const IdentitySection = ".sidelight.identity"

// Identity reads who the build is. whole: with the sum of its code, for which all
// its functions are decoded; the others cost little.
func (b *Build) Identity(whole bool) (*Identity, error) {
	id, err := Identify(b.elf)
	if err != nil {
		return nil, err
	}
	id.facts(b)
	if whole && id.Text != "" {
		id.Code, err = b.codeSum(id.Sections)
	}
	return id, err
}

// facts takes over what the build says of how it was made.
func (id *Identity) facts(b *Build) {
	id.GoVersion, id.Main, id.Module, id.ModuleVersion = b.GoVersion, b.Main, b.ModulePath, b.ModuleVersion
	id.Revision, id.Modified, id.Flags = b.Revision, b.Modified, b.flags()
}

// Identify reads what an ELF file says of itself, without the sum of its code; if
// it was made by symbol, what it says of the build that it was made of.
func Identify(f *elf.File) (id *Identity, err error) {
	defer guard(&err)
	id = &Identity{GoID: string(noteOf(f, ".note.go.buildid")), GNUID: hexString(noteOf(f, ".note.gnu.build-id"))}
	for _, s := range f.Sections {
		if s.Flags&elf.SHF_ALLOC == 0 {
			continue
		}
		id.Sections = append(id.Sections, SectionSpan{s.Name, s.Addr, s.Size, s.Flags&elf.SHF_WRITE != 0})
		if s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Name != ".text" {
			continue
		}
		h := sha256.New()
		if _, err := io.Copy(h, s.Open()); err != nil {
			return nil, damaged("section %s: %v", s.Name, err)
		}
		id.Text = hex.EncodeToString(h.Sum(nil))
	}
	if id.Pclntab, err = tableSum(f); err != nil {
		return nil, err
	}
	if s := f.Section(IdentitySection); s != nil {
		data, err := readSection(s)
		if err != nil {
			return nil, err
		}
		kept := &Identity{}
		if err := json.Unmarshal([]byte(data), kept); err != nil {
			return nil, damaged("section %s: %v", s.Name, err)
		}
		if kept.GoID != id.GoID || kept.GNUID != id.GNUID {
			return nil, damaged("section %s is of another build", s.Name)
		}
		return kept, nil
	}
	return id, nil
}

// tableSum is the sum of the table of functions; empty if the file lacks its bytes.
func tableSum(f *elf.File) (string, error) {
	b := &Build{elf: f, PIE: f.Type == elf.ET_DYN}
	b.openSections()
	at, err := b.tablePlace()
	if err != nil || at.sec.Type == elf.SHT_NOBITS {
		return "", nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(at.sec, int64(at.addr-at.sec.Addr), int64(at.size))); err != nil {
		return "", damaged("section %s: %v", at.sec.Name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// codeSum sums up the functions: where each begins and ends, and its
// instructions. An operand in data that the program may change counts as a place
// in its section, one in data that it may not as the section alone: stripping
// changes the length of a text that the linker writes between them.
func (b *Build) codeSum(sections []SectionSpan) (string, error) {
	text, err := b.TextBytes()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	c := coder{h: h, sections: sections, text: b.Text, buf: make([]byte, 0, 1<<16)}
	for _, f := range b.Funcs() {
		if f.Entry < b.Text.Addr || f.End > b.Text.Addr+b.Text.Size {
			continue
		}
		c.function(text[f.Entry-b.Text.Addr:f.End-b.Text.Addr], f.Entry)
	}
	c.flush()
	return hex.EncodeToString(h.Sum(nil)), nil
}

type coder struct {
	h        hash.Hash
	sections []SectionSpan
	text     Section
	buf      []byte
}

func (c *coder) flush() {
	c.h.Write(c.buf)
	c.buf = c.buf[:0]
}

func (c *coder) function(code []byte, entry uint64) {
	c.buf = binary.LittleEndian.AppendUint64(c.buf, entry)
	c.buf = binary.LittleEndian.AppendUint64(c.buf, uint64(len(code)))
	for len(code) > 0 {
		in, err := amd64.Decode(code, entry)
		if err != nil { // what is not understood has to be the same byte for byte
			c.buf = append(c.buf, code...)
			break
		}
		c.inst(code[:in.Len], &in)
		code, entry = code[in.Len:], in.End()
		if len(c.buf) > 1<<15 {
			c.flush()
		}
	}
}

func (c *coder) inst(bytes []byte, in *amd64.Inst) {
	to := in.RIPTarget()
	if !in.Mem.Present || !in.Mem.RIPRel || in.Mem.DispSize != 4 || to >= c.text.Addr && to < c.text.Addr+c.text.Size {
		c.buf = append(c.buf, bytes...)
		return
	}
	i := spanOf(c.sections, to)
	if i < 0 {
		c.buf = append(c.buf, bytes...)
		return
	}
	c.buf = append(c.buf, bytes[:in.Mem.DispOff]...)
	c.buf = append(c.buf, c.sections[i].Name...)
	if c.sections[i].Write {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, to-c.sections[i].Addr)
	}
	c.buf = append(c.buf, bytes[in.Mem.DispOff+4:]...)
}

// spanOf is the section that holds an address, or ends with it.
func spanOf(sections []SectionSpan, addr uint64) int {
	in := func(last uint64) func(SectionSpan) bool {
		return func(s SectionSpan) bool { return s.Size > 0 && addr >= s.Addr && addr-s.Addr < s.Size+last }
	}
	if i := slices.IndexFunc(sections, in(0)); i >= 0 {
		return i
	}
	return slices.IndexFunc(sections, in(1))
}

// ErrMismatch says that debug information is of another build.
var ErrMismatch = errors.New("the debug information is of another build")

// MismatchError is ErrMismatch with both identities.
type MismatchError struct {
	Path  string // of the debug information
	Why   string
	Build Identity
	Debug Identity
}

func (e *MismatchError) Error() string {
	text := fmt.Sprintf("%s is no debug information of this build: %s\n  the program:           %s\n  the debug information: %s",
		e.Path, e.Why, e.Build.String(), e.Debug.String())
	if e.Build.Flags != e.Debug.Flags && e.Debug.Main != "" {
		text += fmt.Sprintf("\nbuild it with the program's own flags: %s", orNone(e.Build.Flags))
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func (e *MismatchError) Unwrap() error { return ErrMismatch }

// Refused says that safety is in the way: wrong debug information makes wrong
// values.
func (e *MismatchError) Refused() bool { return true }

// String is the identity for a person.
func (id Identity) String() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("Go build ID", id.GoID)
	add("GNU build ID", id.GNUID)
	add("code", cutSum(id.Code))
	if id.Code == "" {
		add("text", cutSum(id.Text))
	}
	add("by", id.GoVersion)
	add("with", id.Flags)
	add("main package", id.Main)
	rev := id.Revision
	if id.Modified {
		rev += "+changes"
	}
	add("revision", rev)
	if len(parts) == 0 {
		return "nothing that identifies it"
	}
	return strings.Join(parts, ", ")
}

func cutSum(s string) string { return s[:min(len(s), 12)] }

// Hashed tells that a Go build id is a hash of the build's content, and not a
// word that a build system gives to all of its builds.
func Hashed(goID string) bool {
	parts := strings.Split(goID, "/")
	return len(parts) == 4 && !slices.ContainsFunc(parts, func(p string) bool { return len(p) < 16 })
}

// match says whether debug information is of a build, and if so whether the
// build's data lie elsewhere than its twin's. MismatchError has the reason else.
func match(build, debug *Identity) (moved bool, why string) {
	t, ok := textOf(build)
	u, has := textOf(debug)
	switch {
	case !ok || !has:
		return false, "one of them has no code"
	case t.Addr != u.Addr || t.Size != u.Size:
		return false, fmt.Sprintf("its code is %d bytes at %#x, and %d at %#x in the other", t.Size, t.Addr, u.Size, u.Addr)
	case debug.Text == "":
		return false, matchIDs(build, debug)
	case build.Pclntab != debug.Pclntab:
		return false, "their tables of functions and lines differ"
	case build.Text == debug.Text && sameData(build, debug, true):
		return false, ""
	case build.Code == "" || build.Code != debug.Code:
		return false, "their code differs"
	case !sameData(build, debug, false):
		return false, "their data differ"
	}
	return true, ""
}

// matchIDs compares the ids, for debug information that has no code to compare.
func matchIDs(build, debug *Identity) (why string) {
	switch {
	case build.GoID != debug.GoID:
		return "their Go build IDs differ"
	case build.GNUID != debug.GNUID && debug.GNUID != "":
		return "their GNU build IDs differ"
	case Hashed(build.GoID):
		return ""
	}
	return "it has no code to compare, and their Go build ID does not tell builds apart: give the binary that was not stripped"
}

func textOf(id *Identity) (SectionSpan, bool) {
	i := slices.IndexFunc(id.Sections, func(s SectionSpan) bool { return s.Name == ".text" })
	if i < 0 {
		return SectionSpan{}, false
	}
	return id.Sections[i], true
}

// sameData tells whether the sections that the program may change are of the same
// sizes, and at the same addresses.
func sameData(a, b *Identity, addresses bool) bool {
	data := func(id *Identity) []SectionSpan {
		var out []SectionSpan
		for _, s := range id.Sections {
			if !s.Write || !variables[s.Name] {
				continue
			}
			if !addresses {
				s.Addr = 0
			}
			out = append(out, s)
		}
		return out
	}
	return slices.Equal(data(a), data(b))
}

// variables are the sections in which the linker puts package variables.
var variables = map[string]bool{".data": true, ".noptrdata": true, ".bss": true, ".noptrbss": true, ".go.module": true}
