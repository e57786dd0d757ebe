package interp

import (
	"bytes"
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// match is OpMatch.
func (s *State) match(n *program.Node) (uint64, program.Status) {
	p, st := s.Eval(n.X)
	if st != program.StatusOK {
		return 0, st
	}
	length, st := s.Eval(n.Y)
	if st != program.StatusOK {
		return 0, st
	}
	if int64(length) < 0 {
		return 0, program.StatusCorrupt
	}
	a := program.AutomatonOf(n.Imm)
	state := a.Start
	for i := range min(length, program.MaxMatch) {
		b, st := s.mem(p+i, 1)
		if st != program.StatusOK {
			return 0, st
		}
		state = n.Data[256+int(state)<<a.Shift+int(n.Data[b[0]])]
		if state <= program.StateSure {
			return uint64(state), program.StatusOK
		}
	}
	if length > program.MaxMatch {
		return 0, program.StatusLarge
	}
	return truth(state >= a.Accept), program.StatusOK
}

// finder is one OpFind at work. Its panics end it.
type finder struct {
	s     *State
	m     *program.Map
	at    uint64 // the map
	y, z  uint64 // the key
	none  uint64 // where there is no such key; the length of a list
	steps int

	e     *entry // what is found; with the map's head as the search began
	b     byte   // classic: the logarithm of the size, likewise
	shift byte   // Swiss: how far the hash is shifted, likewise

	way  bool   // the hash leads the way
	h    uint64 // the hash
	want byte   // the control byte of a key with that hash
}

// ended is the panic by which a finder ends.
type ended struct{ status program.Status }

// caught, deferred, makes of it the result of a search. Any other panic goes on.
func caught(v *uint64, st *program.Status) {
	switch e := recover().(type) {
	case nil:
	case ended:
		*v, *st = 0, e.status
	default:
		panic(e)
	}
}

// find is OpFind. Its operands may lie in entries, too, that are looked at once more.
func (s *State) find(n *program.Node) (v uint64, st program.Status) {
	in := []*entry{s.hold(n.X), s.hold(n.Y)}
	v, st = s.search(n)
	s.letGo(n.X)
	s.letGo(n.Y)
	for _, e := range in {
		if st == program.StatusOK {
			st = e.still()
		}
	}
	if st != program.StatusOK {
		return 0, st
	}
	return v, st
}

// search looks for the key. Where nobody is about to read what is found, that the
// entry is there is the answer itself, and is looked at once more here.
func (s *State) search(n *program.Node) (v uint64, st program.Status) {
	e, held := s.held[n]
	if !held {
		e = &entry{s: s}
	}
	f := finder{s: s, m: n.Map, steps: program.MaxGroups, e: e}
	for _, part := range []struct {
		n  *program.Node
		to *uint64
	}{{n.X, &f.at}, {n.Y, &f.y}, {n.Z, &f.z}, {n.W, &f.none}} {
		if part.n == nil {
			continue
		}
		if *part.to, st = s.Eval(part.n); st != program.StatusOK {
			return 0, st
		}
	}
	defer caught(&v, &st)
	if f.m.Key == program.KeyString && f.z > program.MaxCompare {
		return 0, program.StatusCorrupt
	}
	if f.m.List {
		return f.list(int64(f.none)), program.StatusOK
	}
	if v = f.look(); v != 0 {
		if !held {
			st = e.still()
		}
		return v, st
	}
	if n.Imm != 0 {
		return 0, program.Status(n.Imm)
	}
	return f.none, program.StatusOK
}

// list is the address of the first equal element of n, 0 if there is none.
func (f *finder) list(n int64) uint64 {
	switch {
	case n < 0:
		panic(ended{program.StatusCorrupt})
	case n > program.MaxEntries:
		panic(ended{program.StatusLarge})
	}
	for i := range n {
		if at := f.at + uint64(i*f.m.KeyStep); f.equal(at) {
			return at
		}
	}
	return 0
}

// look is the address of the value, 0 if there is none.
func (f *finder) look() (v uint64) {
	if f.at == 0 || f.word(f.at+uint64(f.m.Count)) == 0 {
		return 0
	}
	f.idle()
	if f.m.Hash != nil && !f.m.Classic {
		f.shift = f.byte(f.m.Hash.Shift)
	}
	if single := !f.m.Classic && f.word(f.at+uint64(f.m.DirLen)) == 0; !single && f.hashed() {
		f.way, f.h = true, f.hash()
	} else if f.word(f.at+uint64(f.m.Count)) > program.MaxEntries {
		panic(ended{program.StatusLarge})
	}
	switch {
	case f.m.Classic:
		v = f.classic()
	case f.way:
		v = f.probe()
	default:
		v = f.swiss()
	}
	if v == 0 {
		f.idle()
		f.unmoved()
	}
	return v
}

// unmoved ends where the entries of the map may have moved since the search began:
// one that was not found may be there.
func (f *finder) unmoved() {
	f.sameHead(f.e)
	if f.m.Classic && f.byte(f.m.B) != f.b || !f.m.Classic && f.m.Hash != nil && f.byte(f.m.Hash.Shift) != f.shift {
		panic(ended{program.StatusWriting})
	}
}

func (f *finder) bytes(at uint64, n int) []byte {
	b, st := f.s.mem(at, n)
	if st != program.StatusOK {
		panic(ended{st})
	}
	return b
}

func (f *finder) word(at uint64) uint64 { return binary.LittleEndian.Uint64(f.bytes(at, 8)) }

func (f *finder) byte(off int64) byte { return f.bytes(f.at+uint64(off), 1)[0] }

// idle ends unless nobody writes the map.
func (f *finder) idle() {
	if f.byte(f.m.Busy)&f.m.BusyMask != 0 {
		panic(ended{program.StatusWriting})
	}
}

func (f *finder) count() {
	if f.steps--; f.steps < 0 {
		panic(ended{program.StatusLarge})
	}
}

func (f *finder) swiss() uint64 {
	n := int64(f.word(f.at + uint64(f.m.DirLen)))
	dir := f.word(f.at + uint64(f.m.Dir))
	f.e.first, f.e.second = dir, uint64(n)
	if n == 0 {
		return f.group(dir)
	}
	for i := int64(0); i < n; i++ {
		f.count()
		t := f.word(dir + 8*uint64(i))
		if first := f.word(t + uint64(f.m.Index)); first != uint64(i) {
			// It was looked at at its first place. One that has none was just replaced,
			// and what replaced it may be at places that are behind.
			if first > uint64(i) || f.word(dir+8*first) != t {
				panic(ended{program.StatusWriting})
			}
			continue
		}
		left := f.word(t + uint64(f.m.Mask))
		g := f.word(t + uint64(f.m.Groups))
		for {
			f.count()
			if v := f.group(g); v != 0 {
				return v
			}
			if g += uint64(f.m.GroupSize); left == 0 {
				break
			}
			left--
		}
	}
	return 0
}

// probe goes where the hash leads in a Swiss map: to a table, and there from group
// to group up to one with an empty slot.
func (f *finder) probe() uint64 {
	n, dir := f.word(f.at+uint64(f.m.DirLen)), f.word(f.at+uint64(f.m.Dir))
	f.e.first, f.e.second = dir, n
	i := f.h >> (f.shift & 63)
	if n == 1 {
		i = 0
	}
	if i >= n {
		panic(ended{program.StatusWriting})
	}
	t := f.word(dir + 8*i)
	mask, groups := f.word(t+uint64(f.m.Mask)), f.word(t+uint64(f.m.Groups))
	f.want = byte(f.h & 0x7f)
	place := f.h >> 7 & mask
	for next := uint64(1); ; next++ {
		f.count()
		g := groups + place*uint64(f.m.GroupSize)
		if v := f.group(g); v != 0 {
			return v
		}
		if bytes.IndexByte(f.bytes(g, 8), program.SwissEmpty) >= 0 {
			break
		}
		place = (place + next) & mask
	}
	return 0
}

// sameHead ends unless the map's head is what it was.
func (f *finder) sameHead(e *entry) {
	first, second := f.m.Dir, f.m.DirLen
	if f.m.Classic {
		first, second = f.m.Buckets, f.m.Moved
	}
	f.same(first, e.first)
	f.same(second, e.second)
}

// same ends unless a word of the map is what it was as the search began: entries may
// have moved since.
func (f *finder) same(off int64, was uint64) {
	if f.word(f.at+uint64(off)) != was {
		panic(ended{program.StatusWriting})
	}
}

func (f *finder) classic() uint64 {
	b, most := f.byte(f.m.B), byte(program.MaxB)
	if f.way {
		most = program.MaxHashB
		if f.want = byte(f.h >> 56); f.want < program.ClassicFull {
			f.want += program.ClassicFull
		}
	}
	if b > most {
		panic(ended{program.StatusLarge})
	}
	f.b, f.e.second = b, f.word(f.at+uint64(f.m.Moved)) // before the arrays: see still
	first, base := f.word(f.at+uint64(f.m.Buckets)), f.word(f.at+uint64(f.m.Old))
	f.e.first = first
	left := uint64(0)
	if base != 0 {
		if left = uint64(1) << b; f.byte(f.m.Busy)&program.ClassicSameSize == 0 {
			left >>= 1
		}
	}
	for range 2 {
		if f.way && left > 0 {
			base, left = base+f.h&(left-1)*uint64(f.m.GroupSize), 1
		}
		for ; left > 0; left-- {
			for g := base; g != 0; g = f.word(g + uint64(f.m.Overflow)) {
				f.count()
				if v := f.group(g); v != 0 {
					return v
				}
			}
			base += uint64(f.m.GroupSize)
		}
		base, left = first, uint64(1)<<b
	}
	return 0
}

// group looks for the key in one group; 0 if it is not there.
func (f *finder) group(g uint64) uint64 {
	control := f.bytes(g, 8)
	for j, c := range control {
		full := c < 0x80
		if f.m.Classic {
			full = c >= program.ClassicFull
		}
		if f.way {
			full = c == f.want
		}
		if !full || !f.equal(g+uint64(f.m.Keys+int64(j)*f.m.KeyStep)) {
			continue
		}
		at := g + uint64(f.m.Elems+int64(j)*f.m.ElemStep)
		if f.m.ElemPtr {
			at = f.word(at)
		}
		f.note(g, int64(j))
		return at
	}
	return 0
}

// note makes of an entry of a group what is found.
func (f *finder) note(g uint64, j int64) {
	e := f.e
	e.m, e.at, e.group, e.j, e.y = f.m, f.at, g, j, f.y
	if f.m.Key == program.KeyString {
		e.y, e.z = f.word(e.key()), f.z
	}
}

// equal compares the key at an address with that which is looked for.
func (f *finder) equal(at uint64) bool {
	p, n := at, uint64(f.m.KeySize)
	switch f.m.Key {
	case program.KeyScalar:
		var word [8]byte
		copy(word[:], f.bytes(at, int(f.m.KeyType.Size())))
		return Canon(f.m.KeyType, binary.LittleEndian.Uint64(word[:])) == f.y
	case program.KeyString:
		if n = f.word(at + 8); n != f.z {
			return false
		}
		if p = f.word(at); p == 0 && n > 0 && !f.m.List {
			panic(ended{program.StatusWriting}) // the entry is just being deleted: its key is cleared first
		}
	}
	order, st := f.s.order(p, f.y, n)
	if st != program.StatusOK {
		panic(ended{st})
	}
	return order == 0
}
