package value

import (
	"encoding/binary"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// rest is what a hit had no more time for, and what is therefore read after it,
// and marked: as far as the other bounds would have let the hit go. Each variable
// may take an equal part of what those before it have left, so that one that leads
// far leaves something to the others, as it would at the hit.
type rest struct {
	due     bool // there may be some
	on      bool // what is being read may be of it
	parts   int  // variables that are still to be read
	objects share
	bytes   share
	seen    map[uint64]bool // references that were followed
	why     string          // why nothing more is read of this variable; empty: it is
}

// share is what may still be read in all, and what of it must be left over.
type share struct{ left, spare int64 }

func (s *share) part(of int) { s.spare = s.left - s.left/int64(of) }

// take tells whether n were still to be had.
func (s *share) take(n int64) bool {
	if s.left-n < s.spare {
		return false
	}
	s.left -= n
	return true
}

func restOf(cfg Config) rest {
	m := cfg.Image
	if m == nil || m.Cut&ring.CutTime == 0 || cfg.Late == nil || cfg.Past {
		return rest{}
	}
	return rest{due: true, seen: map[uint64]bool{},
		objects: share{left: max(int64(cfg.Bounds.MaxItems-m.Objects), 0)}, bytes: share{left: max(cfg.Bounds.MaxBytes-m.Bytes, 0)}}
}

// Expect says how many variables of the site are going to be read. It matters if
// the hit had not enough time.
func (r *Reader) Expect(variables int) { r.rest.parts = variables }

// begin begins a variable; on: of the site.
func (s *rest) begin(on bool) {
	if s.on = on && s.due; !s.on {
		return
	}
	parts := max(s.parts, 1)
	s.parts, s.why = parts-1, ""
	s.objects.part(parts)
	s.bytes.part(parts)
}

// barred tells that what lies at addr was not left out for want of time: more of an
// object than one may have, or of the stack, whose upper part may by now be that of
// other functions.
func (r *Reader) barred(addr uint64) bool {
	m := r.cfg.Image
	return r.rest.on && (m.Above(addr) || r.cfg.Object > 0 && (m.Short(addr) || r.within(addr)))
}

// takes tells whether n bytes more may be read of what r.from leads to.
func (r *Reader) takes(n int64) bool {
	s, b := &r.rest, r.cfg.Bounds
	if !s.on || s.why != "" {
		return !s.on
	}
	key := r.reference()
	switch {
	case !s.seen[key] && !s.objects.take(1):
		s.why = fmt.Sprintf("more than --max-items %d objects", b.MaxItems)
	case !s.bytes.take(n):
		s.why = fmt.Sprintf("more than --max-bytes %d", b.MaxBytes)
	}
	s.seen[key] = true
	return s.why == ""
}

// reference is what tells the reference at r.from from others: where it lies, or,
// in registers, what it says.
func (r *Reader) reference() uint64 {
	if b := r.from.Bytes; len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	return r.from.Addr
}

// copied tells that the hit copied what lies at addr.
func (r *Reader) copied(addr uint64) bool { return len(r.cfg.Image.Read(addr, 1)) > 0 }

// lateIn tells whether any part of a value was read after the hit.
func lateIn(v probe.Value) bool {
	if v.Late {
		return true
	}
	for _, e := range v.Elems {
		if lateIn(e) {
			return true
		}
	}
	for _, f := range v.Fields {
		if lateIn(f.Value) {
			return true
		}
	}
	return false
}
