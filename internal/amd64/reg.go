package amd64

import (
	"math/bits"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Reg is a general register by its hardware number.
type Reg = program.Reg

// The general registers.
const (
	RAX Reg = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
)

var regNames = [16]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}

// RegName is the assembler's name of the whole register.
func RegName(r Reg) string { return regNames[r&15] }

// RegSet is a set of general registers: bit i is register i.
type RegSet uint16

// AllRegs holds every general register.
const AllRegs RegSet = 0xFFFF

// Regs is the set of the registers given.
func Regs(regs ...Reg) RegSet {
	var s RegSet
	for _, r := range regs {
		s |= 1 << r
	}
	return s
}

// Has tells whether r is in the set.
func (s RegSet) Has(r Reg) bool { return s>>r&1 != 0 }

// Len is the number of registers in the set.
func (s RegSet) Len() int { return bits.OnesCount16(uint16(s)) }

// List is the registers of the set, lowest number first.
func (s RegSet) List() []Reg {
	list := make([]Reg, 0, s.Len())
	for r := range Reg(16) {
		if s.Has(r) {
			list = append(list, r)
		}
	}
	return list
}

// String names the registers of the set.
func (s RegSet) String() string {
	names := make([]string, 0, s.Len())
	for _, r := range s.List() {
		names = append(names, RegName(r))
	}
	return "{" + strings.Join(names, " ") + "}"
}
