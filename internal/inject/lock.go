//go:build linux && amd64

package inject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Lock keeps other Sidelights from changing the target until unlock is called.
// The lock is an flock on the directory /proc/PID: it needs no file of its own
// and ends with its holder. It is taken while something is being installed,
// removed or cleared, and never while probes merely run.
func (p *Proc) Lock(ctx context.Context) (unlock func(), err error) {
	fd, err := unix.Openat(int(p.dir.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fileError(".", err)
	}
	f := os.NewFile(uintptr(fd), "lock") // a file of its own: flock is per open file
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock of process %d: %w", p.PID, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("another Sidelight is working on process %d: %w", p.PID, ctx.Err())
		case <-p.exited:
			f.Close()
			return nil, ErrExited
		case <-time.After(wait):
		}
	}
}
