//go:build linux && amd64

package testcpu

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
)

func TestRunTellsWhatCodeDid(t *testing.T) {
	for _, low := range []bool{false, true} {
		m, err := New(low)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		at := m.Base + CodeAt
		a := amd64.NewAsm(at)
		a.Op(amd64.ADD, amd64.RAX, amd64.R14, 8)
		code, err := a.Code()
		if err != nil {
			t.Fatal(err)
		}
		m.Put(at, code)
		m.Leave(at+uint64(len(code)), 3)
		var in State
		in.Regs[amd64.RAX], in.Regs[amd64.R14] = 1<<63, 1<<63
		in.X[7] = [2]uint64{5, 6}
		out, exit := m.Run(at, &in)
		if exit != 3 || out.Regs[amd64.RAX] != 0 || out.Regs[amd64.R14] != 1<<63 || out.X[7] != in.X[7] {
			t.Errorf("low %v: exit %d, state %+v", low, exit, out)
		}
		if out.Flags&0x8C5 != 0x845 { // OF, ZF, PF, CF
			t.Errorf("low %v: flags %#x", low, out.Flags)
		}
	}
}
