//go:build linux && amd64

package inject

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
)

// Text is where the program lies in the process.
type Text struct {
	Slide  uint64 // what is added to linked addresses; 0 unless position-independent
	Lo, Hi uint64 // from the first to the last byte of the program, bss included
}

// Diff is a range of the program's text that is not as in its file.
type Diff struct {
	Addr   uint64
	Memory []byte
	File   []byte
	Holder int // pid of the Sidelight (alive or dead) whose journal covers it, 0 if none does
}

// Text finds the program in the process. Its executable file is read through
// /proc, so that it may be deleted or replaced by now.
func (p *Proc) Text() (Text, error) {
	f, e, err := p.elf()
	if err != nil {
		return Text{}, err
	}
	defer f.Close()
	img, err := p.image(f, e)
	if err != nil {
		return Text{}, err
	}
	return Text{Slide: img.slide, Lo: img.lo, Hi: img.hi}, nil
}

func (p *Proc) elf() (*os.File, *elf.File, error) {
	f, err := p.OpenExe()
	if err != nil {
		return nil, nil, p.refusePermission(err)
	}
	e, err := elf.NewFile(f)
	if err != nil {
		f.Close()
		return nil, nil, &RefusedError{Code: CodeArch, Message: "the program's file is not understood", Err: err}
	}
	return f, e, nil
}

// diffsMost ends a comparison that finds another program altogether.
const diffsMost = 10000

// CompareText compares the executable mappings of the program with its file, and
// returns what differs. Sites of Sidelights have a Holder.
func (p *Proc) CompareText() ([]Diff, error) {
	f, e, err := p.elf()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := p.image(f, e)
	if err != nil {
		return nil, err
	}
	list, err := p.bays()
	if err != nil {
		return nil, err
	}
	var out []Diff
	for _, m := range img.text {
		out, err = p.compare(f, m, out)
		if err != nil {
			return nil, err
		}
	}
	for i := range out {
		d := &out[i]
		for _, b := range list {
			for _, j := range b.journal {
				if j.addr < d.Addr+uint64(len(d.File)) && d.Addr < j.addr+uint64(len(j.orig)) {
					d.Holder = b.PID
				}
			}
		}
	}
	return out, nil
}

// compare appends the differences of one mapping.
func (p *Proc) compare(f *os.File, m Mapping, out []Diff) ([]Diff, error) {
	const chunk = 1 << 20
	mem, file := make([]byte, chunk), make([]byte, chunk)
	for at := m.Lo; at < m.Hi; at += chunk {
		n := int(min(chunk, m.Hi-at))
		got, err := f.ReadAt(file[:n], int64(m.Offset+at-m.Lo))
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading the program's file: %w", err)
		}
		clear(file[got:n]) // the rest of the last page
		if err := p.ReadAt(mem[:n], at); err != nil {
			return nil, err
		}
		if bytes.Equal(mem[:n], file[:n]) {
			continue
		}
		for i := 0; i < n; i++ {
			if mem[i] == file[i] {
				continue
			}
			j := i + 1
			for j < n && mem[j] != file[j] {
				j++
			}
			out = append(out, Diff{Addr: at + uint64(i), Memory: bytes.Clone(mem[i:j]), File: bytes.Clone(file[i:j])})
			if len(out) > diffsMost {
				return nil, &RefusedError{Code: CodeText, Message: "the program in memory is not the program in its file", Cure: "restart the program"}
			}
			i = j
		}
	}
	return out, nil
}
