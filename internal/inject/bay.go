//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Bay is a bay that belongs to this process. See ring for its parts.
type Bay struct {
	Base   uint64
	Layout ring.Layout
	Owner  uint32 // the word that the lifeline holds while we live
	Shared []byte // our mapping of the shared region, Layout.SharedSize() bytes
	Sums   []byte // our mapping of the region of aggregates, if it has one: see Extend

	p       *Proc
	more    extent // where that region is in the target
	started uint64 // our start time
	index   int    // in the directory
	life    *lifeline
	table   *table
	journal map[uint64]*site
	free    []int // unused entries of the journal
	closed  bool
}

// Addresses of the parts in the target.

// Text is where trampolines go, ring.TextSize bytes.
func (b *Bay) Text() uint64 { return b.Base + ring.TextOff }

// Control is where the control words of the probes are.
func (b *Bay) Control() uint64 { return b.Base + ring.ControlOff }

// SharedAt is where the shared region is in the target; the lifeline is its start.
func (b *Bay) SharedAt() uint64 { return b.Base + ring.SharedOff }

// bayMapped is the address range of a bay.
const bayMapped = ring.SharedOff + ring.SharedMax

// NewBay takes a bay for this process: a free one of an earlier session that no
// thread is in any more, else a new one. The caller holds the Lock.
func (p *Proc) NewBay(layout ring.Layout) (*Bay, error) {
	if layout.SharedSize() > ring.SharedMax {
		return nil, fmt.Errorf("a shared region of %d bytes; at most %d", layout.SharedSize(), ring.SharedMax)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ensureResident(); err != nil {
		return nil, err
	}
	b := &Bay{p: p, Layout: layout, table: newTable(), journal: make(map[uint64]*site), index: -1}
	for i := ring.JournalMax - 1; i >= 0; i-- {
		b.free = append(b.free, i)
	}
	fd, err := p.placeBay(b)
	if err != nil {
		return nil, err
	}
	err = b.share(fd)
	// The target's descriptor goes at once, whatever happened.
	if cerr := p.closeFD(fd); cerr != nil && err == nil {
		err = cerr
	}
	if err == nil {
		err = b.claim()
	}
	if err != nil {
		b.unshare()
		return nil, err
	}
	return b, nil
}

// closeFD closes a descriptor of ours in the target, and asks a busy target again.
// If that fails, too, the descriptor stays for CloseLeaked.
func (p *Proc) closeFD(fd int) (err error) {
	for range 5 {
		if _, err = p.call([]Syscall{Sys(sysClose, Num(uint64(fd)))}); !errors.Is(err, ErrBusy) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
		// The stub of a call given up may close it late, and the number be the
		// program's by then.
		if err := p.awaitClear(p.resident.slot(0), p.resident.slot(slots)); err != nil {
			return err
		}
		fds, err := p.ourFDs()
		if err != nil || !slices.Contains(fds, fd) {
			return err
		}
	}
	return err
}

// placeBay finds or maps the bay; fd is the target's descriptor of the shared region.
func (p *Proc) placeBay(b *Bay) (fd int, err error) {
	list, err := p.bays()
	if err != nil {
		return 0, err
	}
	for _, info := range list {
		if !info.Free {
			continue
		}
		ok, err := p.reusable(info)
		if err != nil {
			return 0, err
		}
		if ok {
			b.Base, b.index, b.more = info.Base, info.index, info.more
			return p.remap(b)
		}
	}
	if len(list) >= BaysMax {
		return 0, &RefusedError{Code: CodeFull, Message: fmt.Sprintf("%d Sidelights have been or are at work in this process", BaysMax),
			Cure: "end one of them, or wait a second and try again"}
	}
	return p.mapBay(b)
}

// grace is how long a bay rests after its session before it is used again.
const grace = 20 * time.Millisecond

// reuseWait is how long to wait for the last threads to leave a free bay before a
// new one is mapped: they do as soon as they get a processor.
const reuseWait = 2 * time.Second

// reusable waits until the grace is over and tells whether all threads have left
// the bay. The handlers count as well: one may be about to send its thread there.
func (p *Proc) reusable(info BayInfo) (bool, error) {
	if rest := grace - time.Duration(bootTime()-info.ended); rest > 0 {
		time.Sleep(min(rest, grace))
	}
	bay := extent{info.Base, info.Base + bayMapped}
	handlers := extent{p.resident.handlers(), p.resident.handlers() + handlersMax}
	return p.idle(reuseWait, bay, handlers)
}

// remap gives a free bay new control words and a new shared region.
func (p *Proc) remap(b *Bay) (fd int, err error) {
	zero := make([]byte, ring.CodeSize)
	if err := p.WriteAt(zero[:ring.HeaderSize+ring.JournalSize+ring.TableSize], b.Base); err != nil {
		return 0, err
	}
	r, err := p.call([]Syscall{
		Sys(sysMemfdCreate, Data([]byte(memfdName+"\x00")), Num(mfdCloexec)),
		Sys(sysFtruncate, Result(0), Num(ring.SharedMax)),
		Sys(sysMmap, Num(b.SharedAt()), Num(ring.SharedMax), Num(protRead|protWrite), Num(mapShared|mapFixed), Result(0), Num(0)),
		Sys(sysMadvise, Num(b.Control()), Num(ring.ControlArea), Num(madvDontNeed)),
	})
	if err != nil {
		return 0, err
	}
	return int(r.Results[0]), p.mapped(r, 4, nil)
}

// mapBay maps a new bay.
func (p *Proc) mapBay(b *Bay) (fd int, err error) {
	c, err := p.cave()
	if err != nil {
		return 0, err
	}
	maps, err := p.Maps()
	if err != nil {
		return 0, err
	}
	if b.Base, err = findGap(maps, c.exeLo, c.exeHi, bayMapped); err != nil {
		return 0, err
	}
	const once = mapFixedNoReplace
	r, err := p.call([]Syscall{
		Sys(sysMemfdCreate, Data([]byte(memfdName+"\x00")), Num(mfdCloexec)),
		Sys(sysFtruncate, Result(0), Num(ring.SharedMax+ring.CodeSize)),
		Sys(sysMmap, Num(b.Base), Num(ring.CodeSize), Num(protRead|protExec), Num(mapPrivate|once), Result(0), Num(ring.SharedMax)),
		Sys(sysMmap, Num(b.Control()), Num(ring.ControlArea), Num(protRead|protWrite), Num(mapPrivate|mapAnon|once), Num(^uint64(0)), Num(0)),
		Sys(sysMmap, Num(b.SharedAt()), Num(ring.SharedMax), Num(protRead|protWrite), Num(mapShared|once), Result(0), Num(0)),
		Sys(sysMadvise, Num(b.Control()), Num(ring.ControlArea), Num(madvWipeOnFork)),
	})
	if err != nil {
		return 0, err
	}
	parts := map[int]extent{
		2: {b.Base, b.Base + ring.CodeSize},
		3: {b.Control(), b.Control() + ring.ControlArea},
		4: {b.SharedAt(), b.SharedAt() + ring.SharedMax},
	}
	return int(r.Results[0]), p.mapped(r, 6, parts)
}

// mapped checks the n calls that map a bay. If one failed, it takes back the
// parts (by the number of their call) and the descriptor, and explains.
func (p *Proc) mapped(r *Reply, n int, parts map[int]extent) error {
	var bad error
	for i := range n {
		err := r.Err(i)
		if x, part := parts[i]; err == nil && part && uint64(r.Results[i]) != x.lo {
			err = unix.EEXIST // a kernel before 4.17 takes the address as a hint
			parts[i] = extent{uint64(r.Results[i]), uint64(r.Results[i]) + x.hi - x.lo}
		}
		if err != nil && bad == nil {
			bad = err
		}
	}
	if bad == nil {
		return nil
	}
	var undo []Syscall
	for i, x := range parts {
		if r.Err(i) == nil {
			undo = append(undo, Sys(sysMunmap, Num(x.lo), Num(x.hi-x.lo)))
		}
	}
	if r.Err(0) == nil {
		undo = append(undo, Sys(sysClose, Num(uint64(r.Results[0]))))
	}
	if len(undo) > 0 {
		if _, err := p.call(undo); err != nil {
			return err
		}
	}
	return &RefusedError{Code: CodeMemory, Message: "the target could not map memory for the probes", Err: bad,
		Cure: "see whether it runs with memory-deny-write-execute, a full address space (ulimit -v), a memory limit or a security module (SELinux execmem)"}
}

// share maps the shared region here and takes its lifeline.
func (b *Bay) share(fd int) error {
	f, err := unix.Openat(int(b.p.dir.Fd()), fmt.Sprintf("fd/%d", fd), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the shared region: %w", err)
	}
	defer unix.Close(f)
	b.Shared, err = unix.Mmap(f, 0, b.Layout.SharedSize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("mapping the shared region: %w", err)
	}
	if b.life, err = holdLifeline(b.Shared); err != nil {
		return fmt.Errorf("robust futex: %w", err)
	}
	b.Owner = b.life.tid
	return nil
}

// unshare gives up the lifeline and our mapping.
func (b *Bay) unshare() {
	if b.life != nil {
		b.life.release()
		b.life = nil
	}
	if b.Shared != nil {
		_ = unix.Munmap(b.Shared)
		b.Shared = nil
	}
	b.unextend()
}

// claim writes the header and enters the bay's table in the directory.
func (b *Bay) claim() error {
	if text, err := os.ReadFile("/proc/self/stat"); err == nil {
		b.started, _ = parseStart(text)
	}
	if err := b.writeHeader(); err != nil {
		return err
	}
	return b.enter()
}

func (b *Bay) writeHeader() error {
	h := header{state: stateTaken, pid: uint32(os.Getpid()), word: b.Owner, start: b.started, layout: b.Layout, base: b.Base, more: b.more}
	if err := b.p.WriteAt(h.bytes(), b.Base); err != nil {
		return refuseWrite(err)
	}
	return nil
}

// enter puts the table into the directory of the handlers.
func (b *Bay) enter() error {
	dir, err := b.p.readDirectory()
	if err != nil {
		return err
	}
	at := b.Base + ring.TableOff
	for i, a := range dir {
		if a == at {
			b.index = i
			return nil
		}
	}
	for i, a := range dir {
		if a == 0 {
			b.index = i
			return b.p.WriteAt(binary.LittleEndian.AppendUint64(nil, at), b.p.resident.directory()+8*uint64(i))
		}
	}
	return &RefusedError{Code: CodeFull, Message: "the directory of bays is full", Cure: "end another Sidelight first"}
}

func (p *Proc) readDirectory() ([BaysMax]uint64, error) {
	var dir [BaysMax]uint64
	var raw [8 * BaysMax]byte
	if err := p.ReadAt(raw[:], p.resident.directory()); err != nil {
		return dir, err
	}
	for i := range dir {
		dir[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return dir, nil
}

// Directory is where the handlers find the tables of all bays: BaysMax
// addresses, 0 for none.
func (b *Bay) Directory() uint64 { return b.p.resident.directory() }

// Enter writes entries into the bay's table, before anything leads to them.
func (b *Bay) Enter(entries []Entry) error {
	for _, e := range entries {
		off, err := b.table.put(e)
		if err != nil {
			return err
		}
		at := b.Base + ring.TableOff + off
		if err := b.p.WriteAt(e.bytes(), at+8); err != nil {
			return err
		}
		if err := b.p.WriteAt(binary.LittleEndian.AppendUint64(nil, e.Key), at); err != nil {
			return err
		}
	}
	return nil
}

// dropTrap takes the key from the entry of a site that traps no more.
func (b *Bay) dropTrap(addr uint64) error {
	off, ok := b.table.drop(addr)
	if !ok {
		return nil
	}
	return b.p.WriteAt(binary.LittleEndian.AppendUint64(nil, noKey), b.Base+ring.TableOff+off)
}

// Close gives the bay back: lifeline released, marked free. Every site must have
// been restored before; Close refuses otherwise. If the target is gone it only
// lets go of our own memory.
func (b *Bay) Close() error {
	if b.closed {
		return nil
	}
	if err := b.p.Alive(); err == nil && len(b.journal) > 0 {
		return fmt.Errorf("%d sites are still changed", len(b.journal))
	}
	b.closed = true
	for addr := range b.table.traps {
		_ = b.dropTrap(addr)
	}
	h := header{state: stateFree, layout: b.Layout, base: b.Base, ended: bootTime(), more: b.more}
	err := b.p.WriteAt(h.bytes(), b.Base)
	b.unshare()
	if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
		return nil
	}
	return err
}

// bootTime is a clock that all processes of the machine share, in nanoseconds.
func bootTime() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return uint64(ts.Nano())
}
