package jit

import (
	"math/bits"

	"github.com/sidelight-dev/sidelight/internal/amd64"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// An image that is bounded by time looks at the clock now and then. To look costs
// as much as a small object whose memory is in the caches, and one whose memory is
// in none takes twenty times as long and more: so each look gives credit for as many
// references as are followed in the time that is left however slow they are, and the
// next comes when it is used up. Far from the end that is seldom, near to it often.
//
// The clock is the one that times are read from (see readClock). Where that is the
// kernel's, because the time-stamp counter is none, a look costs some 40 ns more; a
// counter that stands still or jumps would bound nothing, or leave nothing.

// slowest is how long a reference takes that leads to cold memory, in nanoseconds,
// rounded up to a power of two of ticks; and so many bytes of a large object, to be
// copied or to be looked through.
const (
	slowest     = 500
	creditBytes = 1 << creditBytesShift

	creditBytesShift = 12
)

// reserve is the part of the time, one in so many, that is left for the last
// reference and for what comes when no further one is followed.
const reserve = 10

// timed tells whether the image is bounded by time.
func (im *imager) timed() bool { return im.img.Time > 0 && im.env.Tick > 0 }

// clockTicks is so many nanoseconds in ticks of the clock.
func (im *imager) clockTicks(ns int64) uint64 { return uint64(max(float64(ns)/im.env.Tick, 1)) }

// deadline sets when time is over. The first reference looks at the clock.
func (im *imager) deadline() {
	if !im.timed() {
		return
	}
	a := im.a
	a.Load(amd64.RDX, im.outAt, 8)
	a.MovRI64(amd64.RAX, im.clockTicks(im.img.Time-im.img.Time/reserve))
	a.OpLoad(amd64.ADD, amd64.RAX, amd64.At(amd64.RDX, ring.RecordTSC), 8)
	a.Store(im.over, amd64.RAX, 8)
	a.StoreImm(im.credit, 0, 8)
}

// newCredit puts into RDX what the clock leaves, or jumps to over. RAX is lost.
func (im *imager) newCredit(over amd64.Label) {
	a := im.a
	im.readClock()
	a.Load(amd64.RDX, im.at(im.over), 8)
	a.Op(amd64.SUB, amd64.RDX, amd64.RAX, 8)
	a.Jcc(amd64.CondS, over)
	a.ShiftImm(amd64.SHR, amd64.RDX, uint8(bits.Len64(im.clockTicks(slowest)-1)), 8)
}

// look uses up credit for one reference, or ends the image. RAX and RDX are lost.
func (im *imager) look() {
	if !im.timed() {
		return
	}
	a := im.a
	back := a.NewLabel()
	a.OpMemImm(amd64.SUB, im.at(im.credit), 1, 8)
	a.Jcc(amd64.CondS, im.routine(func() {
		im.newCredit(im.ending(ring.CutTime))
		a.Store(im.at(im.credit), amd64.RDX, 8)
		a.Jmp(back)
	}))
	a.Bind(back)
}

// spend uses up credit for RDI bytes, or jumps to over. RAX is lost.
func (im *imager) spend(over amd64.Label) {
	a := im.a
	a.Store(im.at(im.count), amd64.RDX, 8)
	im.newCredit(over)
	a.MovRR(amd64.RAX, amd64.RDI)
	a.ShiftImm(amd64.SHR, amd64.RAX, creditBytesShift, 8)
	a.Op(amd64.SUB, amd64.RDX, amd64.RAX, 8)
	a.Jcc(amd64.CondS, over)
	a.Store(im.at(im.credit), amd64.RDX, 8)
	a.Load(amd64.RDX, im.at(im.count), 8)
}

// copying leaves out an object of RDI bytes that would take longer than there is
// time; smaller ones may follow it. RAX is lost.
func (im *imager) copying() {
	if !im.timed() {
		return
	}
	a := im.a
	back := a.NewLabel()
	a.OpImm(amd64.CMP, amd64.RDI, creditBytes, 8)
	a.Jcc(amd64.CondA, im.routine(func() {
		im.spend(im.cutting(ring.CutTime))
		a.Jmp(back)
	}))
	a.Bind(back)
}

// searching ends the image before an object of RDX bytes in which to look for
// references would take longer than there is time. RDI is lost.
func (im *imager) searching() {
	if !im.timed() {
		return
	}
	a := im.a
	back := a.NewLabel()
	a.OpImm(amd64.CMP, amd64.RDX, creditBytes, 8)
	a.Jcc(amd64.CondA, im.coldLabel(func() {
		a.MovRR(amd64.RDI, amd64.RDX)
		im.spend(im.ending(ring.CutTime))
		a.Load(amd64.RAX, im.size, 8)
		a.Jmp(back)
	}))
	a.Bind(back)
}
