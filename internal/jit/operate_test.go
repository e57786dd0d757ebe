//go:build linux && amd64

package jit

import (
	"bytes"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// values are the bits that each operation is tried on.
func values() []uint64 {
	var all []uint64
	for _, e := range edges {
		all = append(all, uint64(e))
	}
	for _, f := range floatEdges {
		all = append(all, floatBits(program.F64, f), floatBits(program.F32, f))
	}
	return append(all, 4095, 4096, 1<<40-1, 1<<40, program.MaxCompare, program.MaxCompare+1, 1<<63+1025, 1<<63+1<<39+1, 0x123456789ABCDEF0)
}

// tryAll compares machine and oracle for one slot, with every pair of values in
// RBX and RCX.
func tryAll(t *testing.T, r *rig, slot program.Slot, second bool) {
	t.Helper()
	r.t = t
	s := &program.Site{CFA: program.CFA{Reg: amd64.RSP, Offset: 16}, Slots: []program.Slot{slot}}
	r.place(s, Live{FlagsDead: true, StackProven: true})
	in := r.start()
	seconds := values()
	if !second {
		seconds = seconds[:1]
	}
	for _, x := range values() {
		for _, y := range seconds {
			in.Regs[amd64.RBX], in.Regs[amd64.RCX] = x, y
			r.reset(1, 0)
			want := plain(s, r.oracle(s, in).Record(s, r.env.Probe, r.env.Site, 0))
			r.run(in)
			if got := plain(s, r.record(1, 0)); !bytes.Equal(got, want) {
				t.Fatalf("%s: x %#x y %#x:\n got %x\nwant %x", show(slot.Node), x, y, got, want)
			}
		}
	}
}

var allScalars = append([]program.Scalar{program.Bool, program.F32, program.F64}, integers...)

func scalarSlot(n *program.Node) program.Slot {
	return program.Slot{Kind: program.SlotScalar, Node: n, Size: n.Type.Size()}
}

func reg(t program.Scalar, r program.Reg) *program.Node {
	return &program.Node{Op: program.OpReg, Type: t, Reg: r}
}

func TestEveryOperationOnEveryType(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	for _, typ := range allScalars[1:] {
		for op := program.OpAdd; op <= program.OpGe; op++ {
			n := &program.Node{Op: op, Type: typ, X: reg(typ, amd64.RBX), Y: reg(typ, amd64.RCX)}
			switch {
			case op == program.OpConv || op == program.OpNeg || op == program.OpCom:
				continue
			case op == program.OpShl || op == program.OpShr:
				n.Y.Type = program.U64
			case isComparison(op):
				n.Type = program.Bool
			}
			if typ.Float() && !isComparison(op) && op > program.OpDiv {
				continue
			}
			tryAll(t, r, scalarSlot(n), true)
		}
	}
}

func TestEveryConversion(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	for _, from := range allScalars[1:] {
		for _, to := range allScalars[1:] {
			n := &program.Node{Op: program.OpConv, Type: to, X: reg(from, amd64.RBX)}
			tryAll(t, r, scalarSlot(n), false)
		}
	}
}

func TestOneSided(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	for _, typ := range allScalars {
		for _, op := range []program.Op{program.OpReg, program.OpNeg, program.OpCom, program.OpNot, program.OpNonNil} {
			n := &program.Node{Op: op, Type: typ, Reg: amd64.RBX, X: reg(typ, amd64.RBX)}
			switch {
			case op == program.OpReg:
				n.X = nil
			case (op == program.OpNot) != (typ == program.Bool), op == program.OpCom && typ.Float(),
				op == program.OpNonNil && typ != program.U64:
				continue
			}
			tryAll(t, r, scalarSlot(n), false)
		}
	}
	index := &program.Node{Op: program.OpIndex, Type: program.I64, X: reg(program.I64, amd64.RBX), Y: reg(program.I64, amd64.RCX)}
	tryAll(t, r, scalarSlot(index), true)
}

// Lengths that no slice has must not be believed.
func TestLengths(t *testing.T) {
	r := newRig(t, 4)
	r.env.Log = true
	heap := constant(program.U64, int64(r.base+rigHeap))
	for _, elem := range []int64{1, 8, 24} {
		tryAll(t, r, program.Slot{Kind: program.SlotBytes, Node: heap, Len: reg(program.I64, amd64.RBX), Elem: elem, Max: elem * 10}, false)
	}
	for _, op := range []program.Op{program.OpStrEq, program.OpStrLt} {
		n := &program.Node{Op: op, Type: program.Bool, X: heap, Y: reg(program.I64, amd64.RBX), Z: heap, W: reg(program.I64, amd64.RCX)}
		tryAll(t, r, scalarSlot(n), true)
	}
}
