package amd64

import (
	"slices"
	"testing"
)

func liveAt(t *testing.T, code []byte, opt FlowOptions, off uint64) Live {
	t.Helper()
	g, err := Flow(code, 0x1000, opt)
	if err != nil {
		t.Fatal(err)
	}
	return g.Live(0x1000 + off)
}

func TestLive(t *testing.T) {
	join := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	var (
		movRDX   = []byte{0x48, 0x89, 0xC2}       // mov rdx, rax
		movEDX   = []byte{0x89, 0xC2}             // mov edx, eax
		movDL    = []byte{0x88, 0xC2}             // mov dl, al
		movDX    = []byte{0x66, 0x89, 0xC2}       // mov dx, ax
		useRDX   = []byte{0x48, 0x89, 0xD0}       // mov rax, rdx
		cmovRDX  = []byte{0x48, 0x0F, 0x44, 0xD0} // cmove rdx, rax
		xorEDX   = []byte{0x31, 0xD2}             // xor edx, edx
		xorDX    = []byte{0x66, 0x31, 0xD2}       // xor dx, dx
		incRAX   = []byte{0x48, 0xFF, 0xC0}       // inc rax
		adcRAX   = []byte{0x48, 0x83, 0xD0, 0x00} // adc rax, 0
		addRAX   = []byte{0x48, 0x83, 0xC0, 0x01} // add rax, 1
		shlCL    = []byte{0x48, 0xD3, 0xE0}       // shl rax, cl
		shl0     = []byte{0x48, 0xC1, 0xE0, 0x00} // shl rax, 0
		shl1     = []byte{0x48, 0xC1, 0xE0, 0x01} // shl rax, 1
		seteAL   = []byte{0x0F, 0x94, 0xC0}       // sete al
		callRel  = []byte{0xE8, 0, 1, 0, 0}
		callRCX  = []byte{0xFF, 0xD1}
		jmpRAX   = []byte{0xFF, 0xE0}
		ret      = []byte{0xC3}
		divRCX   = []byte{0x48, 0xF7, 0xF1} // div rcx
		mulRCX   = []byte{0x48, 0xF7, 0xE1} // mul rcx
		xaddRDX  = []byte{0x48, 0x0F, 0xC1, 0x10}
		repStos  = []byte{0xF3, 0x48, 0xAB}
		jneBack3 = []byte{0x75, 0xFB} // to 3 bytes before itself
	)
	ordinary := FlowOptions{Ordinary: func(uint64) bool { return true }}
	for _, c := range []struct {
		name  string
		code  []byte
		opt   FlowOptions
		dead  RegSet // of RDX, R12
		flags bool
	}{
		{"overwritten", join(movRDX, useRDX, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"overwritten by 32 bits", join(movEDX, useRDX, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"8 bits are no overwriting", join(movDL, useRDX, ret), FlowOptions{}, Regs(R12), true},
		{"nor are 16", join(movDX, useRDX, ret), FlowOptions{}, Regs(R12), true},
		{"conditional move", join(cmovRDX, useRDX, ret), FlowOptions{}, Regs(R12), false},
		{"zeroing", join(xorEDX, useRDX, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"zeroing 16 bits", join(xorDX, useRDX, ret), FlowOptions{}, Regs(R12), true},
		{"used", join(useRDX, ret), FlowOptions{}, Regs(R12), true},
		{"not used any more", ret, FlowOptions{}, Regs(RDX, R12), true},
		{"inc keeps CF", join(incRAX, adcRAX, ret), FlowOptions{}, Regs(RDX, R12), false},
		{"add does not", join(addRAX, adcRAX, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"inc and ZF", join(incRAX, seteAL, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"shift by CL may keep flags", join(shlCL, seteAL, ret), FlowOptions{}, Regs(RDX, R12), false},
		{"shift by 0 keeps flags", join(shl0, seteAL, ret), FlowOptions{}, Regs(RDX, R12), false},
		{"shift by 1 does not", join(shl1, seteAL, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"unknown callee", join(callRel, ret), FlowOptions{}, 0, true},
		{"ordinary callee", join(callRel, ret), ordinary, Regs(R12), true},
		{"closure", join(callRCX, ret), FlowOptions{}, Regs(R12), true},
		{"call through R15", join([]byte{0x41, 0xFF, 0xD7}, ret), FlowOptions{}, 0, true},
		{"call through the offset table", join([]byte{0xFF, 0x15, 0, 0, 0, 0}, ret), FlowOptions{}, 0, true},
		{"unknown jump", jmpRAX, FlowOptions{}, 0, false},
		{"division", join(divRCX, ret), FlowOptions{}, Regs(R12), true},
		{"multiplication", join(mulRCX, useRDX, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"exchange", join(xaddRDX, ret), FlowOptions{}, Regs(R12), true},
		{"string store", join(repStos, ret), FlowOptions{}, Regs(RDX, R12), true},
		{"loop", join(useRDX, jneBack3, movRDX, ret), FlowOptions{}, Regs(R12), false},
		{"runs out of the function", movRDX, FlowOptions{}, Regs(RDX), false},
	} {
		l := liveAt(t, c.code, c.opt, 0)
		if got := l.Regs & Regs(RDX, R12); got != c.dead || l.FlagsDead != c.flags {
			t.Errorf("%s: dead %v, flags %v; want %v, %v", c.name, got, l.FlagsDead, c.dead, c.flags)
		}
		if l.Regs&fixedRegs != 0 {
			t.Errorf("%s: %v are free", c.name, l.Regs&fixedRegs)
		}
	}
	if l := liveAt(t, join(movRDX, ret), FlowOptions{}, 1); l.Regs != 0 || l.FlagsDead {
		t.Errorf("inside an instruction: %+v", l)
	}
}
