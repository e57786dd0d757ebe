//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errThread says that this thread cannot be used now; another may.
var errThread = errors.New("thread not usable now")

// disposable runs f on an operating-system thread that ends with it. The kernel
// detaches whatever that thread still traces: so a tracee that does not stop in
// time (one that waits for its vfork child) is let go without having to stop.
func disposable(f func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if unix.Gettid() == unix.Getpid() {
			// The first thread of a process cannot end. Hold it and take another.
			disposable(f)
			runtime.UnlockOSThread()
			return
		}
		hurry()
		f()
	}()
	wg.Wait()
}

// hurry lets the thread that holds one of the target run at once when it can go
// on: between stop and detach every microsecond is the target's. Where it is not
// allowed (CAP_SYS_NICE) it is only slower.
func hurry() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 1}, 0)
}

// nap sleeps this OS thread. It never spins: the thread that is waited for may
// need the very processor.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// stopped is a thread of the target that we hold. What is done while we hold it
// makes raw system calls only: after another one Go's scheduler may let this
// thread wait for a processor, and with it the target's. All its methods must be called
// on the OS thread that made it, within disposable.
type stopped struct {
	tid   int
	since time.Time // when it was last seen not to be stopped

	signal int // that it is about to take; 0: none
}

// stopWait is how long a thread may take to stop. A sleeping thread takes
// microseconds, one that waits for a processor until it gets one; one in vfork or
// an uninterruptible wait takes too long.
const stopWait = 100 * time.Millisecond

// stop seizes one thread and brings it to a stop of our own making. Any other
// kind of stop is handed on, and the thread let go (errThread).
func (p *Proc) stop(tid int) (*stopped, error) {
	t, err := p.halt(tid)
	if err == nil && t.signal != 0 {
		t.detach()
		return nil, errThread
	}
	return t, err
}

// halt seizes one thread and brings it to a stop: of our own making, or where a signal
// came first, which is the target's and is handed on by detach.
func (p *Proc) halt(tid int) (*stopped, error) {
	if !p.hasThread(tid) {
		return nil, errThread
	}
	if err := ptrace(unix.PTRACE_SEIZE, tid, 0, 0); err != nil {
		return nil, p.seizeError(tid, err)
	}
	p.seized = true
	if !p.hasThread(tid) { // the number was given to another process at this very moment
		return nil, errThread
	}
	t := &stopped{tid: tid, since: time.Now()}
	if err := ptrace(unix.PTRACE_INTERRUPT, tid, 0, 0); err != nil {
		return nil, errThread
	}
	ws, err := t.wait()
	if err != nil {
		return nil, err
	}
	const eventStop = 128 // PTRACE_EVENT_STOP
	switch {
	case !ws.Stopped():
		return nil, errThread
	case int(ws)>>16 == eventStop && ws.StopSignal() == unix.SIGTRAP:
		return t, nil
	case int(ws)>>16 != 0: // with eventStop a group stop: somebody sent SIGSTOP
		t.detach()
		return nil, errThread
	}
	t.signal = int(ws.StopSignal())
	return t, nil
}

// peek and poke read and write a little of the target's memory by raw system calls,
// for use while a thread is held. The caller holds mu, so that the file stays open.
func (p *Proc) peek(b []byte, addr uint64) error {
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, p.memFD, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(addr), 0, 0)
	return p.rawResult("read", n, errno, len(b), addr)
}

func (p *Proc) poke(b []byte, addr uint64) error {
	n, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, p.memFD, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(addr), 0, 0)
	return p.rawResult("write", n, errno, len(b), addr)
}

func (p *Proc) rawResult(what string, n uintptr, errno unix.Errno, want int, addr uint64) error {
	switch {
	case errno != 0:
		return p.memError(what, addr, 0, errno)
	case int(n) == want:
		return nil
	}
	return p.memError(what, addr, int(n), nil)
}

// slurp reads the beginning of a file below /proc/PID by raw system calls.
func (p *Proc) slurp(name string, buf []byte) ([]byte, error) {
	path, err := unix.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, p.dirFD, uintptr(unsafe.Pointer(path)), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	n, _, errno := unix.RawSyscall(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return buf[:n], nil
}

// hasThread tells whether tid is a thread of the target.
func (p *Proc) hasThread(tid int) bool {
	return unix.Faccessat(int(p.dir.Fd()), fmt.Sprintf("task/%d", tid), unix.F_OK, 0) == nil
}

// wait polls, as a blocking wait has no end.
func (t *stopped) wait() (unix.WaitStatus, error) {
	pause := 10 * time.Microsecond
	for asked := time.Now(); ; nap(pause) {
		var ws unix.WaitStatus
		now := time.Now()
		n, _, errno := unix.RawSyscall6(unix.SYS_WAIT4, uintptr(t.tid), uintptr(unsafe.Pointer(&ws)), unix.WALL|unix.WNOHANG, 0, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return 0, errThread
		}
		if errno == 0 && int(n) == t.tid {
			return ws, nil
		}
		t.since = now
		switch waited := now.Sub(asked); {
		case waited > stopWait:
			return 0, errThread
		case waited > 200*time.Microsecond: // it waits for a processor: leave it ours
			pause = 100 * time.Microsecond
		}
	}
}

func (p *Proc) seizeError(tid int, err error) error {
	if errors.Is(err, unix.ESRCH) {
		return errThread
	}
	if traced := p.checkTracer(); traced != nil {
		return traced
	}
	if errors.Is(err, unix.EPERM) {
		// Another Sidelight may hold this very thread for a moment.
		thread, terr := p.statusOf(fmt.Sprintf("task/%d/status", tid))
		if p.seized || terr == nil && thread["TracerPid"] != "0" {
			return errThread
		}
		st, serr := p.status()
		if serr == nil && st["State"] != "" && st["State"][0] != 'Z' {
			return p.refusePermission(err)
		}
		return errThread
	}
	return fmt.Errorf("ptrace: %w", err)
}

// detach lets the thread go on, with its signal if it has one, and tells how long it
// was held.
func (t *stopped) detach() time.Duration {
	_ = ptrace(unix.PTRACE_DETACH, t.tid, 0, uintptr(t.signal)) // ESRCH: it was killed, and is gone
	return time.Since(t.since)
}

func (t *stopped) regs() (unix.PtraceRegs, error) {
	var r unix.PtraceRegs
	if err := ptrace(unix.PTRACE_GETREGS, t.tid, 0, uintptr(unsafe.Pointer(&r))); err != nil {
		return r, errThread
	}
	return r, nil
}

func (t *stopped) setRegs(r *unix.PtraceRegs) error {
	if err := ptrace(unix.PTRACE_SETREGS, t.tid, 0, uintptr(unsafe.Pointer(r))); err != nil {
		return errThread
	}
	return nil
}

// mask reads the signal mask.
func (t *stopped) mask() (uint64, error) {
	var m uint64
	const getSigmask = 0x420a
	if err := ptrace(getSigmask, t.tid, 8, uintptr(unsafe.Pointer(&m))); err != nil {
		return 0, errThread
	}
	return m, nil
}

// breakpoint tells whether the signal that the thread is about to take is of an int3.
func (t *stopped) breakpoint() bool {
	const siKernel = 0x80 // si_code of force_sig (arch/x86/kernel/traps.c: do_int3_user)
	var info [128]byte
	err := ptrace(unix.PTRACE_GETSIGINFO, t.tid, 0, uintptr(unsafe.Pointer(&info)))
	return err == nil && int32(binary.LittleEndian.Uint32(info[8:])) == siKernel
}

// synchronous tells whether a fault signal waits to be delivered. Its frame must
// carry the address of the instruction that faulted; a thread that is diverted
// first would show Go's handler the address of the stub.
func (t *stopped) synchronous() (bool, error) {
	const peekSiginfo, siginfoSize, most = 0x4209, 128, 32
	args := struct {
		off   uint64
		flags uint32
		nr    int32
	}{nr: most}
	var info [most][siginfoSize]byte
	n, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, peekSiginfo, uintptr(t.tid),
		uintptr(unsafe.Pointer(&args)), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return false, errThread
	}
	for i := range int(n) {
		switch unix.Signal(info[i][0]) {
		case unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP:
			return true, nil
		}
	}
	return n == most, nil // more than we can see: do not risk it
}

func ptrace(req, tid int, addr, data uintptr) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(req), uintptr(tid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
