//go:build linux && amd64

package inject

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Edit changes the bytes of one site. Orig is what the program's file has there;
// New is what shall be there; both have the same length. Restoring is an Edit
// with New equal to Orig.
type Edit struct {
	Addr      uint64
	Orig, New []byte
}

// site is a place that we changed.
type site struct {
	entry     int // in the journal
	orig, now []byte
}

// ChangedError says that a site does not have the bytes that it should have:
// another program patches the target.
type ChangedError struct {
	Addr      uint64
	Want, Got []byte
	Holder    int // pid of the Sidelight that holds the site, 0 if none is known
}

func (e *ChangedError) Error() string {
	if e.Holder != 0 {
		return fmt.Sprintf("the site at %#x is held by another Sidelight (pid %d)", e.Addr, e.Holder)
	}
	return fmt.Sprintf("the code at %#x is % x, and % x in the program's file: something else changes this process", e.Addr, e.Got, e.Want)
}

const int3 = 0xCC

// Barrier lets every thread of the target serialise its instruction stream, so
// that all of them see what was written to its text.
func (p *Proc) Barrier() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ensureResident(); err != nil {
		return err
	}
	return p.barrier()
}

func (p *Proc) barrier() error {
	r, err := p.call([]Syscall{
		Sys(sysMembarrier, Num(membarrierRegisterSyncCore)),
		Sys(sysMembarrier, Num(membarrierSyncCore)),
	})
	if err != nil {
		return err
	}
	for i := range 2 {
		if err := r.Err(i); err != nil {
			return &RefusedError{Code: CodeKernel, Message: "the target cannot serialise its threads (membarrier SYNC_CORE)",
				Cure: "a kernel of 4.16 or later with CONFIG_MEMBARRIER is needed", Err: err}
		}
	}
	return nil
}

// Patch makes all edits together, so that no thread ever sees half of one:
// int3 on all, then the tails, then the first bytes, a barrier after each. The
// journal is written before. Before the first int3 the caller has entered the
// sites in the table, and nothing is changed if any site is not as it should be.
// The caller holds the Lock.
//
// A jump may be written only where no goroutine is parked inside the window: see
// Drained.
func (b *Bay) Patch(edits []Edit) error {
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	if err := b.verify(edits); err != nil {
		return err
	}
	if err := b.record(edits); err != nil {
		return err
	}
	if err := b.apply(edits); err != nil {
		return err
	}
	return b.forget(edits)
}

// verify compares the sites with what we know of them.
func (b *Bay) verify(edits []Edit) error {
	spans := make([]Span, len(edits))
	for i, e := range edits {
		if len(e.Orig) != len(e.New) || len(e.Orig) == 0 || len(e.Orig) > origMax {
			return fmt.Errorf("edit at %#x: %d bytes for %d", e.Addr, len(e.New), len(e.Orig))
		}
		if s := b.journal[e.Addr]; s != nil && !bytes.Equal(s.orig, e.Orig) {
			return fmt.Errorf("edit at %#x: other original bytes than before", e.Addr)
		}
		spans[i] = Span{e.Addr, make([]byte, len(e.Orig))}
	}
	ok, err := b.p.ReadV(spans)
	if err != nil {
		return err
	}
	for i, e := range edits {
		want := e.Orig
		if s := b.journal[e.Addr]; s != nil {
			want = s.now
		}
		if !ok[i] || !bytes.Equal(spans[i].Buf, want) {
			return &ChangedError{Addr: e.Addr, Want: want, Got: spans[i].Buf, Holder: b.p.holder(e.Addr, len(e.Orig), b.Base)}
		}
	}
	return nil
}

// record writes the journal entries of sites that have none.
func (b *Bay) record(edits []Edit) error {
	for _, e := range edits {
		if b.journal[e.Addr] != nil {
			continue
		}
		if len(b.free) == 0 {
			return &RefusedError{Code: CodeFull, Message: fmt.Sprintf("more than %d sites", ring.JournalMax), Cure: "use fewer probes in one command"}
		}
		i := b.free[len(b.free)-1]
		raw := journalEntry{e.Addr, e.Orig}.bytes(jnlArmed)
		if err := b.p.WriteAt(raw, b.journalAt(i)); err != nil {
			return err
		}
		b.free = b.free[:len(b.free)-1]
		b.journal[e.Addr] = &site{entry: i, orig: slices.Clone(e.Orig), now: slices.Clone(e.Orig)}
	}
	return nil
}

func (b *Bay) journalAt(i int) uint64 {
	return b.Base + ring.JournalOff + uint64(i)*ring.JournalEntry
}

// apply runs the protocol.
func (b *Bay) apply(edits []Edit) error {
	sites := make([]textEdit, len(edits))
	for i, e := range edits {
		sites[i] = textEdit{e.Addr, b.journal[e.Addr].now, e.New}
	}
	return b.p.rewrite(sites)
}

// textEdit is a change of text from what is there now; rewrite keeps now true.
type textEdit struct {
	addr     uint64
	now, new []byte
}

// rewrite changes text by the int3 protocol. now is updated as it goes, so a
// failure leaves a true picture.
func (p *Proc) rewrite(edits []textEdit) error {
	trap := func(e textEdit) ([]byte, int) {
		if e.now[0] == int3 || bytes.Equal(e.now, e.new) {
			return nil, 0
		}
		return []byte{int3}, 0
	}
	tail := func(e textEdit) ([]byte, int) {
		if bytes.Equal(e.now[1:], e.new[1:]) {
			return nil, 0
		}
		return e.new[1:], 1
	}
	first := func(e textEdit) ([]byte, int) {
		if e.now[0] == e.new[0] {
			return nil, 0
		}
		return e.new[:1], 0
	}
	for _, step := range []func(textEdit) ([]byte, int){trap, tail, first} {
		wrote := false
		for _, e := range edits {
			raw, off := step(e)
			if raw == nil {
				continue
			}
			if err := p.WriteAt(raw, e.addr+uint64(off)); err != nil {
				return refuseWrite(err)
			}
			copy(e.now[off:], raw)
			wrote = true
		}
		if !wrote {
			continue
		}
		if err := p.barrier(); err != nil {
			return err
		}
	}
	return nil
}

// forget clears the journal entries of sites that are as the file has them.
func (b *Bay) forget(edits []Edit) error {
	for _, e := range edits {
		s := b.journal[e.Addr]
		if s == nil || !bytes.Equal(s.now, s.orig) {
			continue
		}
		if err := b.p.WriteAt(make([]byte, ring.JournalEntry), b.journalAt(s.entry)); err != nil {
			return err
		}
		if err := b.dropTrap(e.Addr); err != nil {
			return err
		}
		b.free = append(b.free, s.entry)
		delete(b.journal, e.Addr)
	}
	return nil
}
