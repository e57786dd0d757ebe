package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// enqueue copies rCount elements of what rWhat says at rAddr to the end of the
// record, unless they were copied before or must not be.
func (im *imager) enqueue(f *following) {
	a := im.a
	fresh := a.NewLabel()
	a.OpImm(amd64.CMP, rAddr, nilEnd, 8)
	a.Jcc(amd64.CondB, f.ret)
	a.Test(rCount, rCount, 8)
	a.Jcc(amd64.CondE, f.ret)
	im.measure(f.corrupt)
	im.deepen()
	a.ShiftImm(amd64.SHR, rWhat, elemShift, 4)
	a.OpMemImm(amd64.SUB, im.at(im.refsLeft), 1, 4)
	a.Jcc(amd64.CondS, im.ending(ring.CutRefs))
	im.visit(f, fresh)
	a.Bind(fresh)
	a.OpMemImm(amd64.CMP, im.at(im.objects), int64(im.img.Objects), 4)
	a.Jcc(amd64.CondAE, im.ending(ring.CutObjects))
	im.room(f)
	im.write(f)
}

// measure notes how many bytes are wanted, or jumps to corrupt.
func (im *imager) measure(corrupt amd64.Label) {
	a := im.a
	a.MovRR(amd64.RAX, rCount)
	a.ShiftImm(amd64.SHR, amd64.RAX, absurdShift, 8)
	a.Jcc(amd64.CondNE, corrupt)
	a.MovRRSized(amd64.RAX, rWhat, 4)
	a.ShiftImm(amd64.SHR, amd64.RAX, elemShift, 4)
	a.ShiftImm(amd64.SHL, amd64.RAX, descShift, 4)
	a.Load(amd64.RDI, amd64.AtIndex(rTables, amd64.RAX, 1, descSize), 8)
	a.Imul(amd64.RDI, rCount, 8)
	a.Jcc(amd64.CondO, corrupt)
	a.MovRR(amd64.RAX, amd64.RDI)
	a.ShiftImm(amd64.SHR, amd64.RAX, absurdShift, 8)
	a.Jcc(amd64.CondNE, corrupt)
	a.Store(im.at(im.want), amd64.RDI, 8)
}

// deepen makes rNew the depth of what is copied, or leaves it out.
func (im *imager) deepen() {
	a := im.a
	free := a.NewLabel()
	a.MovRRSized(rNew, rDepth, 4)
	a.TestImm(rWhat, whatFree, 4)
	a.Jcc(amd64.CondNE, free)
	a.OpImm(amd64.ADD, rNew, 1, 4)
	a.Bind(free)
	a.OpImm(amd64.CMP, rNew, int64(im.img.Depth), 4)
	a.Jcc(amd64.CondA, im.cutting(ring.CutDepth))
}

// visit returns if as many elements were followed before; else it remembers
// them and goes on, here or at fresh.
func (im *imager) visit(f *following, fresh amd64.Label) {
	a := im.a
	probe, empty := a.NewLabel(), a.NewLabel()
	entry := func(off int32) amd64.Mem { return amd64.At(amd64.RAX, off) }
	a.MovRRSized(amd64.RAX, rWhat, 4)
	a.ShiftImm(amd64.SHL, amd64.RAX, ring.VisitedDescShift, 8)
	a.Op(amd64.XOR, amd64.RAX, rAddr, 8)
	a.MovRI64(amd64.RDI, ring.HashFactor)
	a.Imul(amd64.RAX, amd64.RDI, 8)
	a.ShiftImm(amd64.SHR, amd64.RAX, ring.VisitedShift, 8)
	a.ImulImm(amd64.RAX, amd64.RAX, ring.VisitedEntry, 4)
	a.Lea(amd64.RAX, amd64.AtIndex(rVisited, amd64.RAX, 1, ring.VisitedTable))
	a.Load(amd64.RDI, im.at(im.epoch), 4)
	a.StoreImm(im.at(im.probes), ring.VisitedProbes, 4)
	other := im.routine(func() {
		a.OpMemImm(amd64.SUB, im.at(im.probes), 1, 4)
		a.Jcc(amd64.CondE, fresh)
		a.OpImm(amd64.ADD, amd64.RAX, ring.VisitedEntry, 8)
		a.OpLoad(amd64.CMP, amd64.RAX, im.at(im.tableEnd), 8)
		a.Jcc(amd64.CondB, probe)
		a.Lea(amd64.RAX, amd64.At(rVisited, ring.VisitedTable))
		a.Jmp(probe)
	})
	a.Bind(probe)
	a.OpStore(amd64.CMP, entry(ring.VisitedWhen), amd64.RDI, 4)
	a.Jcc(amd64.CondNE, empty)
	a.OpStore(amd64.CMP, entry(ring.VisitedAddr), rAddr, 8)
	a.Jcc(amd64.CondNE, other)
	a.OpStore(amd64.CMP, entry(ring.VisitedDesc), rWhat, 4)
	a.Jcc(amd64.CondNE, other)
	a.OpStore(amd64.CMP, entry(ring.VisitedCount), rCount, 8)
	a.Jcc(amd64.CondAE, f.ret)
	a.Store(entry(ring.VisitedCount), rCount, 8)
	a.Jmp(fresh)
	a.Bind(empty)
	a.Store(entry(ring.VisitedAddr), rAddr, 8)
	a.Store(entry(ring.VisitedDesc), rWhat, 4)
	a.Store(entry(ring.VisitedWhen), amd64.RDI, 4)
	a.Store(entry(ring.VisitedCount), rCount, 8)
}

// most is the most bytes of one object.
func (im *imager) most() int64 { return im.img.Object &^ 7 }

// left puts into r how many bytes the image has room for behind an object's
// header: a multiple of 8, perhaps negative.
func (im *imager) left(r amd64.Reg) {
	im.a.Lea(r, amd64.At(rLimit, -ring.ObjectHeader))
	im.a.Op(amd64.SUB, r, rEnd, 8)
}

// room makes RDI the bytes to copy, and marks in rNew if they are not all.
func (im *imager) room(f *following) {
	a := im.a
	roomy := a.NewLabel()
	tight := im.routine(func() { im.tight(f, roomy) })
	a.Load(amd64.RDI, im.at(im.want), 8)
	a.OpImm(amd64.CMP, amd64.RDI, im.most(), 8)
	a.Jcc(amd64.CondA, tight)
	im.left(amd64.RAX)
	a.Op(amd64.CMP, amd64.RDI, amd64.RAX, 8)
	a.Jcc(amd64.CondG, tight)
	a.Bind(roomy)
	im.copying()
}

// tight is room for more than one object, or the image, can take: as many whole
// elements as fit, and of an element that is larger than an object its beginning.
func (im *imager) tight(f *following, roomy amd64.Label) {
	a := im.a
	below, whole, fits := a.NewLabel(), a.NewLabel(), a.NewLabel()
	size := amd64.AtIndex(rTables, rWhat, 1, descSize)
	wholes := func() {
		a.Zero(amd64.RDX)
		a.DivMem(size, false, 8)
		a.ImulLoad(amd64.RAX, size, 8)
		a.Test(amd64.RAX, amd64.RAX, 8)
	}
	a.Store(im.at(im.count), rCount, 8)
	a.ShiftImm(amd64.SHL, rWhat, descShift, 4)
	a.MovRR(amd64.RAX, amd64.RDI)
	a.OpImm(amd64.CMP, amd64.RAX, im.most(), 8)
	a.Jcc(amd64.CondBE, below)
	a.MovRI64(amd64.RAX, uint64(im.most()))
	a.Bind(below)
	wholes()
	a.Jcc(amd64.CondNE, whole)
	a.MovRI64(amd64.RAX, uint64(im.most()))
	a.Bind(whole)
	im.left(amd64.RDX)
	a.Op(amd64.CMP, amd64.RAX, amd64.RDX, 8)
	a.Jcc(amd64.CondLE, fits)
	a.OpMemImm(amd64.OR, im.at(im.cut), ring.CutBytes, 4)
	a.Test(amd64.RDX, amd64.RDX, 8)
	a.Jcc(amd64.CondS, f.ret)
	a.MovRR(amd64.RAX, amd64.RDX)
	wholes()
	a.Jcc(amd64.CondE, f.ret)
	a.Bind(fits)
	a.ShiftImm(amd64.SHR, rWhat, descShift, 4)
	a.Load(rCount, im.at(im.count), 8)
	a.Xchg(amd64.RAX, amd64.RDI)
	a.Op(amd64.CMP, amd64.RAX, amd64.RDI, 8)
	a.Jcc(amd64.CondE, roomy)
	a.OpImm(amd64.OR, rNew, ring.ObjectShort<<16, 4)
	a.Jmp(roomy)
}

// write appends the object: RDI bytes at rAddr.
func (im *imager) write(f *following) {
	a := im.a
	counted := a.NewLabel()
	object := func(off int32) amd64.Mem { return amd64.At(rEnd, off) }
	a.Store(object(ring.ObjectAddr), rAddr, 8)
	a.Store(object(ring.ObjectBytes), amd64.RDI, 4)
	a.Store(object(ring.ObjectDesc), rWhat, 4)
	a.Store(object(ring.ObjectDepth), rNew, 4) // with the flags
	a.MovRR(amd64.RAX, rCount)
	a.ShiftImm(amd64.SHR, amd64.RAX, 32, 8)
	a.Jcc(amd64.CondNE, im.routine(func() {
		a.MovRI64(rCount, 1<<32-1)
		a.Jmp(counted)
	}))
	a.Bind(counted)
	a.Store(object(ring.ObjectCount), rCount, 4)
	im.firstLook()
	im.padded()
	a.Call(im.transport)
	a.Test(amd64.RAX, amd64.RAX, 4)
	a.Jcc(amd64.CondNE, f.fault)
	im.behind()
	a.OpMemImm(amd64.ADD, im.at(im.objects), 1, 4)
}
