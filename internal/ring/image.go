package ring

// A record of a snapshot goes on behind its slots, all of which have a fixed
// size, with an image: little endian, 8-byte aligned.
//
//	u32 bytes of the image, this header included
//	u16 why it is not whole: Cut… bits
//	u16 faults: addresses that could not be read
//	u32 objects, the roots not counted
//	u32 0
//	u64 time-stamp counter when it was finished
//	objects, each: u64 address; u32 bytes copied; u32 descriptor; u32 elements
//	that there are (saturated); u16 depth, u16 Object… bits; bytes, padded to 8
//
// The first three objects are the roots: the registers (address 0), runtime.g,
// and the stack from the stack pointer of the site up. Their descriptor is
// NoDesc, their elements are bytes, and where they cannot be read they have none.
const (
	ImageHeader  = 24
	ImageSize    = 0
	ImageCut     = 4
	ImageFaults  = 6
	ImageObjects = 8
	ImageEnd     = 16

	ObjectHeader = 24
	ObjectAddr   = 0
	ObjectBytes  = 8
	ObjectDesc   = 12
	ObjectCount  = 16
	ObjectDepth  = 20
	ObjectFlags  = 22

	ImageRoots = 3
	NoDesc     = 1<<32 - 1
)

// Why an image is not whole.
const (
	CutObjects = 1 << 0 // Image.Objects were copied: no further reference was followed
	CutBytes   = 1 << 1 // no room was left for something
	CutDepth   = 1 << 2 // references lie deeper than Image.Depth
	CutFaults  = 1 << 3 // FaultsMax addresses could not be read: no further reference was followed
	CutUnknown = 1 << 4 // an interface's dynamic type was not listed
	CutCorrupt = 1 << 5 // a length was negative or absurd
	CutRefs    = 1 << 6 // RefsMax references were followed, and no further one
	CutTime    = 1 << 7 // Image.Time was over: no further reference was followed, or would have been: something large was left out
)

// ObjectShort says that fewer elements were copied than there are.
const ObjectShort = 1 << 0

// ObjectWritten says that one of the object's Looks saw another word when the image
// was complete: what it belongs to, a map, was written while it was copied.
const ObjectWritten = 1 << 1

// FaultsMax bounds the faults of one image: each costs the way through a signal.
const FaultsMax = 8

// RefsMax bounds the references of one image that are not nil and not too deep:
// an image can be full of them, each to something that has no room any more.
const RefsMax = 1 << 14

// The extra memory of a block begins with what snapshots remember of one image,
// if the session has any: a u32 epoch, which grows with each image, and then a
// table of what was followed, open-addressed with VisitedProbes linear probes
// from VisitedHash on; what finds no place there is not remembered. An entry is
// a u64 address, a u32 descriptor, a u32 epoch of when it was entered (others are
// empty) and a u64 count of elements.
const (
	VisitedEpoch  = 0
	VisitedTable  = 64
	VisitedEntry  = 24
	VisitedLen    = 1 << visitedBits
	VisitedProbes = 8

	VisitedAddr  = 0
	VisitedDesc  = 8
	VisitedWhen  = 12
	VisitedCount = 16

	// VisitedShift and VisitedDescShift are the constants of VisitedHash.
	VisitedShift     = 64 - visitedBits
	VisitedDescShift = 40

	visitedBits = 11

	// ImageExtra is the size of it all.
	ImageExtra = VisitedTable + VisitedLen*VisitedEntry
)

// VisitedHash is the first entry to try for elements of a descriptor at addr.
func VisitedHash(addr uint64, desc uint32) int {
	return int((addr ^ uint64(desc)<<VisitedDescShift) * HashFactor >> VisitedShift)
}
