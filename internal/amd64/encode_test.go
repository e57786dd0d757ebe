package amd64

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func assemble(t *testing.T, base uint64, emit func(a *Asm)) []byte {
	t.Helper()
	a := NewAsm(base)
	emit(a)
	code, err := a.Code()
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestEncodeForms(t *testing.T) {
	for _, f := range encodeForms {
		t.Run(f.text, func(t *testing.T) {
			if got := hex.EncodeToString(assemble(t, 0, f.emit)); got != f.hex {
				t.Errorf("%s:\n got %s\nwant %s", f.text, got, f.hex)
			}
		})
	}
}

// Every register in every place must keep its number: swapped REX bits only
// show with registers of both halves.
func TestEncodeEveryRegister(t *testing.T) {
	for base := range Reg(16) {
		for index := range Reg(16) {
			if index == RSP {
				continue
			}
			code := assemble(t, 0, func(a *Asm) { a.Load(base, AtIndex(index^8, index, 4, 3), 8) })
			rex, sib := code[0], code[3]
			gotReg := code[2]>>3&7 | rex>>2&1<<3
			gotIndex, gotBase := sib>>3&7|rex>>1&1<<3, sib&7|rex&1<<3
			if Reg(gotReg) != base || Reg(gotIndex) != index || Reg(gotBase) != index^8 {
				t.Fatalf("% x: reg %d index %d base %d", code, gotReg, gotIndex, gotBase)
			}
		}
	}
}

func TestLabels(t *testing.T) {
	got := assemble(t, 0x400000, func(a *Asm) {
		out, data := a.NewLabel(), a.NewLabel()
		top := a.Here()
		a.Load(RAX, AtLabel(data), 8)
		a.Jcc(CondE, out)
		a.JccShort(CondNE, top)
		a.Jmp(out)
		a.JmpShort(top)
		a.Call(top)
		a.Bind(out)
		a.Ret()
		a.Align(8, 0xCC)
		a.Bind(data)
		a.U64(1)
	})
	want := "488b0519000000" + "0f840e000000" + "75f1" + "e907000000" + "ebea" + "e8e5ffffff" + "c3" + "cccccc" + "cc" + "0100000000000000"
	want = strings.ReplaceAll(want, " ", "")
	if hex.EncodeToString(got) != want {
		t.Errorf("got %x\nwant %s", got, want)
	}
}

func TestEncodeMistakes(t *testing.T) {
	for name, emit := range map[string]func(a *Asm){
		"unbound label":     func(a *Asm) { a.Jmp(a.NewLabel()) },
		"label bound twice": func(a *Asm) { a.Bind(a.Here()) },
		"out of reach":      func(a *Asm) { a.JmpTo(1 << 40) },
		"short out of reach": func(a *Asm) {
			l := a.NewLabel()
			a.JmpShort(l)
			a.Bytes(make([]byte, 200)...)
			a.Bind(l)
		},
		"immediate too wide": func(a *Asm) { a.OpImm(ADD, RAX, 1<<31, 8) },
		"RSP as index":       func(a *Asm) { a.Lea(RAX, AtIndex(RAX, RSP, 1, 0)) },
		"odd scale":          func(a *Asm) { a.Lea(RAX, AtIndex(RAX, RCX, 3, 0)) },
	} {
		a := NewAsm(0)
		emit(a)
		if code, err := a.Code(); err == nil {
			t.Errorf("%s: no error, % x", name, code)
		}
	}
}

func TestOperandBehindImmediate(t *testing.T) {
	// The displacement counts from the end of the instruction, immediate included.
	got := assemble(t, 0x1000, func(a *Asm) { a.OpMemImm(CMP, AtAddr(0x2000), 0x1234567, 4) })
	want := []byte{0x81, 0x3D, 0xF6, 0x0F, 0, 0, 0x67, 0x45, 0x23, 0x01}
	if !bytes.Equal(got, want) {
		t.Errorf("got % x want % x", got, want)
	}
}

func TestOperandsMoved(t *testing.T) {
	for _, c := range []struct{ moved, plain Mem }{
		{At(RBX, 8).Plus(-16), At(RBX, -8)},
		{AtAddr(0x1000).Plus(0x10), AtAddr(0x1010)},
		{At(RBX, 8).Indexed(RCX).Plus(4), AtIndex(RBX, RCX, 1, 12)},
	} {
		got := assemble(t, 0, func(a *Asm) { a.Load(RAX, c.moved, 8) })
		want := assemble(t, 0, func(a *Asm) { a.Load(RAX, c.plain, 8) })
		if !bytes.Equal(got, want) {
			t.Errorf("got % x want % x", got, want)
		}
	}
	a := NewAsm(0)
	a.Load(RAX, AtIndex(RBX, RCX, 8, 0).Indexed(RDX), 8)
	if _, err := a.Code(); err == nil {
		t.Error("an operand with two indices: no error")
	}
}

func TestPlaces(t *testing.T) {
	a := NewAsm(0x1000)
	l := a.NewLabel()
	if a.Addr(l) != 0 {
		t.Error("an unbound label has an address")
	}
	a.JrcxzShort(l)
	a.Bind(l)
	if a.Len() != 2 || a.Addr(l) != 0x1002 || a.PC() != 0x1002 {
		t.Errorf("length %d, label %#x, pc %#x", a.Len(), a.Addr(l), a.PC())
	}
	if code, err := a.Code(); err != nil || !bytes.Equal(code, []byte{0xE3, 0}) {
		t.Errorf("% x, %v", code, err)
	}
	for c := range Cond(16) {
		if c.Not() == c || c.Not().Not() != c {
			t.Errorf("condition %d", c)
		}
	}
}
