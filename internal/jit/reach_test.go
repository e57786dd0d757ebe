//go:build linux && amd64

package jit

import (
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// scalarAt runs a log of one scalar and gives what it recorded.
func (r *rig) scalarAt(n *program.Node, in cpu) uint64 {
	r.t.Helper()
	s := &program.Site{CFA: program.CFA{Reg: amd64.RSP}, Slots: []program.Slot{scalarSlot(n)}}
	r.env.Log = true
	r.reset(1, 0)
	r.place(s, Live{})
	r.run(in)
	rec := r.record(1, 0)
	if rec[newRecord(s).status] != 0 {
		r.t.Fatalf("%s: status %d", show(n), rec[newRecord(s).status])
	}
	return binary.LittleEndian.Uint64(rec[newRecord(s).fixed[0]:])
}

// Addresses and offsets that no displacement reaches.
func TestFarMemory(t *testing.T) {
	r := newRig(t, 4)
	r.catch()
	at := uintptr(r.base) ^ 1<<40 // a page far from the code
	p, _, e := unix.Syscall6(unix.SYS_MMAP, at&^4095, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() { unix.Syscall(unix.SYS_MUNMAP, p, 4096, 0) })
	**(**uint64)(unsafe.Pointer(&p)) = 4711
	far := uint64(p)
	in := r.start()
	in.Regs[amd64.RBX] = far - 1<<36
	u64 := program.U64
	for name, n := range map[string]*program.Node{
		"linked address":   {Op: program.OpLoad, Type: u64, X: &program.Node{Op: program.OpAddr, Type: u64, Imm: int64(far - 0x1000)}, Imm: 0x1000},
		"large offset":     {Op: program.OpLoad, Type: u64, X: reg(u64, amd64.RBX), Imm: 1 << 36},
		"frame far away":   {Op: program.OpLoad, Type: u64, X: &program.Node{Op: program.OpCFA, Type: u64, Imm: int64(far - in.Regs[amd64.RSP])}},
		"through constant": {Op: program.OpLoad, Type: u64, X: constant(u64, int64(far))},
	} {
		if got := r.scalarAt(n, in); got != 4711 {
			t.Errorf("%s: %d", name, got)
		}
	}
	in.X[15] = [2]uint64{}
	if got := r.scalarAt(&program.Node{Op: program.OpXReg, Type: program.F64, Imm: 15}, in); got != 0 {
		t.Errorf("X15: %#x", got)
	}
}

func TestMistakesOfCompileAreErrors(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	deep := reg(program.I64, amd64.RBX)
	for range 200 {
		deep = &program.Node{Op: program.OpAdd, Type: program.I64, X: reg(program.I32, amd64.RCX), Y: deep}
	}
	wide := reg(program.I64, amd64.RBX)
	for range 12 {
		wide = &program.Node{Op: program.OpAdd, Type: program.I64, X: wide, Y: wide}
	}
	f := reg(program.F64, amd64.RBX)
	for name, c := range map[string]struct {
		slot program.Slot
		want string
	}{
		"deep":        {scalarSlot(deep), "frame"},
		"wide":        {scalarSlot(wide), "operations"},
		"float bits":  {scalarSlot(&program.Node{Op: program.OpAnd, Type: program.F64, X: f, Y: f}), "operation"},
		"unknown":     {scalarSlot(&program.Node{Op: 200, Type: program.I64, X: wide.X.X.X.X, Y: deep.X}), "operation"},
		"large block": {program.Slot{Kind: program.SlotBlock, Node: reg(program.U64, amd64.RBX), Size: 1 << 20}, ErrTooLarge.Error()},
		"huge block":  {program.Slot{Kind: program.SlotBlock, Node: reg(program.U64, amd64.RBX), Size: 1 << 40}, ErrTooLarge.Error()},
	} {
		_, err := Body(r.env, &program.Site{Slots: []program.Slot{c.slot, c.slot}}, Live{}, r.base)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.env.Site = 1 << 16
	if _, err := Body(r.env, &program.Site{}, Live{}, r.base); err == nil {
		t.Error("site 65536: no error")
	}
	r.env.Site = 0
	if _, err := Body(r.env, &program.Site{}, Live{}, r.base+1<<40); err == nil {
		t.Error("code out of reach of its bay: no error")
	}
	if _, err := NewHandlers(HandlerConfig{At: 1 << 40}); err == nil {
		t.Error("handlers out of reach of their words: no error")
	}
}
