package inject

import (
	"encoding/binary"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// The header of a bay: what a later Sidelight has to know. The numbers are
// stored in targets: never change their meaning, raise the version instead.
const (
	bayMagic   = "SIDEBAY\x01"
	bayVersion = 1

	hdrVersion = 8  // uint32
	hdrState   = 12 // uint32
	hdrPID     = 16 // uint32: owner's pid, as it sees itself
	hdrWord    = 20 // uint32: the owner's word in the lifeline
	hdrStart   = 24 // uint64: owner's start time
	hdrPs      = 32 // uint32
	hdrShift   = 36 // uint32
	hdrEnded   = 40 // uint64: when it was given back, CLOCK_BOOTTIME in ns
	hdrSelf    = 48 // uint64: the bay's address
	hdrExtra   = 56 // uint32
	hdrMoreAt  = 64 // uint64: the region of aggregates, 0 none
	hdrMore    = 72 // uint64: its size
	hdrLen     = 80
)

// States of a bay. An owner that is dead is told by the lifeline, not by the state.
const (
	stateTaken = 1
	stateFree  = 2
)

type header struct {
	state  uint32
	pid    uint32
	word   uint32
	start  uint64
	layout ring.Layout
	ended  uint64
	base   uint64
	more   extent
}

func (h header) bytes() []byte {
	b := make([]byte, hdrLen)
	copy(b, bayMagic)
	binary.LittleEndian.PutUint32(b[hdrVersion:], bayVersion)
	binary.LittleEndian.PutUint32(b[hdrState:], h.state)
	binary.LittleEndian.PutUint32(b[hdrPID:], h.pid)
	binary.LittleEndian.PutUint32(b[hdrWord:], h.word)
	binary.LittleEndian.PutUint64(b[hdrStart:], h.start)
	binary.LittleEndian.PutUint32(b[hdrPs:], uint32(h.layout.Ps))
	binary.LittleEndian.PutUint32(b[hdrShift:], uint32(h.layout.BlockShift))
	binary.LittleEndian.PutUint64(b[hdrEnded:], h.ended)
	binary.LittleEndian.PutUint64(b[hdrSelf:], h.base)
	binary.LittleEndian.PutUint32(b[hdrExtra:], uint32(h.layout.Extra))
	binary.LittleEndian.PutUint64(b[hdrMoreAt:], h.more.lo)
	binary.LittleEndian.PutUint64(b[hdrMore:], h.more.hi-h.more.lo)
	return b
}

// parseHeader reads a header. ok is false where none was written yet, or by
// another version.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < hdrLen || string(b[:8]) != bayMagic || binary.LittleEndian.Uint32(b[hdrVersion:]) != bayVersion {
		return h, false
	}
	h.state = binary.LittleEndian.Uint32(b[hdrState:])
	h.pid = binary.LittleEndian.Uint32(b[hdrPID:])
	h.word = binary.LittleEndian.Uint32(b[hdrWord:])
	h.start = binary.LittleEndian.Uint64(b[hdrStart:])
	h.layout.Ps = int(binary.LittleEndian.Uint32(b[hdrPs:]))
	h.layout.BlockShift = uint(binary.LittleEndian.Uint32(b[hdrShift:]))
	h.ended = binary.LittleEndian.Uint64(b[hdrEnded:])
	h.base = binary.LittleEndian.Uint64(b[hdrSelf:])
	h.layout.Extra = int(binary.LittleEndian.Uint32(b[hdrExtra:]))
	h.more.lo = binary.LittleEndian.Uint64(b[hdrMoreAt:])
	h.more.hi = h.more.lo + binary.LittleEndian.Uint64(b[hdrMore:])
	return h, true
}

// A journal entry: site address, length, state, the file's bytes.
const (
	jnlAddr  = 0
	jnlLen   = 8  // uint32
	jnlState = 12 // uint32: 0 unused, 1 the site may be changed
	jnlOrig  = 16 // up to origMax bytes
	origMax  = ring.JournalEntry - jnlOrig

	jnlArmed = 1
)

type journalEntry struct {
	addr uint64
	orig []byte
}

func (j journalEntry) bytes(state uint32) []byte {
	b := make([]byte, ring.JournalEntry)
	binary.LittleEndian.PutUint64(b[jnlAddr:], j.addr)
	binary.LittleEndian.PutUint32(b[jnlLen:], uint32(len(j.orig)))
	binary.LittleEndian.PutUint32(b[jnlState:], state)
	copy(b[jnlOrig:], j.orig)
	return b
}

// parseJournal lists the armed entries of a journal.
func parseJournal(b []byte) []journalEntry {
	var out []journalEntry
	for ; len(b) >= ring.JournalEntry; b = b[ring.JournalEntry:] {
		n := binary.LittleEndian.Uint32(b[jnlLen:])
		if binary.LittleEndian.Uint32(b[jnlState:]) != jnlArmed || n == 0 || n > origMax {
			continue
		}
		out = append(out, journalEntry{
			addr: binary.LittleEndian.Uint64(b[jnlAddr:]),
			orig: append([]byte(nil), b[jnlOrig:jnlOrig+n]...),
		})
	}
	return out
}
