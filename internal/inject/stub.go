package inject

import (
	"encoding/binary"
	"fmt"
)

// A stub is the code that a borrowed thread runs: block all signals, make the
// system calls, put signal mask and registers back, go on where it was. All that
// it restores is in the code as constants, so it needs no writable memory, no
// stack and no tracer. It touches only the registers that a system call of
// Linux/amd64 takes or destroys, and no instruction in it changes a flag.

// Numbers of system calls and constants of the kernel's ABI for amd64
// (arch/x86/entry/syscalls/syscall_64.tbl), named here so that this file builds
// everywhere.
const (
	sysMmap          = 9
	sysMunmap        = 11
	sysRtSigaction   = 13
	sysRtSigprocmask = 14
	sysMadvise       = 28
	sysClose         = 3
	sysFtruncate     = 77
	sysRestart       = 219
	sysMemfdCreate   = 319
	sysMembarrier    = 324

	sigSetmask = 2
	sigsetSize = 8
)

// Hardware numbers of the registers used.
const (
	rAX, rCX, rDX, rSI, rDI = 0, 1, 2, 6, 7
	r8, r9, r10, r11        = 8, 9, 10, 11
)

// argRegs are the registers of a system call's arguments, in order.
var argRegs = [6]byte{rDI, rSI, rDX, r10, r8, r9}

// Syscall is one system call to be made by the target.
type Syscall struct {
	Nr   uint64
	Args [6]Arg
}

// Arg is an argument of a Syscall: a number unless made by Result, Data or Out.
type Arg struct {
	kind  argKind
	value uint64
	data  []byte
}

type argKind uint8

const (
	argNumber argKind = iota
	argResult
	argData
	argOut
)

// Num is a plain number or address in the target.
func Num(v uint64) Arg { return Arg{value: v} }

// Result is what call i of the same list returned.
func Result(i int) Arg { return Arg{kind: argResult, value: uint64(i)} }

// Data is the address of a constant that the target may read.
func Data(b []byte) Arg { return Arg{kind: argData, data: b} }

// Out is the address of offset off in the scratch area (Reply.Scratch), which
// the kernel may fill.
func Out(off int) Arg { return Arg{kind: argOut, value: uint64(off)} }

// Sys makes a Syscall.
func Sys(nr uint64, args ...Arg) Syscall {
	s := Syscall{Nr: nr}
	copy(s.Args[:], args)
	return s
}

// The control page: what stubs write and the tool reads.
const (
	controlSize    = 4096
	controlDone    = 0  // uint32: the number of the last finished call
	controlResults = 64 // int64 each
	controlScratch = 1024
	scratchSize    = controlSize - controlScratch
	callsMax       = (controlScratch - controlResults) / 8
)

// saved is the state that a stub restores.
type saved struct {
	RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11 uint64
	RIP                                       uint64 // where to go on
	Mask                                      uint64 // signal mask
}

// emitter writes a stub. Data that the code refers to is placed behind it.
type emitter struct {
	at     uint64 // address of code[0]
	code   []byte
	fixups []dataFixup
	err    error
}

type dataFixup struct {
	disp int // offset of the 4-byte displacement
	data []byte
}

func (e *emitter) put(b ...byte) { e.code = append(e.code, b...) }
func (e *emitter) u32(v uint32)  { e.code = binary.LittleEndian.AppendUint32(e.code, v) }
func (e *emitter) u64(v uint64)  { e.code = binary.LittleEndian.AppendUint64(e.code, v) }

// rel appends the displacement to target of an instruction that has after more
// bytes behind it.
func (e *emitter) rel(target uint64, after int) {
	d := int64(target - (e.at + uint64(len(e.code)+4+after)))
	if d != int64(int32(d)) {
		e.err = fmt.Errorf("stub at %#x cannot reach %#x", e.at, target)
	}
	e.u32(uint32(d))
}

// movImm: mov reg, v in the shortest form.
func (e *emitter) movImm(reg byte, v uint64) {
	rex := reg >> 3
	switch {
	case v == uint64(uint32(v)):
		if rex != 0 {
			e.put(0x41)
		}
		e.put(0xB8 + reg&7)
		e.u32(uint32(v))
	case v == uint64(int64(int32(v))):
		e.put(0x48|rex, 0xC7, 0xC0|reg&7)
		e.u32(uint32(v))
	default:
		e.put(0x48|rex, 0xB8+reg&7)
		e.u64(v)
	}
}

// load: mov reg, [addr]
func (e *emitter) load(reg byte, addr uint64) {
	e.put(0x48|reg>>3<<2, 0x8B, 0x05|reg&7<<3)
	e.rel(addr, 0)
}

// storeRAX: mov [addr], rax
func (e *emitter) storeRAX(addr uint64) {
	e.put(0x48, 0x89, 0x05)
	e.rel(addr, 0)
}

// leaData: lea reg, [data], where data is placed behind the code.
func (e *emitter) leaData(reg byte, data []byte) {
	e.put(0x48|reg>>3<<2, 0x8D, 0x05|reg&7<<3)
	e.fixups = append(e.fixups, dataFixup{len(e.code), data})
	e.u32(0)
}

func (e *emitter) syscall() { e.put(0x0F, 0x05) }

// lea: lea reg, [addr]
func (e *emitter) lea(reg byte, addr uint64) {
	e.put(0x48|reg>>3<<2, 0x8D, 0x05|reg&7<<3)
	e.rel(addr, 0)
}

// setMask: rt_sigprocmask(SIG_SETMASK, mask, nil)
func (e *emitter) setMask(mask uint64) {
	e.maskCall(func() { e.leaData(rSI, binary.LittleEndian.AppendUint64(nil, mask)) })
	e.syscall()
}

// maskCall is all of it but the system call; mask lets rsi lead to the mask.
func (e *emitter) maskCall(mask func()) {
	e.movImm(rAX, sysRtSigprocmask)
	e.movImm(rDI, sigSetmask)
	mask()
	e.movImm(rDX, 0)
	e.movImm(r10, sigsetSize)
}

// storeDone: mov dword [addr], token
func (e *emitter) storeDone(addr uint64, token uint32) {
	e.put(0xC7, 0x05)
	e.rel(addr, 4)
	e.u32(token)
}

// register is a register and what it shall hold.
type register struct {
	reg byte
	v   uint64
}

// taken are the registers that a system call that changes the signal mask takes or
// destroys.
func (s saved) taken() []register {
	return []register{{rAX, s.RAX}, {rCX, s.RCX}, {rDX, s.RDX}, {rSI, s.RSI}, {rDI, s.RDI}, {r10, s.R10}, {r11, s.R11}}
}

// others are those that only other calls take.
func (s saved) others() []register { return []register{{r8, s.R8}, {r9, s.R9}} }

// restore puts registers back.
func (e *emitter) restore(list []register) {
	for _, r := range list {
		e.movImm(r.reg, r.v)
	}
}

// leave: jmp to rip, anywhere.
func (e *emitter) leave(rip uint64) {
	e.put(0xFF, 0x25, 0, 0, 0, 0)
	e.u64(rip)
}

// finish places the data and returns the whole.
func (e *emitter) finish() ([]byte, error) {
	for _, f := range e.fixups {
		for len(e.code)%8 != 0 {
			e.put(0xCC)
		}
		binary.LittleEndian.PutUint32(e.code[f.disp:], uint32(len(e.code)-f.disp-4))
		e.code = append(e.code, f.data...)
	}
	return e.code, e.err
}

// allSignals blocks what can be blocked.
const allSignals = ^uint64(0)

// stubBegin is what every stub begins with: its mark in a cave.
func stubBegin() []byte {
	e := &emitter{}
	e.setMask(allSignals)
	return e.code[:e.fixups[0].disp]
}

// buildStub makes the stub for calls, to stand at address at. Results go to the
// control page; token is written there as the very last thing.
func buildStub(at, control uint64, token uint32, calls []Syscall, s saved) ([]byte, error) {
	if len(calls) > callsMax {
		return nil, fmt.Errorf("%d system calls in one stub; at most %d", len(calls), callsMax)
	}
	e := &emitter{at: at}
	e.setMask(allSignals)
	for i, c := range calls {
		for j, a := range c.Args {
			e.arg(argRegs[j], a, control)
		}
		e.movImm(rAX, c.Nr)
		e.syscall()
		e.storeRAX(control + controlResults + 8*uint64(i))
	}
	e.setMask(s.Mask)
	e.restore(s.taken())
	e.restore(s.others())
	e.storeDone(control+controlDone, token)
	e.leave(s.RIP)
	return e.finish()
}

func (e *emitter) arg(reg byte, a Arg, control uint64) {
	switch a.kind {
	case argResult:
		e.load(reg, control+controlResults+8*a.value)
	case argData:
		e.leaData(reg, a.data)
	case argOut:
		e.movImm(reg, control+controlScratch+a.value)
	default:
		e.movImm(reg, a.value)
	}
}

// Flags of memory mappings (include/uapi/asm-generic/mman-common.h).
const (
	protNone, protRead, protWrite, protExec = 0, 1, 2, 4

	mapShared         = 0x01
	mapPrivate        = 0x02
	mapFixed          = 0x10
	mapAnon           = 0x20
	mapNoReserve      = 0x4000
	mapFixedNoReplace = 0x100000

	mfdCloexec = 1
)

// bootstrap is the first stub of a process, which runs in a cave and has no
// control page yet: it makes the resident pages. It writes token only if they
// are all there; a caller sees that the thread has left by looking at it.
//
// It has two parts, which may stand apart. Only in the edge, where it begins and
// ends, may a signal come; the middle runs with all signals blocked.
type bootstrap struct {
	edge     uint64 // room for edgeMax bytes
	middle   uint64 // and for middleMax
	resident uint64 // residentSize bytes of code, then the control page
	token    uint32
}

// Room for the parts of a bootstrap.
const (
	edgeMax   = 124
	middleMax = 308
)

// chunk is a part of a stub, at its address.
type chunk struct {
	at   uint64
	code []byte
}

// build makes the parts, the edge first: by its beginning a stub is known.
func (b bootstrap) build(s saved) ([]chunk, error) {
	edge := &emitter{at: b.edge}
	edge.maskCall(func() { edge.lea(rSI, b.middle) })
	edge.syscall()
	edge.jmpTo(b.middle + 8)
	exit := b.edge + uint64(len(edge.code))
	edge.syscall()
	edge.restore(s.taken())
	edge.leave(s.RIP)
	head, err := edge.finish()
	if err != nil {
		return nil, err
	}
	middle, err := b.buildMiddle(s, exit)
	return []chunk{{b.edge, head}, {b.middle, middle}}, err
}

// buildMiddle makes what begins with the mask that blocks all signals, and leads
// to exit with everything set for the system call that brings back the thread's.
func (b bootstrap) buildMiddle(s saved, exit uint64) ([]byte, error) {
	e := &emitter{at: b.middle}
	e.u64(allSignals)
	e.leaData(rDI, []byte(memfdName+"\x00"))
	e.movImm(rSI, mfdCloexec)
	e.movImm(rAX, sysMemfdCreate)
	e.syscall()
	e.put(0x41, 0x89, 0xC0) // mov r8d, eax: the descriptor stays in r8
	e.put(0x44, 0x89, 0xC7) // mov edi, r8d
	e.movImm(rSI, residentSize)
	e.movImm(rAX, sysFtruncate)
	e.syscall()
	control := b.resident + residentSize
	e.mmap(b.resident, residentSize, protRead|protExec, mapPrivate|mapFixedNoReplace, 0)
	toClose := []int{e.unless(b.resident)}
	e.mmap(control, controlSize, protRead|protWrite, mapPrivate|mapFixedNoReplace, 0)
	mapped := e.unless(control)
	e.storeDone(control+controlDone, b.token)
	toClose = append(toClose, e.jmp())
	e.land(mapped)
	e.movImm(rDI, b.resident)
	e.movImm(rSI, residentSize)
	e.movImm(rAX, sysMunmap)
	e.syscall()
	for _, at := range toClose {
		e.land(at)
	}
	e.put(0x44, 0x89, 0xC7) // mov edi, r8d
	e.movImm(rAX, sysClose)
	e.syscall()
	e.restore(s.others())
	e.maskCall(func() { e.leaData(rSI, binary.LittleEndian.AppendUint64(nil, s.Mask)) })
	e.jmpTo(exit)
	return e.finish()
}

// mmap of the descriptor in r8.
func (e *emitter) mmap(addr, size, prot, flags, off uint64) {
	e.movImm(rDI, addr)
	e.movImm(rSI, size)
	e.movImm(rDX, prot)
	e.movImm(r10, flags)
	e.movImm(r9, off)
	e.movImm(rAX, sysMmap)
	e.syscall()
}

// unless jumps (see land) unless rax is want, without touching a flag.
func (e *emitter) unless(want uint64) int {
	e.movImm(rCX, -want)
	e.put(0x48, 0x8D, 0x0C, 0x01) // lea rcx, [rcx+rax]
	e.put(0xE3, 0x05)             // jrcxz over the jmp
	return e.jmp()
}

func (e *emitter) jmp() int {
	e.put(0xE9)
	e.u32(0)
	return len(e.code) - 4
}

func (e *emitter) jmpTo(addr uint64) {
	e.put(0xE9)
	e.rel(addr, 0)
}

// land lets the jump at disp come here.
func (e *emitter) land(disp int) {
	binary.LittleEndian.PutUint32(e.code[disp:], uint32(len(e.code)-disp-4))
}
