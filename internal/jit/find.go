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
	bytes      amd64.Mem // the text of the group's key
	marks      amd64.Mem // bits of the entries that are still to be looked at
	e          *entry    // what is found; with the map's head as the search began
	first, b   amd64.Mem // Swiss: the first group, and the place among them; classic: the logarithm of the size as the search began
	shift      amd64.Mem // Swiss: how far the hash is shifted, likewise
	hash, want amd64.Mem // the hash, and eight times the control byte of a key with it
	hashed     bool      // the hash leads the way
	p, q, n, t amd64.Reg
	found      amd64.Label
	missing    amd64.Label
}

// findKey is OpFind.
func (g *gen) findKey(n *program.Node, i int) {
	mark := g.mark()
	defer g.release(mark)
	var in []*entry // entries that operands lie in
	for _, x := range []*program.Node{n.X, n.Y} {
		if e := g.hold(x); e != nil {
			in = append(in, e)
		}
	}
	g.aside(n, i, func(parts []amd64.Mem, result amd64.Mem) {
		g.search(n, parts, result)
		for _, e := range in {
			g.still(e)
		}
	})
	g.letGo(n.X)
	g.letGo(n.Y)
}

// search looks for the key. Where nobody is about to read what is found, that the
// entry is there is the answer itself, and is looked at once more here.
func (g *gen) search(n *program.Node, in []amd64.Mem, result amd64.Mem) {
	a := g.a
	f := &finding{m: n.Map, at: in[0], y: in[1], steps: g.slot(), list: g.slot(), len: g.slot(), pass: g.slot(), left: g.slot(),
		group: g.slot(), j: g.slot(), bytes: g.slot(), marks: g.slot(), first: g.slot(), b: g.slot(), shift: g.slot(), hash: g.slot(), want: g.slot(),
		p: g.pool[0], q: g.pool[1], n: g.pool[2], t: g.pool[3], found: a.NewLabel(), missing: a.NewLabel()}
	none, done := a.NewLabel(), a.NewLabel()
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
	held := g.held[n] != nil
	if f.e = g.held[n]; !held {
		f.e = g.newEntry(n.Map)
	}
	if f.m.Classic {
		f.first = f.e.head
	} else {
		f.list, f.len = f.e.head, f.e.head.Plus(8)
	}
	a.StoreImm(f.e.control, 0, 8)
	a.Load(f.p, f.at, 8)
	a.Test(f.p, f.p, 8)
	a.Jcc(amd64.CondE, none)
	g.faulty()
	a.OpMemImm(amd64.CMP, amd64.At(f.p, int32(f.m.Count)), 0, 8)
	a.Jcc(amd64.CondE, none)
	g.idle(f.m, f.p)
	a.StoreImm(f.steps, program.MaxGroups, 8)
	if f.m.Hash != nil {
		if !f.m.Classic {
			g.faulty()
			a.Load(f.t, amd64.At(f.p, int32(f.m.Hash.Shift)), 1)
			a.Store(f.shift, f.t, 8)
		}
		g.hashedWay(f)
	}
	g.everyWay(f)
	a.Bind(f.found)
	g.note(f, result)
	if !held {
		g.still(f.e)
	}
	a.Jmp(done)
	a.Bind(f.missing)
	a.Load(f.p, f.at, 8)
	g.idle(f.m, f.p)
	g.unmoved(f)
	a.Bind(none)
	switch {
	case n.Imm != 0:
		a.Jmp(g.fail(program.Status(n.Imm)))
	case n.W != nil:
		a.Load(f.t, in[3], 8)
		a.Store(result, f.t, 8)
	}
	a.Bind(done)
}

// note makes of entry j of the group its place, and puts the address of its value
// into result.
func (g *gen) note(f *finding, result amd64.Mem) {
	a, m := g.a, f.m
	keep := func(to, from amd64.Mem) {
		a.Load(f.n, from, 8)
		a.Store(to, f.n, 8)
	}
	keep(f.e.at, f.at)
	if m.Key == program.KeyString {
		keep(f.e.sought, f.bytes)
		keep(f.e.sought.Plus(8), f.z)
	} else {
		keep(f.e.sought, f.y)
	}
	a.Load(f.p, f.group, 8)
	a.Load(f.q, f.j, 8)
	a.Lea(f.n, amd64.AtIndex(f.p, f.q, 1, 0))
	a.Store(f.e.control, f.n, 8)
	a.ImulImm(f.t, f.q, m.KeyStep, 8)
	a.Lea(f.t, amd64.AtIndex(f.t, f.p, 1, int32(m.Keys)))
	a.Store(f.e.key, f.t, 8)
	a.ImulImm(f.t, f.q, m.ElemStep, 8)
	a.Lea(f.t, amd64.AtIndex(f.t, f.p, 1, int32(m.Elems)))
	if m.ElemPtr {
		g.faulty()
		a.Load(f.t, amd64.At(f.t, 0), 8)
	}
	a.Store(result, f.t, 8)
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
	a.Load(f.q, f.group, 8)
	a.OpMemImm(amd64.SUB, f.left, 1, 8)
	a.OpImm(amd64.ADD, f.q, f.m.KeyStep, 8)
	a.Jmp(top)
	a.Bind(f.found)
	a.Load(f.t, f.group, 8)
	a.Store(result, f.t, 8)
	a.Bind(f.missing)
}

// hashedWay goes where the hash leads, if it can be computed; else on.
func (g *gen) hashedWay(f *finding) {
	every := g.a.NewLabel()
	g.hashable(f, every)
	g.hash(f)
	f.hashed = true
	if f.m.Classic {
		g.findClassic(f)
	} else {
		g.probeSwiss(f)
	}
	f.hashed = false
	g.a.Bind(every)
}

// everyWay looks at every group.
func (g *gen) everyWay(f *finding) {
	g.faulty()
	g.a.OpMemImm(amd64.CMP, amd64.At(f.p, int32(f.m.Count)), program.MaxEntries, 8)
	g.a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
	if f.m.Classic {
		g.findClassic(f)
	} else {
		g.findSwiss(f)
	}
}

// faulty says that the next instruction reads what may not be there.
func (g *gen) faulty() { g.fixup(g.fail(program.StatusFault)) }

// idle fails where somebody writes the map at p.
func (g *gen) idle(m *program.Map, p amd64.Reg) {
	g.faulty()
	g.a.TestMemImm(amd64.At(p, int32(m.Busy)), int64(m.BusyMask), 1)
	g.a.Jcc(amd64.CondNE, g.fail(program.StatusWriting))
}

// same fails where a word of the map at p is not what it was: entries may have moved.
func (g *gen) same(p, t amd64.Reg, off int64, size int, was amd64.Mem) {
	g.faulty()
	g.a.Load(t, amd64.At(p, int32(off)), size)
	g.a.OpLoad(amd64.CMP, t, was, 8)
	g.a.Jcc(amd64.CondNE, g.fail(program.StatusWriting))
}

// unmoved fails where the entries of the map at p may have moved since the search
// began: one that was not found may be there.
func (g *gen) unmoved(f *finding) {
	g.sameHead(f.e, f.p, f.t)
	switch {
	case f.m.Classic:
		g.same(f.p, f.t, f.m.B, 1, f.b)
	case f.m.Hash != nil:
		g.same(f.p, f.t, f.m.Hash.Shift, 1, f.shift)
	}
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
	a.Load(f.n, amd64.At(f.q, int32(m.Index)), 8)
	a.Op(amd64.CMP, f.n, f.t, 8)
	a.Jcc(amd64.CondNE, g.elsewhere(f, next))
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

// elsewhere is where a search goes on at next with a table whose first place, n, is
// not the one at hand, t: it was looked at there. One that has no such place was just
// replaced, and what replaced it may be at places that are behind.
func (g *gen) elsewhere(f *finding, next amd64.Label) amd64.Label {
	a, fault, writing := g.a, g.fail(program.StatusFault), g.fail(program.StatusWriting)
	return g.coldLabel(func() {
		a.Jcc(amd64.CondA, writing)
		a.Load(f.t, f.list, 8)
		g.fixup(fault)
		a.OpLoad(amd64.CMP, f.q, amd64.AtIndex(f.t, f.n, 8, 0), 8)
		a.Jcc(amd64.CondE, next)
		a.Jmp(writing)
	})
}

// probeSwiss goes where the hash leads: to a table of the map at p, and there from
// group to group up to one with an empty slot.
func (g *gen) probeSwiss(f *finding) {
	a, m := g.a, f.m
	groups, only := a.NewLabel(), a.NewLabel()
	a.Load(f.t, f.hash, 8)
	a.Store(f.pass, f.t, 8)
	a.OpImm(amd64.AND, f.t, 0x7f, 8)
	g.wanted(f)
	g.shiftBack(f)
	g.faulty()
	a.Load(f.n, amd64.At(f.p, int32(m.DirLen)), 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.p, int32(m.Dir)), 8)
	a.Store(f.len, f.n, 8)
	a.Store(f.list, f.q, 8)
	a.Zero(f.t)
	a.OpImm(amd64.CMP, f.n, 1, 8)
	a.Jcc(amd64.CondE, only)
	a.Load(f.t, f.pass, 8)
	a.Op(amd64.CMP, f.t, f.n, 8)
	a.Jcc(amd64.CondAE, g.fail(program.StatusWriting))
	a.Bind(only)
	g.faulty()
	a.Load(f.q, amd64.AtIndex(f.q, f.t, 8, 0), 8)
	g.faulty()
	a.Load(f.t, amd64.At(f.q, int32(m.Mask)), 8)
	a.Store(f.left, f.t, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.q, int32(m.Groups)), 8)
	a.Store(f.first, f.q, 8)
	a.StoreImm(f.pass, 0, 8)
	a.Load(f.n, f.hash, 8)
	a.ShiftImm(amd64.SHR, f.n, 7, 8)
	a.Bind(groups)
	g.step(f)
	a.OpLoad(amd64.AND, f.n, f.left, 8)
	a.Store(f.b, f.n, 8)
	a.ImulImm(f.q, f.n, m.GroupSize, 8)
	a.OpLoad(amd64.ADD, f.q, f.first, 8)
	g.scan(f)
	g.empty(f, f.missing)
	a.OpMemImm(amd64.ADD, f.pass, 1, 8)
	a.Load(f.n, f.b, 8)
	a.OpLoad(amd64.ADD, f.n, f.pass, 8)
	a.Jmp(groups)
}

// shiftBack shifts pass to the right, by as much as the map said.
func (g *gen) shiftBack(f *finding) {
	a := g.a
	m := g.mark()
	kept := g.slot()
	a.Store(kept, amd64.RCX, 8)
	a.Load(amd64.RCX, f.shift, 8)
	a.ShiftMemCL(amd64.SHR, f.pass, 8)
	a.Load(amd64.RCX, kept, 8)
	g.release(m)
}

// empty goes to l if the group has a slot where there was never an entry: the byte
// SwissEmpty.
func (g *gen) empty(f *finding, l amd64.Label) {
	a := g.a
	a.Load(f.q, f.group, 8)
	g.faulty()
	a.Load(f.n, amd64.At(f.q, 0), 8)
	a.MovRI64(f.t, eachByte*program.SwissEmpty)
	a.Op(amd64.XOR, f.n, f.t, 8)
	g.zeros(f)
	a.Test(f.n, f.n, 8)
	a.Jcc(amd64.CondNE, l)
}

// findClassic goes through the buckets that the map at p is about to leave, if it
// grows, and then through the others: entries move from the former to the latter,
// so that none is missed. Of either, the hash names one.
func (g *gen) findClassic(f *finding) {
	a, m := g.a, f.m
	buckets, chain, next, same := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	most := int64(program.MaxB)
	if f.hashed {
		most = program.MaxHashB
		g.topHash(f)
	}
	g.faulty()
	a.Load(f.t, amd64.At(f.p, int32(m.B)), 1)
	a.OpImm(amd64.CMP, f.t, most, 8)
	a.Jcc(amd64.CondA, g.fail(program.StatusLarge))
	a.Store(f.b, f.t, 8)
	a.Zero(f.n)
	a.Bts(f.n, f.t)
	a.Store(f.len, f.n, 8)
	a.StoreImm(f.left, 0, 8)
	a.StoreImm(f.pass, 0, 8)
	g.faulty()
	a.Load(f.q, amd64.At(f.p, int32(m.Moved)), 8) // before the arrays: see still
	a.Store(f.e.head.Plus(8), f.q, 8)
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
	g.named(f)
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
	g.named(f)
	a.Jmp(buckets)
}

// named leaves of the n buckets at list, which is q, the one that the hash names.
func (g *gen) named(f *finding) {
	if !f.hashed {
		return
	}
	a, none := g.a, g.a.NewLabel()
	a.OpImm(amd64.SUB, f.n, 1, 8)
	a.Jcc(amd64.CondS, none)
	a.OpLoad(amd64.AND, f.n, f.hash, 8)
	a.ImulImm(f.n, f.n, f.m.GroupSize, 8)
	a.Op(amd64.ADD, f.q, f.n, 8)
	a.Store(f.list, f.q, 8)
	a.StoreImm(f.left, 1, 8)
	a.Bind(none)
}

// topHash makes the control byte: the hash's top 8 bits, none of those that mean
// something else.
func (g *gen) topHash(f *finding) {
	a, high := g.a, g.a.NewLabel()
	a.Load(f.t, f.hash, 8)
	a.ShiftImm(amd64.SHR, f.t, 56, 8)
	a.OpImm(amd64.CMP, f.t, program.ClassicFull, 8)
	a.Jcc(amd64.CondAE, high)
	a.OpImm(amd64.ADD, f.t, program.ClassicFull, 8)
	a.Bind(high)
	g.wanted(f)
}

// eachByte times a byte is that byte eight times.
const eachByte = 0x0101010101010101

// wanted keeps the control byte t, eight times.
func (g *gen) wanted(f *finding) {
	g.a.MovRI64(f.n, eachByte)
	g.a.Imul(f.t, f.n, 8)
	g.a.Store(f.want, f.t, 8)
}

// scan looks for the key in the group at q: to found, with its number in j, or
// on.
func (g *gen) scan(f *finding) {
	a := g.a
	next := a.NewLabel()
	a.Store(f.group, f.q, 8)
	g.faulty()
	a.Load(f.n, amd64.At(f.q, 0), 8)
	g.marked(f)
	top := a.Here()
	a.Bsf(f.t, f.n)
	a.Jcc(amd64.CondE, next)
	a.ShiftImm(amd64.SHR, f.t, 3, 8)
	a.Store(f.j, f.t, 8)
	a.ImulImm(f.q, f.t, f.m.KeyStep, 8)
	a.OpLoad(amd64.ADD, f.q, f.group, 8)
	a.Lea(f.t, amd64.At(f.n, -1))
	a.Op(amd64.AND, f.n, f.t, 8)
	g.equalKey(f, top)
	a.Bind(next)
}

// marked makes n, a group's control bytes, the top bits of those whose keys are to
// be compared: all that are there, or all that have the right hash. No byte's sum
// reaches the next one.
func (g *gen) marked(f *finding) {
	a := g.a
	const top, rest uint64 = eachByte * 0x80, eachByte * 0x7f
	switch {
	case f.hashed:
		a.OpLoad(amd64.XOR, f.n, f.want, 8)
		g.zeros(f)
		return
	case f.m.Classic: // a byte of ClassicFull or more
		a.MovRI64(f.t, rest)
		a.MovRR(f.p, f.n)
		a.Op(amd64.AND, f.p, f.t, 8)
		a.MovRI64(f.t, eachByte*(0x80-program.ClassicFull))
		a.Op(amd64.ADD, f.p, f.t, 8)
		a.Op(amd64.OR, f.n, f.p, 8)
	default: // a byte without the top bit
		a.Not(f.n, 8)
	}
	a.MovRI64(f.t, top)
	a.Op(amd64.AND, f.n, f.t, 8)
}

// zeros makes n the top bits of its bytes that are 0.
func (g *gen) zeros(f *finding) {
	a := g.a
	a.MovRI64(f.t, eachByte*0x7f)
	a.MovRR(f.p, f.n)
	a.Op(amd64.AND, f.p, f.t, 8)
	a.Op(amd64.ADD, f.p, f.t, 8)
	a.Op(amd64.OR, f.n, f.p, 8)
	a.Op(amd64.OR, f.n, f.t, 8)
	a.Not(f.n, 8)
}

// equalKey goes to found if the key at q + Keys is that which is looked for, else
// to next, with n as it was.
func (g *gen) equalKey(f *finding, next amd64.Label) {
	a, m := g.a, f.m
	at := amd64.At(f.q, int32(m.Keys))
	switch m.Key {
	case program.KeyScalar:
		g.keyAt(m, f.t, at)
		a.OpLoad(amd64.CMP, f.t, f.y, 8)
		a.Jcc(amd64.CondNE, next)
		a.Jmp(f.found)
		return
	case program.KeyString:
		g.faulty()
		a.Load(f.t, at.Plus(8), 8)
		a.OpLoad(amd64.CMP, f.t, f.z, 8)
		a.Jcc(amd64.CondNE, next)
		g.faulty()
		a.Load(f.p, at, 8)
		g.cleared(f)
	default:
		a.Lea(f.p, at)
	}
	a.Store(f.marks, f.n, 8)
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
	a.Load(f.n, f.marks, 8)
	a.Jmp(next)
}

// cleared fails where the key of an entry, a string of length z at p, is just being
// deleted: its address is cleared first.
func (g *gen) cleared(f *finding) {
	if f.m.List {
		return
	}
	a, back, writing := g.a, g.a.NewLabel(), g.fail(program.StatusWriting)
	a.Test(f.p, f.p, 8)
	a.Jcc(amd64.CondE, g.coldLabel(func() {
		a.OpMemImm(amd64.CMP, f.z, 0, 8)
		a.Jcc(amd64.CondE, back)
		a.Jmp(writing)
	}))
	a.Bind(back)
}
