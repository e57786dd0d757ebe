package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// entry is where it is kept by what the entry of a map is known that was found: in
// the frame until its value was read, or in a SlotPlace of the record.
type entry struct {
	m                *program.Map
	at, control, key amd64.Mem
	sought, head     amd64.Mem // two words each
}

func (g *gen) newEntry(m *program.Map) *entry {
	e := &entry{m: m, at: g.slot(), control: g.slot(), key: g.slot(), sought: g.slot()}
	g.slot()
	e.head = g.slot()
	g.slot()
	return e
}

// placed is the entry that slot i of the record keeps, which is a SlotPlace.
func (g *gen) placed(i int) *entry {
	at := amd64.At(g.out, g.rec.fixed[i])
	return &entry{m: g.site.Slots[i].Node.Found().Map, at: at.Plus(program.PlaceMap), control: at.Plus(program.PlaceControl),
		key: at.Plus(program.PlaceKey), sought: at.Plus(program.PlaceSought), head: at.Plus(program.PlaceHead)}
}

// hold gives the entry in which the address n lies that is about to be evaluated,
// whose search will leave it to still to look whether the entry is there; nil: it
// lies in none.
func (g *gen) hold(n *program.Node) *entry {
	f := n.Found()
	switch {
	case f == nil:
		return nil
	case f.Op == program.OpFind:
		g.held[f] = g.newEntry(f.Map)
		return g.held[f]
	case f.Imm >= 0 && f.Imm < int64(len(g.rec.fixed)) && g.site.Slots[f.Imm].Kind == program.SlotPlace:
		return g.placed(int(f.Imm))
	}
	return nil
}

// letGo ends hold.
func (g *gen) letGo(n *program.Node) {
	if f := n.Found(); f != nil {
		delete(g.held, f)
	}
}

// reading runs read, which reads what lies at the address n, and then looks whether
// the entry that it may lie in is there. The first registers of the pool, as many as
// live says, keep their values.
func (g *gen) reading(n *program.Node, live int, read func()) {
	a, mark := g.a, g.mark()
	defer g.release(mark)
	e := g.hold(n)
	read()
	if e == nil {
		return
	}
	g.letGo(n)
	kept := make([]amd64.Mem, live)
	for i := range kept {
		kept[i] = g.slot()
		a.Store(kept[i], g.pool[i], 8)
	}
	g.still(e)
	for i := range kept {
		a.Load(g.pool[i], kept[i], 8)
	}
}

// still fails unless the entry is where it was found, and nobody writes the map. The
// order matters: what a writer does comes to be seen in the order in which it does it,
// and it takes back its flag last. The first four registers of the pool are lost.
func (g *gen) still(e *entry) {
	a := g.a
	p, q, t := g.pool[0], g.pool[1], g.pool[2]
	there, writing := a.NewLabel(), g.fail(program.StatusWriting)
	a.OpMemImm(amd64.CMP, e.control, 0, 8)
	a.Jcc(amd64.CondE, there)
	a.Load(p, e.at, 8)
	g.idle(e.m, p)
	g.sameHead(e, p, t)
	a.Load(q, e.control, 8)
	g.faulty()
	if e.m.Classic {
		a.OpMemImm(amd64.CMP, amd64.At(q, 0), program.ClassicFull, 1)
		a.Jcc(amd64.CondB, writing)
	} else {
		a.OpMemImm(amd64.CMP, amd64.At(q, 0), 0, 1)
		a.Jcc(amd64.CondL, writing) // the top bit
	}
	a.Load(q, e.key, 8)
	g.sameKeyThere(e, there)
	a.Bind(there)
}

// sameHead fails unless the map at p has the head that it had.
func (g *gen) sameHead(e *entry, p, t amd64.Reg) {
	first, second := e.m.Dir, e.m.DirLen
	if e.m.Classic {
		first, second = e.m.Buckets, e.m.Moved
	}
	g.same(p, t, first, 8, e.head)
	g.same(p, t, second, 8, e.head.Plus(8))
}

// sameKeyThere fails unless the key at q is the one that was sought; it may go to
// there. Of a string, the address and the length are enough.
func (g *gen) sameKeyThere(e *entry, there amd64.Label) {
	a, m := g.a, e.m
	p, q, t, n := g.pool[0], g.pool[1], g.pool[2], g.pool[3]
	writing := g.fail(program.StatusWriting)
	switch m.Key {
	case program.KeyScalar:
		g.keyAt(m, t, amd64.At(q, 0))
		a.OpLoad(amd64.CMP, t, e.sought, 8)
		a.Jcc(amd64.CondNE, writing)
	case program.KeyString:
		for _, off := range []int32{0, 8} {
			g.faulty()
			a.Load(t, amd64.At(q, off), 8)
			a.OpLoad(amd64.CMP, t, e.sought.Plus(off), 8)
			a.Jcc(amd64.CondNE, writing)
		}
	default:
		x := texts{p: p, q: q, n: n, t: t, px: e.key, py: e.sought}
		rest := a.NewLabel()
		a.MovRI64(n, uint64(m.KeySize))
		g.skipEqual(x, writing, rest)
		a.Bind(rest)
		g.eachByte(x, there, writing)
	}
}

// keyAt loads a key that is a scalar.
func (g *gen) keyAt(m *program.Map, t amd64.Reg, at amd64.Mem) {
	g.faulty()
	if m.KeyType.Signed() {
		g.a.LoadSigned(t, at, int(m.KeyType.Size()))
	} else {
		g.a.Load(t, at, int(m.KeyType.Size()))
	}
	if m.KeyType == program.Bool {
		g.truth(t)
	}
}

// found records the place of slot i, which a search gives.
func (g *gen) found(s *program.Slot, i int) {
	f := s.Node.Found()
	if f == nil || f.Op != program.OpFind {
		g.invalid(s.Node)
		return
	}
	g.held[f] = g.placed(i)
	g.eval(s.Node, 0)
	delete(g.held, f)
	g.a.Store(amd64.At(g.out, g.rec.fixed[i]), g.pool[0], 8)
}

// stillThere looks at the places of a record once more: what was copied from there
// is not to be trusted where the entry is gone.
func (g *gen) stillThere() {
	for i := range g.site.Slots {
		if g.site.Slots[i].Kind != program.SlotPlace {
			continue
		}
		next := g.a.NewLabel()
		g.a.OpMemImm(amd64.CMP, amd64.At(g.out, g.rec.status+int32(i)), int64(program.StatusOK), 1)
		g.a.Jcc(amd64.CondNE, next)
		g.fail = g.statuses(i, next)
		g.still(g.placed(i))
		g.a.Bind(next)
	}
}
