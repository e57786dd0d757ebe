package ring

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"sync"
)

// # Aggregates
//
// Probes that aggregate share one more region with the tool, which is mapped
// only where there are such probes, anywhere in the target's address space:
//
//	boundaries  BoundaryCells words, written by the tool (see Boundaries)
//	pairs       the table of calls under way, if any probe pairs (see Pair…)
//	keys        for each probe with --by: the keys that were met (see Key…)
//	stages      snapshots of calls under way, if any probe takes them (see Stage…)
//	areas       for each P, 1<<Shift bytes apart: for each probe its area
//
// An area has one writer, as a block has, and plain adds are exact. It begins
// with the words of a distribution (Dist…), then come the buckets of the main
// histogram, then the rows of the keys. Pages that are not used are never
// touched.
//
// # Buckets
//
// Histograms are OpenTelemetry's base-2 exponential ones, which Prometheus calls
// native. At scale s a bucket reaches from 2^(i/2^s), exclusive, to
// 2^((i+1)/2^s), inclusive. The main histogram has scale MainScale for
// magnitudes above 2^MinExp up to 2^MaxExp; what is smaller or larger has a
// counter of its own. A row has scale RowScale for positive numbers, and scale
// 0, one bucket for each power of two, for negative ones; its buckets are four
// bytes wide and wrap, and the tool adds up their differences. The buckets of some
// probes are one number behind: Need.Late.
const (
	MinExp    = -32
	MaxExp    = 63
	MainScale = 6
	RowScale  = 3
	NegScale  = 0 // of the negative numbers of a row

	MainBuckets = (MaxExp - MinExp) << MainScale
	RowBuckets  = (MaxExp - MinExp) << RowScale
	NegBuckets  = (MaxExp - MinExp) << NegScale
)

// Words of a distribution, 8 bytes each. Sum, Min, Max and Last are bits of an
// int64, a uint64 or a float64, and mean nothing while Count is 0; Carry counts how
// often the sum of integers went round, up or down.
const (
	DistCount      = 0 // finite numbers
	DistSum        = 8
	DistCarry      = 16
	DistMin        = 24
	DistMax        = 32
	DistLast       = 40
	DistZero       = 48
	DistUnder      = 56 // magnitude up to 2^MinExp
	DistOver       = 64 // magnitude above 2^MaxExp
	DistNaN        = 72
	DistInf        = 80
	DistUnreadable = 88 // the expression could not be evaluated
	DistLastTSC    = 96
	DistSize       = 128
)

// Words behind those of the distribution of a probe that pairs.
const (
	PairReturned  = 128 // calls that returned, or ways that were gone to the end
	PairRecovered = 136 // calls that returned after recovering from a panic
	PairPanicked  = 144 // calls that a panic ended, which somebody above recovered from
	PairGoexited  = 152 // calls that runtime.Goexit ended
	PairRestarted = 160 // ways that began anew before they came to their end
	PairUnmatched = 168 // ends without a beginning: it lies before the installation
	PairLost      = 176 // calls for which the table had no room
	PairBackwards = 184 // the clock went backwards; the time is taken for 0
	PairFiltered  = 192 // the condition on the duration did not hold

	// Of a probe that stages snapshots (see Stage…): calls whose condition held
	// until the end.
	PairPublished = 200 // with a snapshot,
	PairHeld      = 208 // without one, because of its limit, its rate or the budget,
	PairUnstaged  = 216 // and because there was no room for it
	StageCount    = 224 // snapshots that were staged,
	StageCycles   = 232 // and what it took, in ticks of the clock that the probes read
)

// Parts of an area with a histogram.
const (
	AreaPositive = 256
	AreaNegative = (AreaPositive + MainBuckets*8 + 4095) &^ 4095
	areaHist     = AreaPositive + MainBuckets*8
	areaSigned   = AreaNegative + MainBuckets*8
)

// Rows of keys. Behind those of KeysMax keys come one for what had no room, and
// one for hits whose key could not be read.
const (
	KeysMax       = 1024
	RowOther      = KeysMax
	RowUnreadable = KeysMax + 1
	Rows          = KeysMax + 2
	RowShift      = 12 // a row with a histogram is a page
	RowPositive   = DistSize
	RowNegative   = RowPositive + RowBuckets*4
	CountRowShift = 3 // a row without is one counter
)

// The keys of a probe: KeySlots words, open-addressed with linear probing by the
// top bits of the hash, then the control words, then KeysMax records. A slot is
// 0, or the number of a record plus one below the hash's upper 48 bits. A record
// is written before its slot, and neither ever changes.
const (
	KeySlotBits  = 11
	KeySlots     = 1 << KeySlotBits
	KeyProbes    = 64 // slots that are looked at before a key has no room
	KeyNext      = KeySlots * 8
	KeyFull      = KeyNext + 8 // not 0: a key was refused, and no further one is taken
	KeyRecords   = KeyNext + 64
	KeyRecord    = 72 // length, KeyMax bytes
	KeyMax       = 64
	KeyLonger    = KeyMax + 1 // length of a key of which only the first bytes are known
	keysSize     = (KeyRecords + KeysMax*KeyRecord + 4095) &^ 4095
	KeyFactor    = 0x9E3779B97F4A7C15
	KeyFinal     = 0xD6E8FEB86659FD93
	boundarySize = 4096
)

// Boundaries is the table that finds the bucket of a number: for each of
// BoundaryCells equal cells of the numbers from 1 to 2, what must be added to the
// 52 bits of the fraction so that the bits above are the number of the bucket
// within its power of two. A bucket is wider than a cell.
const BoundaryCells = 128

// Boundaries makes the table. The fraction to be looked up is that of the next
// smaller number, so that an upper bound belongs to its bucket.
func Boundaries() [BoundaryCells]uint64 {
	var t [BoundaryCells]uint64
	const one = 1 << 52
	step := big.NewFloat(2).SetPrec(128)
	for range MainScale {
		step.Sqrt(step)
	}
	boundary := new(big.Float).Copy(step)
	next := 1 // the number of the boundary
	for c := range t {
		end := uint64(c+1) << 45
		t[c] = uint64(next-1) << 52
		if next < 1<<MainScale {
			// The largest number that is not above the boundary: no boundary but a
			// power of two is a number, so that all others are off by less than one.
			b := fraction(boundary)
			if b < end {
				t[c] += one - b
				boundary.Mul(boundary, step)
				next++
			}
		}
	}
	return t
}

// fraction is the 52 bits behind the point of a number from 1 to 2, cut.
func fraction(x *big.Float) uint64 {
	f := new(big.Float).Sub(x, big.NewFloat(1))
	bits, _ := f.SetMantExp(f, 52).Uint64()
	return bits
}

// Bucket is the index of the main bucket of a finite magnitude above 0; it is
// negative, or MainBuckets or more, for one that has none.
func Bucket(magnitude float64) int {
	b := math.Float64bits(magnitude) - 1
	m := b & (1<<52 - 1)
	return int(b>>52)<<MainScale + int((m+boundaries()[m>>45])>>52) - (1023+MinExp)<<MainScale
}

var boundaries = sync.OnceValue(func() *[BoundaryCells]uint64 {
	b := Boundaries()
	return &b
})

// UpperBound is the inclusive upper bound of bucket i of a histogram of so many
// buckets for each power of two (as a scale).
func UpperBound(i int, scale uint) float64 {
	return math.Exp2(MinExp + float64(i+1)/float64(int(1)<<scale))
}

// Pairs: the table of calls under way. It has PairBuckets lines of eight words,
// the keys, then for each word an entry. A goroutine's key is in the line that
// its hash chooses: its goid above, the probe plus one below. What a key holds is
// the newest call; older ones of the same goroutine and probe lie in words that
// are marked by PairOlder, and are linked.
//
// Only its own goroutine looks for a key and gives it up, so that only the taking
// of an empty word must be made safe. Where there are at most PairOwn Ps, each takes
// the word of its own number in a line, if that is empty, by a plain store; the words
// that are no P's own, which are all where there are more Ps, are taken by a locked
// exchange. More words of their own would leave too few for goroutines whose lines
// happen to be the same: of 36 million calls of 2,000 goroutines at a time a line of
// five words has no room for some dozens, one of seven for none.
const (
	PairBits     = 15
	PairBuckets  = 1 << PairBits
	PairOwn      = 2
	PairWays     = 8
	PairKeys     = PairBuckets * PairWays * 8
	PairEntry    = 32
	PairShift    = 5
	PairDepth    = 0  // u64: from the top of the stack to the call's frame; see jit
	PairTSC      = 8  // u64
	PairRow      = 16 // u32: the row of its key
	PairPrev     = 20 // u32: where the next older call is, plus one
	PairStage    = 24 // i32: the number of its snapshot (see Stage…), plus one; 0: none; StageNotNow
	PairsSize    = PairKeys + PairBuckets*PairWays*PairEntry
	PairProbeLen = 10 // bits of the probe in a key
	PairOlder    = 1 << 63

	// PairOlderLines is how many lines in a row are looked at for a word for an older
	// call. A full line has a neighbour with room while the table is less than nearly full.
	PairOlderLines = 32

	// The line of a key is PairBits bits of its product with PairFactor, from
	// PairHashShift on: the upper half of the product of the low half of the goid.
	PairFactor    = 0x61C88647
	PairHashShift = 26
)

// Stages: snapshots of calls under way. One is taken when a call begins, and told
// when it ends, if the condition held until then. There are Aggregates.Stages of
// them in a session, for all its probes: their states, 8 bytes each, and then
// StageSize bytes for each: a header, and the record of a snapshot (see ImageSize)
// at StageRecord. A call takes the first that is free by a locked exchange, and gives
// it up by a plain store, whatever way it ends; where it is to be told, the tool does
// that, which has copied it. A call that found none has none, and is counted.
const (
	StageFree  = 0
	StageTaken = 1
	StageTold  = 2 // the tool's

	StageDuration = 0 // f64: of the call, in nanoseconds
	StageRecord   = 64

	// StageNotNow is the PairStage of a call whose snapshot the rate, the limit or the
	// budget left out.
	StageNotNow = -1 << 31

	// StagesMax bounds the snapshots of a session, and stagesBytes their memory.
	StagesMax   = 256
	stagesLeast = 4
	stagesBytes = 16 << 20
)

// Need says what one probe aggregates.
type Need struct {
	Hist   bool // a distribution
	Signed bool // with negative numbers
	By     bool // by key
	Pair   bool // of times between two sites
	Stage  int  // Pair: bytes of the largest record of a call's snapshot; 0: none is taken
}

// Late tells whether the buckets of a probe are one number behind its words: those of
// times without keys. The last number of an area waits for the next one, and the reader
// gives it its bucket: Numbers.Settle.
func (n Need) Late() bool { return n.Pair && !n.By }

// Place is where a probe's aggregates lie, from the start of the region.
type Place struct {
	Need
	Keys uint64 // By
	Area uint64 // on the first P
	Rows uint64 // from the start of the area
}

// Aggregates is the shape of the region.
type Aggregates struct {
	Probes []Place
	Pairs  uint64 // 0: none
	First  uint64 // the areas of the first P

	Stages    int    // snapshots of calls under way, at most
	StageSize uint64 // bytes of each, with its header
	StateAt   uint64 // of the first
	StageAt   uint64 // the first

	Shift uint // log2 of the distance from P to P
	Ps    int
}

// NewAggregates makes the shape for ps processors.
func NewAggregates(ps int, needs []Need) (*Aggregates, error) {
	a := &Aggregates{Ps: ps, Probes: make([]Place, len(needs))}
	at, local := uint64(boundarySize), uint64(0)
	for i, n := range needs {
		p := &a.Probes[i]
		p.Need = n
		if n.Pair && a.Pairs == 0 {
			a.Pairs = at
			at += PairsSize
		}
		if n.By {
			p.Keys = at
			at += keysSize
		}
		p.Area = local
		p.Rows, local = n.rows(), local+n.area()
	}
	at = a.stages(at)
	a.First = (at + 4095) &^ 4095
	a.Shift = uint(max(12, bits.Len64(max(local, 1)-1)))
	for i := range a.Probes {
		a.Probes[i].Area += a.First
	}
	if a.Size() > aggregatesMax {
		return nil, fmt.Errorf("%d probes on %d processors aggregate into %d MiB; at most %d MiB: ask for fewer in one command",
			len(needs), ps, a.Size()>>20, aggregatesMax>>20)
	}
	return a, nil
}

// stages makes room at an offset for the snapshots of calls under way, if any probe
// takes them. It gives the offset behind.
func (a *Aggregates) stages(at uint64) uint64 {
	most := 0
	for _, p := range a.Probes {
		most = max(most, p.Stage)
	}
	if most == 0 {
		return at
	}
	a.StageSize = (StageRecord + uint64(most) + 4095) &^ 4095
	a.Stages = int(min(max(stagesBytes/a.StageSize, stagesLeast), StagesMax))
	a.StateAt = (at + 4095) &^ 4095
	a.StageAt = (a.StateAt + uint64(8*a.Stages) + 4095) &^ 4095
	return a.StageAt + uint64(a.Stages)*a.StageSize
}

// aggregatesMax bounds the addresses that the region takes; its pages come only
// when they are used.
const aggregatesMax = 16 << 30

// rows is where the rows begin in an area.
func (n Need) rows() uint64 {
	switch {
	case !n.Hist:
		return 0
	case n.Signed:
		return (areaSigned + 4095) &^ 4095
	}
	return (areaHist + 4095) &^ 4095
}

// area is the size of an area.
func (n Need) area() uint64 {
	switch {
	case !n.By && !n.Hist:
		return 0
	case !n.By:
		return n.rows()
	case n.Hist:
		return n.rows() + Rows<<RowShift
	}
	return (n.rows() + Rows<<CountRowShift + 4095) &^ 4095
}

// Size is the size of the region in bytes.
func (a *Aggregates) Size() uint64 {
	return (a.First + uint64(a.Ps)<<a.Shift + 4095) &^ 4095
}

// AreaOf is where the area of a probe on P p begins.
func (a *Aggregates) AreaOf(probe, p int) uint64 { return a.Probes[probe].Area + uint64(p)<<a.Shift }
