package jit

import (
	"encoding/binary"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// The tables of a snapshot, which its bodies read and trust: little endian, no
// addresses but the keys. The first place to try for a key is the upper
// dynamicBits of key*ring.HashFactor.
//
//	descriptors, each: u64 size; u32 offset of its references, and of its looks
//	behind them; u24 how many references; u8 how many looks
//	dynamic, open-addressed with linear probes: u64 key; u32 what (see pack); u32 0
//	references, each: u32 Off; u32 Len; u32 what; u32 Elem2
//	looks, each: u32 Off; u32 0; u64 Mask
const (
	descEntry = 1 << descShift
	descShift = 4
	descSize  = 0
	descRefs  = 8
	descCount = 12
	descLooks = 15

	descCountMax = 1<<24 - 1
	looksMax     = 1<<8 - 1

	dynamicEntry = 1 << dynamicShift
	dynamicShift = 4
	dynamicWhat  = 8

	refEntry = 1 << refShift
	refShift = 4
	refOff   = 0
	refLen   = 4
	refWhat  = 8
	refElem2 = 12

	lookEntry = 1 << lookShift
	lookShift = 4
	lookOff   = 0
	lookMask  = 8
)

// Parts of a reference's what.
const (
	whatKind  = 15
	whatFree  = 1 << 4
	elemShift = 5

	// notFollowed is RefNone as a kind: 0 as a whole means that nothing was found.
	notFollowed = 15
)

// Bounds of what the tables can say.
const (
	descsMax = 1 << 24
	sizeMax  = 1 << absurdShift // of an element
)

// shape is where the parts of an image's tables lie.
type shape struct {
	descs       int
	dynamicBits int // log2 of the places of the dynamic table
	dynamic     int64
	refs        int64
}

func newShape(img *program.Image) shape {
	s := shape{descs: len(img.Descs), dynamicBits: 1}
	for len(img.Dynamic)*4 > 3<<s.dynamicBits { // at most three quarters full
		s.dynamicBits++
	}
	s.dynamic = int64(s.descs) * descEntry
	s.refs = s.dynamic + dynamicEntry<<s.dynamicBits
	return s
}

// pack makes a reference's what.
func pack(kind program.RefKind, free bool, elem int) uint32 {
	what := uint32(kind) | uint32(elem)<<elemShift
	if kind == program.RefNone {
		what = notFollowed
	}
	if free {
		what |= whatFree
	}
	return what
}

// Tables are the descriptors of an image for a target with this slide. Bodies
// find them at Env.Tables.
func Tables(img *program.Image, slide uint64) ([]byte, error) {
	s := newShape(img)
	if s.descs > descsMax || s.descs == 0 || img.Descs[0].Size != 1 || len(img.Descs[0].Refs)+len(img.Descs[0].Looks) != 0 {
		return nil, fmt.Errorf("an image of %d descriptors, or whose first is not that of bytes", s.descs)
	}
	le := binary.LittleEndian
	blob := make([]byte, s.refs)
	for i := range img.Descs {
		d := &img.Descs[i]
		if d.Size < 1 || d.Size >= sizeMax {
			return nil, fmt.Errorf("descriptor %d: elements of %d bytes", i, d.Size)
		}
		at := blob[i*descEntry:]
		le.PutUint64(at[descSize:], uint64(d.Size))
		le.PutUint32(at[descRefs:], uint32(len(blob)))
		n := uint32(0)
		for j := range d.Refs {
			r := &d.Refs[j]
			if err := checkRef(r, d.Size, s.descs); err != nil {
				return nil, fmt.Errorf("descriptor %d, reference %d: %w", i, j, err)
			}
			if max(r.Off, r.Len) < img.Object { // what lies behind is never copied
				blob = appendRef(blob, r)
				n++
			}
		}
		looks := len(blob)
		var err error
		if blob, err = appendLooks(blob, d, img.Object); err != nil {
			return nil, fmt.Errorf("descriptor %d: %w", i, err)
		}
		looks = (len(blob) - looks) / lookEntry
		if n > descCountMax || looks > looksMax {
			return nil, fmt.Errorf("descriptor %d: %d references, %d looks", i, n, looks)
		}
		le.PutUint32(blob[i*descEntry+descCount:], n|uint32(looks)<<24)
	}
	if len(blob) >= 1<<31 {
		return nil, fmt.Errorf("tables of %d bytes", len(blob))
	}
	for _, d := range img.Dynamic {
		if err := s.enter(blob, d, slide); err != nil {
			return nil, fmt.Errorf("dynamic type or code at %#x: %w", d.Key, err)
		}
	}
	return blob, nil
}

// appendRef appends the entry of a reference.
func appendRef(blob []byte, r *program.Ref) []byte {
	for _, v := range []uint32{uint32(r.Off), uint32(r.Len), pack(r.Kind, r.Free, r.Elem), uint32(r.Elem2)} {
		blob = binary.LittleEndian.AppendUint32(blob, v)
	}
	return blob
}

// appendLooks appends the looks of a descriptor.
func appendLooks(blob []byte, d *program.Desc, object int64) ([]byte, error) {
	le := binary.LittleEndian
	for _, l := range d.Looks {
		if l.Off < 0 || l.Off > d.Size-8 || l.Off >= sizeMax {
			return nil, fmt.Errorf("a look at %d: not in an element of %d bytes", l.Off, d.Size)
		}
		if l.Off < object { // what lies behind is never copied
			blob = le.AppendUint64(blob, uint64(uint32(l.Off)))
			blob = le.AppendUint64(blob, l.Mask)
		}
	}
	return blob, nil
}

// checkRef refuses a reference that reads outside of its element, or that leads
// nowhere.
func checkRef(r *program.Ref, size int64, descs int) error {
	within := func(off, n int64) bool { return off >= 0 && off <= size-n }
	ok := within(r.Off, 8)
	switch r.Kind {
	case program.RefPointer, program.RefFunc:
	case program.RefSlice, program.RefGroups, program.RefDirectory:
		ok = ok && within(r.Len, 8)
	case program.RefBuckets:
		ok = ok && within(r.Len, 1)
	case program.RefOld:
		ok = ok && within(r.Len-1, 2)
	case program.RefIface:
		ok = ok && within(r.Off, 16) && r.Len >= 0 && r.Len < nilEnd
	case program.RefEface:
		ok = ok && within(r.Off, 16)
	default:
		return fmt.Errorf("kind %d", r.Kind)
	}
	if !ok || r.Len < 0 || r.Len >= sizeMax {
		return fmt.Errorf("kind %d at %d and %d: not in an element of %d bytes", r.Kind, r.Off, r.Len, size)
	}
	return checkElems(r, descs)
}

func checkElems(r *program.Ref, descs int) error {
	for _, e := range []int{r.Elem, r.Elem2} {
		if e < 0 || e >= descs {
			return fmt.Errorf("to descriptor %d of %d", e, descs)
		}
	}
	return nil
}

// enter puts an entry into the dynamic table.
func (s shape) enter(blob []byte, d program.Dynamic, slide uint64) error {
	if d.Kind != program.RefNone && d.Kind != program.RefPointer && d.Kind != program.RefFunc {
		return fmt.Errorf("kind %d", d.Kind)
	}
	if err := checkElems(&program.Ref{Elem: d.Elem}, s.descs); err != nil {
		return err
	}
	le := binary.LittleEndian
	key := d.Key + slide
	if key == 0 {
		return fmt.Errorf("no address")
	}
	mask := uint64(1)<<s.dynamicBits - 1
	for i := key * ring.HashFactor >> (64 - s.dynamicBits); ; i = (i + 1) & mask {
		at := blob[s.dynamic+int64(i)*dynamicEntry:]
		switch le.Uint64(at) {
		case key:
			return fmt.Errorf("listed twice")
		case 0:
			le.PutUint64(at, key)
			le.PutUint32(at[dynamicWhat:], pack(d.Kind, d.Free, d.Elem))
			return nil
		}
	}
}
