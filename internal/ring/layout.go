// Package ring is the memory that a target and Sidelight share: where it lies,
// how a record is laid out, and who may write what. jit writes code that fills
// it, inject maps it, engine reads it, decode understands the records.
//
// # A bay
//
// Every session that works on a target has one bay there, within ±2 GiB of the
// text:
//
//	code      private, read and execute, written by the tool only: header,
//	          journal, table, trampolines
//	control   private and anonymous, read and write, wiped in a forked child
//	          (all zero there: every probe is off, and the child touches nothing
//	          of what follows)
//	shared    one memfd, mapped read and write by the target and by the tool, so
//	          that the last records outlive the target: the lifeline page, then
//	          one block for each P, then one more for passes without a P, then for
//	          each of these blocks its extra memory, where probes want it
//
// Word 0 of the lifeline is a robust futex holding the thread id of the owner;
// the kernel changes it when the owner dies, and every probe compares it. A
// probe asks control first, then the lifeline.
//
// A running goroutine owns its P, and nothing parks inside a trampoline; so a
// block has one writer at a time and plain adds are exact. The extra block is
// shared and its adds are locked.
package ring

import "fmt"

// Sizes of a bay. Pages that are not used are never touched.
const (
	LifelineSize = 4096
	HeaderSize   = 4096
	JournalSize  = 128 << 10 // JournalMax entries
	TableSize    = 512 << 10 // TableLen entries
	TextSize     = 2 << 20   // trampolines
	CodeSize     = HeaderSize + JournalSize + TableSize + TextSize
	SharedMax    = 12 << 20

	// Offsets from the start of the bay.
	CodeOff    = 0
	JournalOff = CodeOff + HeaderSize
	TableOff   = JournalOff + JournalSize
	TextOff    = TableOff + TableSize
	ControlOff = CodeOff + CodeSize
	SharedOff  = ControlOff + ControlArea
)

// The journal tells whoever comes after a dead owner what to put back.
const (
	JournalEntry = 32
	JournalMax   = JournalSize / JournalEntry
)

// The table is open-addressed with linear probing, one for traps and faults:
// entry i starts at i*TableEntry: key, target, kind, counter (8 bytes each).
// The first entry tried for a key is Hash(key). An empty key ends a search.
const (
	TableEntry = 32
	TableLen   = TableSize / TableEntry // a power of two
	tableShift = 64 - 14
	hashFactor = 0x9E3779B97F4A7C15
)

// HashFactor and HashShift are the constants of Hash, for machine code.
const (
	HashFactor uint64 = hashFactor
	HashShift         = tableShift
)

// Hash is the first index to try for a key.
func Hash(key uint64) uint64 { return key * hashFactor >> tableShift }

// Kinds of a table entry.
const (
	// KindTrap: key is a site; on int3 there, add one to the counter and go on at target.
	KindTrap = 1
	// KindDisplaced: key is a displaced instruction in a trampoline; a fault there is
	// the fault of the instruction at target: go on to the program's own handler.
	KindDisplaced = 2
	// KindFixup: key is a load of a probe; a fault there goes on at target.
	KindFixup = 3
	// KindYield: key is an int3 that a trampoline runs when the runtime asks for
	// preemption; counter is the site, where the runtime gets the chance; if it does
	// not take it, go on at target.
	KindYield = 4
)

// Control is the block of words of one probe in the control region, written by
// the tool, and (Remaining, Tokens, Seen, Stages) counted by the probe with locked adds.
const (
	ControlSize      = 64
	ControlState     = 0  // byte: 0 off, 1 on
	ControlThrottle  = 1  // byte: not 0: every hit is suppressed
	ControlRemaining = 8  // int64: hits left to the limit of a log
	ControlTokens    = 16 // int64: hits left in this second of a log's rate
	ControlSeen      = 24 // int64: hits so far, where only some of them are meant
	ControlStages    = 32 // int64: snapshots of calls that may be taken, until the tool allows more
	ControlArea      = 64 << 10
	ProbesMax        = ControlArea / ControlSize / 2
	TrapCountOff     = ControlArea / 2 // 8-byte counters of traps, one a window, in the second half
	TrapRefused      = 7               // byte of such a counter: the runtime did not preempt there; the tool clears it
	TrapsMax         = ControlArea / 2 / 8
)

// Counters of one probe in a block: 8 words of 8 bytes, one cache line.
const (
	CounterSize       = 64
	CounterPasses     = 0  // evaluations of the condition; 0 for a probe without one
	CounterEmitted    = 8  // records committed; for a count probe: hits
	CounterSuppressed = 16 // by rate, limit, throttle
	CounterDropped    = 24 // ring full, preemption pending, no stack left
	CounterErrors     = 32 // condition could not be evaluated
	CounterCycles     = 40 // time-stamp counter cycles of the sampled passes
	CounterSamples    = 48 // how many passes were sampled
	CounterTick       = 56 // byte: counts passes; when it wraps to 0, the pass is sampled (start it near 255 to sample a rare probe early)
)

// Reasons of one probe in a block, behind the counters of all: why hits were not
// recorded. What of CounterSuppressed none of the first three counts was by rate;
// what of CounterDropped ReasonFull does not count, a bad moment of the goroutine.
const (
	ReasonSize   = 32
	ReasonLimit  = 0  // of CounterSuppressed: the limit was reached
	ReasonBudget = 8  // likewise: the tool had throttled the probe
	ReasonPassed = 16 // likewise: not one of those that were chosen by number
	ReasonFull   = 24 // of CounterDropped: the ring had no room
)

// A block: head of the ring (written by the probe), tail (written by the tool),
// counters and reasons by probe index, and from the middle of the block the ring.
const (
	BlockHead     = 0
	BlockTail     = 64
	BlockCounters = 128
)

// A record: all little endian, 8-byte aligned, contiguous in the ring.
//
//	u32 size of the whole record (a multiple of 8)
//	u16 probe index (Pad: nothing but filler up to the end of the ring)
//	u16 site index within the probe
//	u64 time-stamp counter
//	u64 goroutine id
//	status of each slot, one byte each, padded to 8
//	fixed part of each slot: scalar 8 bytes; block Size padded to 8; bytes 8 (Len);
//	place program.PlaceSize
//	variable part of each SlotBytes whose status is OK, padded to 8
const (
	RecordHeader = 24
	RecordProbe  = 4
	RecordSite   = 6
	RecordTSC    = 8
	RecordGoid   = 16
	Pad          = 0xFFFF
)

// Layout is the shape of one bay's shared region.
type Layout struct {
	Ps         int  // blocks owned by a P; block Ps is the shared one
	BlockShift uint // log2 of the size of a block
	Extra      int  // bytes of further memory that belong to each block, whole pages: see ExtraAt
	Probes     int  // that have counters in a block
}

// NewLayout makes the shape for a target with ps processors, n probes, and
// extra bytes beside each block.
func NewLayout(ps, n, extra int) (Layout, error) {
	if n > ProbesMax {
		return Layout{}, fmt.Errorf("%d probes at once; at most %d fit", n, ProbesMax)
	}
	for shift := uint(20); shift >= 13; shift-- {
		l := Layout{Ps: ps, BlockShift: shift, Extra: (extra + pageSize - 1) &^ (pageSize - 1), Probes: n}
		if l.SharedSize() <= SharedMax && BlockCounters+n*CounterSize <= l.RingSize() {
			return l, nil
		}
	}
	return Layout{}, fmt.Errorf("%d probes on %d processors need more than %d MiB", n, ps, SharedMax>>20)
}

// BlockSize is the size of a block in bytes.
func (l Layout) BlockSize() int { return 1 << l.BlockShift }

// RingSize is the size of a ring: half a block, a power of two.
func (l Layout) RingSize() int { return l.BlockSize() / 2 }

// RingOff is the offset of the ring in its block.
func (l Layout) RingOff() int { return l.BlockSize() / 2 }

// SharedSize is the size of the whole shared region in bytes.
func (l Layout) SharedSize() int { return l.ExtraAt(l.Ps + 1) }

// Block is the offset of block i from the start of the shared region.
func (l Layout) Block(i int) int { return LifelineSize + i*l.BlockSize() }

// ExtraAt is the offset of the extra memory of block i from the start of the
// shared region: behind all blocks.
func (l Layout) ExtraAt(i int) int { return LifelineSize + (l.Ps+1)*l.BlockSize() + i*l.Extra }

// ClockStack is the stack on which a P calls the kernel's clock, where the time-stamp
// counter is none: the last bytes of its extra memory. ClockRoom of them are the
// clock's own.
const (
	ClockStack = 8192
	ClockRoom  = 4096
)

const pageSize = 4096

// Counter is the offset of probe's counters from the start of a block.
func Counter(probe int) int { return BlockCounters + probe*CounterSize }

// Reason is the offset of probe's reasons from the start of a block; ok is false
// where there are so many probes that a block has no room for them.
func (l Layout) Reason(probe int) (off int, ok bool) {
	return BlockCounters + l.Probes*CounterSize + probe*ReasonSize,
		probe < l.Probes && BlockCounters+l.Probes*(CounterSize+ReasonSize) <= l.RingSize()
}

// Control is the offset of probe's controls from the start of the control region.
func Control(probe int) int { return probe * ControlSize }
