//go:build linux && amd64

package jit

import (
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// loop places n passes of a small function call with bodies in it; nil is none.
func (r *rig) loop(n uint64, s, last *program.Site, live Live) {
	r.assemble(func(a *amd64.Asm) {
		fn, start := a.NewLabel(), a.NewLabel()
		a.Jmp(start)
		a.Align(64, 0xCC)
		a.Bind(fn)
		if s != nil {
			code, err := Body(r.env, s, live, a.PC())
			if err != nil {
				r.t.Fatal(err)
			}
			a.Bytes(code.Bytes...)
		}
		a.Imul(amd64.RBX, amd64.RBX, 8)
		if last != nil {
			code, err := Body(r.env, last, live, a.PC())
			if err != nil {
				r.t.Fatal(err)
			}
			a.Bytes(code.Bytes...)
		}
		a.Ret()
		a.Align(64, 0xCC)
		a.Bind(start)
		a.MovRI64(amd64.R15, n)
		top := a.Here()
		a.Call(fn)
		if !r.full { // the tool empties the ring
			a.Load(amd64.RAX, amd64.AtAddr(r.base+uint64(r.block(1)+ring.BlockHead)), 8)
			a.Store(amd64.AtAddr(r.base+uint64(r.block(1)+ring.BlockTail)), amd64.RAX, 8)
		}
		a.OpImm(amd64.SUB, amd64.R15, 1, 8)
		a.Jcc(amd64.CondNE, top)
		a.MovRI64(amd64.R15, 0)
	})
}

func (r *rig) passes(b *testing.B, s *program.Site, live Live) { r.passes2(b, s, nil, live) }

// passes2 measures calls with one body at the start and another at the end.
func (r *rig) passes2(b *testing.B, s, last *program.Site, live Live) {
	r.passesOf(50000, b, s, last, live)
}

func (r *rig) passesOf(n uint64, b *testing.B, s, last *program.Site, live Live) {
	r.loop(n, s, last, live)
	in := r.start()
	in.Regs[amd64.RDI], in.Regs[amd64.RSI], in.Regs[amd64.R8] = r.base+rigHeap, r.base+rigHeap+64, 20
	r.encode(r.mem[rigState+stateIn:], in)
	best := time.Duration(1 << 62)
	for range 40 {
		from := time.Now()
		r.call()
		best = min(best, time.Since(from))
	}
	b.ReportMetric(float64(best)/float64(n), "ns/pass")
}

// BenchmarkBodies prints the least time of a pass; the first line is the same
// loop without a body.
func BenchmarkBodies(b *testing.B) {
	one := func(name string, s *program.Site, live Live, setup func(r *rig)) {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 4)
			if setup != nil {
				setup(r)
			}
			r.passes(b, s, live)
		})
	}
	best := Live{FreeRegs: amd64.Regs(amd64.RAX, amd64.RCX), FlagsDead: true, StackProven: true}
	flags := Live{FreeRegs: amd64.Regs(amd64.RAX, amd64.RCX), StackProven: true}
	one("none", nil, Live{}, nil)
	one("counter/free", &program.Site{}, best, nil)
	one("counter/flags", &program.Site{}, flags, nil)
	one("counter/worst", &program.Site{}, Live{}, nil)
	qty := field(program.I64, amd64.RDI, 8)
	more := &program.Node{Op: program.OpGt, Type: program.Bool, X: qty, Y: constant(program.I64, 1000)}
	fewer := &program.Node{Op: program.OpLe, Type: program.Bool, X: qty, Y: constant(program.I64, 1000)}
	log := func(r *rig) { r.env.Log = true }
	for name, live := range map[string]Live{"free": best, "flags": flags, "worst": {}} {
		one("false/"+name, &program.Site{Cond: more}, live, nil)
		one("falselog/"+name, orders(more), live, log)
		one("true/"+name, &program.Site{Cond: fewer}, live, nil)
		one("limit/"+name, orders(nil), live, func(r *rig) { r.env.Log, r.env.Limited = true, true })
		one("rate/"+name, orders(nil), live, func(r *rig) { r.env.Log, r.env.Rated = true, true })
		one("full/"+name, orders(nil), live, func(r *rig) { log(r); r.full = true })
		one("log/"+name, orders(nil), live, log)
		one("lograte/"+name, orders(nil), live, func(r *rig) {
			r.env.Log, r.env.Rated = true, true
			r.put(rigControl+ring.Control(1)+ring.ControlTokens, 1<<40)
		})
	}
	one("counter/off", &program.Site{}, best, func(r *rig) { r.put(rigControl+64, 0) })
}

// field is a field of the struct that a register points to.
func field(t program.Scalar, r program.Reg, off int64) *program.Node {
	p := &program.Node{Op: program.OpNonNil, Type: program.U64, X: reg(program.U64, r)}
	return &program.Node{Op: program.OpLoad, Type: t, X: p, Imm: off}
}

// orders is the log that the costs are stated for: two ints through a pointer, a
// string of 20 bytes and an int argument.
func orders(cond *program.Node) *program.Site {
	return &program.Site{Cond: cond, Slots: []program.Slot{
		scalarSlot(field(program.I64, amd64.RDI, 0)),
		scalarSlot(field(program.I64, amd64.RDI, 8)),
		{Kind: program.SlotBytes, Node: reg(program.U64, amd64.RSI), Len: reg(program.I64, amd64.R8), Elem: 1, Max: 256},
		scalarSlot(reg(program.I64, amd64.RBX)),
	}}
}
