package vdso

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

// The vDSO of the kernel that runs the test is proven; so is how much it takes.
func TestOwnKernelsClockIsProven(t *testing.T) {
	image, at := own(t)
	fn, err := Clock(image, at, 512)
	if err != nil {
		t.Fatal(err)
	}
	if fn < at || fn >= at+uint64(len(image)) {
		t.Errorf("the clock is at %#x, the vDSO at %#x", fn, at)
	}
	if _, err := Clock(image, at, 8); err == nil || !strings.Contains(err.Error(), "of stack") {
		t.Errorf("with no stack: %v", err)
	}
	if _, err := Clock(image[:64], at, 512); err == nil {
		t.Error("a cut image is understood")
	}
}

const base = 0x7000

// proven proves code that emit writes, at base.
func proven(t *testing.T, room int, emit func(a *amd64.Asm)) error {
	t.Helper()
	a := amd64.NewAsm(base)
	emit(a)
	code, err := a.Code()
	if err != nil {
		t.Fatal(err)
	}
	return prove(code, base, base, room)
}

func TestWhatIsHarmless(t *testing.T) {
	frame := func(in ...byte) func(a *amd64.Asm) {
		return func(a *amd64.Asm) {
			a.Push(amd64.RBP)
			a.MovRR(amd64.RBP, amd64.RSP)
			a.Push(amd64.RBX)
			a.Bytes(0x48, 0x83, 0xE4, 0xF0) // and rsp, -16
			a.OpImm(amd64.SUB, amd64.RSP, 16, 8)
			a.Bytes(in...)
			a.Lea(amd64.RSP, amd64.At(amd64.RBP, -8))
			a.Pop(amd64.RBX)
			a.Pop(amd64.RBP)
			a.Ret()
		}
	}
	for name, in := range map[string][]byte{
		"nothing": nil, "rdtscp": {0x0F, 0x01, 0xF9}, "lfence": {0x0F, 0xAE, 0xE8}, "syscall": {0x0F, 0x05},
		"movups xmm0, [rsi]": {0x0F, 0x10, 0x06}, "movq xmm0, rax": {0x66, 0x48, 0x0F, 0x6E, 0xC0},
		"pause": {0xF3, 0x90}, "cvtsi2sd": {0xF2, 0x48, 0x0F, 0x2A, 0xC0}, "movq xmm0, xmm1": {0x66, 0x0F, 0xD6, 0xC8}, "cpuid-free shift": {0x48, 0xC1, 0xE2, 0x20},
	} {
		if err := proven(t, 8+8+16+16, frame(in...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := proven(t, 8+8+16+15, frame()); err == nil {
		t.Error("more stack than there is")
	}
	for name, in := range map[string][]byte{
		"vmovups": {0xC5, 0xF8, 0x10, 0x06}, "fld1": {0xD9, 0xE8}, "movq mm0, rax": {0x48, 0x0F, 0x6E, 0xC0}, "emms": {0x0F, 0x77},
		"paddb mm": {0x0F, 0xFC, 0xC1}, "cvtpi2ps": {0x0F, 0x2A, 0xC1}, "cvtpi2pd": {0x66, 0x0F, 0x2A, 0xC1}, "cvttpd2pi": {0x66, 0x0F, 0x2C, 0xC1},
		"movdq2q": {0xF2, 0x0F, 0xD6, 0xC1}, "movq2dq": {0xF3, 0x0F, 0xD6, 0xC1}, "movdq2q, 66": {0x66, 0xF2, 0x0F, 0xD6, 0xC1}, "ldmxcsr": {0x0F, 0xAE, 0x16}, "std": {0xFD},
		"call rax": {0xFF, 0xD0}, "jmp rax": {0xFF, 0xE0}, "ud2": {0x0F, 0x0B}, "int 0x80": {0xCD, 0x80}, "fs:": {0x64, 0x48, 0x8B, 0x00},
		"pop rsp": {0x5C}, "sub rsp, rax": {0x48, 0x29, 0xC4}, "lea rsp, [rax]": {0x48, 0x8D, 0x20}, "mov rsp, r13": {0x4C, 0x89, 0xEC},
		"push": {0x50, 0x5A, 0x5A, 0x5A, 0x5A, 0x5A, 0x5A, 0x5A, 0x5A, 0x5A}, "out": {0xE9, 0, 0x10, 0, 0}, "xgetbv": {0x0F, 0x01, 0xD0},
		"wrpkru": {0x0F, 0x01, 0xEF}, "wrfsbase": {0xF3, 0x48, 0x0F, 0xAE, 0xD0}, "xrstor": {0x0F, 0xAE, 0x28},
	} {
		if err := proven(t, 4096, frame(in...)); err == nil {
			t.Errorf("%s is taken for harmless", name)
		}
	}
}

func TestWaysOfTheStack(t *testing.T) {
	for name, emit := range map[string]func(a *amd64.Asm){
		"a call of itself": func(a *amd64.Asm) {
			top := a.Here()
			a.Call(top)
			a.Ret()
		},
		"a push in a loop": func(a *amd64.Asm) {
			top := a.Here()
			a.Push(amd64.RAX)
			a.Jcc(amd64.CondNE, top)
			a.Ret()
		},
		"a return with something on the stack": func(a *amd64.Asm) {
			a.Push(amd64.RAX)
			a.Ret()
		},
		"a return that takes arguments away": func(a *amd64.Asm) { a.Bytes(0xC2, 8, 0) },
		"a return to half an address":        func(a *amd64.Asm) { a.Bytes(0x66, 0xC3) },
		"a frame that was given up": func(a *amd64.Asm) {
			a.Push(amd64.RBP)
			a.MovRR(amd64.RBP, amd64.RSP)
			a.Zero(amd64.RBP)
			a.Bytes(0xC9) // leave
			a.Ret()
		},
	} {
		if err := proven(t, 4096, emit); err == nil {
			t.Errorf("%s is taken for harmless", name)
		}
	}
	calls := func(a *amd64.Asm) {
		f := a.NewLabel()
		a.Push(amd64.RBX)
		a.Call(f)
		a.Call(f)
		a.Pop(amd64.RBX)
		a.Ret()
		a.Bind(f)
		a.Push(amd64.RAX)
		a.Pop(amd64.RAX)
		a.Ret()
	}
	if err := proven(t, 24, calls); err != nil {
		t.Error(err)
	}
	if err := proven(t, 23, calls); err == nil {
		t.Error("what is called takes stack, too")
	}
}

// own reads the vDSO of this process.
func own(t *testing.T) ([]byte, uint64) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Skip("no /proc: no Linux")
	}
	image, at, err := read(string(maps))
	if err != nil {
		t.Fatal(err)
	}
	return image, at
}

func read(maps string) ([]byte, uint64, error) {
	for _, line := range strings.Split(maps, "\n") {
		if !strings.HasSuffix(line, "[vdso]") {
			continue
		}
		var from, end uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &from, &end); err != nil {
			return nil, 0, err
		}
		mem, err := os.Open("/proc/self/mem")
		if err != nil {
			return nil, 0, err
		}
		defer mem.Close()
		b := make([]byte, end-from)
		_, err = mem.ReadAt(b, int64(from))
		return b, from, err
	}
	return nil, 0, fmt.Errorf("no vDSO")
}
