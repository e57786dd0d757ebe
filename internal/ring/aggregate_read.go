package ring

import (
	"encoding/binary"
	"iter"
	"math"
	"sync/atomic"
	"unsafe"
)

// Numbers are the words of a distribution. Sum, Carry, Min, Max and Last are as
// Dist… says.
type Numbers struct {
	Count, Sum, Carry, Min, Max, Last                uint64
	Zero, Under, Over, NaN, Inf, Unreadable, LastTSC uint64
}

// WordAt is a word that the target changes while it is read.
func WordAt(mem []byte, off uint64) uint64 {
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&mem[off])))
}

// NumbersAt reads the words of the distribution at off of a region.
func NumbersAt(mem []byte, off uint64) Numbers {
	at := func(word uint64) uint64 { return WordAt(mem, off+word) }
	return Numbers{
		Count: at(DistCount), Sum: at(DistSum), Carry: at(DistCarry), Min: at(DistMin), Max: at(DistMax), Last: at(DistLast),
		Zero: at(DistZero), Under: at(DistUnder), Over: at(DistOver), NaN: at(DistNaN), Inf: at(DistInf),
		Unreadable: at(DistUnreadable), LastTSC: at(DistLastTSC),
	}
}

// Settle gives the number that waits in an area (see Need.Late) its bucket. In is how
// many numbers the area's buckets held when they were read, after the words;
// positive are the buckets it goes into.
func (n *Numbers) Settle(in uint64, positive []uint64) {
	if in+n.Zero+n.Under+n.Over >= n.Count {
		return
	}
	v := math.Float64frombits(n.Last)
	switch i := Bucket(v); {
	case v == 0:
		n.Zero++
	case i < 0:
		n.Under++
	case i >= MainBuckets:
		n.Over++
	default:
		positive[i]++
	}
}

// Held lists the words of the table of calls under way that are taken: where each is in
// the region, and what it holds. When every call has ended there are none.
func (a *Aggregates) Held(mem []byte) iter.Seq2[uint64, uint64] {
	return func(yield func(at, word uint64) bool) {
		if a.Pairs == 0 {
			return
		}
		for at := a.Pairs; at < a.Pairs+PairKeys; at += 8 {
			if word := WordAt(mem, at); word != 0 && !yield(at, word) {
				return
			}
		}
	}
}

// Prepare writes into a fresh region what probes find there: the boundaries.
func (a *Aggregates) Prepare(mem []byte) {
	for i, b := range boundaries() {
		binary.LittleEndian.PutUint64(mem[8*i:], b)
	}
}
