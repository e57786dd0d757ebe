package main

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// pair is a kernel uprobe at the entry of a function and one at each of its returns,
// which find each other by the goroutine (R14 in Go's ABIInternal on amd64). The
// kernel's own return probe is out of the question: it changes the return address
// on the stack, which Go reads when it moves the stack.
//
// Debian's bpftrace (0.17) is built without the disassembler that it would check an
// address within a function by, and refuses such addresses even if it is told to
// trust them. It does trust them in a program in which it knows no function at all:
// so this one runs on a copy of the target without its table of sections.
func (b *bench) pair(sums func(name, script string) rival, first string) (rival, error) {
	const goroutine = `reg("r14")`
	r := rival{name: "the same time by two kernel uprobes, entry and return", by: "bpftrace"}
	entry, returns, err := ends(b.target, "main.handle")
	if err != nil {
		return r, err
	}
	var script strings.Builder
	fmt.Fprintf(&script, `uprobe:EXE:%#x { @s[%s] = nsecs; }`, entry, goroutine)
	for _, at := range returns {
		fmt.Fprintf(&script, ` uprobe:EXE:%#x /@s[%s]/ { @ = hist(nsecs - @s[%s]); delete(@s[%s]); %s }`, at, goroutine, goroutine, goroutine, first)
	}
	r = sums(r.name, script.String())
	r.on = filepath.Join(b.dir, "bench-target-bare")
	return r, withoutSections(b.target, r.on)
}

// ends are the offsets in a program's file of the entry of a function and of its
// return instructions.
func ends(exe, function string) (entry uint64, returns []uint64, err error) {
	f, err := elf.Open(exe)
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return 0, nil, err
	}
	for _, s := range symbols {
		if s.Name != function {
			continue
		}
		text := f.Sections[s.Section]
		code := make([]byte, s.Size)
		if _, err := text.ReadAt(code, int64(s.Value-text.Addr)); err != nil {
			return 0, nil, err
		}
		entry = s.Value - text.Addr + text.Offset
		returns, err = returnsIn(code)
		for i := range returns {
			returns[i] += entry
		}
		return entry, returns, err
	}
	return 0, nil, fmt.Errorf("%s is not in the target", function)
}

// returnsIn are the offsets of the return instructions of a function's code.
func returnsIn(code []byte) (returns []uint64, err error) {
	for at := 0; at < len(code); {
		inst, err := x86asm.Decode(code[at:], 64)
		if err != nil {
			return nil, fmt.Errorf("the code of the function at +%d: %w", at, err)
		}
		if inst.Op == x86asm.RET {
			returns = append(returns, uint64(at))
		}
		at += inst.Len
	}
	if len(returns) == 0 {
		return nil, fmt.Errorf("the function does not return")
	}
	return returns, nil
}

// withoutSections copies a 64-bit ELF program, its table of sections left out, which
// nothing needs that runs it (e_shoff, e_shnum and e_shstrndx of the header).
func withoutSections(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(b[0x28:], 0)
	binary.LittleEndian.PutUint32(b[0x3C:], 0)
	return os.WriteFile(to, b, 0o755)
}
