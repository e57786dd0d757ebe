//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Idle tells whether no thread is in the memory [lo,hi) any more, to which nothing
// leads: none executes there or has its stack there, and no signal frame of any will
// return there.
// Threads that sleep are judged by /proc, running ones are stopped one by one for
// a moment. false means: not within a tenth of a second, or not known.
func (p *Proc) Idle(lo, hi uint64) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.idle(100*time.Millisecond, extent{lo, hi})
}

// extent is a range of addresses.
type extent struct{ lo, hi uint64 }

func (x extent) has(a uint64) bool { return a >= x.lo && a < x.hi }

func within(a uint64, code []extent) bool {
	for _, x := range code {
		if x.has(a) {
			return true
		}
	}
	return false
}

// idle asks for at most limit, and at least once.
func (p *Proc) idle(limit time.Duration, code ...extent) (bool, error) {
	// A thread that was seen outside stays outside. One that is born meanwhile is
	// outside unless its parent was not: its parent is or will be seen, too.
	outside := make(map[int]bool)
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		open := 0
		tids, err := p.tids()
		if err != nil {
			return false, err
		}
		for _, tid := range tids {
			if outside[tid] {
				continue
			}
			open++
			if outside[tid], err = p.clearOf(tid, code...); err != nil {
				return false, err
			}
		}
		if open == 0 {
			return true, p.Alive()
		}
		if time.Since(began) > limit {
			return false, nil
		}
	}
}

// sleeper is what /proc says of a thread, if it slept all the time it was asked.
type sleeper struct {
	where
	blocked  uint64 // signal mask
	switches string
}

// asleep looks at a thread without stopping it. ok is false if it ran meanwhile.
func (p *Proc) asleep(tid int) (s sleeper, ok bool, err error) {
	name := fmt.Sprintf("task/%d/status", tid)
	before, err := p.statusOf(name)
	if err != nil {
		return s, false, err
	}
	w, err := p.where(tid)
	if err != nil {
		return s, false, err
	}
	after, err := p.statusOf(name)
	if err != nil {
		return s, false, err
	}
	s.where = w
	s.switches = before["voluntary_ctxt_switches"] + "," + before["nonvoluntary_ctxt_switches"]
	same := s.switches == after["voluntary_ctxt_switches"]+","+after["nonvoluntary_ctxt_switches"]
	s.blocked, _ = strconv.ParseUint(after["SigBlk"], 16, 64)
	return s, same && !w.running, nil
}

// clearOf tells whether thread tid is out of the code for good, as long as
// nothing sends it there again.
func (p *Proc) clearOf(tid int, code ...extent) (bool, error) {
	s, ok, err := p.asleep(tid)
	switch {
	case errors.Is(err, ErrExited):
		return true, p.Alive() // the thread is gone; the process may go on
	case err != nil:
		return false, err
	case ok:
		return p.clearAt(s.pc, s.sp, s.blocked, code), nil
	}
	clear := false
	err = p.look(tid, func(v View) { clear = p.clearAt(v.PC, v.SP, v.Mask, code) })
	if errors.Is(err, errThread) {
		return false, nil
	}
	return clear, err
}

// frameScan is how far a stack is searched for signal frames.
const frameScan = 64 << 10

// clearAt judges a thread that stands still. One whose stack is there executes what
// returns there: the kernel's clock, called by a probe. A thread in a signal handler has
// signals blocked; then its stack is searched for the address to which the
// handler will return. (A handler that blocks nothing, with SA_NODEFER, is
// missed; Go's handlers block everything.)
func (p *Proc) clearAt(pc, sp, mask uint64, code []extent) bool {
	if within(pc, code) || within(sp, code) {
		return false
	}
	if mask == 0 {
		return true
	}
	words, ok := p.stackWords(sp, frameScan)
	if !ok {
		return false
	}
	for _, w := range words {
		if within(w, code) {
			return false
		}
	}
	return true
}

// stackWords reads up to n bytes from sp upwards, as far as memory goes.
func (p *Proc) stackWords(sp uint64, n int) ([]uint64, bool) {
	var buf []byte
	for len(buf) < n {
		at := sp + uint64(len(buf))
		page := make([]byte, 4096-at%4096)
		if p.peek(page, at) != nil {
			break
		}
		buf = append(buf, page...)
	}
	words := make([]uint64, len(buf)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(buf[8*i:])
	}
	return words, len(words) > 0
}

// View is what a short look at a stopped thread shows.
type View struct {
	TID    int
	PC, SP uint64
	R14    uint64 // the goroutine, in Go code
	Mask   uint64 // signal mask
}

// Look stops one thread for a moment and calls f while it stands still. f reads
// memory at most: the thread waits for it.
func (p *Proc) Look(tid int, f func(View)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.look(tid, f)
}

func (p *Proc) look(tid int, f func(View)) error { return p.lookBy(p.stop, tid, f) }

// lookAnyway is look also where the thread is about to take a signal. The instruction
// that it stands at is then the one that the handler would return to, or the int3 that
// the signal is about.
func (p *Proc) lookAnyway(tid int, f func(View)) error { return p.lookBy(p.halt, tid, f) }

func (p *Proc) lookBy(stop func(int) (*stopped, error), tid int, f func(View)) error {
	if tid == p.PID && p.waitedFor() {
		return errThread
	}
	var err error
	var held time.Duration
	disposable(func() {
		var t *stopped
		if t, err = stop(tid); err != nil {
			return
		}
		defer func() { held = t.detach() }()
		regs, rerr := t.regs()
		if rerr == nil && t.signal == int(unix.SIGTRAP) && t.breakpoint() {
			regs.Rip--
		}
		mask, merr := t.mask()
		if rerr != nil || merr != nil {
			err = errThread
			return
		}
		f(View{TID: tid, PC: regs.Rip, SP: regs.Rsp, R14: regs.R14, Mask: mask})
	})
	p.longest = max(p.longest, held)
	return err
}
