package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// keyed is where the parts of a key are while its row is looked for.
type keyed struct {
	text  bool
	key   []amd64.Mem // its bytes: one word, or KeyMax/8 with zeros behind the end
	size  amd64.Mem   // text: its length, as a record has it
	words amd64.Mem   // text: how many words hold it
	tries amd64.Mem

	hash, slot, t     amd64.Reg
	keys, extra       amd64.Reg
	top, found, other amd64.Label
	missing, next     amd64.Label
}

// key finds the row of the site's key, which has a place in the table from now on
// if there is room. It gives the register that holds the number of the row.
func (g *gen) key(k *program.Key) amd64.Reg {
	a := g.a
	f := &keyed{text: k.Len != nil, keys: g.agg.row, extra: g.agg.extra}
	words := 1
	if f.text {
		words = ring.KeyMax / 8
	}
	for range words {
		f.key = append(f.key, g.slot())
	}
	f.size, f.words, f.tries = g.slot(), g.slot(), g.slot()
	f.found, f.other = a.NewLabel(), a.NewLabel()
	bad := g.coldLabel(func() {
		a.MovRI64(amd64.RAX, ring.RowUnreadable)
		a.Jmp(f.found)
	})
	g.fail = func(program.Status) amd64.Label { return bad }
	if f.text {
		g.textKey(k, f)
	} else {
		g.eval(k.Node, 0)
		a.Store(f.key[0], g.pool[0], 8)
	}
	f.hash, f.slot, f.t = g.others()
	g.hashKey(f)
	g.lookUp(f)
	return amd64.RAX
}

// textKey copies the first bytes of a string.
func (g *gen) textKey(k *program.Key, f *keyed) {
	a := g.a
	g.eval(k.Node, 0)
	g.eval(k.Len, 1)
	n, t, empty := g.pool[1], g.pool[2], a.NewLabel()
	a.MovRR(t, n)
	a.ShiftImm(amd64.SHR, t, absurdShift, 8)
	a.Jcc(amd64.CondNE, g.fail(program.StatusCorrupt))
	g.usesX = true
	a.Pxor(xspill, xspill)
	for i := 0; i < len(f.key); i += 2 {
		a.StoreX16(f.key[i], xspill)
	}
	a.MovRI64(t, ring.KeyLonger)
	a.Op(amd64.CMP, n, t, 8)
	a.Cmov(amd64.CondA, n, t, 8)
	a.Store(f.size, n, 8)
	a.MovRI64(t, ring.KeyMax)
	a.Op(amd64.CMP, n, t, 8)
	a.Cmov(amd64.CondA, n, t, 8)
	a.Lea(t, amd64.At(n, 7))
	a.ShiftImm(amd64.SHR, t, 3, 8)
	a.Store(f.words, t, 8)
	a.Test(n, n, 8)
	a.Jcc(amd64.CondE, empty)
	g.copy(f.key[0], ring.KeyMax)
	a.Bind(empty)
}

// hashKey puts the hash into its register and the first slot to look at beside it.
func (g *gen) hashKey(f *keyed) {
	a, h, t, x := g.a, f.hash, f.t, f.extra
	factor := uint64(ring.KeyFactor)
	a.MovRI64(x, factor)
	if !f.text {
		a.Load(h, f.key[0], 8)
		a.Imul(h, x, 8)
	} else {
		// Word by word: h = (h ^ word) * factor, turned.
		i, done := f.slot, a.NewLabel()
		a.Load(h, f.size, 8)
		a.Zero(i)
		top := a.Here()
		a.OpLoad(amd64.CMP, i, f.words, 8)
		a.Jcc(amd64.CondAE, done)
		a.OpLoad(amd64.XOR, h, f.key[0].Indexed(i).Scaled(8), 8)
		a.Imul(h, x, 8)
		a.ShiftImm(amd64.ROR, h, 29, 8)
		a.OpImm(amd64.ADD, i, 1, 8)
		a.Jmp(top)
		a.Bind(done)
	}
	a.MovRR(t, h)
	a.ShiftImm(amd64.SHR, t, 32, 8)
	a.Op(amd64.XOR, h, t, 8)
	final := uint64(ring.KeyFinal)
	a.MovRI64(x, final)
	a.Imul(h, x, 8)
	a.MovRR(f.slot, h)
	a.ShiftImm(amd64.SHR, f.slot, 64-ring.KeySlotBits, 8)
}

// lookUp ends at f.found with the number of the row in RAX.
func (g *gen) lookUp(f *keyed) {
	a := g.a
	a.MovRI64(f.keys, g.env.Agg.At+g.env.place().Keys)
	a.StoreImm(f.tries, ring.KeyProbes, 8)
	f.top, f.missing, f.next = a.Here(), a.NewLabel(), a.NewLabel()
	a.Load(amd64.RAX, amd64.AtIndex(f.keys, f.slot, 8, 0), 8)
	a.Test(amd64.RAX, amd64.RAX, 8)
	a.Jcc(amd64.CondE, f.missing)
	a.MovRR(f.t, amd64.RAX)
	a.Op(amd64.XOR, f.t, f.hash, 8)
	a.ShiftImm(amd64.SHR, f.t, 16, 8)
	a.Jcc(amd64.CondNE, f.next)
	a.Extend(amd64.RAX, amd64.RAX, 2)
	g.sameKey(f)
	a.OpImm(amd64.SUB, amd64.RAX, 1, 8)
	a.Bind(f.found)
	g.cold(func() {
		a.Bind(f.next)
		a.OpImm(amd64.ADD, f.slot, 1, 4)
		a.OpImm(amd64.AND, f.slot, ring.KeySlots-1, 4)
		a.OpMemImm(amd64.SUB, f.tries, 1, 8)
		a.Jcc(amd64.CondNE, f.top)
		a.Bind(f.other)
		a.MovRI64(amd64.RAX, ring.RowOther)
		a.Jmp(f.found)
		a.Bind(f.missing)
		g.enterKey(f)
	})
}

// record is the memory of record RAX-1 at an offset, when t is nine times RAX.
func (f *keyed) record(off int32) amd64.Mem {
	return amd64.AtIndex(f.keys, f.t, 8, ring.KeyRecords-ring.KeyRecord+off)
}

// sameKey goes on if record RAX-1 is the key, else at f.next.
func (g *gen) sameKey(f *keyed) {
	a := g.a
	a.Lea(f.t, amd64.AtIndex(amd64.RAX, amd64.RAX, 8, 0))
	if !f.text {
		a.Load(f.extra, f.key[0], 8)
		a.OpLoad(amd64.CMP, f.extra, f.record(8), 8)
		a.Jcc(amd64.CondNE, f.next)
		return
	}
	a.Load(f.extra, f.size, 8)
	a.OpLoad(amd64.CMP, f.extra, f.record(0), 8)
	a.Jcc(amd64.CondNE, f.next)
	a.Lea(f.t, f.record(8))
	a.Load(f.extra, f.words, 8)
	same := a.NewLabel()
	top := a.Here()
	a.OpImm(amd64.SUB, f.extra, 1, 8)
	a.Jcc(amd64.CondS, same)
	a.Load(amd64.RAX, f.key[0].Indexed(f.extra).Scaled(8), 8)
	a.OpLoad(amd64.CMP, amd64.RAX, amd64.AtIndex(f.t, f.extra, 8, 0), 8)
	a.Jcc(amd64.CondE, top)
	a.Jmp(f.next)
	a.Bind(same)
	a.Load(amd64.RAX, amd64.AtIndex(f.keys, f.slot, 8, 0), 8)
	a.Extend(amd64.RAX, amd64.RAX, 2)
}

// enterKey takes a record for a key that is not there, and the empty slot. Once a
// key was refused no other is taken: one that has no row at first would get one
// later, and its count would not be whole.
func (g *gen) enterKey(f *keyed) {
	a, x := g.a, f.extra
	full, next := amd64.At(f.keys, ring.KeyFull), amd64.At(f.keys, ring.KeyNext)
	a.OpMemImm(amd64.CMP, full, 0, 8)
	a.Jcc(amd64.CondNE, f.other)
	a.MovRI64(f.t, 1)
	a.LockXadd(next, f.t, 8)
	a.OpImm(amd64.CMP, f.t, ring.KeysMax, 8)
	refuse := g.coldLabel(func() {
		a.StoreImm(full, 1, 8)
		a.Jmp(f.other)
	})
	a.Jcc(amd64.CondAE, refuse)
	a.Lea(amd64.RAX, amd64.AtIndex(f.t, f.t, 8, 0))
	a.Lea(amd64.RAX, amd64.AtIndex(f.keys, amd64.RAX, 8, ring.KeyRecords))
	if f.text {
		a.Load(x, f.size, 8)
		a.Store(amd64.At(amd64.RAX, 0), x, 8)
	} else {
		a.StoreImm(amd64.At(amd64.RAX, 0), 8, 8)
	}
	for i, m := range f.key {
		a.Load(x, m, 8)
		a.Store(amd64.At(amd64.RAX, int32(8+8*i)), x, 8)
	}
	a.MovRR(x, f.hash)
	a.ShiftImm(amd64.SHR, x, 16, 8)
	a.ShiftImm(amd64.SHL, x, 16, 8)
	a.Lea(x, amd64.AtIndex(x, f.t, 1, 1))
	a.Zero(amd64.RAX)
	a.LockCmpxchg(amd64.AtIndex(f.keys, f.slot, 8, 0), x, 8)
	lost := a.NewLabel()
	a.Jcc(amd64.CondNE, lost)
	a.MovRR(amd64.RAX, f.t)
	a.Jmp(f.found)
	a.Bind(lost)
	// Another processor took the slot: give the record back, if nobody took one
	// meanwhile, and look at the slot again.
	a.Lea(amd64.RAX, amd64.At(f.t, 1))
	a.LockCmpxchg(next, f.t, 8)
	a.Jmp(f.top)
}
