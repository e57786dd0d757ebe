package jit

import (
	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// What an image copies of a map it copies piece by piece: the head, then a directory,
// then groups. Whoever writes the map meanwhile moves entries from one piece to the
// other, and clears them behind the copy. So the words that change with it (see
// program.Look) are looked at again when all is copied, the head's first; an object of
// which one is not what it was is marked.

// firstLook remembers the object at rEnd if it is the first one with such words.
func (im *imager) firstLook() {
	a := im.a
	back := a.NewLabel()
	a.MovRRSized(amd64.RAX, rWhat, 4)
	a.ShiftImm(amd64.SHL, amd64.RAX, descShift, 4)
	a.OpMemImm(amd64.CMP, amd64.AtIndex(rTables, amd64.RAX, 1, descLooks), 0, 1)
	a.Jcc(amd64.CondNE, im.routine(func() {
		a.OpMemImm(amd64.CMP, im.at(im.first), 0, 8)
		a.Jcc(amd64.CondNE, back)
		a.Store(im.at(im.first), rEnd, 8)
		a.Jmp(back)
	}))
	a.Bind(back)
}

// Registers of lookAgain, when all is copied.
const (
	aObject  = amd64.RBX
	aNext    = amd64.RSI
	aLooks   = amd64.RCX // of the descriptor; before that, its number
	aLook    = amd64.R8
	aEnd     = amd64.R9  // of the looks
	aElement = amd64.R10 // in the record
	aBytes   = amd64.R11 // end of the object's bytes
	aAway    = amd64.RDX // what is to be added to an address in the record for that in the target
	aSize    = amd64.RDI
	aWord    = amd64.R13
)

// lookAgain marks the objects of which a word that is looked at is another one now.
func (im *imager) lookAgain() {
	a := im.a
	object, next, done := a.NewLabel(), a.NewLabel(), a.NewLabel()
	element, look, on := a.NewLabel(), a.NewLabel(), a.NewLabel()
	written := im.coldLabel(func() {
		a.OpMemImm(amd64.OR, amd64.At(aObject, ring.ObjectFlags), ring.ObjectWritten, 1)
		a.Jmp(next)
	})
	a.Load(aObject, im.first, 8)
	a.Test(aObject, aObject, 8)
	a.Jcc(amd64.CondE, done)
	a.Bind(object)
	im.openAgain(next, done)
	a.Bind(element)
	a.MovRR(aLook, aLooks)
	a.Bind(look)
	a.Load(amd64.RAX, amd64.At(aLook, lookOff), 4)
	a.Op(amd64.ADD, amd64.RAX, aElement, 8)
	a.Lea(aWord, amd64.At(amd64.RAX, 8))
	a.Op(amd64.CMP, aWord, aBytes, 8)
	a.Jcc(amd64.CondA, on) // only a part of the element was copied
	im.fixup(written)
	a.Load(aWord, amd64.AtIndex(amd64.RAX, aAway, 1, 0), 8)
	a.OpLoad(amd64.XOR, aWord, amd64.At(amd64.RAX, 0), 8)
	a.OpLoad(amd64.AND, aWord, amd64.At(aLook, lookMask), 8)
	a.Jcc(amd64.CondNE, written)
	a.Bind(on)
	a.OpImm(amd64.ADD, aLook, lookEntry, 8)
	a.Op(amd64.CMP, aLook, aEnd, 8)
	a.Jcc(amd64.CondB, look)
	a.Op(amd64.ADD, aElement, aSize, 8)
	a.Op(amd64.CMP, aElement, aBytes, 8)
	a.Jcc(amd64.CondB, element)
	a.Bind(next)
	a.MovRR(aObject, aNext)
	a.Jmp(object)
	a.Bind(done)
}

// openAgain makes ready an object; where none of its words is looked at it goes on at
// next, where there is none, at done.
func (im *imager) openAgain(next, done amd64.Label) {
	a := im.a
	a.Op(amd64.CMP, aObject, rEnd, 8)
	a.Jcc(amd64.CondAE, done)
	a.Load(aLooks, amd64.At(aObject, ring.ObjectDesc), 4)
	a.OpImm(amd64.CMP, aLooks, int64(im.shape.descs), 8)
	a.Jcc(amd64.CondAE, done) // overwritten: see imager
	a.Load(aBytes, amd64.At(aObject, ring.ObjectBytes), 4)
	a.Lea(aElement, amd64.At(aObject, ring.ObjectHeader))
	a.Op(amd64.ADD, aBytes, aElement, 8)
	a.Lea(aNext, amd64.At(aBytes, 7))
	a.OpImm(amd64.AND, aNext, -8, 8)
	a.Op(amd64.CMP, aNext, rEnd, 8)
	a.Jcc(amd64.CondA, done) // likewise
	a.ShiftImm(amd64.SHL, aLooks, descShift, 8)
	desc := amd64.AtIndex(rTables, aLooks, 1, 0)
	a.Load(aEnd, desc.Plus(descLooks), 1)
	a.Test(aEnd, aEnd, 4)
	a.Jcc(amd64.CondE, next)
	a.Load(aLook, desc.Plus(descCount), 4)
	a.OpImm(amd64.AND, aLook, descCountMax, 4)
	a.ShiftImm(amd64.SHL, aLook, refShift, 8) // the looks lie behind the references
	a.Load(amd64.RAX, desc.Plus(descRefs), 4)
	a.Op(amd64.ADD, aLook, amd64.RAX, 8)
	a.Load(aSize, desc.Plus(descSize), 8)
	a.Lea(aLooks, amd64.AtIndex(rTables, aLook, 1, 0))
	a.ShiftImm(amd64.SHL, aEnd, lookShift, 8)
	a.Op(amd64.ADD, aEnd, aLooks, 8)
	a.Load(aAway, amd64.At(aObject, ring.ObjectAddr), 8)
	a.Op(amd64.SUB, aAway, aElement, 8)
}
