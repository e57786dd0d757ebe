package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// aside lets f work in the first four registers of the pool, with the values of
// n's operands in slots. What it puts into result comes into pool[i].
func (g *gen) aside(n *program.Node, i int, f func(in []amd64.Mem, result amd64.Mem)) {
	a := g.a
	m := g.mark()
	defer g.release(m)
	result := g.slot()
	kept := make([]amd64.Mem, i)
	for j := range kept {
		kept[j] = g.slot()
		a.Store(kept[j], g.pool[j], 8)
	}
	in := make([]amd64.Mem, 4)
	for k, part := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		if part == nil {
			continue
		}
		g.eval(part, i)
		in[k] = g.slot()
		a.Store(in[k], g.pool[i], 8)
	}
	f(in, result)
	for j := range kept {
		a.Load(g.pool[j], kept[j], 8)
	}
	a.Load(g.pool[i], result, 8)
}

// match is OpMatch: one look-up for the class of a byte, one for the next state,
// which is kept as the offset of its row.
func (g *gen) match(n *program.Node, i int) {
	g.aside(n, i, func(in []amd64.Mem, result amd64.Mem) {
		a, auto := g.a, program.AutomatonOf(n.Imm)
		p, q, b, state := g.pool[0], g.pool[1], g.pool[2], g.pool[3]
		end := g.slot()
		decided, over := a.NewLabel(), a.NewLabel()
		a.Load(b, in[1], 8)
		a.Test(b, b, 8)
		a.Jcc(amd64.CondS, g.fail(program.StatusCorrupt))
		a.MovRI64(state, program.MaxMatch)
		a.Op(amd64.CMP, b, state, 8)
		a.Cmov(amd64.CondA, b, state, 8)
		a.Load(p, in[0], 8)
		a.Op(amd64.ADD, b, p, 8)
		a.Store(end, b, 8)
		g.data(n, q)
		a.MovRI64(state, uint64(auto.Start)<<auto.Shift)
		top := a.Here()
		a.OpLoad(amd64.CMP, p, end, 8)
		a.Jcc(amd64.CondE, over)
		g.fixup(g.fail(program.StatusFault))
		a.Load(b, amd64.At(p, 0), 1)
		a.OpImm(amd64.ADD, p, 1, 8)
		a.Load(b, amd64.AtIndex(q, b, 1, 0), 1)
		a.Op(amd64.ADD, b, state, 8)
		a.Load(state, amd64.AtIndex(q, b, 1, 256), 1)
		a.OpImm(amd64.CMP, state, program.StateSure, 4)
		a.Jcc(amd64.CondBE, decided)
		if auto.Shift > 0 {
			a.ShiftImm(amd64.SHL, state, auto.Shift, 8)
		}
		a.Jmp(top)
		a.Bind(over)
		a.OpMemImm(amd64.CMP, in[1], program.MaxMatch, 8)
		a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
		a.OpImm(amd64.CMP, state, int64(auto.Accept)<<auto.Shift, 8)
		a.Setcc(amd64.CondAE, state)
		a.Extend(state, state, 1)
		a.Bind(decided)
		a.Store(result, state, 8)
	})
}
