//go:build linux && amd64

package inject

import (
	"bytes"
	"debug/elf"
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

// program is the mapped executable.
type image struct {
	maps   []Mapping // all of the process
	text   []Mapping // its executable mappings of the program's file
	lo, hi uint64
	slide  uint64
}

// image finds where the program's file is mapped. It believes a mapping only if
// the first bytes of memory are those of the file.
func (p *Proc) image(f *os.File, e *elf.File) (*image, error) {
	maps, err := p.Maps()
	if err != nil {
		return nil, err
	}
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID))
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, err
	}
	img := &image{maps: maps, lo: ^uint64(0)}
	for _, m := range maps {
		if m.Path == "" || m.Path != path && m.Inode != st.Ino {
			continue
		}
		img.lo, img.hi = min(img.lo, m.Lo), max(img.hi, m.Hi)
		if m.Exec && m.Read && !m.Write && !m.Shared && p.sameStart(f, m) {
			img.text = append(img.text, m)
		}
	}
	if len(img.text) == 0 {
		return nil, &RefusedError{Code: CodeText, Message: "the program's file is not mapped executable in the process",
			Cure: "restart the program from an unpacked, unpatched file"}
	}
	for _, ph := range e.Progs {
		if ph.Type == elf.PT_LOAD && ph.Flags&elf.PF_X != 0 && ph.Off&^4095 == img.text[0].Offset {
			img.slide = img.text[0].Lo - ph.Vaddr&^4095
			// The bss lies behind the file's mappings.
			for _, q := range e.Progs {
				if q.Type == elf.PT_LOAD {
					img.hi = max(img.hi, (img.slide+q.Vaddr+q.Memsz+4095)&^4095)
				}
			}
			return img, nil
		}
	}
	return nil, &RefusedError{Code: CodeText, Message: "the executable mapping does not fit the program's file", Cure: "restart the program"}
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

// cleanCave puts the file's bytes back into the cave, if a Sidelight has left
// others, once no thread is in it.
func (p *Proc) cleanCave(c cave) error {
	now := make([]byte, c.size)
	if err := p.ReadAt(now, c.addr); err != nil {
		return err
	}
	if bytes.Equal(now, c.file) {
		return nil
	}
	if err := p.awaitClear(c.addr, c.addr+uint64(c.size)); err != nil {
		return err
	}
	if err := p.WriteAt(c.file, c.addr); err != nil {
		return refuseWrite(err)
	}
	return nil
}
