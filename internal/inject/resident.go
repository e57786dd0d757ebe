//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/jit"
)

// The resident pages are mapped once in a process and stay until it ends: the
// header with the directory of bays, the handlers, the slots of stubs; behind
// them one writable page, the control page.
const (
	memfdName    = "sidelight"
	residentSize = 64 << 10

	residentVersion  = 3 // raised with every change of the handlers' code or of this layout
	residentMagic    = "SIDELGT\x01"
	resVersion       = 8  // uint32
	resHandlers      = 16 // uint64: 1 when the code of the handlers and their words are there
	resEntries       = 24 // uint64 for each of handlerSignals: the entry of our handler
	resUser          = 56 // uint64: the Proc that used the slots last
	resWords         = 64 // jit's words: the directory of tables, the handlers from before
	residentHandlers = 4096
	handlersMax      = residentSlots - residentHandlers
	residentSlots    = 32 << 10
	slotSize         = 4096
	slots            = (residentSize - residentSlots) / slotSize
)

// BaysMax is how many bays a process can have.
const BaysMax = jit.Bays

type resident struct {
	base uint64
	next int        // slot to be used next
	used [slots]int // thread that used the slot last; 0 none since clear
	late bool       // the last call was given up: its thread may still be in its stub
}

func (r *resident) control() uint64   { return r.base + residentSize }
func (r *resident) slot(i int) uint64 { return r.base + residentSlots + uint64(i)*slotSize }
func (r *resident) handlers() uint64  { return r.base + residentHandlers }
func (r *resident) directory() uint64 { return r.base + resWords + jit.WordTables }
func (r *resident) words() uint64     { return r.base + resWords }

// isOurs tells whether a mapping was made by a Sidelight.
func isOurs(m Mapping) bool {
	return strings.HasPrefix(m.Path, "/memfd:"+memfdName+" ") || m.Path == "/memfd:"+memfdName
}

// findResident looks for resident pages in a memory map; 0 if there are none.
func findResident(maps []Mapping) uint64 {
	for i, m := range maps {
		if !isOurs(m) || !m.Exec || m.Size() != residentSize || i+1 == len(maps) {
			continue
		}
		if c := maps[i+1]; isOurs(c) && c.Lo == m.Hi && c.Write && c.Size() == controlSize {
			return m.Lo
		}
	}
	return 0
}

// ensureResident finds the resident pages or makes them.
func (p *Proc) ensureResident() error {
	if p.resident != nil {
		return nil
	}
	maps, err := p.Maps()
	if err != nil {
		return err
	}
	base := findResident(maps)
	if base == 0 {
		if base, err = p.bootstrap(maps); err != nil {
			return err
		}
	}
	return p.adopt(base)
}

// adopt takes over resident pages that are there.
func (p *Proc) adopt(base uint64) error {
	r := &resident{base: base}
	var h [resVersion + 4]byte
	if err := p.ReadAt(h[:], base); err != nil {
		return err
	}
	if string(h[:8]) != residentMagic {
		copy(h[:], residentMagic)
		binary.LittleEndian.PutUint32(h[resVersion:], residentVersion)
		if err := p.WriteAt(h[:], base); err != nil {
			return refuseWrite(err)
		}
	}
	if v := binary.LittleEndian.Uint32(h[resVersion:]); v != residentVersion {
		return &RefusedError{Code: CodeKernel,
			Message: fmt.Sprintf("another version of Sidelight was here before (its pages have version %d, this one %d)", v, residentVersion),
			Cure:    "use that version, or restart the program"}
	}
	p.resident = r
	return nil
}

// refuseWrite explains a write to executable pages that the kernel forbids.
func refuseWrite(err error) error {
	if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
		return err
	}
	return &RefusedError{Code: CodeMemory, Message: "executable pages of the target cannot be written",
		Cure: "see whether proc_mem.force_override or a security module restricts /proc/PID/mem", Err: err}
}

// takeSlots sees to it that no other Sidelight's stub is in the slots, if another
// one used them since we did: it may have died in a call, or its thread may be at
// the last instruction still. Nor one of ours that we gave up waiting for: all
// stubs write their results to the same place.
func (p *Proc) takeSlots() error {
	r := p.resident
	var user [8]byte
	if err := p.ReadAt(user[:], r.base+resUser); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(user[:]) == p.id && !r.late {
		return nil
	}
	if err := p.awaitClear(r.slot(0), r.slot(slots)); err != nil {
		return err
	}
	r.late = false
	r.used = [slots]int{}
	return p.WriteAt(binary.LittleEndian.AppendUint64(nil, p.id), r.base+resUser)
}

// clearWait is how long a thread may need to leave a stub. It does so at once when
// it gets a processor.
const clearWait = 5 * time.Second

// awaitClear waits until no thread is in [lo,hi).
func (p *Proc) awaitClear(lo, hi uint64) error { return p.awaitAllClear(extent{lo, hi}) }

// awaitAllClear waits until no thread is in any of the extents.
func (p *Proc) awaitAllClear(code ...extent) error {
	ok, err := p.idle(clearWait, code...)
	if err == nil && !ok {
		err = fmt.Errorf("a thread of the target stays in a stub: %w", ErrBusy)
	}
	return err
}

// freeSlot returns a slot that no thread is in. Slots are used in turn, so the
// thread that used this one has had seven calls' time to leave.
func (p *Proc) freeSlot() (int, error) {
	r := p.resident
	i := r.next
	r.next = (i + 1) % slots
	if tid := r.used[i]; tid != 0 {
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			ok, err := p.clearOf(tid, extent{r.slot(i), r.slot(i + 1)})
			if err != nil {
				return 0, err
			}
			if ok {
				break
			}
			if time.Since(began) > clearWait {
				return 0, fmt.Errorf("thread %d of the target stays in a stub: %w", tid, ErrBusy)
			}
		}
		r.used[i] = 0
	}
	return i, nil
}

// bootstrap maps the resident pages by a stub in a cave of the program's file.
func (p *Proc) bootstrap(maps []Mapping) (uint64, error) {
	cave, err := p.cave()
	if err != nil {
		return 0, err
	}
	if err := p.checkRun(cave); err != nil {
		return 0, err
	}
	if err := p.cleanCave(cave); err != nil {
		return 0, err
	}
	base, err := findGap(maps, cave.exeLo, cave.exeHi, residentSize+controlSize)
	if err != nil {
		return 0, err
	}
	if err := p.tryCave(cave); err != nil {
		return 0, err
	}
	const token = 1
	b := cave.bootstrap(base, token)
	_, err = p.borrow(func(tid int) error {
		h, err := p.divert(tid, b.build)
		if err == nil {
			err = p.awaitBootstrap(cave, base+residentSize, token)
			p.longest = max(p.longest, h.pause())
		}
		return err
	})
	return base, errors.Join(err, p.cleanCave(cave))
}

// awaitBootstrap waits for the word in the control page, which is not there yet,
// or for the thread to have left the cave without it.
func (p *Proc) awaitBootstrap(cave cave, control uint64, token uint32) error {
	for began := time.Now(); ; nap(20 * time.Microsecond) {
		v, err := p.done(control)
		if err == nil && v == token {
			return nil
		}
		if errors.Is(err, ErrExited) || errors.Is(err, ErrReplaced) {
			return err
		}
		if time.Since(began) < 5*time.Millisecond {
			continue
		}
		idle, err := p.idle(0, cave.extents()...)
		if err != nil {
			return err
		}
		if idle { // it may have finished between the two looks
			if v, err := p.done(control); err == nil && v == token {
				return nil
			}
			return &RefusedError{Code: CodeMemory, Message: "the target could not map executable memory",
				Cure: "see whether it runs with memory-deny-write-execute, a full address space (ulimit -v) or a security module (SELinux execmem)"}
		}
		if time.Since(began) > p.stubWait {
			return fmt.Errorf("the target did not finish a remote call within %v: is it stopped? (%w)", p.stubWait, ErrBusy)
		}
	}
}
