package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// finding is where the parts of a look-up in a map are. All that must outlive a
// group lies in slots.
type finding struct {
	m          *program.Map
	at, y, z   amd64.Mem // the map; the key
	steps      amd64.Mem // groups that may still be looked at
	list       amd64.Mem // the directory, or the bucket that comes next
	len        amd64.Mem // of the directory; the number of buckets
	pass       amd64.Mem // place in the directory; which of two arrays
	left       amd64.Mem // groups or buckets that come after this one
	group, j   amd64.Mem
	key, bytes amd64.Mem // the group's key and its text, the control bytes
	control    amd64.Mem
	first      amd64.Mem // the classic array as the search began
	p, q, n, t amd64.Reg
	found      amd64.Label
	missing    amd64.Label
}

// findKey is OpFind.
func (g *gen) findKey(n *program.Node, i int) {
	g.aside(n, i, func(in []amd64.Mem, result amd64.Mem) {
		a := g.a
		f := &finding{m: n.Map, at: in[0], y: in[1], steps: g.slot(), list: g.slot(), len: g.slot(), pass: g.slot(), left: g.slot(),
			group: g.slot(), j: g.slot(), key: g.slot(), bytes: g.slot(), control: g.slot(), first: g.slot(),
			p: g.pool[0], q: g.pool[1], n: g.pool[2], t: g.pool[3], found: a.NewLabel(), missing: a.NewLabel()}
		none, done, checked := a.NewLabel(), a.NewLabel(), a.NewLabel()
		if f.m.Key == program.KeyString {
			f.z = in[2]
			a.OpMemImm(amd64.CMP, f.z, program.MaxCompare, 8)
			a.Jcc(amd64.CondA, g.fail(program.StatusCorrupt))
		}
		a.StoreImm(result, 0, 8)
		if f.m.List {
			g.findElement(f, in[3], result)
			return
		}
		a.Load(f.p, f.at, 8)
		a.Test(f.p, f.p, 8)
		a.Jcc(amd64.CondE, none)
		g.faulty()
		a.OpMemImm(amd64.CMP, amd64.At(f.p, int32(f.m.Count)), 0, 8)
		a.Jcc(amd64.CondE, none)
		g.faulty()
		a.OpMemImm(amd64.CMP, amd64.At(f.p, int32(f.m.Count)), program.MaxEntries, 8)
		a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
		g.idle(f)
		a.StoreImm(f.steps, program.MaxGroups, 8)
		if f.m.Classic {
			g.findClassic(f)
		} else {
			g.findSwiss(f)
		}
		a.Bind(f.found)
		a.Load(f.t, f.j, 8)
		a.ImulImm(f.t, f.t, f.m.ElemStep, 8)
		a.OpLoad(amd64.ADD, f.t, f.group, 8)
		if f.m.ElemPtr {
			g.faulty()
			a.Load(f.t, amd64.At(f.t, int32(f.m.Elems)), 8)
		} else {
			a.OpImm(amd64.ADD, f.t, f.m.Elems, 8)
		}
		a.Store(result, f.t, 8)
		a.Jmp(checked)
		a.Bind(f.missing)
		a.Load(f.p, f.at, 8)
		g.moved(f)
		a.Bind(checked)
		a.Load(f.p, f.at, 8)
		g.idle(f)
		a.OpMemImm(amd64.CMP, result, 0, 8)
		a.Jcc(amd64.CondNE, done)
		a.Bind(none)
		switch {
		case n.Imm != 0:
			a.Jmp(g.fail(program.Status(n.Imm)))
		case n.W != nil:
			a.Load(f.t, in[3], 8)
			a.Store(result, f.t, 8)
		}
		a.Bind(done)
	})
}

// findElement looks for the key among the elements of a list.
func (g *gen) findElement(f *finding, length, result amd64.Mem) {
	a := g.a
	next, top := a.NewLabel(), a.NewLabel()
	a.Load(f.t, length, 8)
	a.Test(f.t, f.t, 8)
	a.Jcc(amd64.CondS, g.fail(program.StatusCorrupt))
	a.OpImm(amd64.CMP, f.t, program.MaxEntries, 8)
	a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
	a.Store(f.left, f.t, 8)
	a.Load(f.q, f.at, 8)
	a.Bind(top)
	a.OpMemImm(amd64.CMP, f.left, 0, 8)
	a.Jcc(amd64.CondE, f.missing)
	a.Store(f.group, f.q, 8)
	g.equalKey(f, next)
	a.Bind(next)
	a.OpMemImm(amd64.SUB, f.left, 1, 8)
	a.OpImm(amd64.ADD, f.q, f.m.KeyStep, 8)
	a.Jmp(top)
	a.Bind(f.found)
	a.Load(f.t, f.group, 8)
	a.Store(result, f.t, 8)
	a.Bind(f.missing)
}

// faulty says that the next instruction reads what may not be there.
func (g *gen) faulty() { g.fixup(g.fail(program.StatusFault)) }

// idle fails where somebody writes the map at p.
func (g *gen) idle(f *finding) {
	g.faulty()
	g.a.TestMemImm(amd64.At(f.p, int32(f.m.Busy)), int64(f.m.BusyMask), 1)
	g.a.Jcc(amd64.CondNE, g.fail(program.StatusWriting))
}

// moved fails where the entries of the map at p have moved since the search began:
// one that was not found may be there.
func (g *gen) moved(f *finding) {
	same := func(off int64, was amd64.Mem) {
		g.faulty()
		g.a.Load(f.t, amd64.At(f.p, int32(off)), 8)
		g.a.OpLoad(amd64.CMP, f.t, was, 8)
		g.a.Jcc(amd64.CondNE, g.fail(program.StatusWriting))
	}
	if f.m.Classic {
		same(f.m.Buckets, f.first)
		return
	}
	same(f.m.DirLen, f.len)
	same(f.m.Dir, f.list)
}

// step counts a group.
func (g *gen) step(f *finding) {
	g.a.OpMemImm(amd64.SUB, f.steps, 1, 8)
	g.a.Jcc(amd64.CondS, g.fail(program.StatusLarge))
}

// findSwiss goes through the tables of the map at p. A map of one group is a
// directory without tables behind it.
func (g *gen) findSwiss(f *finding) {
	a, m := g.a, f.m
	groups, next, tables := a.NewLabel(), a.NewLabel(), a.NewLabel()
	g.faulty()
	a.Load(f.t, amd64.At(f.p, int32(m.DirLen)), 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.p, int32(m.Dir)), 8)
	a.Store(f.len, f.t, 8)
	a.Store(f.list, f.q, 8)
	a.StoreImm(f.pass, 0, 8)
	a.StoreImm(f.left, 0, 8)
	a.Test(f.t, f.t, 8)
	a.Jcc(amd64.CondE, groups)
	a.Bind(tables)
	a.Load(f.t, f.pass, 8)
	a.OpLoad(amd64.CMP, f.t, f.len, 8)
	a.Jcc(amd64.CondGE, f.missing)
	g.step(f)
	a.Load(f.q, f.list, 8)
	g.faulty()
	a.Load(f.q, amd64.AtIndex(f.q, f.t, 8, 0), 8)
	g.faulty()
	a.OpLoad(amd64.CMP, f.t, amd64.At(f.q, int32(m.Index)), 8)
	a.Jcc(amd64.CondNE, next)
	g.faulty()
	a.Load(f.t, amd64.At(f.q, int32(m.Mask)), 8)
	a.Store(f.left, f.t, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.q, int32(m.Groups)), 8)
	a.Bind(groups)
	g.step(f)
	g.scan(f)
	a.OpMemImm(amd64.CMP, f.left, 0, 8)
	a.Jcc(amd64.CondE, next)
	a.OpMemImm(amd64.SUB, f.left, 1, 8)
	a.Load(f.q, f.group, 8)
	a.OpImm(amd64.ADD, f.q, m.GroupSize, 8)
	a.Jmp(groups)
	a.Bind(next)
	a.OpMemImm(amd64.ADD, f.pass, 1, 8)
	a.Jmp(tables)
}

// findClassic goes through the buckets that the map at p is about to leave, if it
// grows, and then through the others: entries move from the former to the latter,
// so that none is missed.
func (g *gen) findClassic(f *finding) {
	a, m := g.a, f.m
	shift, shifted, buckets, chain, next, same := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	g.faulty()
	a.Load(f.t, amd64.At(f.p, int32(m.B)), 1)
	a.OpImm(amd64.CMP, f.t, program.MaxB, 8)
	a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
	a.MovRI64(f.n, 1)
	a.Bind(shift)
	a.Test(f.t, f.t, 8)
	a.Jcc(amd64.CondE, shifted)
	a.Op(amd64.ADD, f.n, f.n, 8)
	a.OpImm(amd64.SUB, f.t, 1, 8)
	a.Jmp(shift)
	a.Bind(shifted)
	a.Store(f.len, f.n, 8)
	a.StoreImm(f.left, 0, 8)
	a.StoreImm(f.pass, 0, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.p, int32(m.Buckets)), 8)
	a.Store(f.first, f.q, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.p, int32(m.Old)), 8)
	a.Test(f.q, f.q, 8)
	a.Jcc(amd64.CondE, buckets)
	a.Store(f.list, f.q, 8)
	g.faulty()
	a.TestMemImm(amd64.At(f.p, int32(m.Busy)), program.ClassicSameSize, 1)
	a.Jcc(amd64.CondNE, same)
	a.ShiftImm(amd64.SHR, f.n, 1, 8)
	a.Bind(same)
	a.Store(f.left, f.n, 8)
	a.Bind(buckets)
	a.OpMemImm(amd64.CMP, f.left, 0, 8)
	a.Jcc(amd64.CondE, next)
	a.OpMemImm(amd64.SUB, f.left, 1, 8)
	a.Load(f.q, f.list, 8)
	a.Lea(f.t, amd64.At(f.q, int32(m.GroupSize)))
	a.Store(f.list, f.t, 8)
	a.Bind(chain)
	a.Test(f.q, f.q, 8)
	a.Jcc(amd64.CondE, buckets)
	g.step(f)
	g.scan(f)
	a.Load(f.q, f.group, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.q, int32(m.Overflow)), 8)
	a.Jmp(chain)
	a.Bind(next)
	a.OpMemImm(amd64.CMP, f.pass, 0, 8)
	a.Jcc(amd64.CondNE, f.missing)
	a.StoreImm(f.pass, 1, 8)
	a.Load(f.q, f.first, 8)
	a.Store(f.list, f.q, 8)
	a.Load(f.n, f.len, 8)
	a.Store(f.left, f.n, 8)
	a.Jmp(buckets)
}

// scan looks for the key in the group at q: to found, with its number in j, or
// on.
func (g *gen) scan(f *finding) {
	a := g.a
	next := a.NewLabel()
	a.Store(f.group, f.q, 8)
	a.StoreImm(f.j, 0, 8)
	g.faulty()
	a.Load(f.n, amd64.At(f.q, 0), 8)
	top := a.Here()
	if f.m.Classic {
		a.Extend(f.t, f.n, 1)
		a.OpImm(amd64.CMP, f.t, program.ClassicFull, 4)
		a.Jcc(amd64.CondB, next)
	} else {
		a.TestImm(f.n, 0x80, 4)
		a.Jcc(amd64.CondNE, next)
	}
	g.equalKey(f, next)
	a.Bind(next)
	a.ShiftImm(amd64.SHR, f.n, 8, 8)
	a.OpImm(amd64.ADD, f.q, f.m.KeyStep, 8)
	a.OpMemImm(amd64.ADD, f.j, 1, 8)
	a.OpMemImm(amd64.CMP, f.j, program.GroupLen, 8)
	a.Jcc(amd64.CondB, top)
}

// equalKey goes to found if the key at q + Keys is that which is looked for, else
// to next, with q and n as they were.
func (g *gen) equalKey(f *finding, next amd64.Label) {
	a, m := g.a, f.m
	at := amd64.At(f.q, int32(m.Keys))
	switch m.Key {
	case program.KeyScalar:
		g.faulty()
		if m.KeyType.Signed() {
			a.LoadSigned(f.t, at, int(m.KeyType.Size()))
		} else {
			a.Load(f.t, at, int(m.KeyType.Size()))
		}
		if m.KeyType == program.Bool {
			g.truth(f.t)
		}
		a.OpLoad(amd64.CMP, f.t, f.y, 8)
		a.Jcc(amd64.CondE, f.found)
		return
	case program.KeyString:
		g.faulty()
		a.Load(f.t, at.Plus(8), 8)
		a.OpLoad(amd64.CMP, f.t, f.z, 8)
		a.Jcc(amd64.CondNE, next)
		g.faulty()
		a.Load(f.p, at, 8)
	default:
		a.Lea(f.p, at)
	}
	a.Store(f.key, f.q, 8)
	a.Store(f.control, f.n, 8)
	a.Store(f.bytes, f.p, 8)
	if m.Key == program.KeyString {
		a.Load(f.n, f.z, 8)
	} else {
		a.MovRI64(f.n, uint64(m.KeySize))
	}
	t := texts{p: f.p, q: f.q, n: f.n, t: f.t, px: f.bytes, py: f.y}
	differ, rest := a.NewLabel(), a.NewLabel()
	g.skipEqual(t, differ, rest)
	a.Bind(rest)
	g.eachByte(t, f.found, differ)
	a.Bind(differ)
	a.Load(f.q, f.key, 8)
	a.Load(f.n, f.control, 8)
}
