package debuginfo

// word is the pointer that the program will find at a linked address, with the
// relocation applied that a position-independent executable has there; as
// linked. 0 if there is none.
func (b *Build) word(addr uint64) uint64 {
	raw, err := b.Bytes(addr, 8)
	if err != nil {
		return 0
	}
	if v := le64(string(raw)); v != 0 || !b.PIE {
		return v
	}
	return b.relocations().value(addr)
}
