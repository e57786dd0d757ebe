package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// scanAll looks through the objects in order and follows what they refer to,
// until there are no more.
func (im *imager) scanAll() {
	a := im.a
	object, element, ref, skip := a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	a.Bind(object)
	im.openObject(object)
	a.Bind(element)
	a.Bind(ref)
	a.Load(amd64.RAX, amd64.At(rRef, refOff), 4)
	a.OpMemImm(amd64.CMP, amd64.AtIndex(rElem, amd64.RAX, 1, 0), nilEnd, 8)
	a.Jcc(amd64.CondB, skip)
	a.Call(im.follow)
	a.Bind(skip)
	a.OpImm(amd64.ADD, rRef, refEntry, 8)
	a.OpLoad(amd64.CMP, rRef, im.refsEnd, 8)
	a.Jcc(amd64.CondB, ref)
	a.OpLoad(amd64.ADD, rElem, im.size, 8)
	a.Load(rRef, im.refs, 8)
	a.OpLoad(amd64.CMP, rElem, im.last, 8)
	a.Jcc(amd64.CondB, element)
	a.Jmp(object)
}

// openObject makes ready the first element of the next object; where that has no
// references it goes on at object, where there is none, at finish.
func (im *imager) openObject(object amd64.Label) {
	a := im.a
	a.Load(amd64.RAX, im.scan, 8)
	a.Op(amd64.CMP, amd64.RAX, rEnd, 8)
	a.Jcc(amd64.CondAE, im.finish)
	a.Load(amd64.RCX, amd64.At(amd64.RAX, ring.ObjectDesc), 4)
	a.OpImm(amd64.CMP, amd64.RCX, int64(im.shape.descs), 8)
	a.Jcc(amd64.CondAE, im.finish) // overwritten: see imager
	a.Load(amd64.RDX, amd64.At(amd64.RAX, ring.ObjectBytes), 4)
	a.Load(rDepth, amd64.At(amd64.RAX, ring.ObjectDepth), 2)
	a.Lea(rElem, amd64.At(amd64.RAX, ring.ObjectHeader))
	a.Lea(amd64.RSI, amd64.AtIndex(rElem, amd64.RDX, 1, 0))
	a.Lea(amd64.RDI, amd64.At(amd64.RSI, 7))
	a.OpImm(amd64.AND, amd64.RDI, -8, 8)
	a.Op(amd64.CMP, amd64.RDI, rEnd, 8)
	a.Jcc(amd64.CondA, im.finish) // likewise
	a.Store(im.scan, amd64.RDI, 8)
	a.ShiftImm(amd64.SHL, amd64.RCX, descShift, 8)
	desc := amd64.AtIndex(rTables, amd64.RCX, 1, 0)
	a.Load(amd64.RDI, desc.Plus(descCount), 4)
	a.OpImm(amd64.AND, amd64.RDI, descCountMax, 4)
	a.Jcc(amd64.CondE, object)
	a.Load(rRef, desc.Plus(descRefs), 4)
	a.Op(amd64.ADD, rRef, rTables, 8)
	a.ShiftImm(amd64.SHL, amd64.RDI, refShift, 8)
	a.Op(amd64.ADD, amd64.RDI, rRef, 8)
	a.Load(amd64.RAX, desc.Plus(descSize), 8)
	a.Store(im.last, amd64.RSI, 8)
	a.Store(im.refs, rRef, 8)
	a.Store(im.refsEnd, amd64.RDI, 8)
	a.Store(im.size, amd64.RAX, 8)
	im.searching()
	a.Op(amd64.CMP, amd64.RDX, amd64.RAX, 8)
	a.Jcc(amd64.CondB, im.coldLabel(func() { im.part(object) }))
}

// part follows the references of a part of an element, RDX bytes, but for those
// near its end, which may be cut.
func (im *imager) part(object amd64.Label) {
	a := im.a
	skip := a.NewLabel()
	a.Store(im.bytes, amd64.RDX, 8)
	top := a.Here()
	for _, f := range []struct {
		field int32
		reach int64
	}{{refOff, 16}, {refLen, 8}} {
		a.Load(amd64.RAX, amd64.At(rRef, f.field), 4)
		a.OpImm(amd64.ADD, amd64.RAX, f.reach, 8)
		a.OpLoad(amd64.CMP, amd64.RAX, im.bytes, 8)
		a.Jcc(amd64.CondA, skip)
	}
	a.Call(im.follow)
	a.Bind(skip)
	a.OpImm(amd64.ADD, rRef, refEntry, 8)
	a.OpLoad(amd64.CMP, rRef, im.refsEnd, 8)
	a.Jcc(amd64.CondB, top)
	a.Jmp(object)
}

// routines are what the code of an image calls.
func (im *imager) routines() {
	pool, fail := im.pool, im.fail
	im.lead = 8
	im.followRoutine()
	im.lead = 0
	im.lookupRoutine()
	im.transportRoutine()
	im.pool, im.fail = pool, fail
}

// faulted counts an address that could not be read; with the last one the image
// ends.
func (im *imager) faulted() {
	a := im.a
	a.OpMemImm(amd64.ADD, im.at(im.faults), 1, 4)
	a.OpMemImm(amd64.CMP, im.at(im.faults), ring.FaultsMax, 4)
	a.Jcc(amd64.CondAE, im.ending(ring.CutFaults))
}

// ending is a label where the image ends because of a limit.
func (im *imager) ending(cut int64) amd64.Label {
	lead := im.lead
	return im.coldLabel(func() {
		im.a.OpMemImm(amd64.OR, im.cut.Plus(lead), cut, 4)
		if lead > 0 {
			im.a.Lea(amd64.RSP, amd64.At(amd64.RSP, lead))
		}
		im.a.Jmp(im.finish)
	})
}

// cutting is a label where something is left out: the routine returns.
func (im *imager) cutting(cut int64) amd64.Label {
	lead := im.lead
	return im.coldLabel(func() {
		im.a.OpMemImm(amd64.OR, im.cut.Plus(lead), cut, 4)
		im.a.Ret()
	})
}

// following is the labels of the routine follow: where a reference of each kind
// goes on, and where all of them meet.
type following struct {
	ret, fault, corrupt, one, copy, func_ amd64.Label
}

// followRoutine follows the reference rRef of the element rElem in an object of
// depth rDepth; those three stay. Everything that it copies lies behind rEnd.
func (im *imager) followRoutine() {
	a := im.a
	f := &following{ret: a.NewLabel(), fault: a.NewLabel(), one: a.NewLabel(), copy: a.NewLabel(), func_: a.NewLabel()}
	f.corrupt = im.cutting(ring.CutCorrupt)
	a.Align(16, 0xCC)
	a.Bind(im.follow)
	a.Load(amd64.RAX, amd64.At(rRef, refOff), 4)
	a.Load(rAddr, amd64.AtIndex(rElem, amd64.RAX, 1, 0), 8)
	a.OpImm(amd64.CMP, rAddr, nilEnd, 8)
	a.Jcc(amd64.CondB, f.ret)
	im.look()
	a.Load(rWhat, amd64.At(rRef, refWhat), 4)
	a.MovRRSized(amd64.RAX, rWhat, 4)
	a.OpImm(amd64.AND, amd64.RAX, whatKind, 4)
	im.kinds(f)
	a.Bind(f.one)
	a.MovRI64(rCount, 1)
	a.Bind(f.copy)
	im.enqueue(f)
	a.Bind(f.ret)
	a.Ret()
	a.Bind(f.fault)
	im.faulted()
	a.Ret()
}

// kinds goes by the kind in RAX: pointers fall through.
func (im *imager) kinds(f *following) {
	a := im.a
	kind := func(k program.RefKind, code func(*following)) amd64.Label {
		l := im.routine(func() { code(f) })
		a.OpImm(amd64.CMP, amd64.RAX, int64(k), 4)
		a.Jcc(amd64.CondE, l)
		return l
	}
	a.OpImm(amd64.CMP, amd64.RAX, int64(program.RefPointer), 4)
	a.Jcc(amd64.CondE, f.one)
	kind(program.RefSlice, im.slice)
	kind(program.RefEface, im.eface)
	kind(program.RefIface, im.iface)
	kind(program.RefGroups, im.groups)
	kind(program.RefDirectory, im.directory)
	kind(program.RefBuckets, im.buckets)
	kind(program.RefOld, im.oldBuckets)
	a.OpImm(amd64.CMP, amd64.RAX, int64(program.RefFunc), 4)
	a.Jcc(amd64.CondNE, f.ret)
	a.Bind(f.func_)
	im.function(f)
}

// routine is a label of code off the straight way that was called.
func (im *imager) routine(f func()) amd64.Label {
	lead := im.lead
	return im.coldLabel(func() {
		was := im.lead
		im.lead = lead
		f()
		im.lead = was
	})
}

// length puts the word at Len of the element into rCount.
func (im *imager) length() {
	im.a.Load(amd64.RAX, amd64.At(rRef, refLen), 4)
	im.a.Load(rCount, amd64.AtIndex(rElem, amd64.RAX, 1, 0), 8)
}

func (im *imager) slice(f *following) {
	im.length()
	im.a.Jmp(f.copy)
}

func (im *imager) groups(f *following) {
	im.length()
	im.a.OpImm(amd64.ADD, rCount, 1, 8)
	im.a.Jmp(f.copy)
}

func (im *imager) directory(f *following) {
	a := im.a
	im.length()
	a.Test(rCount, rCount, 8)
	a.Jcc(amd64.CondE, f.one)
	a.Load(amd64.RAX, amd64.At(rRef, refElem2), 4)
	a.ShiftImm(amd64.SHL, amd64.RAX, elemShift, 4)
	im.instead(amd64.RAX)
	a.Jmp(f.copy)
}

// instead makes rWhat what is in r, free of depth if either was.
func (im *imager) instead(r amd64.Reg) {
	im.a.OpImm(amd64.AND, rWhat, whatFree, 4)
	im.a.Op(amd64.OR, rWhat, r, 4)
}

func (im *imager) buckets(f *following) {
	a := im.a
	a.Load(amd64.RAX, amd64.At(rRef, refLen), 4)
	a.Load(amd64.RDI, amd64.AtIndex(rElem, amd64.RAX, 1, 0), 1)
	im.power(f)
}

// sameSizeGrow is the flag of a classic map whose old buckets are as many as
// its new ones (runtime/map.go, to 1.23; runtime/map_noswiss.go after it).
const sameSizeGrow = 8

func (im *imager) oldBuckets(f *following) {
	a := im.a
	same := a.NewLabel()
	a.Load(amd64.RAX, amd64.At(rRef, refLen), 4)
	a.Load(amd64.RDI, amd64.AtIndex(rElem, amd64.RAX, 1, 0), 1)
	a.TestMemImm(amd64.AtIndex(rElem, amd64.RAX, 1, -1), sameSizeGrow, 1)
	a.Jcc(amd64.CondNE, same)
	a.OpImm(amd64.SUB, amd64.RDI, 1, 4)
	a.Bind(same)
	im.power(f)
}

// power copies 1<<RDI elements.
func (im *imager) power(f *following) {
	a := im.a
	a.OpImm(amd64.CMP, amd64.RDI, absurdShift, 4)
	a.Jcc(amd64.CondAE, f.corrupt)
	a.MovRRSized(amd64.R11, rWhat, 4)
	a.MovRRSized(amd64.RCX, amd64.RDI, 4)
	a.MovRI64(rCount, 1)
	a.ShiftCL(amd64.SHL, rCount, 8)
	a.MovRRSized(rWhat, amd64.R11, 4)
	a.Jmp(f.copy)
}

func (im *imager) iface(f *following) {
	a := im.a
	a.Load(amd64.RAX, amd64.At(rRef, refLen), 4)
	im.fixup(f.fault)
	a.Load(amd64.RAX, amd64.AtIndex(rAddr, amd64.RAX, 1, 0), 8)
	im.typed(f)
}

func (im *imager) eface(f *following) {
	im.a.MovRR(amd64.RAX, rAddr)
	im.typed(f)
}

// typed follows the data word of an interface whose type is at RAX.
func (im *imager) typed(f *following) {
	a := im.a
	unknown := a.NewLabel()
	a.Load(amd64.RDI, amd64.At(rRef, refOff), 4)
	a.Load(rAddr, amd64.AtIndex(rElem, amd64.RDI, 1, 8), 8)
	a.Call(im.lookup)
	a.Jcc(amd64.CondE, unknown)
	im.instead(amd64.RDI)
	a.OpImm(amd64.AND, amd64.RDI, whatKind, 4)
	a.OpImm(amd64.CMP, amd64.RDI, int64(program.RefPointer), 4)
	a.Jcc(amd64.CondE, f.one)
	a.OpImm(amd64.CMP, amd64.RDI, int64(program.RefFunc), 4)
	a.Jcc(amd64.CondNE, f.ret)
	a.OpImm(amd64.CMP, rAddr, nilEnd, 8)
	a.Jcc(amd64.CondAE, f.func_)
	a.Ret()
	a.Bind(unknown)
	im.fixup(f.fault)
	a.Load(rCount, amd64.At(amd64.RAX, 0), 8)
	a.OpMemImm(amd64.OR, im.at(im.cut), ring.CutUnknown, 4)
	a.OpImm(amd64.AND, rWhat, whatFree, 4) // bytes
	a.Jmp(f.copy)
}

// function follows the closure at rAddr.
func (im *imager) function(f *following) {
	a := im.a
	unknown := a.NewLabel()
	im.fixup(f.fault)
	a.Load(amd64.RAX, amd64.At(rAddr, 0), 8)
	a.Call(im.lookup)
	a.Jcc(amd64.CondE, unknown)
	im.instead(amd64.RDI)
	a.OpImm(amd64.AND, amd64.RDI, whatKind, 4)
	a.OpImm(amd64.CMP, amd64.RDI, int64(program.RefPointer), 4)
	a.Jcc(amd64.CondE, f.one)
	a.Ret()
	a.Bind(unknown)
	a.OpImm(amd64.AND, rWhat, whatFree, 4) // bytes
	a.MovRI64(rCount, program.ClosureBytes)
	a.Jmp(f.copy)
}

// lookupRoutine finds key RAX in the dynamic table: RDI is what it leads to, or
// 0 with ZF. R11 is lost.
func (im *imager) lookupRoutine() {
	a := im.a
	hit := a.NewLabel()
	a.Align(16, 0xCC)
	a.Bind(im.lookup)
	a.MovRI64(amd64.R11, ring.HashFactor)
	a.Imul(amd64.R11, amd64.RAX, 8)
	a.ShiftImm(amd64.SHR, amd64.R11, uint8(64-im.shape.dynamicBits), 8)
	entry := amd64.AtIndex(rTables, amd64.RDI, 1, int32(im.shape.dynamic))
	top := a.Here()
	a.MovRRSized(amd64.RDI, amd64.R11, 4)
	a.ShiftImm(amd64.SHL, amd64.RDI, dynamicShift, 4)
	a.OpStore(amd64.CMP, entry, amd64.RAX, 8)
	a.Jcc(amd64.CondE, hit)
	a.OpImm(amd64.ADD, amd64.R11, 1, 4)
	a.OpImm(amd64.AND, amd64.R11, 1<<im.shape.dynamicBits-1, 4)
	a.OpMemImm(amd64.CMP, entry, 0, 8)
	a.Jcc(amd64.CondNE, top)
	a.Zero(amd64.RDI)
	a.Ret()
	a.Bind(hit)
	a.Load(amd64.RDI, entry.Plus(dynamicWhat), 4)
	a.Test(amd64.RDI, amd64.RDI, 4)
	a.Ret()
}

// transportRoutine copies RDI bytes, at least 1, from rAddr to the object at
// rEnd. RAX is 0, or 1 if they could not be read; the rest stays.
func (im *imager) transportRoutine() {
	a := im.a
	fault := a.NewLabel()
	a.Align(16, 0xCC)
	a.Bind(im.transport)
	im.pool = []amd64.Reg{rAddr, amd64.RDI, amd64.RAX}
	im.fail = func(program.Status) amd64.Label { return fault }
	im.copy(amd64.At(rEnd, ring.ObjectHeader), max(im.img.Object, im.img.Stack, im.img.G))
	a.Zero(amd64.RAX)
	a.Ret()
	a.Bind(fault)
	a.MovRI64(amd64.RAX, 1)
	a.Ret()
}
