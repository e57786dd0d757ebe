//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Once is code that a program runs while it starts and never again: two ranges, in
// linked addresses. No return address may lie in them.
//
// The middle of a stub, where no signal can come, may stand in any such code. Where
// one can, the program's own handler may look up what is interrupted and unwind the
// stack by its table: so the edge must be code at which the runtime ends unwinding,
// as it does in what it knows nothing of.
type Once struct {
	Edge, Middle [2]uint64
	Ran          uint64 // a word that is not 0 when the code has run; 0: there is none that is known
}

// Lend tells who knows such code. It is asked for where the program's file has no
// unused bytes for a first stub.
func (p *Proc) Lend(find func() (Once, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.once = find
}

// borrow takes code that has run.
func (c *cave) borrow(img *image, find func() (Once, bool)) bool {
	o, ok := find()
	if !ok {
		return false
	}
	// A tool that is killed between the two pages of a write must not leave half of
	// a beginning, by which the next one knows what it finds.
	edge, middle := o.Edge[0]+img.slide, o.Middle[0]+img.slide
	if page := (edge + pageSize - 1) &^ (pageSize - 1); page < edge+uint64(len(stubBegin())) {
		edge = page
	}
	if !img.holds(edge, o.Edge[1]+img.slide, edgeMax) || !img.holds(middle, o.Middle[1]+img.slide, middleMax) {
		return false
	}
	c.parts = []part{{edge, make([]byte, edgeMax)}, {middle, make([]byte, middleMax)}}
	if c.lent = true; o.Ran != 0 {
		c.ran = o.Ran + img.slide
	}
	return true
}

// holds tells whether [lo,hi) is executable code of the program's file, of at least
// size bytes.
func (img *image) holds(lo, hi, size uint64) bool {
	return lo+size <= hi && slices.ContainsFunc(img.text, func(m Mapping) bool { return m.Lo <= lo && hi <= m.Hi })
}

// checkRun refuses a cave in code that may still have to run.
func (p *Proc) checkRun(c cave) error {
	if !c.lent {
		return nil
	}
	if c.ran == 0 {
		return refuseCave()
	}
	var word [8]byte
	if err := p.ReadAt(word[:], c.ran); err != nil {
		return err
	}
	if binary.LittleEndian.Uint64(word[:]) == 0 {
		return fmt.Errorf("the program is only just starting: %w", ErrBusy)
	}
	return nil
}
