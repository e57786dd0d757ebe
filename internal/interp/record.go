package interp

import (
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Outcome is what a pass comes to.
type Outcome uint8

// The outcomes.
const (
	Held   Outcome = iota // the condition holds, or there is none
	Failed                // it does not hold
	Error                 // it could not be evaluated
)

// Condition decides a pass.
func (s *State) Condition(site *program.Site) Outcome {
	if site.Cond == nil {
		return Held
	}
	v, st := s.Eval(site.Cond)
	switch {
	case st != program.StatusOK:
		return Error
	case v == 0:
		return Failed
	}
	return Held
}

// Record is the record of a hit at site number i of probe p. The fixed part of a
// slot whose status is not StatusOK is zero here, and anything in a real one. With
// an Image, that of the snapshot follows, its clock zero.
func (s *State) Record(site *program.Site, p, i int, tsc uint64) []byte {
	rec := make([]byte, ring.RecordHeader, 256)
	binary.LittleEndian.PutUint16(rec[ring.RecordProbe:], uint16(p))
	binary.LittleEndian.PutUint16(rec[ring.RecordSite:], uint16(i))
	binary.LittleEndian.PutUint64(rec[ring.RecordTSC:], tsc)
	binary.LittleEndian.PutUint64(rec[ring.RecordGoid:], s.Goid)
	var fixed, variable []byte
	s.recorded = nil
	for k := range site.Slots {
		e := &entry{s: s}
		f, v, st := s.slot(&site.Slots[k], e)
		s.recorded = append(s.recorded, recorded{binary.LittleEndian.Uint64(f), st, e})
		rec = append(rec, byte(st))
		fixed, variable = append(fixed, f...), append(variable, v...)
	}
	rec = append(append(pad(rec), fixed...), variable...)
	if s.Image != nil {
		rec = append(rec, s.image(site, rec)...)
		for k, r := range s.recorded {
			if r.st == program.StatusOK {
				rec[ring.RecordHeader+k] = byte(r.e.still())
			}
		}
	}
	binary.LittleEndian.PutUint32(rec, uint32(len(rec)))
	return rec
}

func pad(b []byte) []byte {
	for len(b)%8 != 0 {
		b = append(b, 0)
	}
	return b
}

// fixedSize is the size of the fixed part of a slot, padded.
func fixedSize(slot *program.Slot) int64 {
	switch slot.Kind {
	case program.SlotBlock:
		return pad8(slot.Size)
	case program.SlotPlace:
		return program.PlaceSize
	}
	return 8
}

// slot is the fixed and the variable part of a slot, both padded. The entry that a
// SlotPlace names comes into e.
func (s *State) slot(slot *program.Slot, e *entry) (fixed, variable []byte, st program.Status) {
	fixed = make([]byte, fixedSize(slot))
	if g := slot.Guard; g != nil {
		if v, st := s.Eval(g); st != program.StatusOK || v == 0 {
			return fixed, nil, program.StatusAbsent
		}
	}
	switch slot.Kind {
	case program.SlotBlock:
		st = s.reading(slot.Node, func(v uint64) program.Status {
			b, st := s.mem(v, int(slot.Size))
			copy(fixed, b)
			return st
		})
		return fixed, nil, st
	case program.SlotPlace:
		return fixed, nil, s.found(slot.Node, e, fixed)
	}
	v, st := s.Eval(slot.Node)
	if st != program.StatusOK {
		return fixed, nil, st
	}
	switch slot.Kind {
	case program.SlotScalar:
		binary.LittleEndian.PutUint64(fixed, v)
	case program.SlotBytes:
		return s.bytes(slot, v, fixed)
	}
	return fixed, nil, program.StatusOK
}

func (s *State) bytes(slot *program.Slot, addr uint64, fixed []byte) (_, variable []byte, st program.Status) {
	n, st := s.Eval(slot.Len)
	if st != program.StatusOK {
		return fixed, nil, st
	}
	if n >= program.MaxLen {
		return fixed, nil, program.StatusCorrupt
	}
	take := min(int64(n)*max(slot.Elem, 1), slot.Max)
	if take > 0 {
		var b []byte
		if b, st = s.mem(addr, int(take)); st != program.StatusOK {
			return fixed, nil, st
		}
		variable = pad(append(variable, b...))
	}
	binary.LittleEndian.PutUint64(fixed, n)
	return fixed, variable, program.StatusOK
}
