package interp

import (
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// entry is what is known of the entry of a map that was found.
type entry struct {
	s      *State
	m      *program.Map // nil: the address is that of no entry
	at     uint64
	group  uint64
	j      int64
	y, z   uint64 // the key; of a string its address in the entry, and its length
	first  uint64 // the map's Buckets or Dir,
	second uint64 // and its Moved or DirLen
}

// hold gives the entry in which the address n lies that is about to be evaluated,
// once that is done; nil: it lies in none.
func (s *State) hold(n *program.Node) *entry {
	f := n.Found()
	switch {
	case f == nil:
		return nil
	case f.Op == program.OpSlot:
		return s.recorded[f.Imm].e
	}
	if s.held == nil {
		s.held = map[*program.Node]*entry{}
	}
	s.held[f] = &entry{s: s}
	return s.held[f]
}

func (s *State) letGo(n *program.Node) {
	if f := n.Found(); f != nil {
		delete(s.held, f)
	}
}

// reading evaluates the address n, lets read read what lies there, and then looks
// whether the entry that it may lie in is there.
func (s *State) reading(n *program.Node, read func(at uint64) program.Status) program.Status {
	e := s.hold(n)
	x, st := s.Eval(n)
	s.letGo(n)
	if st != program.StatusOK {
		return st
	}
	if st := read(x); st != program.StatusOK {
		return st
	}
	return e.still()
}

// found records a place: the fixed part of a SlotPlace.
func (s *State) found(n *program.Node, e *entry, fixed []byte) program.Status {
	f := s.hold(n)
	x, st := s.Eval(n)
	s.letGo(n)
	if st != program.StatusOK {
		return st
	}
	*e = *f
	binary.LittleEndian.PutUint64(fixed[program.PlaceAddr:], x)
	if e.m == nil {
		return st
	}
	for i, v := range []uint64{e.at, e.control(), e.key(), e.y, e.z, e.first, e.second} {
		binary.LittleEndian.PutUint64(fixed[program.PlaceMap+8*i:], v)
	}
	return st
}

func (e *entry) control() uint64 { return e.group + uint64(e.j) }
func (e *entry) key() uint64     { return e.group + uint64(e.m.Keys+e.j*e.m.KeyStep) }

// still is StatusWriting unless the entry is where it was found, and nobody writes
// the map.
func (e *entry) still() (st program.Status) {
	if e == nil || e.m == nil {
		return program.StatusOK
	}
	var v uint64
	defer caught(&v, &st)
	f := finder{s: e.s, m: e.m, at: e.at, y: e.y, z: e.z}
	f.idle()
	f.sameHead(e)
	control := f.bytes(e.control(), 1)[0]
	there := control < 0x80
	if e.m.Classic {
		there = control >= program.ClassicFull
	}
	if e.m.Key == program.KeyString {
		there = there && f.word(e.key()) == e.y && f.word(e.key()+8) == e.z
	} else {
		there = there && f.equal(e.key())
	}
	if !there {
		return program.StatusWriting
	}
	return program.StatusOK
}
