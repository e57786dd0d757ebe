//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Machines is where the target's runtime lists its threads: the address of
// runtime.allm in the process, and offsets in runtime.m.
type Machines struct {
	Allm              uint64
	MAlllink, MProcid int64
}

// deafWait is how long a thread may block signals for a moment's work: Go does
// so in its handlers, and around fork.
const deafWait = time.Second

// Hears refuses a target with a thread of Go's that blocks SIGTRAP: C code may do
// so and then call Go, and the kernel kills a program that traps there. Threads
// that no Go code runs on may block what they like.
func (p *Proc) Hears(ms Machines) error {
	deaf, err := p.deaf(nil)
	for began := time.Now(); err == nil && len(deaf) > 0; deaf, err = p.deaf(deaf) {
		if time.Since(began) > deafWait {
			return p.refuseDeaf(ms, deaf)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return err
}

// deaf lists the threads that block SIGTRAP, of those asked (nil: of all). One
// that waits for its vfork child does, and goes on in the runtime.
func (p *Proc) deaf(asked []int) (out []int, err error) {
	if asked == nil {
		if asked, err = p.tids(); err != nil {
			return nil, err
		}
	}
	for _, tid := range asked {
		st, err := p.statusOf(fmt.Sprintf("task/%d/status", tid))
		if errors.Is(err, ErrExited) {
			continue
		}
		if err != nil {
			return nil, err
		}
		mask, err := strconv.ParseUint(st["SigBlk"], 16, 64)
		if err != nil || mask&(1<<(unix.SIGTRAP-1)) == 0 {
			continue
		}
		if w, err := p.where(tid); err != nil || rank(w) < 0 {
			continue
		}
		out = append(out, tid)
	}
	return out, nil
}

// refuseDeaf returns an error if one of the threads is the runtime's.
func (p *Proc) refuseDeaf(ms Machines, deaf []int) error {
	var b [8]byte
	if err := p.ReadAt(b[:], ms.Allm); err != nil {
		return err
	}
	const most = 1 << 20 // a list that is longer makes no sense
	for range most {
		m := binary.LittleEndian.Uint64(b[:])
		if m == 0 {
			return nil
		}
		if err := p.ReadAt(b[:], m+uint64(ms.MProcid)); err != nil {
			return err
		}
		if tid := int(binary.LittleEndian.Uint64(b[:])); slices.Contains(deaf, tid) {
			return &RefusedError{Code: CodeSignals, Message: fmt.Sprintf("thread %d of the target, which runs Go code, blocks SIGTRAP: a probe there would end the program", tid),
				Cure: "C code in it blocks all signals (pthread_sigmask); let it leave SIGTRAP alone, or try again when it has unblocked them"}
		}
		if err := p.ReadAt(b[:], m+uint64(ms.MAlllink)); err != nil {
			return err
		}
	}
	return nil
}
