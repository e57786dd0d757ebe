package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// nilEnd is where addresses begin that are not nil, or so near it that they were.
const nilEnd = 4096

// stackAbsurd is more than any stack of a goroutine has.
const stackAbsurd = 1 << 30

// callRoom is what the calls within an image's code push below the frame; the
// frame's check for room counts it.
const callRoom = 64

// A root is put into the frame as an element of its own, for follow to look at:
// W, the data word, the byte before B (the last of its word), and N.
const (
	elementData  = 8
	elementFlags = 23
	elementN     = 24
	elementSize  = 32
)

// encodedRoot is the reference in that element.
func encodedRoot(r *program.Root) program.Ref {
	ref := r.Ref
	ref.Off = 0
	if r.Kind != program.RefIface {
		ref.Len = elementN
	}
	return ref
}

// Registers of an image's code. The stack pointer, the frame pointer and g stay
// what they are; RAX, RDI and R11 are scratch.
const (
	rVisited = amd64.RBX // the block's extra memory
	rEnd     = amd64.R12 // where the next object begins, in the record
	rLimit   = amd64.R13 // where the image must end
	rTables  = amd64.R15

	rRef   = amd64.R8  // the reference to follow, an entry of the tables
	rDepth = amd64.R9  // depth of the object that it lies in
	rElem  = amd64.R10 // the element that it lies in

	rAddr  = amd64.RSI // what is copied: address,
	rCount = amd64.RDX // elements,
	rWhat  = amd64.RCX // and what they are (see pack); later their descriptor
	rNew   = amd64.R11 // its depth, with the object's flags above
)

// imager makes the image of a snapshot: what follows the slots of its record.
// The record is the queue of the search as well: what was copied is looked
// through in order, and what it refers to is copied behind it.
//
// All that must be right is in the frame and in registers. The record and the
// table of what was seen lie in shared memory: should they be overwritten there,
// the image is wrong, but every access stays within the record, or may fault.
type imager struct {
	*gen
	img   *program.Image
	shape shape
	lead  int32 // bytes pushed below the frame by calls, where code is being made

	// The frame: what the registers of the body held,
	outAt, blockAt amd64.Mem
	// what is counted, and why the image is not whole,
	cut, faults, objects, refsLeft amd64.Mem
	// what was seen: this image's epoch, the end of the table, probes left,
	epoch, tableEnd, probes amd64.Mem
	// the object at hand: the one behind it, its bytes if they are a part of an
	// element, the end of its elements, the size of one, its references,
	scan, bytes, last, size, refs, refsEnd amd64.Mem
	// when time is over, and what may be done before the next look at the clock
	// (see deadline); only if the image is bounded by time.
	over, credit amd64.Mem
	// the first object whose words are looked at again (see again.go), or 0
	first amd64.Mem
	// what is to be copied: bytes, elements; and a root's element.
	want, count, element amd64.Mem

	// Routines, and the place where the search ends.
	follow, lookup, transport, finish amd64.Label
}

// image records what a snapshot copies, and gives the place of the address of
// the record's end.
func (g *gen) image() amd64.Mem {
	im := &imager{gen: g, img: g.env.Image, shape: newShape(g.env.Image)}
	a := g.a
	g.usesX = true
	im.follow, im.lookup, im.transport, im.finish = a.NewLabel(), a.NewLabel(), a.NewLabel(), a.NewLabel()
	end := g.slot()
	mark := g.mark()
	saved := im.claim()
	im.begin()
	im.registers()
	im.rootMemory()
	im.roots()
	im.scanAll()
	a.Bind(im.finish)
	im.lookAgain()
	im.complete()
	a.Store(end, rEnd, 8)
	for _, r := range saved {
		g.unsave(r)
	}
	a.Load(g.out, im.outAt, 8)
	a.Load(g.block, im.blockAt, 8)
	g.release(mark)
	g.cold(im.routines)
	return end
}

// at is a place in the frame, seen from where code is being made.
func (im *imager) at(m amd64.Mem) amd64.Mem { return m.Plus(im.lead) }

// claim takes all registers that are left, saves them, and takes the slots.
func (im *imager) claim() []amd64.Reg {
	var saved []amd64.Reg
	for r := range amd64.Reg(16) {
		if !im.taken.Has(r) {
			im.taken |= amd64.Regs(r)
			im.save(r)
			saved = append(saved, r)
		}
	}
	for _, m := range []*amd64.Mem{&im.outAt, &im.blockAt, &im.first, &im.epoch, &im.tableEnd, &im.probes, &im.cut, &im.faults, &im.objects,
		&im.refsLeft, &im.want, &im.count, &im.scan, &im.size, &im.bytes, &im.last, &im.refs, &im.refsEnd, &im.element} {
		*m = im.slot()
	}
	for range elementSize/8 - 1 {
		im.slot()
	}
	if im.timed() {
		im.over, im.credit = im.slot(), im.slot()
	}
	im.a.Store(im.outAt, im.out, 8)
	im.a.Store(im.blockAt, im.block, 8)
	return saved
}

// begin sets the registers and the counts.
func (im *imager) begin() {
	a, env := im.a, im.env
	begun := a.NewLabel()
	a.Load(amd64.RAX, im.blockAt, 8)
	a.Lea(amd64.RCX, amd64.AtAddr(env.Shared+uint64(env.Layout.Block(0))))
	a.Op(amd64.SUB, amd64.RAX, amd64.RCX, 8)
	a.ShiftImm(amd64.SHR, amd64.RAX, uint8(env.Layout.BlockShift), 8)
	a.ImulImm(amd64.RAX, amd64.RAX, int64(env.Layout.Extra), 8)
	a.Load(amd64.RDX, im.outAt, 8)
	a.Lea(rVisited, amd64.AtAddr(env.Shared+uint64(env.Layout.ExtraAt(0))))
	a.Op(amd64.ADD, rVisited, amd64.RAX, 8)
	a.Lea(amd64.RAX, amd64.At(rVisited, ring.VisitedTable+ring.VisitedLen*ring.VisitedEntry))
	a.Store(im.tableEnd, amd64.RAX, 8)
	a.Lea(rEnd, amd64.At(amd64.RDX, im.rec.tail+ring.ImageHeader))
	a.Lea(rLimit, amd64.At(amd64.RDX, int32(im.rec.most)))
	a.MovRI64(rTables, env.Tables)
	for _, m := range []amd64.Mem{im.cut, im.faults, im.objects, im.first} {
		a.StoreImm(m, 0, 8)
	}
	a.StoreImm(im.refsLeft, ring.RefsMax, 8)
	a.Load(amd64.RAX, amd64.At(rVisited, ring.VisitedEpoch), 4)
	a.OpImm(amd64.ADD, amd64.RAX, 1, 4)
	a.Jcc(amd64.CondE, im.coldLabel(func() { im.wrapped(begun) }))
	a.Bind(begun)
	a.Store(amd64.At(rVisited, ring.VisitedEpoch), amd64.RAX, 4)
	a.Store(im.epoch, amd64.RAX, 8)
	im.deadline()
}

// wrapped empties the table, because the epochs begin again.
func (im *imager) wrapped(back amd64.Label) {
	a := im.a
	a.Lea(amd64.RDI, amd64.At(rVisited, ring.VisitedTable+ring.VisitedWhen))
	a.MovRI64(amd64.RCX, ring.VisitedLen)
	top := a.Here()
	a.StoreImm(amd64.At(amd64.RDI, 0), 0, 4)
	a.OpImm(amd64.ADD, amd64.RDI, ring.VisitedEntry, 8)
	a.OpImm(amd64.SUB, amd64.RCX, 1, 8)
	a.Jcc(amd64.CondNE, top)
	a.MovRI64(amd64.RAX, 1)
	a.Jmp(back)
}

// registers writes the root of the registers as they are at the site.
func (im *imager) registers() {
	a := im.a
	im.rootHeader(0, program.RegsSize)
	a.StoreImm(amd64.At(rEnd, ring.ObjectAddr), 0, 8)
	a.StoreImm(amd64.At(rEnd, ring.ObjectBytes), program.RegsSize, 4)
	for r := range amd64.Reg(16) {
		im.register(&program.Node{Type: program.U64, Reg: r}, amd64.RAX)
		a.Store(amd64.At(rEnd, ring.ObjectHeader+8*int32(r)), amd64.RAX, 8)
	}
	const vectors = ring.ObjectHeader + 16*8
	for x := range xspill {
		a.StoreX(amd64.At(rEnd, vectors+8*int32(x)), x, 8)
	}
	a.StoreImm(amd64.At(rEnd, vectors+8*int32(xspill)), 0, 8)
	im.advance(program.RegsSize)
}

// rootHeader writes what all roots have alike.
func (im *imager) rootHeader(flags, count int64) {
	im.a.StoreImm(amd64.At(rEnd, ring.ObjectDesc), -1, 4)
	im.a.StoreImm(amd64.At(rEnd, ring.ObjectCount), count, 4)
	im.a.StoreImm(amd64.At(rEnd, ring.ObjectDepth), flags<<16, 4)
}

// advance goes behind an object of n bytes.
func (im *imager) advance(n int32) {
	im.a.Lea(rEnd, amd64.At(rEnd, ring.ObjectHeader+n))
}

// rootMemory copies the two roots that lie in memory: g, and the stack from the
// stack pointer at the site up.
func (im *imager) rootMemory() {
	a, size := im.a, im.img.G
	none := a.NewLabel()
	im.rootHeader(0, size)
	a.MovRR(rAddr, amd64.R14)
	a.MovRI64(amd64.RDI, uint64(size))
	im.rootBytes()

	im.rootHeader(0, 0)
	a.Load(amd64.RDI, amd64.At(amd64.R14, int32(im.env.RT.GStackHi)), 8)
	a.Lea(rAddr, amd64.At(amd64.RSP, im.frame))
	a.Op(amd64.SUB, amd64.RDI, rAddr, 8)
	a.OpImm(amd64.AND, amd64.RDI, -8, 8)
	a.OpImm(amd64.CMP, amd64.RDI, stackAbsurd, 8)
	a.Jcc(amd64.CondB, none)
	a.Zero(amd64.RDI)
	a.Bind(none)
	a.Store(amd64.At(rEnd, ring.ObjectCount), amd64.RDI, 4)
	a.MovRI64(amd64.RAX, uint64(im.img.Stack&^7))
	a.Op(amd64.CMP, amd64.RDI, amd64.RAX, 8)
	a.Cmov(amd64.CondA, amd64.RDI, amd64.RAX, 8)
	im.rootBytes()
	a.Store(im.scan, rEnd, 8)
}

// rootBytes copies RDI bytes at rAddr as a root whose header is there.
func (im *imager) rootBytes() {
	a := im.a
	copied := a.NewLabel()
	a.Store(amd64.At(rEnd, ring.ObjectAddr), rAddr, 8)
	a.Test(amd64.RDI, amd64.RDI, 8)
	a.Jcc(amd64.CondE, copied)
	im.padded()
	a.Call(im.transport)
	a.Test(amd64.RAX, amd64.RAX, 4)
	a.Jcc(amd64.CondE, copied)
	a.OpMemImm(amd64.ADD, im.faults, 1, 4)
	a.Zero(amd64.RDI)
	a.Bind(copied)
	a.Store(amd64.At(rEnd, ring.ObjectBytes), amd64.RDI, 4)
	im.short()
	im.behind()
}

// short flags a root of fewer bytes than there are.
func (im *imager) short() {
	a := im.a
	whole := a.NewLabel()
	a.OpStore(amd64.CMP, amd64.At(rEnd, ring.ObjectCount), amd64.RDI, 4)
	a.Jcc(amd64.CondE, whole)
	a.StoreImm(amd64.At(rEnd, ring.ObjectFlags), ring.ObjectShort, 2)
	a.Bind(whole)
}

// padded clears the last word that RDI bytes at the end of the record reach into.
func (im *imager) padded() {
	im.a.Lea(amd64.RAX, amd64.At(amd64.RDI, -1))
	im.a.OpImm(amd64.AND, amd64.RAX, -8, 8)
	im.a.StoreImm(amd64.AtIndex(rEnd, amd64.RAX, 1, ring.ObjectHeader), 0, 8)
}

// behind goes behind an object of RDI bytes.
func (im *imager) behind() {
	im.a.OpImm(amd64.ADD, amd64.RDI, 7, 8)
	im.a.OpImm(amd64.AND, amd64.RDI, -8, 8)
	im.a.Lea(rEnd, amd64.AtIndex(rEnd, amd64.RDI, 1, ring.ObjectHeader))
}

// roots follows the roots of the site, in order.
func (im *imager) roots() {
	a := im.a
	a.Zero(rDepth)
	a.Lea(rElem, im.element)
	for i := range im.site.Roots {
		r := &im.site.Roots[i]
		next := a.NewLabel()
		places := []int32{0, elementN, elementFlags}
		sizes := []int{8, 8, 1}
		if r.Kind == program.RefIface || r.Kind == program.RefEface {
			places[1] = elementData
		}
		for j, src := range r.Sources() {
			im.source(src, next)
			a.Store(im.element.Plus(places[j]), amd64.RAX, sizes[j])
		}
		ref := encodedRoot(r)
		entry := im.coldLabel(func() { a.Bytes(appendRef(nil, &ref)...) })
		a.Lea(rRef, amd64.AtLabel(entry))
		a.Call(im.follow)
		a.Bind(next)
	}
}

// source puts a word of a root into RAX, or jumps to next where there is none.
func (im *imager) source(src program.Source, next amd64.Label) {
	a := im.a
	if src.Base == program.BaseStack {
		im.fixup(im.coldLabel(func() {
			im.faulted()
			a.Jmp(next)
		}))
		a.Load(amd64.RAX, amd64.At(amd64.RSP, im.frame+int32(src.Off)), 8)
		return
	}
	a.Load(amd64.RDI, im.outAt, 8)
	off := im.rec.tail + ring.ImageHeader + ring.ObjectHeader
	if src.Base == program.BaseSlot {
		a.OpMemImm(amd64.CMP, amd64.At(amd64.RDI, im.rec.status+int32(src.Slot)), int64(program.StatusOK), 1)
		a.Jcc(amd64.CondNE, next)
		off = im.rec.fixed[src.Slot]
	}
	a.Load(amd64.RAX, amd64.At(amd64.RDI, off+int32(src.Off)), 8)
}

// complete writes the image's header.
func (im *imager) complete() {
	a := im.a
	a.Load(amd64.RDI, im.outAt, 8)
	header := func(off int32) amd64.Mem { return amd64.At(amd64.RDI, im.rec.tail+off) }
	a.MovRR(amd64.RAX, rEnd)
	a.Op(amd64.SUB, amd64.RAX, amd64.RDI, 8)
	a.OpImm(amd64.SUB, amd64.RAX, int64(im.rec.tail), 8)
	a.Store(header(ring.ImageSize), amd64.RAX, 4)
	a.Load(amd64.RAX, im.cut, 4)
	a.Store(header(ring.ImageCut), amd64.RAX, 2)
	a.Load(amd64.RAX, im.faults, 4)
	a.Store(header(ring.ImageFaults), amd64.RAX, 2)
	a.Load(amd64.RAX, im.objects, 4)
	a.Store(header(ring.ImageObjects), amd64.RAX, 8)
	im.readClock()
	a.Store(header(ring.ImageEnd), amd64.RAX, 8)
}
