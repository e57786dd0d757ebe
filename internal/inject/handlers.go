//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/jit"
)

// handlerSignals are the signals whose handlers we stand before, in the order of
// jit's words.
var handlerSignals = [4]unix.Signal{unix.SIGTRAP, unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE}

// The kernel's struct sigaction on amd64 (arch/x86/include/uapi/asm/signal.h).
const (
	actSize    = 32
	actHandler = 0
	actFlags   = 8

	saSiginfo = 0x4
	saOnstack = 0x08000000
)

// InstallHandlers sees to it that our handlers stand before the program's for
// traps and faults. It keeps everything of the program's own action but the
// handler's address. stackguard0 is the offset of runtime.g.stackguard0. The
// caller holds the Lock.
func (p *Proc) InstallHandlers(stackguard0 int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ensureResident(); err != nil {
		return err
	}
	for range 5 { // the program may change an action at the same moment
		acts, urg, err := p.actions()
		if err != nil {
			return err
		}
		entries, err := p.handlerCode(acts, urg, stackguard0)
		if err != nil {
			return err
		}
		again, err := p.install(acts, entries)
		if err != nil || !again {
			return err
		}
	}
	return fmt.Errorf("the program keeps changing its signal handlers: %w", ErrBusy)
}

// actions asks the target for its actions of our signals and its handler of SIGURG.
func (p *Proc) actions() (acts [4][]byte, urg uint64, err error) {
	var calls []Syscall
	for i, sig := range append(handlerSignals[:], unix.SIGURG) {
		calls = append(calls, Sys(sysRtSigaction, Num(uint64(sig)), Num(0), Out(i*actSize), Num(sigsetSize)))
	}
	r, err := p.call(calls)
	if err != nil {
		return acts, 0, err
	}
	for i := range calls {
		if err := r.Err(i); err != nil {
			return acts, 0, fmt.Errorf("rt_sigaction in the target: %w", err)
		}
	}
	for i := range acts {
		acts[i] = r.Scratch[i*actSize : (i+1)*actSize]
	}
	return acts, binary.LittleEndian.Uint64(r.Scratch[4*actSize:]), nil
}

func handlerOf(act []byte) uint64 { return binary.LittleEndian.Uint64(act[actHandler:]) }

// handlerCode returns the entries of our handlers, writing code and words first
// if they are not there.
func (p *Proc) handlerCode(acts [4][]byte, urg uint64, stackguard0 int64) (entries [4]uint64, err error) {
	var raw [8 + 8*len(handlerSignals)]byte
	if err := p.ReadAt(raw[:], p.resident.base+resHandlers); err != nil {
		return entries, err
	}
	if binary.LittleEndian.Uint64(raw[:]) != 0 {
		for i := range entries {
			entries[i] = binary.LittleEndian.Uint64(raw[8+8*i:])
		}
		return entries, nil
	}
	for i, act := range acts {
		const want = saSiginfo | saOnstack
		if handlerOf(act) <= 1 || binary.LittleEndian.Uint64(act[actFlags:])&want != want { // SIG_DFL, SIG_IGN
			return entries, &RefusedError{Code: CodeKernel,
				Message: fmt.Sprintf("the program's handler of %v is not the Go runtime's", handlerSignals[i]),
				Cure:    "programs that change the runtime's signal handlers cannot be probed"}
		}
	}
	h, err := jit.NewHandlers(jit.HandlerConfig{At: p.resident.handlers(), Words: p.resident.words(), GStackguard0: stackguard0})
	if err != nil {
		return entries, err
	}
	if len(h.Code) > handlersMax {
		return entries, fmt.Errorf("the handlers take %d bytes; there is room for %d", len(h.Code), handlersMax)
	}
	entries = [4]uint64{h.Trap, h.Segv, h.Bus, h.Fpe}
	var words []byte
	for _, act := range acts {
		words = binary.LittleEndian.AppendUint64(words, handlerOf(act))
	}
	words = binary.LittleEndian.AppendUint64(words, urg)
	state := binary.LittleEndian.AppendUint64(nil, 1)
	for _, e := range entries {
		state = binary.LittleEndian.AppendUint64(state, e)
	}
	return entries, errors.Join(
		p.WriteAt(h.Code, p.resident.handlers()),
		p.WriteAt(words, p.resident.words()+jit.WordTrap),
		p.WriteAt(state, p.resident.base+resHandlers))
}

// install puts our entries in. again means that an action was changed by the
// program between asking and setting; then it was put back as the program wants it.
func (p *Proc) install(acts [4][]byte, entries [4]uint64) (again bool, err error) {
	var words [8 * len(handlerSignals)]byte
	if err := p.ReadAt(words[:], p.resident.words()+jit.WordTrap); err != nil {
		return false, err
	}
	var calls []Syscall
	var which []int
	for i, act := range acts {
		switch handlerOf(act) {
		case entries[i]:
			continue
		case binary.LittleEndian.Uint64(words[8*i:]):
		default:
			return false, &RefusedError{Code: CodeKernel,
				Message: fmt.Sprintf("the program has changed its handler of %v since a Sidelight was here", handlerSignals[i]),
				Cure:    "restart the program to probe it"}
		}
		ours := append([]byte(nil), act...)
		binary.LittleEndian.PutUint64(ours[actHandler:], entries[i])
		calls = append(calls, Sys(sysRtSigaction, Num(uint64(handlerSignals[i])), Data(ours), Out(len(which)*actSize), Num(sigsetSize)))
		which = append(which, i)
	}
	if len(calls) == 0 {
		return false, nil
	}
	r, err := p.call(calls)
	if err != nil {
		return false, err
	}
	for j, i := range which {
		if err := r.Err(j); err != nil {
			return false, fmt.Errorf("rt_sigaction in the target: %w", err)
		}
		was := r.Scratch[j*actSize : (j+1)*actSize]
		if string(was) != string(acts[i]) {
			again = true
			if _, err := p.call([]Syscall{Sys(sysRtSigaction, Num(uint64(handlerSignals[i])), Data(was), Num(0), Num(sigsetSize))}); err != nil {
				return false, err
			}
		}
	}
	return again, nil
}
