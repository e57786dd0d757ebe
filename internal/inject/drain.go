//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// Runtime is where the target's runtime keeps its goroutines: addresses in the
// process, and offsets of fields in bytes.
type Runtime struct {
	Allgs, Allglen uint64 // of runtime.allgs (a slice) and runtime.allglen

	GStackLo, GStackHi, GSchedSP, GStatus, GAsyncSafePoint, GM int64 // in runtime.g
	MCurg, MProcid                                             int64 // in runtime.m

	// User tells whether pc lies in compiled code outside the runtime: a goroutine
	// that runs there has no frames of a preemption on its stack, which run only
	// runtime code; what looks like one is left from an earlier time. May be nil.
	User func(pc uint64) bool
}

// States of a goroutine (runtime/runtime2.go, 1.22 to 1.26).
const (
	gRunning   = 2
	gCopystack = 8
	gScan      = 0x1000
	gDead      = 6
	gIdle      = 0
)

// Drain watches goroutines leave the windows of sites that trap already, so that
// their tails can be written. A goroutine that was preempted between two
// instructions keeps the address on its stack while it is parked; its thread's
// registers do not show it. Since no goroutine can enter a window behind an int3,
// one that was seen outside stays outside: Step asks only those not yet seen.
type Drain struct {
	p        *Proc
	rt       Runtime
	interior []uint64 // sorted
	clean    map[uint64]bool
	tids     *tidMap
}

// Drained starts the watch over the interior boundaries of all windows together.
// All their sites must trap already, with a barrier since.
func (p *Proc) Drained(interior []uint64, rt Runtime) *Drain {
	d := &Drain{p: p, rt: rt, interior: slices.Clone(interior), clean: make(map[uint64]bool)}
	slices.Sort(d.interior)
	return d
}

// g is what is read of one goroutine.
type g struct {
	addr           uint64
	status         uint32
	lo, hi, sp     uint64
	asyncSafePoint bool
	m              uint64
}

// Step looks once at every goroutine not yet seen outside. It tells whether all
// have been, and the longest time that one thread was held for it. Call it again
// after a few milliseconds, up to a deadline.
func (d *Drain) Step() (clean bool, pause time.Duration, err error) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	before := d.p.longest
	d.p.longest = 0
	defer func() {
		pause = d.p.longest
		d.p.longest = max(before, d.p.longest)
	}()
	if len(d.interior) == 0 {
		return true, 0, nil
	}
	if d.tids, err = d.p.mapTids(d.tids); err != nil {
		return false, 0, err
	}
	all, err := d.list()
	if err != nil {
		return false, 0, err
	}
	all = slices.DeleteFunc(all, func(a uint64) bool { return a == 0 || d.clean[a] })
	first, err := d.read(all)
	if err != nil {
		return false, 0, err
	}
	second, err := d.read(all)
	if err != nil {
		return false, 0, err
	}
	clean = true
	for i, x := range first {
		ok, err := d.judge(x, second[i])
		if err != nil {
			return false, 0, err
		}
		if ok {
			d.clean[x.addr] = true
		} else {
			clean = false
		}
	}
	return clean, 0, nil
}

// list reads the addresses of all goroutines. Ones born later are outside by birth:
// they begin at the entry of a function.
func (d *Drain) list() ([]uint64, error) {
	var n, ptr [8]byte
	if err := errors.Join(d.p.ReadAt(n[:], d.rt.Allglen), d.p.ReadAt(ptr[:], d.rt.Allgs)); err != nil {
		return nil, err
	}
	count := binary.LittleEndian.Uint64(n[:])
	const most = 1 << 24
	if count == 0 || count > most {
		return nil, errors.New("the runtime's list of goroutines is not understood")
	}
	raw := make([]byte, 8*count)
	if err := d.p.ReadAt(raw, binary.LittleEndian.Uint64(ptr[:])); err != nil {
		return nil, err
	}
	out := make([]uint64, count)
	for i := range out {
		out[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return out, nil
}

// read reads the goroutines at addrs. One that cannot be read has status running:
// not known.
func (d *Drain) read(addrs []uint64) ([]g, error) {
	rt := d.rt
	size := max(rt.GStackLo, rt.GStackHi, rt.GSchedSP, rt.GStatus, rt.GAsyncSafePoint, rt.GM) + 8
	buf := make([]byte, size*int64(len(addrs)))
	spans := make([]Span, len(addrs))
	for i, a := range addrs {
		spans[i] = Span{a, buf[int64(i)*size : int64(i+1)*size]}
	}
	ok, err := d.p.ReadV(spans)
	if err != nil {
		return nil, err
	}
	out := make([]g, len(addrs))
	for i, a := range addrs {
		out[i] = g{addr: a, status: gRunning}
		if b := spans[i].Buf; ok[i] {
			word := func(off int64) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
			out[i] = g{
				addr: a, status: binary.LittleEndian.Uint32(b[rt.GStatus:]),
				lo: word(rt.GStackLo), hi: word(rt.GStackHi), sp: word(rt.GSchedSP),
				asyncSafePoint: b[rt.GAsyncSafePoint] != 0, m: word(rt.GM),
			}
		}
	}
	return out, nil
}

// judge tells whether a goroutine is outside for good, from two readings of it.
func (d *Drain) judge(a, b g) (bool, error) {
	switch a.status &^ gScan {
	case gDead, gIdle:
		return a == b, nil // when it is used again it begins anew
	case gRunning:
		return d.look(a)
	case gCopystack:
		return false, nil
	}
	if a != b {
		return false, nil
	}
	if !a.asyncSafePoint {
		return true, nil // it gave up its processor by itself, in a call
	}
	// Preempted between two instructions: its stack says between which. What lies
	// above the frames of the preemption are calls.
	ok, err := d.stackClean(a.sp, a.hi)
	if err != nil || !ok {
		return false, err
	}
	again, err := d.read([]uint64{a.addr})
	return err == nil && again[0] == a, err
}

// preemptFrames is more than asyncPreempt and what it calls put on a stack
// (runtime/preempt_amd64.s: about 400 bytes; mcall, asyncPreempt2).
const preemptFrames = 4096

func (d *Drain) stackClean(sp, hi uint64) (bool, error) {
	if sp == 0 || sp >= hi {
		return false, nil
	}
	raw := make([]byte, min(hi-sp, preemptFrames)&^7)
	if err := d.p.peek(raw, sp); err != nil {
		if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
			return false, err
		}
		return false, nil // moved meanwhile
	}
	for i := 0; i < len(raw); i += 8 {
		if d.inside(binary.LittleEndian.Uint64(raw[i:])) {
			return false, nil
		}
	}
	return true, nil
}

func (d *Drain) inside(pc uint64) bool {
	_, found := slices.BinarySearch(d.interior, pc)
	return found
}

// look stops the thread that runs the goroutine and sees where it is. It must
// still run that goroutine, on the goroutine's own stack: in a signal handler or
// in the scheduler the question is open.
func (d *Drain) look(a g) (bool, error) {
	if a.m == 0 {
		return false, nil
	}
	var procid [8]byte
	if err := d.p.ReadAt(procid[:], a.m+uint64(d.rt.MProcid)); err != nil {
		return false, ignoreBadAddress(err)
	}
	tid := d.tids.ours(binary.LittleEndian.Uint64(procid[:]))
	if tid == 0 {
		return false, nil
	}
	ok := false
	var inner error
	var pc uint64
	// Where sites are hot, a thread is mostly about to take the signal of their traps.
	err := d.p.lookAnyway(tid, func(v View) {
		var curg [8]byte
		if inner = d.p.peek(curg[:], a.m+uint64(d.rt.MCurg)); inner != nil {
			return
		}
		if binary.LittleEndian.Uint64(curg[:]) != a.addr || v.SP < a.lo || v.SP >= a.hi || d.inside(v.PC) {
			return
		}
		ok, inner = d.stackClean(v.SP, a.hi)
		pc = v.PC
	})
	if errors.Is(err, errThread) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// Asked only now: the thread need not wait for the answer.
	if !ok && inner == nil && pc != 0 && d.rt.User != nil && d.rt.User(pc) {
		ok = true
	}
	return ok, ignoreBadAddress(inner)
}

// ignoreBadAddress keeps only the errors of a target that is gone: an address
// that was right a moment ago may not be any more.
func ignoreBadAddress(err error) error {
	if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
		return err
	}
	return nil
}
