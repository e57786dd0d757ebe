package debuginfo

import "strings"

// buf reads little-endian data from a section, forwards. A read past the end sets
// bad and returns zero; so a decoder checks once, at its end. Sections are strings
// because nobody may change them and because names are then free to share.
//
// data may end before what is to be read does: the rest is had from a part, a
// piece at a time.
type buf struct {
	data string
	off  int
	bad  bool
	of   *part // nil: data is everything
	end  int   // where reading ends; with of only
}

func bufAt(data string, off uint64) buf {
	if off > uint64(len(data)) {
		return buf{data: data, off: len(data), bad: true}
	}
	return buf{data: data, off: int(off)}
}

func (b *buf) more() bool { return !b.bad && (b.off < len(b.data) || b.grow(1)) }

// left is how many bytes there are still to be read.
func (b *buf) left() int {
	if b.of != nil {
		return b.end - b.off
	}
	return len(b.data) - b.off
}

// grow gets n more bytes, and maybe some more.
func (b *buf) grow(n uint64) bool {
	if b.of == nil || b.off > b.end || n > uint64(b.end-b.off) {
		return false
	}
	data, ok := b.of.upto(b.off, int(n))
	if ok {
		b.data = data[:min(len(data), b.end)]
	}
	return ok
}

func (b *buf) need(n uint64) bool {
	if b.bad {
		return false
	}
	if b.off <= len(b.data) && n <= uint64(len(b.data)-b.off) || b.grow(n) {
		return true
	}
	b.bad = true
	return false
}

func (b *buf) skip(n uint64) {
	if b.need(n) {
		b.off += int(n)
	}
}

func (b *buf) bytes(n uint64) string {
	if !b.need(n) {
		return ""
	}
	s := b.data[b.off : b.off+int(n)]
	b.off += int(n)
	return s
}

func (b *buf) u8() uint8 {
	if (b.bad || b.off >= len(b.data)) && !b.need(1) {
		return 0
	}
	v := b.data[b.off]
	b.off++
	return v
}

func (b *buf) u16() uint16 {
	if !b.need(2) {
		return 0
	}
	v := le16(b.data[b.off:])
	b.off += 2
	return v
}

func (b *buf) u32() uint32 {
	if !b.need(4) {
		return 0
	}
	v := le32(b.data[b.off:])
	b.off += 4
	return v
}

func (b *buf) u64() uint64 {
	if !b.need(8) {
		return 0
	}
	v := le64(b.data[b.off:])
	b.off += 8
	return v
}

// uint reads n bytes, 1 to 8.
func (b *buf) uint(n int) uint64 {
	if !b.need(uint64(n)) {
		return 0
	}
	var v uint64
	for i := range n {
		v |= uint64(b.data[b.off+i]) << (8 * i)
	}
	b.off += n
	return v
}

func (b *buf) uleb() uint64 {
	var v uint64
	for shift := uint(0); ; shift += 7 {
		c := b.u8()
		if shift < 64 {
			v |= uint64(c&0x7f) << shift
		}
		if c&0x80 == 0 {
			return v
		}
		if shift > 70 {
			b.bad = true
			return 0
		}
	}
}

func (b *buf) sleb() int64 {
	var v int64
	for shift := uint(0); ; {
		c := b.u8()
		if shift < 64 {
			v |= int64(c&0x7f) << shift
		}
		shift += 7
		if c&0x80 == 0 {
			if shift < 64 && c&0x40 != 0 {
				v |= -1 << shift
			}
			return v
		}
		if shift > 77 {
			b.bad = true
			return 0
		}
	}
}

// cstr reads up to a zero byte, which it takes too.
func (b *buf) cstr() string {
	for from := b.off; b.more(); {
		if i := strings.IndexByte(b.data[b.off:], 0); i >= 0 {
			s := b.data[from : b.off+i]
			b.off += i + 1
			return s
		}
		b.off = len(b.data)
	}
	b.bad = true
	return ""
}

func (b *buf) skipLEB() {
	for b.u8()&0x80 != 0 {
	}
}

// initial reads an initial length of a unit: its size, and whether the unit is
// in the 64-bit DWARF format.
func (b *buf) initial() (n uint64, wide bool) {
	v := b.u32()
	if v == 0xffffffff {
		return b.u64(), true
	}
	return uint64(v), false
}

// offset reads a section offset of the unit's format.
func (b *buf) offset(wide bool) uint64 {
	if wide {
		return b.u64()
	}
	return uint64(b.u32())
}

func le16(s string) uint16 { return uint16(s[0]) | uint16(s[1])<<8 }

func le32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func le64(s string) uint64 {
	_ = s[7]
	return uint64(le32(s)) | uint64(le32(s[4:]))<<32
}
