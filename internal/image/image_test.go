package image

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

type obj struct {
	addr  uint64
	data  string
	depth uint16
	flags uint16
}

// record lays out an image as package ring says.
func record(cut uint16, objects ...obj) []byte {
	le := binary.LittleEndian
	b := make([]byte, ring.ImageHeader)
	le.PutUint16(b[ring.ImageCut:], cut)
	le.PutUint32(b[ring.ImageObjects:], uint32(len(objects)-ring.ImageRoots))
	le.PutUint64(b[ring.ImageEnd:], 99)
	for _, o := range objects {
		h := make([]byte, ring.ObjectHeader)
		le.PutUint64(h[ring.ObjectAddr:], o.addr)
		le.PutUint32(h[ring.ObjectBytes:], uint32(len(o.data)))
		le.PutUint16(h[ring.ObjectDepth:], o.depth)
		le.PutUint16(h[ring.ObjectFlags:], o.flags)
		b = append(append(b, h...), o.data...)
		for len(b)%8 != 0 {
			b = append(b, 0)
		}
	}
	le.PutUint32(b[ring.ImageSize:], uint32(len(b)))
	return b
}

func sample() []byte {
	regs := make([]byte, program.RegsSize)
	binary.LittleEndian.PutUint64(regs[8*4:], 0x7000)
	binary.LittleEndian.PutUint64(regs[16*8+8*3:], 0x3ff0000000000000)
	return record(ring.CutDepth,
		obj{data: string(regs)}, obj{addr: 0x1000, data: "goroutine"}, obj{addr: 0x7000, data: "0123456789"},
		obj{addr: 0x2004, data: "EFGH", depth: 2}, obj{addr: 0x2000, data: "abcdef", depth: 1},
		obj{addr: 0x2008, data: "ijkl", depth: 3, flags: ring.ObjectShort}, obj{addr: 0x3000, data: "", depth: 1})
}

func TestRead(t *testing.T) {
	m, err := Parse(append(sample(), "what follows is not ours"...))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		addr uint64
		n    int64
		want string
	}{
		{0x7000, 4, "0123"}, {0x7008, 8, "89"}, {0x6fff, 8, ""}, {0x700a, 1, ""},
		{0x2000, 12, "abcdEFGHijkl"}, // the earlier copy of what two have, and no hole between those that touch
		{0x2006, 100, "GHijkl"}, {0x3000, 1, ""}, {0, 8, ""}, {0x2000, -1, ""}, {^uint64(0), 8, ""},
	} {
		if got := string(m.Read(c.addr, c.n)); got != c.want {
			t.Errorf("%d bytes at %#x: %q, want %q", c.n, c.addr, got, c.want)
		}
	}
	if d, ok := m.Depth(0x2005); !ok || d != 1 {
		t.Errorf("depth %d, %v: the shorter way counts", d, ok)
	}
	if !m.Short(0x2008) || m.Short(0x7000) {
		t.Error("what is short is not told")
	}
	if m.AnyWritten() || m.Written(0x2008) {
		t.Error("something was written")
	}
	m.written = m.objects[2:3]
	if !m.AnyWritten() || !m.Written(0x2004) || !m.Written(0x2007) || m.Written(0x2003) || m.Written(0x2008) {
		t.Error("what was written is not told")
	}
	rsp, _ := m.Reg(4)
	x3, _ := m.XReg(3)
	if lo, hi := m.Stack(); rsp != 0x7000 || x3 != 0x3ff0000000000000 || lo != 0x7000 || hi != 0x700a || m.Objects != 4 || m.End != 99 {
		t.Errorf("rsp %#x, x3 %#x, stack %#x to %#x, %+v", rsp, x3, lo, hi, m)
	}
	if _, ok := m.Reg(16); ok {
		t.Error("there is no register 16")
	}
}

func TestDamage(t *testing.T) {
	whole := sample()
	for n := range whole {
		if _, err := Parse(whole[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
	}
	for _, c := range []struct {
		name string
		at   int
		with byte
	}{
		{"size below the header", ring.ImageSize, 8}, {"objects that are not there", ring.ImageObjects, 9},
		{"too many objects", ring.ImageObjects + 3, 0xff}, {"no registers", ring.ImageHeader + ring.ObjectBytes, 8},
		{"an object behind the end", ring.ImageHeader + ring.ObjectBytes + 2, 0xff},
	} {
		b := bytes.Clone(whole)
		b[c.at] = c.with
		if _, err := Parse(b); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	wrap := record(0, obj{data: string(make([]byte, program.RegsSize))}, obj{}, obj{addr: ^uint64(3), data: "12345678"})
	if _, err := Parse(wrap); !errors.Is(err, ErrDamaged) {
		t.Errorf("an object around the end of memory: %v", err)
	}
}

// FuzzParse: no image, however broken, makes a panic or gives more bytes than
// were asked for.
func FuzzParse(f *testing.F) {
	f.Add(sample(), uint64(0x2003), int64(9))
	f.Add([]byte{}, uint64(0), int64(1))
	f.Fuzz(func(t *testing.T, rec []byte, addr uint64, n int64) {
		m, err := Parse(rec)
		if err != nil {
			return
		}
		for _, a := range []uint64{addr, 0, m.stack.addr, m.g.addr} {
			if b := m.Read(a, n); int64(len(b)) > max(n, 0) {
				t.Fatalf("%d bytes for %d", len(b), n)
			}
			m.Depth(a)
			m.Short(a)
		}
	})
}
