//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Reply is what a remote call brought.
type Reply struct {
	Results []int64       // of each system call; -4095 … -1 are error numbers
	Scratch []byte        // the scratch area as the calls left it
	Pause   time.Duration // how long a thread was kept from running: see divert
}

// Err returns the error of call i, or nil.
func (r *Reply) Err(i int) error {
	if v := r.Results[i]; v < 0 && v >= -4095 {
		return unix.Errno(-v)
	}
	return nil
}

// Call lets one thread of the target make the system calls, in order, whatever
// becomes of those before (a Result of a failed call is its negative error
// number). The resident pages are mapped if they are not there yet. The caller
// holds the Lock.
func (p *Proc) Call(calls []Syscall) (*Reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ensureResident(); err != nil {
		return nil, err
	}
	return p.call(calls)
}

func (p *Proc) call(calls []Syscall) (*Reply, error) {
	r := p.resident
	if err := p.takeSlots(); err != nil {
		return nil, err
	}
	slot, err := p.freeSlot()
	if err != nil {
		return nil, err
	}
	token, err := p.nextToken()
	if err != nil {
		return nil, err
	}
	at := r.slot(slot)
	reply := &Reply{}
	tid, err := p.borrow(func(tid int) error {
		h, err := p.divert(tid, func(s saved) ([]chunk, error) {
			code, err := buildStub(at, r.control(), token, calls, s)
			if err == nil && len(code) > slotSize {
				err = fmt.Errorf("a stub of %d bytes does not fit in %d", len(code), slotSize)
			}
			return []chunk{{at, code}}, err
		})
		if err != nil {
			return err
		}
		r.used[slot] = tid
		r.late = true
		if err = p.awaitDone(r.control(), token); err == nil {
			r.late = false
		}
		reply.Pause = h.pause()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("remote call by thread %d: %w", tid, err)
	}
	p.longest = max(p.longest, reply.Pause)
	return reply, p.readReply(reply, len(calls))
}

func (p *Proc) readReply(reply *Reply, n int) error {
	page := make([]byte, controlSize)
	if err := p.ReadAt(page, p.resident.control()); err != nil {
		return err
	}
	for i := range n {
		v := binary.LittleEndian.Uint64(page[controlResults+8*i:])
		reply.Results = append(reply.Results, int64(v))
	}
	reply.Scratch = page[controlScratch:]
	return nil
}

// nextToken is a number for a call that no call of this process or of another has
// had: the word of a stub that comes late must never pass for another's.
func (p *Proc) nextToken() (uint32, error) {
	last, err := p.done(p.resident.control())
	if err != nil {
		return 0, err
	}
	if p.token++; p.token == last {
		p.token++
	}
	return p.token, nil
}

// done reads the number of the last finished call.
func (p *Proc) done(control uint64) (uint32, error) {
	var b [4]byte
	if err := p.peek(b[:], control+controlDone); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// stubWait is how long a started stub may take. It makes a few short system
// calls; only a target that is stopped or starved of CPU takes longer.
const stubWait = 10 * time.Second

func (p *Proc) awaitDone(control uint64, token uint32) error {
	began := time.Now()
	for {
		v, err := p.done(control)
		if err != nil {
			return err
		}
		if v == token {
			return nil
		}
		switch d := time.Since(began); {
		case d > p.stubWait:
			return fmt.Errorf("the target did not finish a remote call within %v: is it stopped? (%w)", p.stubWait, ErrBusy)
		case d > 50*time.Microsecond: // it waits for a processor: leave it ours
			nap(100 * time.Microsecond)
		default:
			nap(10 * time.Microsecond)
		}
	}
}

// borrowTries is how many rounds over the threads are made before giving up.
const borrowTries = 50

// sleepersOnly is how many rounds are made before a running thread is borrowed.
const sleepersOnly = 5

// borrow calls send for one thread after the other until it can use one. send
// diverts the thread (errThread: not this one) and may wait for it; from divert
// on the target needs nothing more of us.
func (p *Proc) borrow(send func(tid int) error) (tid int, err error) {
	for try := range borrowTries {
		list, err := p.candidates(try >= sleepersOnly)
		if err != nil {
			return 0, err
		}
		for _, tid := range list {
			disposable(func() { err = send(tid) })
			if !errors.Is(err, errThread) {
				return tid, err
			}
		}
		if err := p.Alive(); err != nil {
			return 0, err
		}
		if err := p.checkStatus(); err != nil {
			return 0, err
		}
		time.Sleep(time.Duration(try) * 200 * time.Microsecond)
	}
	return 0, p.busy()
}

// busy says why no thread could be borrowed.
func (p *Proc) busy() error {
	st, err := p.status()
	if err == nil && st["State"] != "" && st["State"][0] == 'T' {
		return fmt.Errorf("the target is stopped (SIGSTOP); continue it first: kill -CONT %d: %w", p.PID, ErrBusy)
	}
	return ErrBusy
}

// divert stops thread tid, writes the parts of its stub and sends it to the first.
func (p *Proc) divert(tid int, build func(saved) ([]chunk, error)) (held, error) {
	t, err := p.stop(tid)
	if err != nil {
		return held{}, err
	}
	regs, s, err := t.capture()
	if err == nil {
		err = p.usable(&regs)
	}
	if err == nil {
		err = p.checkSeccomp(t)
	}
	if err != nil {
		t.detach()
		return held{}, err
	}
	h := held{asleep: int64(regs.Orig_rax) >= 0, since: t.since}
	stub, err := build(s)
	for _, c := range stub {
		if err == nil {
			err = p.poke(c.code, c.at)
		}
	}
	if err == nil {
		regs.Rip = stub[0].at
		regs.Orig_rax = math.MaxUint64 // nothing for the kernel to restart: the stub's way back does it
		err = t.setRegs(&regs)
	}
	h.stopped = t.detach()
	return h, err
}

// held tells how long a borrowed thread was kept from its own work. One that
// slept in a system call loses nothing while it runs the stub, one that was
// running does.
type held struct {
	asleep  bool
	since   time.Time
	stopped time.Duration
}

func (h held) pause() time.Duration {
	if h.asleep {
		return h.stopped
	}
	return time.Since(h.since)
}

// capture reads all that the stub must restore, and refuses states that it
// cannot restore.
func (t *stopped) capture() (unix.PtraceRegs, saved, error) {
	var s saved
	regs, err := t.regs()
	if err != nil {
		return regs, s, err
	}
	if bad, err := t.synchronous(); err != nil || bad {
		return regs, s, errThread
	}
	if s.Mask, err = t.mask(); err != nil {
		return regs, s, err
	}
	const userCS64 = 0x33 // __USER_CS: 64-bit code
	if regs.Cs != userCS64 {
		return regs, s, errThread
	}
	rip, rax, ok := resume(regs.Rip, regs.Rax, regs.Orig_rax)
	if !ok {
		return regs, s, errThread
	}
	s.RIP, s.RAX = rip, rax
	s.RCX, s.RDX, s.RSI, s.RDI = regs.Rcx, regs.Rdx, regs.Rsi, regs.Rdi
	s.R8, s.R9, s.R10, s.R11 = regs.R8, regs.R9, regs.R10, regs.R11
	return regs, s, nil
}

// usable refuses a thread that is inside a stub already: one of a tool that died.
func (p *Proc) usable(regs *unix.PtraceRegs) error {
	if r := p.resident; r != nil && regs.Rip >= r.base && regs.Rip < r.base+residentSize {
		return errThread
	}
	return nil
}
