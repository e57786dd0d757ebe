package debuginfo

import (
	"encoding/binary"
	"sort"
)

// word is the pointer that the program will find at a linked address, with the
// relocation applied that a position-independent executable has there; as
// linked. 0 if there is none.
func (b *Build) word(addr uint64) uint64 {
	raw, err := b.Loaded(addr, 8)
	if err != nil {
		return 0
	}
	return le64(string(raw))
}

// Loaded reads n bytes at a linked address as Bytes does, with the words in them
// that the loader of a position-independent build relocates, as linked: some
// linkers leave zeros there.
func (b *Build) Loaded(addr uint64, n int) ([]byte, error) {
	out, err := b.Bytes(addr, n)
	if err != nil || !b.PIE || n < 8 {
		return out, err
	}
	t := b.relocations()
	i := sort.Search(len(t), func(i int) bool { return t[i].at >= addr })
	for ; i < len(t) && t[i].at-addr <= uint64(n-8); i++ {
		binary.LittleEndian.PutUint64(out[t[i].at-addr:], t[i].value)
	}
	return out, nil
}
