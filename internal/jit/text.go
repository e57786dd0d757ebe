package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// texts is where the parts of a comparison of two strings are.
type texts struct {
	p, q, n, t             amd64.Reg // the bytes, how many are left, scratch
	px, nx, py, ny, result amd64.Mem
}

// strings is OpStrEq and OpStrLt. It works in the first four registers of the
// pool; those below i wait in slots. A fault needs none of them back.
func (g *gen) strings(n *program.Node, i int) {
	a := g.a
	m := g.mark()
	defer g.release(m)
	t := texts{px: g.slot(), nx: g.slot(), py: g.slot(), ny: g.slot(), result: g.slot(),
		p: g.pool[0], q: g.pool[1], n: g.pool[2], t: g.pool[3]}
	kept := make([]amd64.Mem, i)
	for j := range kept {
		kept[j] = g.slot()
		a.Store(kept[j], g.pool[j], 8)
	}
	for j, part := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		g.eval(part, i)
		a.Store([]amd64.Mem{t.px, t.nx, t.py, t.ny}[j], g.pool[i], 8)
	}
	if n.Op == program.OpStrEq {
		g.equalTexts(t)
	} else {
		g.lessTexts(t)
	}
	for j := range kept {
		a.Load(g.pool[j], kept[j], 8)
	}
	a.Load(g.pool[i], t.result, 8)
}

func (g *gen) equalTexts(t texts) {
	a := g.a
	differ, same, done := a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.Load(t.n, t.nx, 8)
	a.OpLoad(amd64.CMP, t.n, t.ny, 8)
	a.Jcc(amd64.CondNE, differ)
	a.OpImm(amd64.CMP, t.n, program.MaxCompare, 8)
	a.Jcc(amd64.CondA, g.fail(program.StatusCorrupt)) // negative too
	bytes := a.NewLabel()
	g.skipEqual(t, differ, bytes)
	a.Bind(bytes)
	g.eachByte(t, same, differ)
	a.Bind(differ)
	a.StoreImm(t.result, 0, 8)
	a.Jmp(done)
	a.Bind(same)
	a.StoreImm(t.result, 1, 8)
	a.Bind(done)
}

func (g *gen) lessTexts(t texts) {
	a := g.a
	bytes, differ, prefix, done := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	corrupt := g.fail(program.StatusCorrupt)
	a.Load(t.n, t.nx, 8)
	a.Load(t.t, t.ny, 8)
	a.Test(t.n, t.n, 8)
	a.Jcc(amd64.CondS, corrupt)
	a.Test(t.t, t.t, 8)
	a.Jcc(amd64.CondS, corrupt)
	a.Op(amd64.CMP, t.n, t.t, 8)
	a.Cmov(amd64.CondA, t.n, t.t, 8)
	a.OpImm(amd64.CMP, t.n, program.MaxCompare, 8)
	a.Jcc(amd64.CondA, corrupt)
	g.skipEqual(t, bytes, bytes)
	a.Bind(bytes)
	g.eachByte(t, prefix, differ)
	a.Bind(prefix)
	a.Load(t.t, t.nx, 8)
	a.OpLoad(amd64.CMP, t.t, t.ny, 8)
	a.Bind(differ) // eachByte leaves the flags of x compared with y
	a.Setcc(amd64.CondB, t.t)
	a.Extend(t.t, t.t, 1)
	a.Store(t.result, t.t, 8)
	a.Jmp(done)
	a.Bind(done)
}

// skipEqual goes over equal bytes eight at a time: to differ when eight are not
// equal (they are still ahead), to rest when fewer than eight are left.
func (g *gen) skipEqual(t texts, differ, rest amd64.Label) {
	a := g.a
	a.Load(t.p, t.px, 8)
	a.Load(t.q, t.py, 8)
	fault := g.fail(program.StatusFault)
	top := a.Here()
	a.OpImm(amd64.CMP, t.n, 8, 8)
	a.Jcc(amd64.CondB, rest)
	g.fixup(fault)
	a.Load(t.t, amd64.At(t.p, 0), 8)
	g.fixup(fault)
	a.OpLoad(amd64.CMP, t.t, amd64.At(t.q, 0), 8)
	a.Jcc(amd64.CondNE, differ)
	a.OpImm(amd64.ADD, t.p, 8, 8)
	a.OpImm(amd64.ADD, t.q, 8, 8)
	a.OpImm(amd64.SUB, t.n, 8, 8)
	a.Jmp(top)
}

// eachByte compares byte by byte: to differ, with the flags of the comparison,
// or to same.
func (g *gen) eachByte(t texts, same, differ amd64.Label) {
	a := g.a
	fault := g.fail(program.StatusFault)
	top := a.Here()
	a.Test(t.n, t.n, 8)
	a.Jcc(amd64.CondE, same)
	g.fixup(fault)
	a.Load(t.t, amd64.At(t.p, 0), 1)
	g.fixup(fault)
	a.OpLoad(amd64.CMP, t.t, amd64.At(t.q, 0), 1)
	a.Jcc(amd64.CondNE, differ)
	a.OpImm(amd64.ADD, t.p, 1, 8)
	a.OpImm(amd64.ADD, t.q, 1, 8)
	a.OpImm(amd64.SUB, t.n, 1, 8)
	a.Jmp(top)
}
