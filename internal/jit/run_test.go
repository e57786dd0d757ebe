//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// A rig is a small target inside the test process: memory for code, a goroutine
// stack, a g, an m and a p, and the control and shared regions of a bay. Bodies
// run in it for real.
type rig struct {
	t      testing.TB
	mem    []byte
	base   uint64
	env    Env
	filled []int // entries of the table in use
	full   bool  // benchmarks: nobody empties the ring
	stray  bool  // the oracle was asked for memory that only the machine can read
}

// Where things lie in a rig.
const (
	rigCode    = 0
	rigState   = 256 << 10
	rigTable   = rigState + 4096
	rigStack   = rigTable + ring.TableSize // the goroutine's stack, with room around it
	rigRuntime = rigStack + 64<<10
	rigHeap    = rigRuntime + 4096
	rigHole    = rigHeap + 64<<10 // a page that faults
	rigControl = rigHole + 4096
	rigShared  = rigControl + ring.ControlArea

	stackLo  = rigStack + 8<<10
	stackTop = rigStack + 40<<10

	rigG, rigM, rigP = rigRuntime, rigRuntime + 1024, rigRuntime + 2048
	rigHandlers      = 128 << 10 // resident handlers, in the code
	rigWords         = rigRuntime + 3072
	rigOwner         = 0x80FFEE42 // the top bit is set: a sign-extended compare must still hold
)

var rigOffsets = Offsets{GM: 48, GGoid: 152, GStackLo: 0, GStackHi: 8, GStackguard0: 16, MP: 200, PID: 8}

func newRig(t testing.TB, ps int) *rig {
	t.Helper()
	layout, err := ring.NewLayout(ps, 8, 0)
	if err != nil {
		t.Fatal(err)
	}
	layout.BlockShift = 15
	return newRigOf(t, layout)
}

func newRigOf(t testing.TB, layout ring.Layout) *rig {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, rigShared+layout.SharedSize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(mem) })
	if err := unix.Mprotect(mem[rigHole:rigHole+4096], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, mem: mem, base: uint64(uintptr(unsafe.Pointer(&mem[0])))}
	r.env = Env{Control: r.base + rigControl, Shared: r.base + rigShared, Owner: rigOwner,
		Layout: layout, RT: rigOffsets, Probe: 1, Site: 3}
	r.put(rigShared, rigOwner)
	r.put(rigControl+ring.Control(1)+ring.ControlState, 1)
	r.put(rigG+int(rigOffsets.GM), r.base+rigM)
	r.put(rigG+int(rigOffsets.GGoid), 77)
	r.put(rigG+int(rigOffsets.GStackLo), r.base+stackLo)
	r.put(rigG+int(rigOffsets.GStackHi), r.base+stackTop+4096)
	r.put(rigG+int(rigOffsets.GStackguard0), r.base+stackLo+928)
	r.put(rigM+int(rigOffsets.MP), r.base+rigP)
	r.onP(1)
	return r
}

// onP lets the rig's goroutine run on P id.
func (r *rig) onP(id int) { r.put(rigP+int(rigOffsets.PID), uint64(id)|0xDEAD<<32) }

func (r *rig) put(off int, v uint64) { binary.LittleEndian.PutUint64(r.mem[off:], v) }
func (r *rig) get(off int) uint64    { return binary.LittleEndian.Uint64(r.mem[off:]) }

// counter reads a counter of the rig's probe in block b.
func (r *rig) counter(b, word int) uint64 {
	return r.get(rigShared + r.env.Layout.Block(b) + ring.Counter(r.env.Probe) + word)
}

// cpu is what a body may see and must leave alone.
type cpu struct {
	Regs  [16]uint64
	X     [16][2]uint64
	Flags uint64
}

// arithmetic are the flags that a comparison writes.
const arithmetic = 0x8D5

// Offsets in the rig's state page.
const (
	stateIn, stateOut = 0, 1024
	stateX            = 16 * 8
	stateFlags        = stateX + 16*16
	stateSaved        = 2048
)

// program makes code that loads the registers, runs what emit writes, stores
// the registers and returns to Go. It gives the code and its entry.
func (r *rig) assemble(emit func(a *amd64.Asm)) {
	a := amd64.NewAsm(r.base + rigCode)
	at := func(off int) amd64.Mem { return amd64.AtAddr(r.base + rigState + uint64(off)) }
	for i, reg := range []amd64.Reg{amd64.RSP, amd64.RBP, amd64.R14} {
		a.Store(at(stateSaved+8*i), reg, 8)
	}
	for i := range 16 {
		a.LoadX16(amd64.X(i), at(stateIn+stateX+16*i))
	}
	a.Lea(amd64.RSP, at(stateIn+stateFlags))
	a.Popfq()
	for i := range amd64.Reg(16) {
		a.Load(i, at(stateIn+8*int(i)), 8)
	}
	emit(a)
	for i := range amd64.Reg(16) {
		a.Store(at(stateOut+8*int(i)), i, 8)
	}
	a.Lea(amd64.RSP, at(stateOut+stateFlags+8))
	a.Pushfq()
	for i := range 16 {
		a.StoreX16(at(stateOut+stateX+16*i), amd64.X(i))
	}
	for i, reg := range []amd64.Reg{amd64.RSP, amd64.RBP, amd64.R14} {
		a.Load(reg, at(stateSaved+8*i), 8)
	}
	a.Pxor(15, 15)
	a.Ret()
	code, err := a.Code()
	if err != nil {
		r.t.Fatal(err)
	}
	r.writeCode(rigCode, code)
}

func (r *rig) writeCode(off int, code []byte) {
	r.protect(unix.PROT_READ | unix.PROT_WRITE)
	copy(r.mem[off:rigState], code)
	r.protect(unix.PROT_READ | unix.PROT_EXEC)
}

func (r *rig) protect(prot int) {
	if err := unix.Mprotect(r.mem[:rigState], prot); err != nil {
		r.t.Fatal(err)
	}
}

// run runs the code of assemble once.
func (r *rig) run(in cpu) (out cpu) {
	state := r.mem[rigState:]
	r.encode(state[stateIn:], in)
	r.call()
	for i := range out.Regs {
		out.Regs[i] = binary.LittleEndian.Uint64(state[stateOut+8*i:])
	}
	for i := range out.X {
		out.X[i][0] = binary.LittleEndian.Uint64(state[stateOut+stateX+16*i:])
		out.X[i][1] = binary.LittleEndian.Uint64(state[stateOut+stateX+16*i+8:])
	}
	out.Flags = binary.LittleEndian.Uint64(state[stateOut+stateFlags:]) & arithmetic
	return out
}

func (r *rig) encode(state []byte, c cpu) {
	for i, v := range c.Regs {
		binary.LittleEndian.PutUint64(state[8*i:], v)
	}
	for i, v := range c.X {
		binary.LittleEndian.PutUint64(state[stateX+16*i:], v[0])
		binary.LittleEndian.PutUint64(state[stateX+16*i+8:], v[1])
	}
	binary.LittleEndian.PutUint64(state[stateFlags:], c.Flags|0x202)
}

// call calls the code as a Go function without arguments: in ABIInternal the
// caller keeps nothing in registers but the stack pointers, g and a zero X15,
// which assemble restores. Nothing preempts the goroutine there, because the
// runtime does not know the code.
func (r *rig) call() {
	entry := &r.mem[rigCode]
	closure := &entry
	fn := *(*func())(unsafe.Pointer(&closure))
	fn()
}

// start is a plausible state of the registers at a site.
func (r *rig) start() (c cpu) {
	for i := range c.Regs {
		c.Regs[i] = 0x1111111111111111 * uint64(i+1)
	}
	for i := range 15 {
		c.X[i] = [2]uint64{0x0101010101010101 * uint64(i), ^uint64(i)}
	}
	c.Regs[amd64.RSP] = r.base + stackTop
	c.Regs[amd64.RBP] = r.base + stackTop + 64
	c.Regs[amd64.R14] = r.base + rigG
	return c
}

// unchanged fails the test unless out is in, but for what is dead.
func unchanged(t testing.TB, what string, in, out cpu, live Live) {
	t.Helper()
	for i := range amd64.Reg(16) {
		if in.Regs[i] != out.Regs[i] && !live.FreeRegs.Has(i) {
			t.Errorf("%s: %s was %#x, is %#x", what, amd64.RegName(i), in.Regs[i], out.Regs[i])
		}
	}
	if in.X != out.X {
		t.Errorf("%s: vector registers changed:\n%x\n%x", what, in.X, out.X)
	}
	if in.Flags&arithmetic != out.Flags&arithmetic && !live.FlagsDead {
		t.Errorf("%s: flags were %#x, are %#x", what, in.Flags, out.Flags)
	}
}

// sigaction is the kernel's structure.
type sigaction struct {
	Handler, Flags, Restorer, Mask uint64
}

func rtSigaction(t testing.TB, sig int, set, old *sigaction) {
	t.Helper()
	_, _, e := syscall.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(set)),
		uintptr(unsafe.Pointer(old)), 8, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
}

// catch installs the resident handlers for SIGSEGV and SIGTRAP in the test process.
func (r *rig) catch() {
	r.t.Helper()
	h, err := NewHandlers(HandlerConfig{At: r.base + rigHandlers, Words: r.base + rigWords, GStackguard0: rigOffsets.GStackguard0})
	if err != nil {
		r.t.Fatal(err)
	}
	r.writeCode(rigHandlers, h.Code)
	r.put(rigWords+WordTables, r.base+rigTable)
	r.replace(unix.SIGSEGV, h.Segv, rigWords+WordSegv)
	r.replace(unix.SIGTRAP, h.Trap, rigWords+WordTrap)
}

// replace puts a handler in the place of the runtime's, as inject does, until
// the test ends.
func (r *rig) replace(sig unix.Signal, handler uint64, word int) {
	var old sigaction
	rtSigaction(r.t, int(sig), nil, &old)
	r.put(word, old.Handler)
	set := old
	set.Handler = handler
	rtSigaction(r.t, int(sig), &set, nil)
	r.t.Cleanup(func() { rtSigaction(r.t, int(sig), &old, nil) })
}

// enter puts an entry into the rig's table as the tool does.
func (r *rig) enter(key, target, kind, counter uint64) {
	for i := ring.Hash(key); ; i = (i + 1) % ring.TableLen {
		off := rigTable + int(i)*ring.TableEntry
		if r.get(off) == 0 {
			r.put(off, key)
			r.put(off+8, target)
			r.put(off+16, kind)
			r.put(off+24, counter)
			r.filled = append(r.filled, off)
			return
		}
	}
}

// place makes the code of a site, alone between loading and storing the registers.
func (r *rig) place(s *program.Site, live Live) {
	r.t.Helper()
	for _, off := range r.filled {
		r.put(off, 0)
	}
	r.filled = nil
	r.assemble(func(a *amd64.Asm) {
		code, err := Body(r.env, s, live, a.PC())
		if err != nil {
			r.t.Fatal(err)
		}
		a.Bytes(code.Bytes...)
		for _, f := range code.Fixups {
			r.enter(f.At, f.Target, ring.KindFixup, 0)
		}
	})
}
