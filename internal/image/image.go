// Package image is the memory of a target at one moment, as far as a snapshot
// copied it.
//
// The image part of a snapshot's record comes in, laid out as package ring says;
// what goes out are the registers, and the bytes at an address of which nothing
// but what was copied at the hit is ever given, with the reason for what is not
// there. Before it stands ring; after it stand value, which reads Go values out
// of it, and moment, which walks its stack.
//
// An image was written by a process that may be broken in any way: damage is an
// error, never a panic, and never a wrong byte.
package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// ErrDamaged is the reason of every error of Parse.
var ErrDamaged = errors.New("damaged image")

// Image is what was copied at a hit.
type Image struct {
	Cut     uint16 // ring.Cut… bits
	Faults  int    // addresses that could not be read
	Objects int    // that were copied, the roots not counted
	Bytes   int64  // of those
	End     uint64 // time-stamp counter when it was finished

	regs    []byte
	g       object
	stack   object
	objects []object // by the order in which they were copied
	short   []object // those that go on behind what was copied
	written []object // those that were written while others were copied
	runs    []run    // sorted, disjoint: what all of them cover
}

// object is one run of bytes as it was copied.
type object struct {
	addr  uint64
	data  []byte
	depth int
	desc  int
	count uint32
	short bool
	mixed bool // written meanwhile
}

func (o *object) end() uint64 { return o.addr + uint64(len(o.data)) }

// run is a stretch of memory without a hole.
type run struct {
	addr uint64
	data []byte
}

// maxObjects bounds what is believed of a count; compile asks for far fewer.
const maxObjects = 1 << 20

// Parse reads the image that rec begins with. rec may be longer.
func Parse(rec []byte) (*Image, error) {
	if len(rec) < ring.ImageHeader {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(rec))
	}
	le := binary.LittleEndian
	size, n := le.Uint32(rec[ring.ImageSize:]), le.Uint32(rec[ring.ImageObjects:])
	if size < ring.ImageHeader || uint64(size) > uint64(len(rec)) || n > maxObjects {
		return nil, fmt.Errorf("%w: %d bytes with %d objects, in %d", ErrDamaged, size, n, len(rec))
	}
	m := &Image{
		Cut:     le.Uint16(rec[ring.ImageCut:]),
		Faults:  int(le.Uint16(rec[ring.ImageFaults:])),
		Objects: int(n),
		End:     le.Uint64(rec[ring.ImageEnd:]),
	}
	rest := rec[ring.ImageHeader:size]
	for i := range int(n) + ring.ImageRoots {
		var o object
		var err error
		if o, rest, err = parseObject(rest); err != nil {
			return nil, fmt.Errorf("%w: object %d: %w", ErrDamaged, i, err)
		}
		switch i {
		case 0:
			if len(o.data) != program.RegsSize {
				return nil, fmt.Errorf("%w: %d bytes of registers", ErrDamaged, len(o.data))
			}
			m.regs = o.data
			continue
		case 1:
			m.g = o
		case 2:
			m.stack = o
		}
		if i >= ring.ImageRoots {
			m.Bytes += int64(len(o.data))
		}
		if o.short {
			m.short = append(m.short, o)
		}
		if o.mixed {
			m.written = append(m.written, o)
		}
		m.objects = append(m.objects, o)
	}
	m.flatten()
	return m, nil
}

func parseObject(b []byte) (o object, rest []byte, err error) {
	if len(b) < ring.ObjectHeader {
		return o, nil, fmt.Errorf("%d bytes are left", len(b))
	}
	le := binary.LittleEndian
	n := uint64(le.Uint32(b[ring.ObjectBytes:]))
	padded := (n + 7) &^ 7
	o.addr = le.Uint64(b[ring.ObjectAddr:])
	if padded > uint64(len(b)-ring.ObjectHeader) || o.addr+n < o.addr {
		return o, nil, fmt.Errorf("%d bytes at %#x do not fit", n, o.addr)
	}
	o.desc = int(le.Uint32(b[ring.ObjectDesc:]))
	o.count = le.Uint32(b[ring.ObjectCount:])
	o.depth = int(le.Uint16(b[ring.ObjectDepth:]))
	o.short = le.Uint16(b[ring.ObjectFlags:])&ring.ObjectShort != 0
	o.mixed = le.Uint16(b[ring.ObjectFlags:])&ring.ObjectWritten != 0
	o.data = b[ring.ObjectHeader : ring.ObjectHeader+n]
	return o, b[ring.ObjectHeader+padded:], nil
}

// flatten makes of the objects, which may overlap and touch, runs that do not.
// Where two were copied of the same bytes, the earlier copy is taken: both are
// of the hit.
func (m *Image) flatten() {
	order := make([]int, 0, len(m.objects))
	for i := range m.objects {
		if len(m.objects[i].data) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := m.objects[a].addr, m.objects[b].addr
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return a - b
	})
	for at := 0; at < len(order); {
		first := &m.objects[order[at]]
		end, k := first.end(), at+1
		for k < len(order) && m.objects[order[k]].addr <= end {
			end = max(end, m.objects[order[k]].end())
			k++
		}
		r := run{addr: first.addr, data: first.data}
		if k > at+1 {
			group := slices.Clone(order[at:k])
			slices.Sort(group)
			r.data = make([]byte, end-first.addr)
			for _, i := range slices.Backward(group) { // the earliest is written last
				copy(r.data[m.objects[i].addr-first.addr:], m.objects[i].data)
			}
		}
		m.runs = append(m.runs, r)
		at = k
	}
}

// Read gives of n bytes at addr as many as were copied, from the first on.
func (m *Image) Read(addr uint64, n int64) []byte {
	if m == nil || n <= 0 {
		return nil
	}
	i := sort.Search(len(m.runs), func(i int) bool { return m.runs[i].addr > addr }) - 1
	if i < 0 || addr-m.runs[i].addr >= uint64(len(m.runs[i].data)) {
		return nil
	}
	b := m.runs[i].data[addr-m.runs[i].addr:]
	if int64(len(b)) > n {
		b = b[:n]
	}
	return b
}

// Reg is a general register at the site; it is false without any.
func (m *Image) Reg(r program.Reg) (uint64, bool) {
	if m == nil || int(r) >= 16 || len(m.regs) < program.RegsSize {
		return 0, false
	}
	return binary.LittleEndian.Uint64(m.regs[8*int(r):]), true
}

// XReg is the low half of a vector register at the site.
func (m *Image) XReg(r program.Reg) (uint64, bool) {
	if m == nil || int(r) >= 16 || len(m.regs) < program.RegsSize {
		return 0, false
	}
	return binary.LittleEndian.Uint64(m.regs[16*8+8*int(r):]), true
}

// G is the goroutine's descriptor: its address, and its bytes.
func (m *Image) G() (addr uint64, data []byte) { return m.g.addr, m.g.data }

// Stack is the part of the stack that was copied: from lo up to hi.
func (m *Image) Stack() (lo, hi uint64) { return m.stack.addr, m.stack.end() }

// Depth is how many references were followed to what lies at addr, the least
// where it was reached in several ways; false where nothing was copied of it.
func (m *Image) Depth(addr uint64) (depth int, ok bool) {
	if m == nil {
		return 0, false
	}
	for i := range m.objects {
		o := &m.objects[i]
		if addr >= o.addr && addr < o.end() && (!ok || o.depth < depth) {
			depth, ok = o.depth, true
		}
	}
	return depth, ok
}

// Above tells that addr is on the goroutine's stack, farther up than was copied.
func (m *Image) Above(addr uint64) bool {
	const stackHi = 8 // runtime.g begins with a stack{lo, hi} (runtime/runtime2.go, Go 1.4 to 1.26)
	if m == nil || len(m.g.data) < stackHi+8 {
		return false
	}
	lo, end := m.Stack()
	hi := binary.LittleEndian.Uint64(m.g.data[stackHi:])
	return lo < hi && end <= addr && addr < hi
}

// Short tells that what lies at addr goes on behind the copied bytes: an object
// of which fewer elements were copied than there are.
func (m *Image) Short(addr uint64) bool {
	for i := range m.short {
		if o := &m.short[i]; addr >= o.addr && addr <= o.end() {
			return true
		}
	}
	return false
}

// Written tells that what lies at addr belongs to something that was written while
// the image was copied: the parts of a map that were copied may not fit together.
func (m *Image) Written(addr uint64) bool {
	if m == nil {
		return false
	}
	for i := range m.written {
		if o := &m.written[i]; addr >= o.addr && addr < o.end() {
			return true
		}
	}
	return false
}

// AnyWritten tells that there is something of which Written is true.
func (m *Image) AnyWritten() bool { return m != nil && len(m.written) > 0 }
