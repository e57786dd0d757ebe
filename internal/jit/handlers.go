package jit

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Bays is how many tables the resident handlers look through.
const Bays = 8

// Words of the resident data page that the handlers read, as offsets from
// HandlerConfig.Words. All are 8 bytes, written by the tool.
const (
	WordTables = 0           // Bays words: the address of a bay's table, or 0
	WordTrap   = 8 * Bays    // the handler that SIGTRAP had before
	WordSegv   = 8 + 8*Bays  // likewise SIGSEGV
	WordBus    = 16 + 8*Bays // likewise SIGBUS
	WordFpe    = 24 + 8*Bays // likewise SIGFPE
	WordUrg    = 32 + 8*Bays // the handler that SIGURG has: the runtime's preemption
	WordsSize  = 40 + 8*Bays
)

// HandlerConfig is what the resident handlers are made for. The words for the
// four signals must be addresses of handlers, never SIG_DFL or SIG_IGN: what is
// not Sidelight's is handed through to them. WordUrg may be 0.
type HandlerConfig struct {
	At           uint64 // where the code will lie
	Words        uint64 // where the words lie, within ±2 GiB
	GStackguard0 int64  // offset of g.stackguard0
}

// Handlers are the resident signal handlers: their code, and the address of
// the entry for each signal. They take the place of a handler that was
// installed with SA_SIGINFO and SA_ONSTACK.
type Handlers struct {
	Code                 []byte
	Trap, Segv, Bus, Fpe uint64
}

// Offsets from the third argument of a handler, the ucontext: the general
// registers of Linux's struct sigcontext (arch/x86/include/uapi/asm/sigcontext.h)
// start behind uc_flags, uc_link and uc_stack.
const (
	uctxR14 = 40 + 8*6
	uctxRIP = 40 + 8*16
)

// siginfo: si_code says who sent the signal; the kernel's own codes are positive.
const (
	siCode   = 8
	siKernel = 0x80 // of an int3
)

// stackPreempt in g.stackguard0 asks a goroutine to yield (runtime/stack.go,
// 1.22 to 1.26: uintptrMask & -1314).
const stackPreempt = -1314

const sigURG = 23

// NewHandlers makes the handlers.
//
// A trap of a site adds one to the counter of its entry and goes on at its
// target. If the goroutine is asked to yield, the runtime's handler for SIGURG
// gets the chance first, with the site as the place: signals are blocked in a
// handler, so at a hot site the request would otherwise always arrive in a
// trampoline, where the runtime refuses it, and the process would starve. A
// trap that is nobody's, where no int3 is any more, runs again: the probe was
// just taken out.
//
// A fault of a displaced instruction is put back to the instruction's own place
// and handed on; a fault of a probe's own load goes on at its fixup. Everything
// else reaches the handler from before with nothing changed.
func NewHandlers(c HandlerConfig) (Handlers, error) {
	h := &handlers{a: amd64.NewAsm(c.At), c: c}
	trap := h.trap()
	segv := h.fault(WordSegv)
	bus := h.fault(WordBus)
	fpe := h.fault(WordFpe)
	h.find()
	code, err := h.a.Code()
	if err != nil {
		return Handlers{}, fmt.Errorf("signal handlers at %#x: %w", c.At, err)
	}
	addr := h.a.Addr
	return Handlers{Code: code, Trap: addr(trap), Segv: addr(segv), Bus: addr(bus), Fpe: addr(fpe)}, nil
}

type handlers struct {
	a      *amd64.Asm
	c      HandlerConfig
	search amd64.Label
	made   bool
}

// finder is the label of the search routine, made at its first use.
func (h *handlers) finder() amd64.Label {
	if !h.made {
		h.search, h.made = h.a.NewLabel(), true
	}
	return h.search
}

func (h *handlers) word(off uint64) amd64.Mem { return amd64.AtAddr(h.c.Words + off) }

// find is the search: key in RAX; entry in R8, or 0 in R8. RCX, R9, R10 and R11
// are lost.
func (h *handlers) find() {
	a := h.a
	a.Align(16, 0xCC)
	a.Bind(h.finder())
	table, probe, next, miss, hit := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.Zero(amd64.R9) // number of the table
	a.Bind(table)
	a.Lea(amd64.R10, h.word(WordTables))
	a.Load(amd64.R10, amd64.AtIndex(amd64.R10, amd64.R9, 8, 0), 8)
	a.Test(amd64.R10, amd64.R10, 8)
	a.Jcc(amd64.CondE, next)
	a.MovRI64(amd64.R11, ring.HashFactor)
	a.Imul(amd64.R11, amd64.RAX, 8)
	a.ShiftImm(amd64.SHR, amd64.R11, ring.HashShift, 8)
	a.MovRI64(amd64.RCX, ring.TableLen) // a full table must not hold a thread for ever
	a.Bind(probe)
	a.MovRR(amd64.R8, amd64.R11)
	a.ShiftImm(amd64.SHL, amd64.R8, 5, 8) // TableEntry
	a.Op(amd64.ADD, amd64.R8, amd64.R10, 8)
	a.OpStore(amd64.CMP, amd64.At(amd64.R8, 0), amd64.RAX, 8)
	a.Jcc(amd64.CondE, hit)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.R8, 0), 0, 8)
	a.Jcc(amd64.CondE, next)
	a.OpImm(amd64.ADD, amd64.R11, 1, 8)
	a.OpImm(amd64.AND, amd64.R11, ring.TableLen-1, 8)
	a.OpImm(amd64.SUB, amd64.RCX, 1, 8)
	a.Jcc(amd64.CondNE, probe)
	a.Bind(next)
	a.OpImm(amd64.ADD, amd64.R9, 1, 8)
	a.OpImm(amd64.CMP, amd64.R9, Bays, 8)
	a.Jcc(amd64.CondB, table)
	a.Bind(miss)
	a.Zero(amd64.R8)
	a.Bind(hit)
	a.Ret()
}

// fault is the handler of a signal that the kernel raises for an instruction.
func (h *handlers) fault(previous uint64) amd64.Label {
	a := h.a
	a.Align(16, 0xCC)
	entry := a.Here()
	through, displaced := a.NewLabel(), a.NewLabel()
	// A signal that somebody sent is not about the instruction at RIP.
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RSI, siCode), 0, 4)
	a.Jcc(amd64.CondLE, through)
	a.Load(amd64.RAX, amd64.At(amd64.RDX, uctxRIP), 8)
	a.Call(h.finder())
	a.Test(amd64.R8, amd64.R8, 8)
	a.Jcc(amd64.CondE, through)
	a.Load(amd64.RAX, amd64.At(amd64.R8, 8), 8)
	a.Load(amd64.RCX, amd64.At(amd64.R8, 16), 8)
	a.OpImm(amd64.CMP, amd64.RCX, ring.KindDisplaced, 8)
	a.Jcc(amd64.CondE, displaced)
	a.OpImm(amd64.CMP, amd64.RCX, ring.KindFixup, 8)
	a.Jcc(amd64.CondNE, through)
	a.Store(amd64.At(amd64.RDX, uctxRIP), amd64.RAX, 8)
	a.Ret()
	a.Bind(displaced)
	a.Store(amd64.At(amd64.RDX, uctxRIP), amd64.RAX, 8)
	a.Bind(through)
	a.JmpMem(h.word(previous))
	return entry
}

// trap is the handler of SIGTRAP.
func (h *handlers) trap() amd64.Label {
	a := h.a
	a.Align(16, 0xCC)
	entry := a.Here()
	through, known, unknown, asked := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RSI, siCode), siKernel, 4)
	a.Jcc(amd64.CondNE, through)
	a.Load(amd64.RAX, amd64.At(amd64.RDX, uctxRIP), 8)
	a.OpImm(amd64.SUB, amd64.RAX, 1, 8)
	a.Call(h.finder())
	a.Test(amd64.R8, amd64.R8, 8)
	a.Jcc(amd64.CondE, unknown)
	a.Bind(known)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.R8, 16), ring.KindYield, 8)
	a.Jcc(amd64.CondE, asked)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.R8, 16), ring.KindTrap, 8)
	a.Jcc(amd64.CondNE, through)
	h.yield()
	h.enter()
	a.Bind(asked)
	a.Load(amd64.RAX, amd64.At(amd64.R8, 24), 8)
	h.yield()
	h.goOn()
	a.Bind(unknown)
	h.rerun(known, through)
	a.Bind(through)
	a.JmpMem(h.word(WordTrap))
	return entry
}

// enter counts the trap of entry R8 and goes on at its target.
func (h *handlers) enter() {
	a := h.a
	uncounted := a.NewLabel()
	a.Load(amd64.RCX, amd64.At(amd64.R8, 24), 8)
	a.Test(amd64.RCX, amd64.RCX, 8)
	a.Jcc(amd64.CondE, uncounted)
	a.LockOpImm(amd64.ADD, amd64.At(amd64.RCX, 0), 1, 8)
	a.Bind(uncounted)
	h.goOn()
}

// goOn continues at the target of entry R8.
func (h *handlers) goOn() {
	a := h.a
	a.Load(amd64.RCX, amd64.At(amd64.R8, 8), 8)
	a.Store(amd64.At(amd64.RDX, uctxRIP), amd64.RCX, 8)
	a.Ret()
}

// yield lets the runtime preempt at the site (its address in RAX, its entry in
// R8) if it asks for it, and returns from the handler if it did.
func (h *handlers) yield() {
	a := h.a
	on, back := a.NewLabel(), a.NewLabel()
	a.Load(amd64.RCX, amd64.At(amd64.RDX, uctxR14), 8)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RCX, int32(h.c.GStackguard0)), stackPreempt, 8)
	a.Jcc(amd64.CondNE, on)
	a.OpMemImm(amd64.CMP, h.word(WordUrg), 1, 8) // SIG_DFL, SIG_IGN
	a.Jcc(amd64.CondBE, on)
	a.Store(amd64.At(amd64.RDX, uctxRIP), amd64.RAX, 8)
	for _, r := range []amd64.Reg{amd64.RBX, amd64.R8, amd64.RDX, amd64.RAX} {
		a.Push(r)
	}
	a.MovRR(amd64.RBX, amd64.RSP) // the handler keeps RBX; C wants 16-byte alignment
	a.OpImm(amd64.AND, amd64.RSP, -16, 8)
	a.MovRI64(amd64.RDI, sigURG)
	a.Cld()
	a.CallMem(h.word(WordUrg))
	a.MovRR(amd64.RSP, amd64.RBX)
	for _, r := range []amd64.Reg{amd64.RAX, amd64.RDX, amd64.R8, amd64.RBX} {
		a.Pop(r)
	}
	a.OpStore(amd64.CMP, amd64.At(amd64.RDX, uctxRIP), amd64.RAX, 8)
	a.Jcc(amd64.CondE, back) // not here: the runtime changed nothing
	a.Ret()
	a.Bind(back)
	a.Bind(on)
}

// rerun is for an int3 at RAX that no table knows: if it is gone by now, a probe
// was taken out between the trap and here, and the instruction runs again. If it is
// there, another probe may have been put in meanwhile: its entry was there before
// its int3, so a search after seeing the int3 finds it, or it is gone again.
func (h *handlers) rerun(known, through amd64.Label) {
	a := h.a
	gone := a.NewLabel()
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RAX, 0), -0x34, 1) // CC
	a.Jcc(amd64.CondNE, gone)
	a.Call(h.finder())
	a.Test(amd64.R8, amd64.R8, 8)
	a.Jcc(amd64.CondNE, known)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RAX, 0), -0x34, 1)
	a.Jcc(amd64.CondE, through)
	a.Bind(gone)
	a.OpMemImm(amd64.CMP, amd64.At(amd64.RAX, -1), 0x03CD, 2) // the two-byte int 3
	a.Jcc(amd64.CondE, through)
	a.Store(amd64.At(amd64.RDX, uctxRIP), amd64.RAX, 8)
	a.Ret()
}
