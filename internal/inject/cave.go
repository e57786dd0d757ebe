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

	"golang.org/x/sys/unix"
)

// cave is a place in the executable mapping of the program's file that no code
// uses: where the first stub of a process can stand.
type cave struct {
	addr         uint64
	size         int
	file         []byte // what the file has there
	exeLo, exeHi uint64 // where the program lies
}

// caveMin is room enough for the bootstrap stub.
const caveMin = 448

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
	for _, ph := range e.Progs {
		if ph.Type != elf.PT_LOAD || ph.Flags&elf.PF_X == 0 {
			continue
		}
		for _, m := range img.text {
			if ph.Off&^4095 != m.Offset {
				continue
			}
			for _, g := range caveGaps(e, ph, m.Size()) {
				if g[1]-g[0] < caveMin {
					continue
				}
				c = cave{addr: m.Lo + g[0] - m.Offset, size: int(g[1] - g[0]), exeLo: img.lo, exeHi: img.hi}
				c.file = make([]byte, c.size)
				if _, err := f.ReadAt(c.file, int64(g[0])); err != nil && err != io.EOF {
					return c, err
				}
				return c, nil
			}
		}
	}
	return c, &RefusedError{Code: CodeMemory, Message: "the program's file has no unused executable bytes for a first stub",
		Cure: "link it with another linker mode (-ldflags=-linkmode=internal)"}
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
	now := make([]byte, c.size)
	if err := p.ReadAt(now, c.addr); err != nil {
		return err
	}
	if bytes.Equal(now, c.file) {
		return nil
	}
	begin := stubBegin()
	if !bytes.HasPrefix(now, begin) {
		return &ChangedError{Addr: c.addr, Want: c.file[:len(begin)], Got: now[:len(begin)]}
	}
	if err := p.awaitClear(c.addr, c.addr+uint64(c.size)); err != nil {
		return err
	}
	// The beginning last: as long as it is there, the next command knows what this is.
	if err := p.WriteAt(c.file[len(begin):], c.addr+uint64(len(begin))); err != nil {
		return refuseWrite(err)
	}
	if err := p.WriteAt(c.file[:len(begin)], c.addr); err != nil {
		return refuseWrite(err)
	}
	return nil
}

// tryCave writes the cave's own bytes onto themselves. Where the kernel lets only
// a tracer write (proc_mem.force_override=ptrace), a stub could be written while
// its thread is held, but not be taken away again.
func (p *Proc) tryCave(c cave) error {
	if err := p.WriteAt(c.file, c.addr); err != nil {
		return refuseWrite(err)
	}
	return nil
}
