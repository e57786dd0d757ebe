//go:build linux && amd64

package inject

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Proc is an attached process. Attached means that handles to it are open; no
// thread of it is traced but during a Call or a look. Its methods may be called
// from several goroutines, remote calls are made one after the other.
type Proc struct {
	PID int

	dir    *os.File // /proc/PID: bound to the process, not to its number
	mem    *os.File // /proc/PID/mem: bound to the address space
	pidfd  *os.File
	start  uint64
	exited chan struct{}

	memFD, dirFD uintptr // of mem and dir, for raw system calls under mu

	mu       sync.Mutex // one remote call at a time
	resident *resident  // nil until found or mapped
	id       uint64     // tells our use of the slots from others'
	token    uint32     // of the last remote call
	stubWait time.Duration
	longest  time.Duration
	seized   bool                // a thread was: it is allowed
	once     func() (Once, bool) // nil: nobody knows; see Lend
	clock    bool                // bodies read the kernel's clock: ReadsClock
	filters  map[string]bool     // seccomp filters, by their number, that let our calls through
}

// Open opens handles to the process and checks that it may be worked on. It
// changes nothing in the target. The error is a *RefusedError or ErrExited.
func Open(pid int) (*Proc, error) {
	if pid == os.Getpid() {
		return nil, &RefusedError{Code: CodeSelf, Message: "a process cannot probe itself", Cure: "name another process"}
	}
	dir, err := os.Open(fmt.Sprintf("/proc/%d", pid))
	if err != nil {
		return nil, refuseOpen(pid, err)
	}
	p := &Proc{PID: pid, dir: dir, exited: make(chan struct{}), id: rand.Uint64() | 1, token: rand.Uint32(), stubWait: stubWait, filters: make(map[string]bool)}
	if err := p.open(); err != nil {
		p.Close()
		return nil, err
	}
	go p.watch()
	return p, nil
}

func (p *Proc) open() error {
	if err := p.checkStatus(); err != nil {
		return err
	}
	start, err := p.readStart()
	if err != nil {
		return err
	}
	p.start = start
	fd, err := unix.PidfdOpen(p.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			return ErrExited
		}
		return &RefusedError{Code: CodeKernel, Message: "pidfd_open failed", Cure: "a kernel of 5.10 or later is needed", Err: err}
	}
	p.pidfd = os.NewFile(uintptr(fd), "pidfd")
	if err := p.checkExe(); err != nil {
		return err
	}
	if p.mem, err = p.openMem(); err != nil {
		return p.refusePermission(err)
	}
	p.memFD, p.dirFD = p.mem.Fd(), p.dir.Fd()
	return p.checkTracer()
}

// openMem opens the address space for reading and writing. Writing needs what
// attaching needs, so an error here names everything that ptrace would refuse.
func (p *Proc) openMem() (*os.File, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), "mem", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "mem"), nil
}

// watch closes exited when the process has ended. The pidfd sits in the
// runtime's poller, so no thread waits here and Close ends it.
func (p *Proc) watch() {
	conn, err := p.pidfd.SyscallConn()
	if err != nil {
		return
	}
	ended := false
	_ = conn.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		ended = err == nil && n == 1
		return ended
	})
	if ended {
		close(p.exited)
	}
}

// Exited is closed when the process has ended (not when it replaced its program).
func (p *Proc) Exited() <-chan struct{} { return p.exited }

// StartTime is when the process began, in clock ticks since the machine
// started: together with the pid it names a process for ever.
func (p *Proc) StartTime() uint64 { return p.start }

// LongestPause is the longest time that one thread was held so far.
func (p *Proc) LongestPause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.longest
}

// Close closes the handles, after a remote call under way. It does not touch the
// target.
func (p *Proc) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memFD, p.dirFD = ^uintptr(0), ^uintptr(0)
	for _, f := range []*os.File{p.pidfd, p.mem, p.dir} {
		if f != nil {
			f.Close()
		}
	}
	return nil
}

// ReadAt fills b from the target's memory at addr.
func (p *Proc) ReadAt(b []byte, addr uint64) error {
	n, err := p.mem.ReadAt(b, int64(addr))
	if n == len(b) {
		return nil
	}
	return p.memError("read", addr, n, err)
}

// WriteAt writes b to the target's memory at addr, also where the target itself
// may only read or execute: what it writes becomes private to the target.
func (p *Proc) WriteAt(b []byte, addr uint64) error {
	n, err := p.mem.WriteAt(b, int64(addr))
	if n == len(b) {
		return nil
	}
	return p.memError("write", addr, n, err)
}

// memError tells a gone address space (0 bytes without an error) from a bad address.
func (p *Proc) memError(what string, addr uint64, n int, err error) error {
	gone := n == 0 && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrShortWrite) || errors.Is(err, unix.ESRCH))
	if gone {
		return p.Gone()
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%s at %#x after %d bytes: %w", what, addr, n, bare(err))
}

// bare takes the file name off an error of os.
func bare(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Gone tells why the address space is gone: ErrExited or ErrReplaced.
func (p *Proc) Gone() error {
	st, err := p.status()
	if err != nil || st["State"] == "" || st["State"][0] == 'Z' || st["State"][0] == 'X' {
		return ErrExited
	}
	return ErrReplaced
}

// Alive returns nil while the program that was opened still runs, else
// ErrExited or ErrReplaced.
func (p *Proc) Alive() error {
	select {
	case <-p.exited:
		return ErrExited
	default:
	}
	// An address space with no users left answers 0 bytes at any address; a
	// living one says EIO where nothing is mapped.
	var b [1]byte
	n, err := p.mem.ReadAt(b[:], 0)
	if n == 0 && (err == nil || errors.Is(err, io.EOF)) {
		return p.Gone()
	}
	return nil
}

// Span is a piece of the target's memory to be read.
type Span struct {
	Addr uint64
	Buf  []byte
}

const iovMax = 1024 // IOV_MAX of Linux

// ReadV reads many spans with few system calls. ok[i] tells whether span i was
// read as a whole; a span that cannot be read does not hinder the others.
func (p *Proc) ReadV(spans []Span) (ok []bool, err error) {
	ok = make([]bool, len(spans))
	for i := 0; i < len(spans); {
		n := min(len(spans)-i, iovMax)
		done, err := p.readSome(spans[i : i+n])
		if err != nil {
			return ok, err
		}
		for j := range done {
			ok[i+j] = true
		}
		i += done
		if done < n { // span i is bad: go on after it
			ok[i] = p.ReadAt(spans[i].Buf, spans[i].Addr) == nil
			i++
		}
	}
	return ok, p.Alive() // the pid may meanwhile name another address space
}

// readSome returns how many leading spans were read as a whole.
func (p *Proc) readSome(spans []Span) (int, error) {
	local := make([]unix.Iovec, len(spans))
	remote := make([]unix.RemoteIovec, len(spans))
	for i, s := range spans {
		if len(s.Buf) > 0 {
			local[i].Base = &s.Buf[0]
		}
		local[i].SetLen(len(s.Buf))
		remote[i] = unix.RemoteIovec{Base: uintptr(s.Addr), Len: len(s.Buf)}
	}
	n, err := unix.ProcessVMReadv(p.PID, local, remote, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return 0, p.Gone()
	case errors.Is(err, unix.EFAULT):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("process_vm_readv: %w", err)
	}
	for i, s := range spans {
		if n < len(s.Buf) {
			return i, nil
		}
		n -= len(s.Buf)
	}
	return len(spans), nil
}

// Maps reads the memory map of the target.
func (p *Proc) Maps() ([]Mapping, error) {
	text, err := p.readFile("maps")
	if err != nil {
		return nil, err
	}
	if len(text) == 0 { // a zombie, or a program that is being replaced
		return nil, p.Gone()
	}
	return parseMaps(text)
}

// readFile reads a file below /proc/PID. It follows the process, not its number.
func (p *Proc) readFile(name string) ([]byte, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fileError(name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, p.fileError(name, err)
	}
	return b, nil
}

func (p *Proc) fileError(name string, err error) error {
	err = bare(err)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%s: %w", filepath.Join("/proc", strconv.Itoa(p.PID), name), ErrExited)
	}
	return fmt.Errorf("%s: %w", filepath.Join("/proc", strconv.Itoa(p.PID), name), err)
}

// OpenExe opens the program that the target runs, also when its file was
// deleted or replaced since.
func (p *Proc) OpenExe() (*os.File, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), "exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fileError("exe", err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("/proc/%d/exe", p.PID)), nil
}
