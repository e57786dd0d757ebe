//go:build linux && amd64

package inject

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Extend maps the region of aggregates (see ring) of size bytes, anywhere in the
// target, and here as Sums; SumsAt is where the target has it. Nothing of it is
// present before it is used. The one that an earlier session had with this bay goes
// now: nothing that may still use it is in the bay any more. The caller holds the
// Lock.
func (b *Bay) Extend(size uint64) error {
	p := b.p
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := []Syscall{
		Sys(sysMemfdCreate, Data([]byte(memfdName+"\x00")), Num(mfdCloexec)),
		Sys(sysFtruncate, Result(0), Num(size)),
		Sys(sysMmap, Num(0), Num(size), Num(protRead|protWrite), Num(mapShared), Result(0), Num(0)),
	}
	if b.more.hi > b.more.lo {
		calls = append(calls, Sys(sysMunmap, Num(b.more.lo), Num(b.more.hi-b.more.lo)))
	}
	r, err := p.call(calls)
	if err != nil {
		return err
	}
	if err := p.mapped(r, 3, nil); err != nil {
		return err
	}
	fd := int(r.Results[0])
	b.more = extent{uint64(r.Results[2]), uint64(r.Results[2]) + size}
	err = b.shareSums(fd, int(size))
	if cerr := p.closeFD(fd); cerr != nil && err == nil {
		err = cerr
	}
	if herr := b.writeHeader(); herr != nil && err == nil {
		err = herr
	}
	return err
}

// SumsAt is where the region of aggregates is in the target.
func (b *Bay) SumsAt() uint64 { return b.more.lo }

func (b *Bay) shareSums(fd, size int) error {
	f, err := unix.Openat(int(b.p.dir.Fd()), fmt.Sprintf("fd/%d", fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the region of aggregates: %w", err)
	}
	defer unix.Close(f)
	b.Sums, err = unix.Mmap(f, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("mapping the region of aggregates: %w", err)
	}
	return nil
}

// unextend gives the memory of the region back. Its addresses stay in the target
// until the bay is used again: a signal frame there may hold an address in a
// trampoline, which must find memory, if none that anybody reads.
func (b *Bay) unextend() {
	if b.Sums == nil {
		return
	}
	_ = unix.Madvise(b.Sums, unix.MADV_REMOVE)
	_ = unix.Munmap(b.Sums)
	b.Sums = nil
}
