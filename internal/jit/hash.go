package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// The hashes of keys, as the runtime computes them by AES (see program.Hash). The
// target's processor has the instructions for it: the runtime says so by Hash.Uses.

// linked is the memory at a linked address; it may need r.
func (g *gen) linked(addr uint64, r amd64.Reg) amd64.Mem {
	addr += g.env.Slide
	if g.near(addr) {
		return amd64.AtAddr(addr)
	}
	g.a.MovRI64(r, addr)
	return amd64.At(r, 0)
}

// hashable goes to every unless the hash of the map at p can be computed and is of
// use: a map of one group needs none.
func (g *gen) hashable(f *finding, every amd64.Label) {
	a, h := g.a, f.m.Hash
	if !f.m.Classic {
		g.faulty()
		a.OpMemImm(amd64.CMP, amd64.At(f.p, int32(f.m.DirLen)), 0, 8)
		a.Jcc(amd64.CondE, every)
	}
	uses := g.linked(h.Uses, f.t)
	g.faulty()
	a.OpMemImm(amd64.CMP, uses, 0, 1)
	a.Jcc(amd64.CondE, every)
	hasher := g.linked(h.Hasher, f.t)
	g.faulty()
	a.Load(f.q, hasher, 8)
	a.MovRI64(f.t, h.Func+g.env.Slide)
	g.faulty()
	a.OpLoad(amd64.CMP, f.t, amd64.At(f.q, 0), 8)
	a.Jcc(amd64.CondNE, every)
	if h.Varlen {
		g.faulty()
		a.OpMemImm(amd64.CMP, amd64.At(f.q, 8), f.m.KeySize, 8)
		a.Jcc(amd64.CondNE, every)
	}
}

// hash puts the hash of the key into its slot. p stays.
func (g *gen) hash(f *finding) {
	a, h := g.a, f.m.Hash
	g.usesX = true
	g.faulty()
	a.Load(f.t, amd64.At(f.p, int32(h.Seed)), int(h.SeedSize))
	a.MovXR(xspill, f.t, 8)
	if h.Word {
		g.hashWord(f)
	} else {
		g.hashBytes(f)
	}
	a.Store(f.hash, f.t, 8)
	a.Load(f.p, f.at, 8)
}

// hashWord is memhash32 and memhash64: the seed and the key, and three rounds. The
// hash comes into t.
func (g *gen) hashWord(f *finding) {
	a, size := g.a, int(f.m.KeySize)
	if f.m.Key == program.KeyMemory {
		a.Load(f.q, f.y, 8)
		g.faulty()
		a.Load(f.t, amd64.At(f.q, 0), size)
	} else {
		a.Load(f.t, f.y, size)
	}
	a.Pinsrq(xspill, f.t, 1)
	keys := g.linked(f.m.Hash.Schedule, f.q)
	for i := range int32(3) {
		g.faulty()
		a.AesencMem(xspill, keys.Plus(16*i))
	}
	a.MovRX(f.t, xspill, 8)
}

// lanes is where the parts of a long key's hash are.
type lanes struct {
	bad              amd64.Label // puts the vector registers back and fails
	span, half, left amd64.Mem   // bytes of all lanes; of those that count from the key's start; blocks
}

// The vector registers of a hash. What the program has in them is put back.
const (
	xseed = xspill // the seed of the first lane before its rounds
	xlane = amd64.X(0)
	xdata = amd64.X(1)
	xsum  = amd64.X(2)
)

// hashBytes is memhash and strhash (aeshashbody). The hash comes into t.
func (g *gen) hashBytes(f *finding) {
	a := g.a
	m := g.mark()
	l := &lanes{span: g.slot(), half: g.slot(), left: g.slot()}
	var kept [3]amd64.Mem
	for i := range kept {
		kept[i] = g.slot()
		g.slot()
		a.StoreX16(kept[i], amd64.X(i))
	}
	back := func() {
		for i := range kept {
			a.LoadX16(amd64.X(i), kept[i])
		}
	}
	fault := g.fail(program.StatusFault)
	l.bad = g.coldLabel(func() {
		back()
		a.Jmp(fault)
	})
	g.keyBytes(f)
	long, done := a.NewLabel(), a.NewLabel()
	a.Extend(f.t, f.n, 2)
	a.MovRI64(f.q, 0x0001000100010001)
	a.Imul(f.t, f.q, 8)
	a.Pinsrq(xseed, f.t, 1)
	a.OpImm(amd64.CMP, f.n, 16, 8)
	a.Jcc(amd64.CondA, long)
	g.hashShort(f, l, done)
	a.Bind(long)
	g.hashLong(f, l)
	a.Bind(done)
	back()
	g.release(m)
}

// keyBytes makes p and n the bytes of the key.
func (g *gen) keyBytes(f *finding) {
	a := g.a
	switch f.m.Key {
	case program.KeyString:
		a.Load(f.p, f.y, 8)
		a.Load(f.n, f.z, 8)
		return
	case program.KeyMemory:
		a.Load(f.p, f.y, 8)
	default:
		a.Lea(f.p, f.y)
	}
	a.MovRI64(f.n, uint64(f.m.KeySize))
}

// masks are, from byte 16-n on, what keeps the first n of 16 bytes; and, 32 further,
// what moves the last n of 16 bytes to the front.
var masks = func() (b []byte) {
	for i := range byte(64) {
		b = append(b, [4]byte{0xff, 0, i - 32, 0x80}[i/16])
	}
	return b
}()

// hashShort hashes the n bytes at p, 16 at most, and goes to done. All 16 bytes from
// p are read where they are in one page, else those up to the end of the key.
func (g *gen) hashShort(f *finding, l *lanes, done amd64.Label) {
	a := g.a
	nothing, crosses, data, hashed := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	keys := g.linked(f.m.Hash.Schedule, f.q)
	a.MovX(xlane, xseed)
	g.fixup(l.bad)
	a.PxorMem(xlane, keys)
	a.Aesenc(xlane, xlane)
	a.Test(f.n, f.n, 8)
	a.Jcc(amd64.CondE, nothing)
	a.Lea(f.q, amd64.AtLabel(g.coldLabel(func() { a.Bytes(masks...) })))
	a.Op(amd64.SUB, f.q, f.n, 8)
	a.Lea(f.t, amd64.At(f.p, 16))
	a.TestImm(f.t, 0xff0, 4)
	a.Jcc(amd64.CondE, crosses)
	g.fixup(l.bad)
	a.LoadX16(xdata, amd64.At(f.p, 0))
	a.LoadX16(xsum, amd64.At(f.q, 16))
	a.Pand(xdata, xsum)
	a.Bind(data)
	a.Pxor(xdata, xlane)
	rounds(a, xdata, 3)
	a.MovRX(f.t, xdata, 8)
	a.Bind(hashed)
	a.Jmp(done)
	g.cold(func() {
		a.Bind(crosses)
		g.fixup(l.bad)
		a.LoadX16(xdata, amd64.AtIndex(f.p, f.n, 1, -16))
		a.LoadX16(xsum, amd64.At(f.q, 32+16))
		a.Pshufb(xdata, xsum)
		a.Jmp(data)
		a.Bind(nothing)
		rounds(a, xlane, 1)
		a.MovRX(f.t, xlane, 8)
		a.Jmp(hashed)
	})
}

// rounds scrambles x by itself.
func rounds(a *amd64.Asm, x amd64.X, n int) {
	for range n {
		a.Aesenc(x, x)
	}
}

// hashLong hashes the n bytes at p, more than 16, lane by lane: the runtime does the
// same with all lanes at once, which would take all vector registers.
func (g *gen) hashLong(f *finding, l *lanes) {
	a := g.a
	sized, lane, front, one := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.MovRI64(f.t, 2*16)
	for _, most := range []int64{32, 64} {
		a.OpImm(amd64.CMP, f.n, most, 8)
		a.Jcc(amd64.CondBE, sized)
		a.Op(amd64.ADD, f.t, f.t, 8)
	}
	a.Bind(sized)
	a.Store(l.span, f.t, 8)
	a.ShiftImm(amd64.SHR, f.t, 1, 8)
	a.Zero(f.q)
	a.OpImm(amd64.CMP, f.n, 128, 8)
	a.Cmov(amd64.CondA, f.t, f.q, 8)
	a.Store(l.half, f.t, 8)
	a.Pxor(xsum, xsum)
	a.Bind(lane) // q is the offset of the lane
	g.laneSeed(f, l)
	a.MovRR(f.t, f.p)
	a.OpLoad(amd64.CMP, f.q, l.half, 8)
	a.Jcc(amd64.CondB, front)
	a.Op(amd64.ADD, f.t, f.n, 8)
	a.OpLoad(amd64.SUB, f.t, l.span, 8)
	a.Bind(front)
	g.fixup(l.bad)
	a.LoadX16(xdata, amd64.AtIndex(f.t, f.q, 1, 0))
	a.Pxor(xdata, xlane)
	a.OpImm(amd64.CMP, f.n, 128, 8)
	a.Jcc(amd64.CondBE, one)
	g.laneBlocks(f, l)
	a.Bind(one)
	rounds(a, xdata, 3)
	a.Pxor(xsum, xdata)
	a.OpImm(amd64.ADD, f.q, 16, 8)
	a.OpLoad(amd64.CMP, f.q, l.span, 8)
	a.Jcc(amd64.CondB, lane)
	a.MovRX(f.t, xsum, 8)
}

// laneSeed makes the seed of the lane at offset q.
func (g *gen) laneSeed(f *finding, l *lanes) {
	g.a.MovRI64(f.t, f.m.Hash.Schedule+g.env.Slide)
	g.a.MovX(xlane, xseed)
	g.fixup(l.bad)
	g.a.PxorMem(xlane, amd64.AtIndex(f.t, f.q, 1, 0))
	g.a.Aesenc(xlane, xlane)
}

// laneBlocks adds the lane's part of every block of 128 bytes but the last.
func (g *gen) laneBlocks(f *finding, l *lanes) {
	a := g.a
	a.Lea(f.t, amd64.At(f.n, -1))
	a.ShiftImm(amd64.SHR, f.t, 7, 8)
	a.Store(l.left, f.t, 8)
	a.Lea(f.t, amd64.AtIndex(f.p, f.q, 1, 0))
	top := a.Here()
	a.Aesenc(xdata, xdata)
	g.fixup(l.bad)
	a.LoadX16(xlane, amd64.At(f.t, 0))
	a.Aesenc(xdata, xlane)
	a.OpImm(amd64.ADD, f.t, 128, 8)
	a.OpMemImm(amd64.SUB, l.left, 1, 8)
	a.Jcc(amd64.CondNE, top)
}
