package debuginfo

import "sort"

const int3 = 0xCC

// paddingMost bounds a stretch of padding; functions are aligned to 16 or 32 bytes.
const paddingMost = 256

// Padding lists the stretches of INT3 that the linker put between two functions
// and that have an address in common with [lo,hi), in order: each from the end of
// a function to the next function, or to the first byte that is no INT3.
func (b *Build) Padding(lo, hi uint64) [][2]uint64 {
	var out [][2]uint64
	i := sort.Search(len(b.list), func(i int) bool { return i+1 == len(b.list) || b.list[i+1].Entry > lo })
	for ; i+1 < len(b.list) && b.list[i].End < hi; i++ {
		end := b.list[i].End
		room := min(b.list[i+1].Entry-end, paddingMost)
		code, err := b.Bytes(end, int(room))
		if room == 0 || err != nil {
			continue
		}
		n := 0
		for n < len(code) && code[n] == int3 {
			n++
		}
		if n > 0 && end+uint64(n) > lo {
			out = append(out, [2]uint64{end, end + uint64(n)})
		}
	}
	return out
}
