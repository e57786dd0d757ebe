package amd64

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Asm writes machine code that will run at a known address. Operands that
// cannot be encoded do not panic: the first such mistake is kept and told by
// Code, so that nothing half-written is ever put into a target.
//
// Sizes are operand sizes in bytes: 1, 2, 4, 8. As in hardware, writing 4 bytes
// of a register clears its upper half, writing 1 or 2 leaves the rest.
type Asm struct {
	buf    []byte
	base   uint64
	labels []int // offset of each label, -1 while unbound
	refs   []ref
	err    error
}

// Label names a place in the code of one Asm, before or after it is known.
type Label int

// ref is a displacement to be filled in when its label or address is resolved.
type ref struct {
	at    int // offset of the displacement
	size  int // 1 or 4
	tail  int // bytes of the instruction behind the displacement
	label Label
	addr  uint64 // used when label < 0
}

// NewAsm starts code that will run at base.
func NewAsm(base uint64) *Asm { return &Asm{base: base} }

// Len is the number of bytes written so far.
func (a *Asm) Len() int { return len(a.buf) }

// PC is the address of the next byte.
func (a *Asm) PC() uint64 { return a.base + uint64(len(a.buf)) }

// NewLabel makes a label that is not yet bound.
func (a *Asm) NewLabel() Label {
	a.labels = append(a.labels, -1)
	return Label(len(a.labels) - 1)
}

// Bind puts l at the next byte. A label is bound once.
func (a *Asm) Bind(l Label) {
	if a.labels[l] >= 0 {
		a.fail("label %d bound twice", l)
	}
	a.labels[l] = len(a.buf)
}

// Here makes a label at the next byte.
func (a *Asm) Here() Label {
	l := a.NewLabel()
	a.Bind(l)
	return l
}

// Addr is the address of a bound label; 0 while it is unbound.
func (a *Asm) Addr(l Label) uint64 {
	if a.labels[l] < 0 {
		return 0
	}
	return a.base + uint64(a.labels[l])
}

// Bytes writes raw bytes.
func (a *Asm) Bytes(b ...byte) { a.buf = append(a.buf, b...) }

// U32 writes four bytes, little endian.
func (a *Asm) U32(v uint32) { a.buf = binary.LittleEndian.AppendUint32(a.buf, v) }

// U64 writes eight bytes, little endian.
func (a *Asm) U64(v uint64) { a.buf = binary.LittleEndian.AppendUint64(a.buf, v) }

// Align fills with fill up to a multiple of n in the address.
func (a *Asm) Align(n int, fill byte) {
	for a.PC()%uint64(n) != 0 {
		a.Bytes(fill)
	}
}

// Code resolves all references and returns the code, or the first mistake made.
func (a *Asm) Code() ([]byte, error) {
	for _, r := range a.refs {
		a.resolve(r)
	}
	a.refs = nil
	if a.err != nil {
		return nil, a.err
	}
	return a.buf, nil
}

func (a *Asm) resolve(r ref) {
	target := r.addr
	if r.label >= 0 {
		if a.labels[r.label] < 0 {
			a.fail("label %d is never bound", r.label)
			return
		}
		target = a.base + uint64(a.labels[r.label])
	}
	next := a.base + uint64(r.at+r.size+r.tail)
	d := int64(target - next)
	switch {
	case r.size == 1 && d >= math.MinInt8 && d <= math.MaxInt8:
		a.buf[r.at] = byte(d)
	case r.size == 4 && d >= math.MinInt32 && d <= math.MaxInt32:
		binary.LittleEndian.PutUint32(a.buf[r.at:], uint32(d))
	default:
		a.fail("%#x is out of reach of %#x in %d bytes", target, next, r.size)
	}
}

// Fail notes a mistake of the caller, for Code to tell.
func (a *Asm) Fail(format string, args ...any) { a.fail(format, args...) }

func (a *Asm) fail(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf("assembler: "+format, args...)
	}
}

// branch leaves room for a displacement to a label, or to addr if l < 0.
func (a *Asm) branch(size int, l Label, addr uint64) {
	a.refs = append(a.refs, ref{at: len(a.buf), size: size, label: l, addr: addr})
	a.buf = append(a.buf, make([]byte, size)...)
}

// imm writes the low size bytes of v; 8-byte operands take four, sign-extended.
func (a *Asm) imm(v int64, size int) {
	switch size {
	case 1:
		a.Bytes(byte(v))
	case 2:
		a.Bytes(byte(v), byte(v>>8))
	default:
		if size == 8 && int64(int32(v)) != v || size == 4 && v>>32 != 0 && v>>31 != -1 {
			a.fail("immediate %#x does not fit", v)
		}
		a.U32(uint32(v))
	}
}

// immLen is how many bytes imm writes.
func immLen(size int) int { return min(size, 4) }
