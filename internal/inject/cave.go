//go:build linux && amd64

package inject

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// cave is a place in the executable mapping of the program's file that no code
// uses, or none any more: where the first stub of a process can stand.
type cave struct {
	parts        []part // the edge of the stub stands in the first, its middle in the last
	lent         bool   // it is code that runs no more, once the word at ran is not 0: see Once
	ran          uint64
	exeLo, exeHi uint64 // where the program lies
}

// part is a range of a cave.
type part struct {
	addr uint64
	file []byte // what the file has there
}

// caveMin is room enough for a first stub in one piece.
const caveMin = edgeMax + middleMax

// bootstrap is the first stub, for its place.
func (c cave) bootstrap(resident uint64, token uint32) bootstrap {
	b := bootstrap{edge: c.parts[0].addr, resident: resident, token: token}
	if b.middle = b.edge + edgeMax; len(c.parts) > 1 {
		b.middle = c.parts[1].addr
	}
	return b
}

// extents are the ranges of the parts.
func (c cave) extents() (out []extent) {
	for _, q := range c.parts {
		out = append(out, extent{q.addr, q.addr + uint64(len(q.file))})
	}
	return out
}

// image is the program as it is mapped.
type image struct {
	maps   []Mapping // all of the process
	text   []Mapping // its executable mappings of the program's file
	lo, hi uint64    // from the first to the last page of its segments, bss included
	slide  uint64
}

// image finds where the kernel has mapped the program: by its entry point, which
// the kernel has noted, since a program may map its own file a second time
// elsewhere. It believes a mapping only if the first bytes of memory are those of
// the file.
func (p *Proc) image(f *os.File, e *elf.File) (*image, error) {
	maps, err := p.Maps()
	if err != nil {
		return nil, err
	}
	aux, err := p.readFile("auxv")
	if err != nil {
		return nil, err
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID))
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	img := &image{maps: maps}
	img.place(e, entryPoint(aux)-e.Entry)
	for _, m := range maps {
		if m.Path == "" || m.Path != path && m.Inode != st.Ino || !img.executes(e, m) {
			continue
		}
		if m.Read && !m.Write && !m.Shared && p.sameStart(f, m) {
			img.text = append(img.text, m)
		}
	}
	if len(img.text) == 0 {
		return nil, &RefusedError{Code: CodeText, Message: "the program's file is not mapped executable in the process",
			Cure: "restart the program from an unpacked, unpatched file"}
	}
	return img, nil
}

// entryPoint finds AT_ENTRY in an auxiliary vector; 0 if it is not there.
func entryPoint(aux []byte) uint64 {
	const atEntry = 9 // include/uapi/linux/auxvec.h
	for ; len(aux) >= 16; aux = aux[16:] {
		if binary.LittleEndian.Uint64(aux) == atEntry {
			return binary.LittleEndian.Uint64(aux[8:])
		}
	}
	return 0
}

// place tells where the segments lie.
func (img *image) place(e *elf.File, slide uint64) {
	img.slide, img.lo, img.hi = slide, ^uint64(0), 0
	for _, ph := range e.Progs {
		if ph.Type == elf.PT_LOAD {
			img.lo = min(img.lo, (slide+ph.Vaddr)&^4095)
			img.hi = max(img.hi, (slide+ph.Vaddr+ph.Memsz+4095)&^4095)
		}
	}
}

// executes tells whether a mapping is (a part of) an executable segment in its place.
func (img *image) executes(e *elf.File, m Mapping) bool {
	if !m.Exec || m.Lo < img.lo || m.Hi > img.hi {
		return false
	}
	for _, ph := range e.Progs {
		if ph.Type == elf.PT_LOAD && ph.Flags&elf.PF_X != 0 && m.Lo-m.Offset == img.slide+ph.Vaddr-ph.Off {
			return true
		}
	}
	return false
}

func (p *Proc) sameStart(f *os.File, m Mapping) bool {
	a, b := make([]byte, 64), make([]byte, 64)
	if _, err := f.ReadAt(a, int64(m.Offset)); err != nil {
		return false
	}
	return p.ReadAt(b, m.Lo) == nil && bytes.Equal(a, b)
}

// cave chooses the cave. The same program always has the same one, so that a
// later Sidelight finds what a dead one left there.
func (p *Proc) cave() (cave, error) {
	var c cave
	f, err := p.OpenExe()
	if err != nil {
		return c, p.refusePermission(err)
	}
	defer f.Close()
	e, err := elf.NewFile(f)
	if err != nil {
		return c, &RefusedError{Code: CodeArch, Message: "the program's file is not understood", Err: err}
	}
	img, err := p.image(f, e)
	if err != nil {
		return c, err
	}
	c.exeLo, c.exeHi = img.lo, img.hi
	if lo, size := unusedCode(img, e); size > 0 {
		c.parts = []part{{lo, make([]byte, size)}}
	} else if p.once == nil || !c.borrow(img, p.once) {
		return c, refuseCave()
	}
	for _, q := range c.parts {
		if err := img.fileAt(f, q.file, q.addr); err != nil {
			return c, err
		}
	}
	return c, nil
}

func refuseCave() error {
	return &RefusedError{Code: CodeMemory, Message: "the program has no unused executable bytes for a first stub, and no code that is known never to run again",
		Cure: "link it with another linker mode (-ldflags=-linkmode=internal)"}
}

// unusedCode is the largest range that no code uses, of the first segment that has
// one with room enough for a stub.
func unusedCode(img *image, e *elf.File) (lo, size uint64) {
	for _, ph := range e.Progs {
		if ph.Type != elf.PT_LOAD || ph.Flags&elf.PF_X == 0 {
			continue
		}
		for _, m := range img.text {
			if ph.Off&^4095 != m.Offset {
				continue
			}
			for _, g := range caveGaps(e, ph, m.Size()) {
				if g[1]-g[0] >= caveMin {
					return m.Lo + g[0] - m.Offset, g[1] - g[0]
				}
			}
		}
	}
	return 0, 0
}

// fileAt reads what the program's file has at an address of its code; the rest of
// the last page is zeros.
func (img *image) fileAt(f *os.File, b []byte, addr uint64) error {
	for _, m := range img.text {
		if m.Lo <= addr && addr < m.Hi {
			_, err := f.ReadAt(b, int64(m.Offset+addr-m.Lo))
			if err == io.EOF {
				err = nil
			}
			return err
		}
	}
	return fmt.Errorf("%#x is no code of the program", addr)
}

// CleanCave puts back what a Sidelight has left in the cave that died in its very
// first call, before it had a bay. Every command does so before it judges the
// text. The caller holds the Lock.
func (p *Proc) CleanCave() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, err := p.cave()
	var none *RefusedError
	if errors.As(err, &none) && none.Code == CodeMemory {
		return nil // no cave: nobody was in it
	}
	if err != nil {
		return err
	}
	return p.cleanCave(c)
}

// cleanCave puts the file's bytes back into the cave, if a Sidelight has left
// a stub there, once no thread is in it. It refuses the cave if it holds something
// else: some other tool may run it.
func (p *Proc) cleanCave(c cave) error {
	begin := stubBegin()
	ours, same := false, true
	var foreign error
	for i, q := range c.parts {
		now := make([]byte, len(q.file))
		if err := p.ReadAt(now, q.addr); err != nil {
			return err
		}
		ours = ours || i == 0 && bytes.HasPrefix(now, begin)
		if same && !bytes.Equal(now, q.file) {
			same = false
			foreign = &ChangedError{Addr: q.addr, Want: q.file[:len(begin)], Got: now[:len(begin)]}
		}
	}
	if same {
		return nil
	}
	if !ours {
		return foreign
	}
	if err := p.awaitAllClear(c.extents()...); err != nil {
		return err
	}
	return p.restoreCave(c, len(begin))
}

// restoreCave puts back the beginning of a stub last: as long as it is there, the
// next command knows what this is.
func (p *Proc) restoreCave(c cave, begin int) error {
	edge := c.parts[0]
	order := append(slices.Clone(c.parts[1:]), part{edge.addr + uint64(begin), edge.file[begin:]}, part{edge.addr, edge.file[:begin]})
	for _, q := range order {
		if err := p.WriteAt(q.file, q.addr); err != nil {
			return refuseWrite(err)
		}
	}
	return nil
}

// tryCave writes the cave's own bytes onto themselves. Where the kernel lets only
// a tracer write (proc_mem.force_override=ptrace), a stub could be written while
// its thread is held, but not be taken away again.
func (p *Proc) tryCave(c cave) error {
	for _, q := range c.parts {
		if err := p.WriteAt(q.file, q.addr); err != nil {
			return refuseWrite(err)
		}
	}
	return nil
}
