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

// ForeignError says that sites were not restored because something else has
// changed them since. All others were.
type ForeignError struct{ Sites []*ChangedError }

func (e *ForeignError) Error() string {
	s := fmt.Sprintf("the code at %#x", e.Sites[0].Addr)
	for _, c := range e.Sites[1:] {
		s += fmt.Sprintf(", %#x", c.Addr)
	}
	return s + " was changed by something else since, and is left alone: end what changes this process (a debugger?); the next command puts the rest right"
}

// Foreign tells whether the site at addr is one of them.
func (e *ForeignError) Foreign(addr uint64) bool {
	return slices.ContainsFunc(e.Sites, func(c *ChangedError) bool { return c.Addr == addr })
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
// Restoring is not all or nothing: a site that something else has changed since is
// left alone, and named by a *ForeignError when all others are as they were.
//
// A jump may be written only where no goroutine is parked inside the window: see
// Drained.
func (b *Bay) Patch(edits []Edit) error {
	b.p.mu.Lock()
	defer b.p.mu.Unlock()
	differ, err := b.verify(edits)
	if err != nil {
		return err
	}
	var foreign ForeignError
	for i, e := range edits {
		switch c := differ[i]; {
		case c == nil:
		case !bytes.Equal(e.Orig, e.New):
			return c
		case bytes.Equal(c.Got, e.Orig) && b.journal[e.Addr] != nil: // somebody has restored it for us
			copy(b.journal[e.Addr].now, e.Orig)
			delete(differ, i)
		default:
			foreign.Sites = append(foreign.Sites, c)
		}
	}
	edits = without(edits, differ)
	if err := b.record(edits); err != nil {
		return err
	}
	if err := b.apply(edits); err != nil {
		return err
	}
	if err := b.forget(edits); err != nil {
		return err
	}
	if len(foreign.Sites) > 0 {
		return &foreign
	}
	return nil
}

// without returns the edits whose numbers are not in differ.
func without(edits []Edit, differ map[int]*ChangedError) []Edit {
	if len(differ) == 0 {
		return edits
	}
	var out []Edit
	for i, e := range edits {
		if differ[i] == nil {
			out = append(out, e)
		}
	}
	return out
}

// verify compares the sites with what we know of them, and returns those that
// differ by their numbers.
func (b *Bay) verify(edits []Edit) (differ map[int]*ChangedError, err error) {
	spans := make([]Span, len(edits))
	for i, e := range edits {
		if len(e.Orig) != len(e.New) || len(e.Orig) == 0 || len(e.Orig) > origMax {
			return nil, fmt.Errorf("edit at %#x: %d bytes for %d", e.Addr, len(e.New), len(e.Orig))
		}
		if s := b.journal[e.Addr]; s != nil && !bytes.Equal(s.orig, e.Orig) {
			return nil, fmt.Errorf("edit at %#x: other original bytes than before", e.Addr)
		}
		spans[i] = Span{e.Addr, make([]byte, len(e.Orig))}
	}
	ok, err := b.p.ReadV(spans)
	if err != nil {
		return nil, err
	}
	differ = make(map[int]*ChangedError)
	for i, e := range edits {
		want := e.Orig
		if s := b.journal[e.Addr]; s != nil {
			want = s.now
		}
		if !ok[i] || !bytes.Equal(spans[i].Buf, want) {
			differ[i] = &ChangedError{Addr: e.Addr, Want: slices.Clone(want), Got: spans[i].Buf, Holder: b.p.holder(e.Addr, len(e.Orig), b.Base)}
		}
	}
	return differ, nil
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
// failure leaves a true picture, and the same edits can be tried again.
func (p *Proc) rewrite(edits []textEdit) error {
	return protocol(edits, p.WriteAt, p.barrier)
}

// protocol is the int3 protocol: traps, tails, first bytes. Tails and first bytes
// wait for a barrier after everything before them, whoever wrote that: this run,
// an earlier try whose barrier failed, or a Sidelight that died. For the same
// reason it ends with one even if nothing was left to write.
func protocol(edits []textEdit, write func([]byte, uint64) error, barrier func() error) error {
	if len(edits) == 0 {
		return nil
	}
	for i, step := range []func(textEdit) ([]byte, int){trapStep, tailStep, firstStep} {
		due := slices.ContainsFunc(edits, func(e textEdit) bool { raw, _ := step(e); return raw != nil })
		if !due {
			continue
		}
		if i > 0 {
			if err := barrier(); err != nil {
				return err
			}
		}
		for _, e := range edits {
			raw, off := step(e)
			if raw == nil {
				continue
			}
			if err := write(raw, e.addr+uint64(off)); err != nil {
				return refuseWrite(err)
			}
			copy(e.now[off:], raw)
		}
	}
	return barrier()
}

func trapStep(e textEdit) ([]byte, int) {
	if e.now[0] == int3 || bytes.Equal(e.now, e.new) {
		return nil, 0
	}
	return []byte{int3}, 0
}

func tailStep(e textEdit) ([]byte, int) {
	if bytes.Equal(e.now[1:], e.new[1:]) {
		return nil, 0
	}
	return e.new[1:], 1
}

func firstStep(e textEdit) ([]byte, int) {
	if e.now[0] == e.new[0] {
		return nil, 0
	}
	return e.new[:1], 0
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
