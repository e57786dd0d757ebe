package interp

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// memory is readable from 0x10000 for its length.
const memory = "\x2A\x00\x00\x00\x00\x00\x00\x00\x20\x00\x01\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFalice, bob"

func state() *State {
	s := &State{CFA: program.CFA{Reg: 4, Offset: 8}, Slide: 0x4000, Goid: 18}
	s.Regs[0], s.Regs[4], s.Regs[1] = 0x10000, 0xFFF8, 0xFFFFFFFFFFFFFF80
	s.X[2] = math.Float64bits(2.5)
	s.Mem = func(addr uint64, n int) []byte {
		if off := addr - 0x10000; off < uint64(len(memory)) && off+uint64(n) <= uint64(len(memory)) {
			return []byte(memory[off:][:n])
		}
		return nil
	}
	return s
}

func c(t program.Scalar, v int64) *program.Node {
	return &program.Node{Op: program.OpConst, Type: t, Imm: v}
}

func pair(op program.Op, t program.Scalar, x, y *program.Node) *program.Node {
	return &program.Node{Op: op, Type: t, X: x, Y: y}
}

func load(t program.Scalar, at *program.Node, off int64) *program.Node {
	return &program.Node{Op: program.OpLoad, Type: t, X: at, Imm: off}
}

func nonNil(x *program.Node) *program.Node {
	return &program.Node{Op: program.OpNonNil, Type: program.U64, X: x}
}

func TestEval(t *testing.T) {
	rax := &program.Node{Op: program.OpReg, Type: program.U64}
	cfa := &program.Node{Op: program.OpCFA, Type: program.U64}
	text := &program.Node{Op: program.OpData, Type: program.U64, Data: []byte("alice")}
	name := load(program.U64, rax, 8)
	same := &program.Node{Op: program.OpStrEq, Type: program.Bool, X: name, Y: load(program.I64, rax, 16), Z: text, W: c(program.I64, 5)}
	fails := load(program.Bool, c(program.U64, 4096), 0)
	for _, test := range []struct {
		name   string
		n      *program.Node
		want   uint64
		status program.Status
	}{
		{"constant", c(program.I8, 0x1FF), math.MaxUint64, program.StatusOK},
		{"register, cut and extended", &program.Node{Op: program.OpReg, Type: program.I16, Reg: 1}, 0xFFFFFFFFFFFFFF80, program.StatusOK},
		{"vector register", &program.Node{Op: program.OpXReg, Type: program.F64, Imm: 2}, math.Float64bits(2.5), program.StatusOK},
		{"frame", load(program.I64, cfa, 0), 42, program.StatusOK},
		{"linked address", load(program.I64, &program.Node{Op: program.OpAddr, Imm: 0xC000}, 0), 42, program.StatusOK},
		{"goroutine", &program.Node{Op: program.OpGoid}, 18, program.StatusOK},
		{"string", same, 1, program.StatusOK},
		{"nil", load(program.I64, nonNil(c(program.U64, 4095)), 0), 0, program.StatusNil},
		{"fault", load(program.I64, nonNil(c(program.U64, 4096)), 0), 0, program.StatusFault},
		{"index", pair(program.OpIndex, program.I64, c(program.I64, 2), c(program.I64, 3)), 2, program.StatusOK},
		{"index out of range", pair(program.OpIndex, program.I64, c(program.I64, 3), c(program.I64, 3)), 0, program.StatusRange},
		{"negative index", pair(program.OpIndex, program.I64, c(program.I64, -1), c(program.I64, 3)), 0, program.StatusRange},
		{"division by zero", pair(program.OpRem, program.I64, c(program.I64, 3), c(program.I64, 0)), 0, program.StatusDivide},
		{"wrapping", pair(program.OpMul, program.U8, c(program.U8, 20), c(program.U8, 20)), 400 & 255, program.StatusOK},
		{"long shift", pair(program.OpShr, program.I32, c(program.I32, -5), c(program.U64, 90)), math.MaxUint64, program.StatusOK},
		{"decided and", pair(program.OpAndAnd, program.Bool, c(program.Bool, 0), fails), 0, program.StatusOK},
		{"undecided and", pair(program.OpAndAnd, program.Bool, c(program.Bool, 1), fails), 0, program.StatusFault},
		{"decided or", pair(program.OpOrOr, program.Bool, c(program.Bool, 1), fails), 1, program.StatusOK},
		{"NaN", pair(program.OpNe, program.Bool, c(program.F64, 0x7FF8<<48), c(program.F64, 0x7FF8<<48)), 1, program.StatusOK},
	} {
		if got, st := state().Eval(test.n); got != test.want || st != test.status {
			t.Errorf("%s: %#x, status %d; want %#x, %d", test.name, got, st, test.want, test.status)
		}
	}
}

// Conversions of numbers that fit are Go's own.
func TestConvertAsGoDoes(t *testing.T) {
	for _, f := range []float64{0, 1.9, -1.9, 127, -128, 1e9} {
		bits := math.Float64bits(f)
		if got, want := Convert(program.F64, program.I64, bits), uint64(int64(f)); got != want {
			t.Errorf("int64(%v): %#x, want %#x", f, got, want)
		}
		if got, want := Convert(program.F64, program.F32, bits), uint64(math.Float32bits(float32(f))); got != want {
			t.Errorf("float32(%v): %#x, want %#x", f, got, want)
		}
	}
	large := 1e19
	if got, want := Convert(program.F64, program.U64, math.Float64bits(large)), uint64(large); got != want {
		t.Errorf("uint64(%v): %d, want %d", large, got, want)
	}
}

func TestRecord(t *testing.T) {
	rax := &program.Node{Op: program.OpReg, Type: program.U64}
	site := &program.Site{Slots: []program.Slot{
		{Kind: program.SlotScalar, Node: load(program.I64, rax, 0), Size: 8},
		{Kind: program.SlotBytes, Node: load(program.U64, rax, 8), Len: load(program.I64, rax, 16), Elem: 1, Max: 3},
		{Kind: program.SlotBlock, Node: rax, Size: 4},
		{Kind: program.SlotBytes, Node: rax, Len: load(program.I64, rax, 24), Elem: 1, Max: 3},
		{Kind: program.SlotScalar, Guard: c(program.Bool, 0), Node: rax, Size: 8},
	}}
	got := state().Record(site, 7, 9, 0x1234)
	var want []byte
	word := func(v uint64) { want = binary.LittleEndian.AppendUint64(want, v) }
	word(ring.RecordHeader + 8 + 5*8 + 8 | 7<<32 | 9<<48)
	word(0x1234)
	word(18)
	word(uint64(program.StatusCorrupt)<<24 | uint64(program.StatusAbsent)<<32)
	for _, v := range []uint64{42, 5, 42, 0, 0} {
		word(v)
	}
	want = append(want, "ali\x00\x00\x00\x00\x00"...)
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestCondition(t *testing.T) {
	for want, cond := range map[Outcome]*program.Node{
		Held:   c(program.Bool, 1),
		Failed: c(program.Bool, 0),
		Error:  load(program.Bool, c(program.U64, 0), 0),
	} {
		if got := state().Condition(&program.Site{Cond: cond}); got != want {
			t.Errorf("%d, want %d", got, want)
		}
	}
}
