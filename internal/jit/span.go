package jit

import (
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// findSpan is OpSpan: a loop over contexts, the words of one in p and q.
func (g *gen) findSpan(n *program.Node, i int) {
	g.aside(n, i, func(in []amd64.Mem, result amd64.Mem) {
		a, c := g.a, n.Chain
		p, q, t := g.pool[0], g.pool[1], g.pool[3]
		left := g.slot()
		other, around, found := a.NewLabel(), a.NewLabel(), a.NewLabel()
		none := g.fail(program.StatusKey)
		word := func(r, base amd64.Reg, off int64) {
			g.faulty()
			a.Load(r, amd64.At(base, int32(off)), 8)
		}
		is := func(linked uint64) { // compares the type in p
			a.MovRI64(t, linked+g.env.Slide)
			a.Op(amd64.CMP, p, t, 8)
		}
		a.StoreImm(left, c.Max, 8)
		a.Load(p, in[0], 8)
		a.Load(q, in[1], 8)
		top := a.Here()
		a.OpMemImm(amd64.SUB, left, 1, 8)
		a.Jcc(amd64.CondS, g.fail(program.StatusLarge))
		a.OpImm(amd64.CMP, p, nilEnd, 8)
		a.Jcc(amd64.CondB, none)
		word(p, p, itabType)
		is(c.Value)
		a.Jcc(amd64.CondNE, other)
		word(p, q, c.Key)
		is(c.SpanKey)
		a.Jcc(amd64.CondE, found)
		a.OpImm(amd64.ADD, q, c.Next, 8)
		a.Bind(around) // q: the context around this one
		word(p, q, 0)
		word(q, q, 8)
		a.Jmp(top)
		a.Bind(other)
		g.link(c.Contexts)
		a.Jmp(around)
		a.Bind(found)
		word(p, q, c.Val)
		word(q, q, c.Val+8)
		a.OpImm(amd64.CMP, p, nilEnd, 8)
		a.Jcc(amd64.CondB, none)
		g.link(c.Spans)
		a.Store(result, q, 8)
	})
}

// itabType is where an itab has its type (internal/abi/iface.go).
const itabType = 8

// link adds to pool[1] the offset that a list has for the type in pool[0].
func (g *gen) link(list []program.Link) {
	a := g.a
	p, q, n, t := g.pool[0], g.pool[1], g.pool[2], g.pool[3]
	known := a.NewLabel()
	table := g.coldLabel(func() {
		for _, l := range list {
			a.Bytes(binary.LittleEndian.AppendUint64(nil, l.Type+g.env.Slide)...)
			a.Bytes(binary.LittleEndian.AppendUint64(nil, uint64(l.Off))...)
		}
		a.Bytes(make([]byte, 8)...) // the end: no type lies at 0
	})
	a.Lea(n, amd64.AtLabel(table))
	next := a.Here()
	a.Load(t, amd64.At(n, 0), 8)
	a.Test(t, t, 8)
	a.Jcc(amd64.CondE, g.fail(program.StatusType))
	a.Op(amd64.CMP, t, p, 8)
	a.Jcc(amd64.CondE, known)
	a.OpImm(amd64.ADD, n, 16, 8)
	a.Jmp(next)
	a.Bind(known)
	a.Load(t, amd64.At(n, 8), 8)
	a.Test(t, t, 8)
	a.Jcc(amd64.CondS, g.fail(program.StatusKey))
	a.Op(amd64.ADD, q, t, 8)
}
