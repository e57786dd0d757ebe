//go:build linux && amd64

// Package testcpu runs machine code in the process of a test and tells what it
// did to registers, flags and memory. Code and a wanted state come in; the state
// after it and the way it left come out. Tests of amd64 and patch use it, and
// nothing but tests. It builds its frame with amd64's encoder, which stands
// before it.
package testcpu

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// State is what code may see and change beside memory.
type State struct {
	Regs  [16]uint64
	Flags uint64 // the whole of RFLAGS; only arithmetic flags may be set
	X     [16][2]uint64
}

// Where things lie in a machine. Code is the caller's to write, Data is memory
// for its operands.
const (
	stateAt = 32 << 10
	CodeAt  = 64 << 10
	CodeLen = 64 << 10
	DataAt  = 192 << 10
	DataLen = 4 << 10
	size    = 256 << 10

	inAt, outAt, savedAt = stateAt, stateAt + 1024, stateAt + 2048
	exitAt, entryAt      = savedAt + 64, savedAt + 72
	xAt, flagsAt         = 16 * 8, 16*8 + 16*16
)

// Exits is how many ways out of the code there are.
const Exits = 8

// Machine is memory in which code runs.
type Machine struct {
	Mem   []byte
	Base  uint64 // address of Mem
	enter uint64
	exits [Exits]uint64
}

// New maps a machine; low puts it below 2 GiB, where programs that are not
// position-independent lie.
func New(low bool) (*Machine, error) {
	flags := unix.MAP_PRIVATE | unix.MAP_ANON
	if low {
		flags |= unix.MAP_32BIT
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, flags)
	if err != nil {
		return nil, fmt.Errorf("mapping memory for machine code: %w", err)
	}
	m := &Machine{Mem: mem, Base: uint64(uintptr(unsafe.Pointer(&mem[0])))}
	if err := m.frame(); err != nil {
		return nil, err
	}
	return m, nil
}

// Close unmaps the machine.
func (m *Machine) Close() error { return unix.Munmap(m.Mem) }

// Data is the memory for operands.
func (m *Machine) Data() []byte { return m.Mem[DataAt : DataAt+DataLen] }

// Put writes code at an address inside the machine's code area.
func (m *Machine) Put(addr uint64, code []byte) {
	off := addr - m.Base
	if off < CodeAt || off+uint64(len(code)) > CodeAt+CodeLen {
		panic("testcpu: code outside of the code area")
	}
	copy(m.Mem[off:], code)
}

// Leave writes at addr a jump that ends the run as way out n.
func (m *Machine) Leave(addr uint64, n int) {
	a := amd64.NewAsm(addr)
	a.JmpTo(m.exits[n])
	code, err := a.Code()
	if err != nil {
		panic(err)
	}
	m.Put(addr, code)
}

// frame writes the code around every run.
func (m *Machine) frame() error {
	a := amd64.NewAsm(m.Base)
	at := func(off int) amd64.Mem { return amd64.AtAddr(m.Base + uint64(off)) }
	kept := []amd64.Reg{amd64.RSP, amd64.RBP, amd64.R14}
	m.enter = a.PC()
	for i, r := range kept {
		a.Store(at(savedAt+8*i), r, 8)
	}
	for i := range 16 {
		a.LoadX16(amd64.X(i), at(inAt+xAt+16*i))
	}
	a.Lea(amd64.RSP, at(inAt+flagsAt))
	a.Popfq()
	for r := range amd64.Reg(16) {
		a.Load(r, at(inAt+8*int(r)), 8)
	}
	a.JmpMem(at(entryAt))
	save := a.NewLabel()
	for n := range m.exits {
		m.exits[n] = a.PC()
		a.StoreImm(at(exitAt), int64(n), 4)
		a.Jmp(save)
	}
	a.Bind(save)
	for r := range amd64.Reg(16) {
		a.Store(at(outAt+8*int(r)), r, 8)
	}
	a.Lea(amd64.RSP, at(outAt+flagsAt+8))
	a.Pushfq()
	for i := range 16 {
		a.StoreX16(at(outAt+xAt+16*i), amd64.X(i))
	}
	for i, r := range kept {
		a.Load(r, at(savedAt+8*i), 8)
	}
	a.Pxor(15, 15)
	a.Ret()
	code, err := a.Code()
	copy(m.Mem, code)
	return err
}

// Run loads in, jumps to entry, and tells the state at the way out that was
// taken. The code must take one.
func (m *Machine) Run(entry uint64, in *State) (out State, exit int) {
	le := binary.LittleEndian
	for i, v := range in.Regs {
		le.PutUint64(m.Mem[inAt+8*i:], v)
	}
	for i, v := range in.X {
		le.PutUint64(m.Mem[inAt+xAt+16*i:], v[0])
		le.PutUint64(m.Mem[inAt+xAt+16*i+8:], v[1])
	}
	le.PutUint64(m.Mem[inAt+flagsAt:], in.Flags|2)
	le.PutUint64(m.Mem[entryAt:], entry)
	m.call()
	for i := range out.Regs {
		out.Regs[i] = le.Uint64(m.Mem[outAt+8*i:])
	}
	for i := range out.X {
		out.X[i] = [2]uint64{le.Uint64(m.Mem[outAt+xAt+16*i:]), le.Uint64(m.Mem[outAt+xAt+16*i+8:])}
	}
	out.Flags = le.Uint64(m.Mem[outAt+flagsAt:])
	return out, int(le.Uint32(m.Mem[exitAt:]))
}

// call runs the frame as if it were a Go function without arguments: a func
// value is a pointer to a word that holds the address of the code.
func (m *Machine) call() {
	code := uintptr(m.enter)
	value := &code
	(*(*func())(unsafe.Pointer(&value)))()
	runtime.KeepAlive(value)
}
