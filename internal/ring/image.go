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
// and the stack from the stack pointer of the site up.
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
)

// Why an image is not whole.
const (
	CutObjects = 1 << 0 // Image.Objects were copied
	CutBytes   = 1 << 1 // Image.Bytes were copied
	CutDepth   = 1 << 2 // references lie deeper than Image.Depth
	CutFaults  = 1 << 3 // FaultsMax addresses could not be read: no further reference was followed
	CutUnknown = 1 << 4 // a dynamic type or a closure was not listed
	CutCorrupt = 1 << 5 // a length was negative or absurd
)

// ObjectShort says that fewer elements were copied than there are.
const ObjectShort = 1 << 0

// FaultsMax bounds the faults of one image: each costs the way through a signal.
const FaultsMax = 8

// The extra memory of a block begins with what snapshots remember of one image,
// if the session has any: a u32 epoch, which grows with each image, and then a
// table of what was copied, open-addressed with VisitedProbes linear probes. An
// entry is a u64 address, a u16 descriptor, a u16 0, a u32 epoch of when it was
// entered (others are empty) and a u64 count of elements.
const (
	VisitedEpoch  = 0
	VisitedTable  = 64
	VisitedEntry  = 24
	VisitedLen    = 2048 // a power of two
	VisitedProbes = 8

	VisitedAddr  = 0
	VisitedDesc  = 8
	VisitedWhen  = 12
	VisitedCount = 16

	// ImageExtra is the size of it all.
	ImageExtra = VisitedTable + VisitedLen*VisitedEntry
)
