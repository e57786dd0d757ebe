package interp

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// nilEnd is where addresses begin that are not nil, or so near it that they were.
const nilEnd = 4096

// stackAbsurd is more than any stack of a goroutine has.
const stackAbsurd = 1 << 30

// image makes the image of a snapshot (see ring) at a site.
type image struct {
	*State
	*program.Image
	site *program.Site
	rec  []byte // the record in front of the image

	out     []byte
	cut     uint16
	faults  uint16
	objects uint32
	refs    int
	visited [ring.VisitedLen]visit
	dynamic map[uint64]program.Dynamic
}

// visit is what is remembered of something that was followed.
type visit struct {
	addr  uint64
	desc  int
	count uint64 // 0: an empty entry
}

// stop ends the copying: what comes next would be too much.
type stop struct{}

// image is the image of a hit whose record without it is rec.
func (s *State) image(site *program.Site, rec []byte) []byte {
	m := &image{State: s, Image: s.Image, site: site, rec: rec, out: make([]byte, ring.ImageHeader),
		dynamic: map[uint64]program.Dynamic{}}
	for _, d := range m.Dynamic {
		m.dynamic[d.Key+s.Slide] = d
	}
	m.roots()
	m.copyAll()
	m.lookAgain()
	le := binary.LittleEndian
	le.PutUint32(m.out[ring.ImageSize:], uint32(len(m.out)))
	le.PutUint16(m.out[ring.ImageCut:], m.cut)
	le.PutUint16(m.out[ring.ImageFaults:], m.faults)
	le.PutUint32(m.out[ring.ImageObjects:], m.objects)
	return m.out
}

// copyAll copies what the roots refer to, breadth first.
func (m *image) copyAll() {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(stop); !ok {
				panic(r)
			}
		}
	}()
	scan := len(m.out)
	for i := range m.site.Roots {
		m.root(&m.site.Roots[i])
	}
	for scan < len(m.out) {
		scan = m.scan(scan)
	}
}

// lookAgain marks the objects of which a word that is looked at is another one now.
func (m *image) lookAgain() {
	le := binary.LittleEndian
	at := ring.ImageHeader
	for at < len(m.out) {
		head := m.out[at:]
		n := int64(le.Uint32(head[ring.ObjectBytes:]))
		bytes := head[ring.ObjectHeader:][:n]
		if desc := le.Uint32(head[ring.ObjectDesc:]); desc != ring.NoDesc && m.changed(&m.Descs[desc], le.Uint64(head[ring.ObjectAddr:]), bytes) {
			le.PutUint16(head[ring.ObjectFlags:], le.Uint16(head[ring.ObjectFlags:])|ring.ObjectWritten)
		}
		at += ring.ObjectHeader + int(pad8(n))
	}
}

func (m *image) changed(d *program.Desc, addr uint64, bytes []byte) bool {
	for e := int64(0); e < int64(len(bytes)); e += d.Size {
		for _, l := range d.Looks {
			off := e + l.Off
			if off+8 > int64(len(bytes)) {
				continue
			}
			now := m.Mem(addr+uint64(off), 8)
			if now == nil || (binary.LittleEndian.Uint64(now)^binary.LittleEndian.Uint64(bytes[off:]))&l.Mask != 0 {
				return true
			}
		}
	}
	return false
}

// end stops because of a limit.
func (m *image) end(cut uint16) {
	m.cut |= cut
	panic(stop{})
}

// fault counts an address that could not be read.
func (m *image) fault() {
	if m.faults++; m.faults == ring.FaultsMax {
		m.end(ring.CutFaults)
	}
}

// word reads a word of the target.
func (m *image) word(addr uint64) (uint64, bool) {
	b := m.Mem(addr, 8)
	if b == nil {
		m.fault()
		return 0, false
	}
	return binary.LittleEndian.Uint64(b), true
}

// object appends an object; there is room.
func (m *image) object(addr uint64, bytes []byte, desc uint32, count uint64, depth int, short bool) {
	le := binary.LittleEndian
	h := make([]byte, ring.ObjectHeader)
	le.PutUint64(h[ring.ObjectAddr:], addr)
	le.PutUint32(h[ring.ObjectBytes:], uint32(len(bytes)))
	le.PutUint32(h[ring.ObjectDesc:], desc)
	le.PutUint32(h[ring.ObjectCount:], uint32(min(count, math.MaxUint32)))
	le.PutUint16(h[ring.ObjectDepth:], uint16(depth))
	if short {
		le.PutUint16(h[ring.ObjectFlags:], ring.ObjectShort)
	}
	m.out = pad(append(append(m.out, h...), bytes...))
}

func (m *image) roots() {
	regs := make([]byte, 0, program.RegsSize)
	for _, v := range m.Regs {
		regs = binary.LittleEndian.AppendUint64(regs, v)
	}
	for _, v := range m.X {
		regs = binary.LittleEndian.AppendUint64(regs, v)
	}
	m.object(0, regs, ring.NoDesc, program.RegsSize, 0, false)
	const g, sp = 14, 4
	m.rootBytes(m.Regs[g], uint64(m.G), uint64(m.G))
	there := (m.StackHi - m.Regs[sp]) &^ 7
	if there >= stackAbsurd {
		there = 0
	}
	m.rootBytes(m.Regs[sp], there, min(there, uint64(m.Stack)))
}

// rootBytes is a root of there bytes, of which take are wanted.
func (m *image) rootBytes(addr, there, take uint64) {
	var bytes []byte
	if take > 0 {
		if bytes = m.Mem(addr, int(take)); bytes == nil {
			m.faults++
		}
	}
	m.object(addr, bytes, ring.NoDesc, there, 0, uint64(len(bytes)) < there)
}

// root follows a root. Where a part of it is not there, neither is the rest.
func (m *image) root(r *program.Root) {
	var at [3]uint64
	for i, src := range r.Sources() {
		v, ok := m.source(src)
		if !ok {
			return
		}
		at[i] = v
	}
	switch r.Kind {
	case program.RefIface, program.RefEface:
		m.follow(&r.Ref, at[0], 0, 0, at[1], 0)
	default:
		m.follow(&r.Ref, at[0], at[1], byte(at[2]), 0, 0)
	}
}

func (m *image) source(src program.Source) (uint64, bool) {
	le := binary.LittleEndian
	switch src.Base {
	case program.BaseRegs:
		const at = ring.ImageHeader + ring.ObjectHeader
		return le.Uint64(m.out[at+src.Off:]), true
	case program.BaseStack:
		return m.word(m.Regs[4] + uint64(src.Off))
	}
	if m.rec[ring.RecordHeader+src.Slot] != byte(program.StatusOK) {
		return 0, false
	}
	at := int64(len(pad(m.rec[:ring.RecordHeader+len(m.site.Slots)])))
	for i := range m.site.Slots[:src.Slot] {
		at += fixedSize(&m.site.Slots[i])
	}
	return le.Uint64(m.rec[at+src.Off:]), true
}

// scan follows the references of the object at offset at, and gives the offset
// of the next one.
func (m *image) scan(at int) int {
	le := binary.LittleEndian
	n := int64(le.Uint32(m.out[at+ring.ObjectBytes:]))
	desc := &m.Descs[le.Uint32(m.out[at+ring.ObjectDesc:])]
	depth := int(le.Uint16(m.out[at+ring.ObjectDepth:]))
	bytes := m.out[at+ring.ObjectHeader:][:n]
	for e := int64(0); e < n; e += desc.Size {
		for i := range desc.Refs {
			ref := &desc.Refs[i]
			if n < desc.Size && max(ref.Off+16, ref.Len+8) > n {
				continue // of a part of an element: not surely whole
			}
			m.element(ref, bytes[e:], depth)
		}
	}
	return at + ring.ObjectHeader + int(pad8(n))
}

func pad8(n int64) int64 { return (n + 7) &^ 7 }

// element follows a reference in an element.
func (m *image) element(ref *program.Ref, e []byte, depth int) {
	word := func(off int64) uint64 { return binary.LittleEndian.Uint64(e[off:]) }
	w := word(ref.Off)
	switch ref.Kind {
	case program.RefSlice, program.RefGroups, program.RefDirectory:
		m.follow(ref, w, word(ref.Len), 0, 0, depth)
	case program.RefBuckets:
		m.follow(ref, w, uint64(e[ref.Len]), 0, 0, depth)
	case program.RefOld:
		m.follow(ref, w, uint64(e[ref.Len]), e[ref.Len-1], 0, depth)
	case program.RefIface, program.RefEface:
		m.follow(ref, w, 0, 0, word(ref.Off+8), depth)
	default:
		m.follow(ref, w, 0, 0, 0, depth)
	}
}

// sameSizeGrow is the flag of a classic map whose old buckets are as many as
// its new ones.
const sameSizeGrow = 8

// follow goes from a reference to what it refers to.
func (m *image) follow(ref *program.Ref, w, n uint64, flags byte, data uint64, depth int) {
	if w < nilEnd {
		return
	}
	switch ref.Kind {
	case program.RefPointer:
		m.enqueue(w, ref.Elem, 1, ref.Free, depth)
	case program.RefSlice:
		m.enqueue(w, ref.Elem, n, ref.Free, depth)
	case program.RefGroups:
		m.enqueue(w, ref.Elem, n+1, ref.Free, depth)
	case program.RefBuckets:
		m.buckets(ref, w, byte(n), depth)
	case program.RefOld:
		b := byte(n)
		if flags&sameSizeGrow == 0 {
			b--
		}
		m.buckets(ref, w, b, depth)
	case program.RefDirectory:
		if n == 0 {
			m.enqueue(w, ref.Elem, 1, ref.Free, depth)
		} else {
			m.enqueue(w, ref.Elem2, n, ref.Free, depth)
		}
	case program.RefIface:
		if typ, ok := m.word(w + uint64(ref.Len)); ok {
			m.typed(typ, data, ref.Free, depth)
		}
	case program.RefEface:
		m.typed(w, data, ref.Free, depth)
	case program.RefFunc:
		m.function(w, ref.Free, depth)
	}
}

func (m *image) buckets(ref *program.Ref, w uint64, b byte, depth int) {
	if b >= absurdShift {
		m.cut |= ring.CutCorrupt
		return
	}
	m.enqueue(w, ref.Elem, 1<<b, ref.Free, depth)
}

// typed follows the data word of an interface.
func (m *image) typed(typ, data uint64, free bool, depth int) {
	d, known := m.dynamic[typ]
	if !known {
		size, ok := m.word(typ)
		if ok {
			m.cut |= ring.CutUnknown
			m.enqueue(data, 0, size, free, depth)
		}
		return
	}
	switch d.Kind {
	case program.RefPointer:
		m.enqueue(data, d.Elem, 1, free || d.Free, depth)
	case program.RefFunc:
		if data >= nilEnd {
			m.function(data, free || d.Free, depth)
		}
	}
}

// function follows a closure.
func (m *image) function(w uint64, free bool, depth int) {
	code, ok := m.word(w)
	if !ok {
		return
	}
	d, known := m.dynamic[code]
	switch {
	case !known:
		m.enqueue(w, 0, program.ClosureBytes, free, depth)
	case d.Kind == program.RefPointer:
		m.enqueue(w, d.Elem, 1, free || d.Free, depth)
	}
}

// absurdShift: a count or a size of 2^40 or more, or below 0, is none.
const absurdShift = 40

// enqueue copies count elements at addr, unless they were or must not be.
func (m *image) enqueue(addr uint64, desc int, count uint64, free bool, depth int) {
	if addr < nilEnd || count == 0 {
		return
	}
	size := m.Descs[desc].Size
	if over, want := bits.Mul64(count, uint64(size)); count>>absurdShift != 0 || over != 0 || want>>absurdShift != 0 {
		m.cut |= ring.CutCorrupt
		return
	}
	if !free {
		depth++
	}
	if depth > m.Depth {
		m.cut |= ring.CutDepth
		return
	}
	if m.refs++; m.refs > ring.RefsMax {
		m.end(ring.CutRefs)
	}
	if m.seen(addr, desc, count) {
		return
	}
	if int(m.objects) >= m.Objects {
		m.end(ring.CutObjects)
	}
	take := m.room(size, int64(count)*size)
	if take == 0 {
		return
	}
	b := m.Mem(addr, int(take))
	if b == nil {
		m.fault()
		return
	}
	m.object(addr, b, uint32(desc), count, depth, take < int64(count)*size)
	m.objects++
}

// seen tells whether as many elements were followed before, and remembers that
// they were.
func (m *image) seen(addr uint64, desc int, count uint64) bool {
	first := ring.VisitedHash(addr, uint32(desc))
	for i := range ring.VisitedProbes {
		v := &m.visited[(first+i)%ring.VisitedLen]
		switch {
		case v.count == 0:
			*v = visit{addr, desc, count}
			return false
		case v.addr == addr && v.desc == desc:
			old := v.count
			v.count = max(old, count)
			return old >= count
		}
	}
	return false
}

// room is how many bytes of want may be copied.
func (m *image) room(size, want int64) int64 {
	most := m.Object &^ 7
	take := min(want, most) / size * size
	if take == 0 {
		take = most
	}
	left := m.Bytes&^7 - int64(len(m.out)) - ring.ObjectHeader
	if take <= left {
		return take
	}
	m.cut |= ring.CutBytes
	return max(left, 0) / size * size
}
