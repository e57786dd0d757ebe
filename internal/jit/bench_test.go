package jit

import (
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// loop places n passes of a small function call with a body in it; nil is none.
func (r *rig) loop(n uint64, s *program.Site, live Live) {
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
		a.Ret()
		a.Align(64, 0xCC)
		a.Bind(start)
		a.MovRI64(amd64.R15, n)
		top := a.Here()
		a.Call(fn)
		a.OpImm(amd64.SUB, amd64.R15, 1, 8)
		a.Jcc(amd64.CondNE, top)
		a.MovRI64(amd64.R15, 0)
	})
}

func (r *rig) passes(b *testing.B, s *program.Site, live Live) {
	const n = 50000
	r.loop(n, s, live)
	r.encode(r.mem[rigState+stateIn:], r.start())
	best := time.Duration(1 << 62)
	for range 40 {
		from := time.Now()
		r.call()
		best = min(best, time.Since(from))
	}
	b.ReportMetric(float64(best)/n, "ns/pass")
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
	one("counter/off", &program.Site{}, best, func(r *rig) { r.put(rigControl+64, 0) })
}
