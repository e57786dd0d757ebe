// Package vdso finds the clock of the kernel's vDSO, the code that Linux maps into
// every process so that it can read the time without a system call, and proves that
// a probe may call it.
//
// In come the bytes of the target's vDSO and where they lie; out goes the address of
// its __vdso_clock_gettime, or why no probe may call it. amd64 stands before it, and
// engine after it.
//
// # What is proven
//
// The kernel promises the C calling convention (Documentation/ABI/stable/vdso), and
// nothing about how much stack its code takes: Go's runtime changes to its system
// stack for the call. A probe calls it on a small stack of its own, so every
// instruction that can be reached is looked at: the depth of the stack is known at
// each, is the same on all ways there, and stays below what is given; no call goes
// round in circles or leads to an address that is computed; and what the caller
// cannot keep for the program is not touched: the upper halves of vector registers,
// the x87 and MMX registers, the control words. The only system call is
// clock_gettime's own, which the code makes where the kernel's clock needs it.
package vdso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// symbol is the function (arch/x86/entry/vdso/vdso.lds.S).
const symbol = "__vdso_clock_gettime"

// Clock is the address of the clock of the vDSO whose image lies at address at, if it
// takes no more than room bytes of stack behind its return address.
func Clock(image []byte, at uint64, room int) (uint64, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, fmt.Errorf("the vDSO is not understood: %w", err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return 0, fmt.Errorf("the vDSO's symbols are not understood: %w", err)
	}
	for _, s := range symbols {
		if s.Name != symbol || s.Section == elf.SHN_UNDEF {
			continue
		}
		for _, p := range f.Progs {
			if p.Type == elf.PT_LOAD && s.Value-p.Vaddr < p.Filesz {
				fn := at + s.Value - p.Vaddr + p.Off
				return fn, prove(image, at, fn, room)
			}
		}
	}
	return 0, fmt.Errorf("the vDSO has no %s", symbol)
}

// most bounds the instructions that are looked at.
const most = 5000

type proof struct {
	image []byte
	at    uint64
	left  int            // instructions that may still be looked at
	known map[uint64]int // functions: the most stack that they take
}

func prove(image []byte, at, fn uint64, room int) error {
	p := &proof{image: image, at: at, left: most, known: map[uint64]int{}}
	n, err := p.function(fn, nil)
	if err == nil && n > room {
		err = fmt.Errorf("it takes %d bytes of stack; %d are there", n, room)
	}
	if err != nil {
		return fmt.Errorf("the vDSO's clock must not be called by a probe: %w", err)
	}
	return nil
}

// stack is how far RSP and RBP lie below the return address. RBP is -1 while it is
// not known to be a frame's.
type stack struct{ sp, bp int }

// step is an instruction that can be reached, and the stack there.
type step struct {
	pc uint64
	stack
}

// function is the most stack that a function takes below its return address, with
// what it calls. Callers are those on the way to it.
func (p *proof) function(entry uint64, callers []uint64) (int, error) {
	if n, ok := p.known[entry]; ok {
		return n, nil
	}
	if slices.Contains(callers, entry) {
		return 0, fmt.Errorf("a function at %#x calls itself", entry)
	}
	callers = append(slices.Clone(callers), entry)
	deepest, seen := 0, map[uint64]stack{}
	for todo := []step{{entry, stack{0, -1}}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if old, ok := seen[s.pc]; ok {
			if old != s.stack {
				return 0, fmt.Errorf("the stack at %#x depends on the way there", s.pc)
			}
			continue
		}
		seen[s.pc] = s.stack
		inst, err := p.decode(s.pc)
		if err != nil {
			return 0, err
		}
		next, err := s.after(&inst)
		if err != nil {
			return 0, err
		}
		if next.sp < 0 {
			return 0, fmt.Errorf("it leaves its own stack at %#x", s.pc)
		}
		deepest = max(deepest, next.sp)
		switch inst.Kind {
		case amd64.Ret:
			if s.sp != 0 {
				return 0, fmt.Errorf("it returns at %#x with %d bytes on the stack", s.pc, s.sp)
			}
		case amd64.Call:
			n, err := p.function(inst.Target, callers)
			if err != nil {
				return 0, err
			}
			deepest = max(deepest, s.sp+8+n)
		case amd64.Jmp, amd64.Jcc:
			todo = append(todo, step{inst.Target, next})
		}
		if inst.Falls() {
			todo = append(todo, step{inst.End(), next})
		}
	}
	p.known[entry] = deepest
	return deepest, nil
}

// decode reads the instruction at pc, if a probe may run it.
func (p *proof) decode(pc uint64) (amd64.Inst, error) {
	off := pc - p.at
	if off >= uint64(len(p.image)) {
		return amd64.Inst{}, fmt.Errorf("it leads out of the vDSO, to %#x", pc)
	}
	if p.left--; p.left < 0 {
		return amd64.Inst{}, fmt.Errorf("it has more than %d instructions", most)
	}
	inst, err := amd64.Decode(p.image[off:], pc)
	if err != nil {
		return inst, err
	}
	if !harmless(&inst) {
		return inst, fmt.Errorf("the instruction at %#x (% x) may change what the program needs", pc, inst.Bytes)
	}
	return inst, nil
}

// harmless tells whether an instruction changes nothing but memory, general registers,
// arithmetic flags and the lower halves of vector registers, and leads to a place that
// is known.
func harmless(i *amd64.Inst) bool {
	if known(i) {
		return true
	}
	switch i.Kind {
	case amd64.CallInd, amd64.JmpInd, amd64.Trap, amd64.System:
		return false
	}
	if i.Unknown {
		return false
	}
	if i.Mem.Present && i.Mem.Segment != 0 {
		return false
	}
	if i.Kind == amd64.Ret { // one that takes arguments away, or half of an address, leaves another stack
		return i.Opcode == 0xC3 && !prefixed(i, 0x66)
	}
	switch i.Map {
	case amd64.MapOne:
		switch i.Opcode {
		case 0xFC, 0xFD, 0x9D, 0x9B: // CLD, STD, POPFQ, FWAIT
			return false
		}
		return i.Opcode < 0xD8 || i.Opcode > 0xDF // x87
	case amd64.Map0F:
		if i.Opcode == 0xAE { // fences; with a memory operand it loads control words and states
			return !i.Mem.Present
		}
		return !mmx(i)
	case amd64.Map0F38:
		return prefixed(i) || i.Opcode >= 0xF0 // MOVBE, CRC32
	case amd64.Map0F3A:
		return prefixed(i)
	}
	return false // VEX and EVEX: they clear the upper halves
}

// known tells whether an instruction is one that amd64 says the worst of, and that is
// harmless: SYSCALL changes RAX, RCX and R11, RDTSCP RAX, RDX and RCX.
func known(i *amd64.Inst) bool {
	return bytes.Equal(i.Bytes, []byte{0x0F, 0x05}) || bytes.Equal(i.Bytes, []byte{0x0F, 0x01, 0xF9})
}

// mmx tells whether an instruction of map 0F works on MMX registers. Of most opcodes
// that do, a prefix makes an instruction of the vector registers.
func mmx(i *amd64.Inst) bool {
	switch i.Opcode {
	case 0x2A, 0x2C, 0x2D: // CVTPI2PS, CVTTPS2PI, CVTPS2PI; with 66 of two doubles
		return !prefixed(i, 0xF2, 0xF3)
	case 0xD6: // MOVDQ2Q and MOVQ2DQ with F2 and F3
		return !prefixed(i, 0x66) || prefixed(i, 0xF2, 0xF3)
	case 0x0E, 0x0F: // FEMMS and 3DNow!
		return true
	case 0xC4, 0xC5:
		return !prefixed(i)
	}
	return (i.Opcode >= 0x60 && i.Opcode < 0x80 || i.Opcode >= 0xD0 && i.Opcode != 0xFF) && !prefixed(i)
}

// prefixed tells whether one of some prefixes stands before the opcode; of 66, F2 and
// F3 if none is named.
func prefixed(i *amd64.Inst, some ...byte) bool {
	if len(some) == 0 {
		some = []byte{0x66, 0xF2, 0xF3}
	}
	for _, b := range i.Bytes {
		switch {
		case slices.Contains(some, b):
			return true
		case b == 0x0F:
			return false
		}
	}
	return false
}

// after is the stack behind an instruction; calls have returned by then. What it does
// to RSP and RBP must be one of the few things that compilers do.
func (s stack) after(i *amd64.Inst) (stack, error) {
	if i.Kind == amd64.Call || i.Kind == amd64.Ret || known(i) {
		return s, nil
	}
	if next, ok := s.framed(i); ok {
		return next, nil
	}
	one := i.Map == amd64.MapOne
	switch {
	case one && (i.Opcode&^7 == 0x50 || i.Opcode == 0x68 || i.Opcode == 0x6A): // PUSH
		s.sp += 8
	case one && i.Opcode&^7 == 0x58 && !(i.Opcode == 0x5C && i.Len == 1): // POP, but not of RSP
		s.sp -= 8
		if i.Writes.Has(amd64.RBP) {
			s.bp = -1
		}
	case i.Writes.Has(amd64.RSP):
		return s, fmt.Errorf("what the instruction at %#x (% x) does to the stack is not known", i.PC, i.Bytes)
	case i.Writes.Has(amd64.RBP):
		s.bp = -1
	}
	return s, nil
}

// framed is after for the instructions that make frames and take them away: those
// with a REX.W prefix, and LEAVE.
func (s stack) framed(i *amd64.Inst) (stack, bool) {
	if i.Map != amd64.MapOne {
		return s, false
	}
	if i.Opcode == 0xC9 && i.Len == 1 && s.bp >= 0 { // LEAVE
		return stack{s.bp - 8, -1}, true
	}
	if i.Bytes[0] != 0x48 {
		return s, false
	}
	switch what := uint16(i.Opcode)<<8 | uint16(i.ModRM); {
	case what == 0x89E5 || what == 0x8BEC: // MOV RBP, RSP
		s.bp = s.sp
	case (what == 0x89EC || what == 0x8BE5) && s.bp >= 0: // MOV RSP, RBP
		s.sp = s.bp
	case (what == 0x8D65 || what == 0x8DA5) && s.bp >= 0: // LEA RSP, [RBP+n]
		s.sp = s.bp - int(i.Mem.Disp)
	case what == 0x83EC || what == 0x81EC: // SUB RSP, n
		s.sp += immediate(i)
	case what == 0x83C4 || what == 0x81C4: // ADD RSP, n
		s.sp -= immediate(i)
	case what == 0x83E4 && immediate(i) >= -64 && immediate(i) < 0: // AND RSP, -n
		s.sp -= immediate(i) // at most
	default:
		return s, false
	}
	return s, true
}

// immediate is the operand of 1 or 4 bytes in an instruction.
func immediate(i *amd64.Inst) int {
	b := i.Bytes[i.ImmOff:][:i.ImmLen]
	if len(b) == 1 {
		return int(int8(b[0]))
	}
	return int(int32(binary.LittleEndian.Uint32(b)))
}
