//go:build linux && amd64

package inject

import (
	"errors"
	"fmt"
	"maps"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// ReadsClock says, before anything is done to the target, that its probes will call
// the kernel's clock, which may make a system call: clock_gettime.
func (p *Proc) ReadsClock() { p.clock = true }

// checkSeccomp sees whether the filters of a stopped thread let through what its
// stub will call, and what its probes may (see ReadsClock); a filter that does not
// would kill the target. It is asked of
// every thread that is borrowed: threads may have filters of their own, and a
// program may add one at any time.
func (p *Proc) checkSeccomp(t *stopped) error {
	text, err := p.slurp(fmt.Sprintf("task/%d/status", t.tid), make([]byte, 4096))
	if err != nil {
		return errThread
	}
	st := parseStatus(text)
	switch st["Seccomp"] {
	case "", "0": // "": a kernel without it
		return nil
	case "1":
		return &RefusedError{Code: CodeSeccomp, Message: "the target runs in seccomp's strict mode, which kills on every other system call"}
	}
	key := fmt.Sprintf("%d/%s", t.tid, st["Seccomp_filters"]) // filters are only ever added
	if st["Seccomp_filters"] != "" && p.filters[key] {
		return nil
	}
	filters, err := t.filters()
	if err != nil {
		return &RefusedError{Code: CodeSeccomp, Err: err,
			Message: "the target runs under a seccomp filter, which may kill it for a system call made on its behalf, and the filter cannot be read from here",
			Cure:    "run sidelight as root (CAP_SYS_ADMIN) on the host, outside of the container, or start the container with --security-opt seccomp=unconfined"}
	}
	calls := filterCalls()
	if p.clock {
		maps.Copy(calls, clockCall())
	}
	name, err := forbidden(filters, calls)
	if err != nil {
		return &RefusedError{Code: CodeSeccomp, Message: "the target runs under a seccomp filter that is not understood", Err: err,
			Cure: "start the program without that filter"}
	}
	if name != "" {
		return &RefusedError{Code: CodeSeccomp, Message: "the target runs under a seccomp filter that forbids " + name,
			Cure: "allow memfd_create, ftruncate, mmap, munmap, madvise, close, rt_sigaction, rt_sigprocmask, membarrier and restart_syscall in the filter (and clock_gettime, where the processor's time-stamp counter is no clock)"}
	}
	p.filters[key] = true
	return nil
}

// filters reads all seccomp filters of the thread. It needs CAP_SYS_ADMIN and a
// caller that is under no filter itself.
func (t *stopped) filters() ([][]bpf.RawInstruction, error) {
	const getFilter = 0x420c // PTRACE_SECCOMP_GET_FILTER
	var out [][]bpf.RawInstruction
	for i := uintptr(0); ; i++ {
		n, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, getFilter, uintptr(t.tid), i, 0, 0, 0)
		if errors.Is(errno, unix.ENOENT) && i > 0 {
			return out, nil
		}
		if errno != 0 {
			return nil, errno
		}
		raw := make([]unix.SockFilter, n)
		if n > 0 {
			_, _, errno = unix.RawSyscall6(unix.SYS_PTRACE, getFilter, uintptr(t.tid), i, uintptr(unsafe.Pointer(&raw[0])), 0, 0)
			if errno != 0 {
				return nil, errno
			}
		}
		prog := make([]bpf.RawInstruction, n)
		for j, r := range raw {
			prog[j] = bpf.RawInstruction{Op: r.Code, Jt: r.Jt, Jf: r.Jf, K: r.K}
		}
		out = append(out, prog)
	}
}
