//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Claim is a layout of the target's runtime that no debug information vouches
// for: what of it can be seen to hold in the process is looked at by Agrees.
type Claim struct {
	Runtime
	Allm, Gomaxprocs            uint64 // addresses in the process
	GGoid, GStackguard0         int64  // in runtime.g
	MP, MG0, MGsignal, MAlllink int64  // in runtime.m
	PID                         int64  // in runtime.p
}

// The process goes on while it is looked at, so that a look may see half of a
// change. What is wrong stays so.
const (
	agreeLooks = 20
	agreePause = 5 * time.Millisecond
	agreeMost  = 2048 // machines and goroutines that are looked at
)

// errDisagrees is what a look that failed says.
type errDisagrees struct{ error }

func disagree(format string, args ...any) error { return errDisagrees{fmt.Errorf(format, args...)} }

// Agrees tells whether the process is as the claim says: the lists of machines
// and goroutines have sensible ends, their members point at each other, machines
// are the process's threads, stacks hold their stack pointers. An error that is no
// *RefusedError is one of reading.
func (p *Proc) Agrees(c Claim) error {
	var err error
	for range agreeLooks {
		err = p.agrees(&c)
		var no errDisagrees
		if err == nil || !errors.As(err, &no) {
			return err
		}
		time.Sleep(agreePause)
	}
	return &RefusedError{Code: CodeRuntime, Message: fmt.Sprintf("the target has no debug information, and its runtime is not as this Go version's should be: %v", err),
		Cure: "give it its debug information (sidelight symbols add BINARY, with the build that was not stripped)"}
}

func (p *Proc) agrees(c *Claim) error {
	procs, err := p.word32(c.Gomaxprocs)
	if err != nil {
		return unreadable(err)
	}
	if procs < 1 || procs > 1<<16 {
		return disagree("gomaxprocs is %d", procs)
	}
	machines, err := p.agreeMachines(c, procs)
	if err != nil {
		return err
	}
	return p.agreeGoroutines(c, machines)
}

// unreadable makes a read of a wrong address a disagreement; what says that the
// process is gone stays.
func unreadable(err error) error {
	if err == nil || errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
		return err
	}
	return disagree("%v", err)
}

func (p *Proc) word32(addr uint64) (uint32, error) {
	var b [4]byte
	err := p.ReadAt(b[:], addr)
	return binary.LittleEndian.Uint32(b[:]), err
}

func (p *Proc) word64(addr uint64) (uint64, error) {
	var b [8]byte
	err := p.ReadAt(b[:], addr)
	return binary.LittleEndian.Uint64(b[:]), err
}

// fields reads words behind a base address.
func (p *Proc) fields(base uint64, offs ...int64) ([]uint64, error) {
	out := make([]uint64, len(offs))
	for i, off := range offs {
		v, err := p.word64(base + uint64(off))
		if err != nil {
			return nil, unreadable(err)
		}
		out[i] = v
	}
	return out, nil
}

// agreeMachines walks allm.
func (p *Proc) agreeMachines(c *Claim, procs uint32) (map[uint64]bool, error) {
	tids, err := p.mapTids(nil)
	if err != nil {
		return nil, err
	}
	list, err := p.tids()
	if err != nil {
		return nil, err
	}
	threads := map[int]bool{}
	for _, tid := range list {
		threads[tid] = true
	}
	m, err := p.word64(c.Allm)
	if err != nil {
		return nil, unreadable(err)
	}
	seen, owners, atWork := map[uint64]bool{}, map[uint32]bool{}, 0
	for ; m != 0 && len(seen) < agreeMost; m, err = p.word64(m + uint64(c.MAlllink)) {
		if err != nil {
			return nil, unreadable(err)
		}
		if seen[m] || m%8 != 0 {
			return nil, disagree("the list of machines does not end")
		}
		seen[m] = true
		alive, err := p.agreeMachine(c, m, procs, owners)
		if err != nil {
			return nil, err
		}
		if alive != 0 {
			if !threads[tids.ours(alive)] {
				return nil, disagree("machine %#x is thread %d, which the process does not have", m, alive)
			}
			atWork++
		}
	}
	if atWork == 0 {
		return nil, disagree("the list of machines holds no thread")
	}
	return seen, err
}

// agreeMachine looks at one m, and returns its thread.
func (p *Proc) agreeMachine(c *Claim, m uint64, procs uint32, owners map[uint32]bool) (tid uint64, err error) {
	v, err := p.fields(m, c.MG0, c.MGsignal, c.MCurg, c.MProcid, c.MP)
	if err != nil {
		return 0, err
	}
	for i, name := range []string{"g0", "gsignal", "curg"} {
		if v[i] == 0 && i > 0 {
			continue // a machine that does not run yet
		}
		back, err := p.fields(v[i], c.GM)
		if err != nil {
			return 0, err
		}
		if back[0] != m {
			return 0, disagree("%s of machine %#x does not belong to it", name, m)
		}
	}
	if v[4] != 0 {
		id, err := p.word32(v[4] + uint64(c.PID))
		if err != nil {
			return 0, unreadable(err)
		}
		if id >= procs || owners[id] {
			return 0, disagree("machine %#x has processor %d", m, id)
		}
		owners[id] = true
	}
	return v[3], nil
}

// agreeGoroutines looks at allgs.
func (p *Proc) agreeGoroutines(c *Claim, machines map[uint64]bool) error {
	head, err := p.fields(c.Allgs, 0, 8, 16)
	if err != nil {
		return err
	}
	count, err := p.word64(c.Allglen)
	if err != nil {
		return unreadable(err)
	}
	if count == 0 || count != head[1] || count > head[2] || count > 1<<24 {
		return disagree("the list of goroutines has length %d of %d, and %d", head[1], head[2], count)
	}
	ids, live := map[uint64]bool{}, 0
	for i := range min(count, agreeMost) {
		g, err := p.word64(head[0] + 8*i)
		if err != nil {
			return unreadable(err)
		}
		alive, err := p.agreeGoroutine(c, g, machines, ids)
		if err != nil {
			return err
		}
		if alive {
			live++
		}
	}
	if live == 0 {
		return disagree("no goroutine lives")
	}
	return nil
}

// The last state that a goroutine may be in (runtime/runtime2.go, 1.26).
const gLastState = 11

// stackguard0 when the runtime asks for preemption and the like are addresses
// that no stack can have (runtime/stack.go).
const guardRequest = ^uint64(4095)

// agreeGoroutine looks at one g.
func (p *Proc) agreeGoroutine(c *Claim, g uint64, machines map[uint64]bool, ids map[uint64]bool) (alive bool, err error) {
	v, err := p.fields(g, c.GGoid, c.GStackLo, c.GStackHi, c.GSchedSP, c.GStackguard0, c.GM)
	if err != nil {
		return false, err
	}
	status, err := p.word32(g + uint64(c.GStatus))
	if err != nil {
		return false, unreadable(err)
	}
	id, lo, hi, sp, guard, m := v[0], v[1], v[2], v[3], v[4], v[5]
	state := status &^ gScan
	switch {
	case state > gLastState:
		return false, disagree("goroutine %#x has state %d", g, status)
	case state == gDead || state == gIdle:
		return false, nil
	case state > gRunning+2: // on its way from one to another
		return true, nil
	case id == 0 || ids[id]:
		return false, disagree("two goroutines have the number %d", id)
	case lo == 0 || lo >= hi || hi-lo > 1<<31:
		return false, disagree("goroutine %d has a stack from %#x to %#x", id, lo, hi)
	case state != gRunning && status&gScan == 0 && (sp < lo || sp > hi):
		return false, disagree("goroutine %d has its stack pointer outside its stack", id)
	case (guard < lo || guard > hi) && guard < guardRequest:
		return false, disagree("goroutine %d has a stack guard at %#x", id, guard)
	case m != 0 && len(machines) < agreeMost && !machines[m]:
		return false, disagree("goroutine %d runs on an unknown machine", id)
	}
	ids[id] = true
	return true, nil
}
