package inject

import (
	"debug/elf"
	"slices"
)

// caveGaps lists the ranges of file offsets within an executable segment that
// nothing uses, largest first: what lies between the headers and the first
// section, and what follows the segment on its last page. mapped is the size of
// the segment's mapping.
func caveGaps(e *elf.File, ph *elf.Prog, mapped uint64) [][2]uint64 {
	const ehdr, phdr, shdr = 64, 56, 64 // sizes of the headers of ELF64
	lo, hi := ph.Off&^4095, ph.Off&^4095+mapped
	used := [][2]uint64{{0, ehdr + phdr*uint64(len(e.Progs))}}
	if len(e.Sections) == 0 {
		used = append(used, [2]uint64{ph.Off, ph.Off + ph.Filesz}) // who knows what lies where
	}
	// Go's linker places the section headers behind the program headers.
	used = append(used, [2]uint64{ehdr, ehdr + phdr*uint64(len(e.Progs)) + shdr*uint64(len(e.Sections))})
	for _, s := range e.Sections {
		if s.Type != elf.SHT_NULL && s.Type != elf.SHT_NOBITS && s.Flags&elf.SHF_ALLOC != 0 {
			used = append(used, [2]uint64{s.Offset, s.Offset + s.FileSize})
		}
	}
	for _, q := range e.Progs {
		if q.Type != elf.PT_LOAD { // notes, interpreter, dynamic
			used = append(used, [2]uint64{q.Off, q.Off + q.Filesz})
		}
	}
	// Other segments' bytes on the same page are mapped a second time here and
	// are not used at this address.
	gaps := freeRanges(lo, hi, used, ph.Off+ph.Filesz)
	for i := range gaps { // keep off the neighbours
		gaps[i][0] = (gaps[i][0] + 31) &^ 15
	}
	gaps = slices.DeleteFunc(gaps, func(g [2]uint64) bool { return g[0] >= g[1] })
	slices.SortStableFunc(gaps, func(a, b [2]uint64) int { return int((b[1] - b[0])) - int(a[1]-a[0]) })
	return gaps
}

// freeRanges returns what of [lo,hi) is in none of used. Ranges used at or after
// end do not count: the segment ends there.
func freeRanges(lo, hi uint64, used [][2]uint64, end uint64) [][2]uint64 {
	slices.SortFunc(used, func(a, b [2]uint64) int {
		if a[0] < b[0] {
			return -1
		}
		return 1
	})
	var out [][2]uint64
	at := lo
	for _, u := range used {
		if u[0] >= end || u[1] <= at {
			continue
		}
		if u[0] > at {
			out = append(out, [2]uint64{at, u[0]})
		}
		at = u[1]
	}
	if at < hi {
		out = append(out, [2]uint64{at, hi})
	}
	return out
}

// reach is how far a 32-bit displacement goes, less a margin for the length of
// instructions.
const reach = 1<<31 - 1<<20

// heapRoom is kept free behind the program, where the brk heap grows.
const heapRoom = 512 << 20

const (
	pageSize = 4096
	mapLow   = 1 << 20 // below lies what vm.mmap_min_addr may forbid
)

// findGap finds size bytes that are free and from which every byte of the program
// [lo,hi) can be reached by a 32-bit displacement and back. It prefers a place
// below the program; above it leaves room for the brk heap, and takes from that
// room only if there is no other.
func findGap(maps []Mapping, lo, hi, size uint64) (uint64, error) {
	least := uint64(mapLow)
	if hi > reach {
		least = max(least, hi-reach)
	}
	most := lo + reach // end of the region
	const guard = 16 * pageSize
	try := func(from, to uint64) (uint64, bool) {
		from = (from + pageSize - 1) &^ (pageSize - 1)
		for _, m := range maps {
			if m.Hi+guard <= from {
				continue
			}
			if m.Lo >= from+size+guard {
				break
			}
			from = m.Hi + guard
		}
		return from, from+size <= to
	}
	if lo > 1<<32 { // never among the low addresses where nil pointers lead
		if at, ok := try(least+guard, lo-guard); ok {
			return at, nil
		}
	}
	heap := hi
	for _, m := range maps {
		if m.Path == "[heap]" {
			heap = max(heap, m.Hi)
		}
	}
	for room := uint64(heapRoom); ; room /= 2 {
		if at, ok := try(heap+room, most); ok {
			return at, nil
		}
		if room < pageSize {
			break
		}
	}
	return 0, &RefusedError{Code: CodeMemory, Message: "no free address range within reach of the program's text",
		Cure: "the program maps almost all of the 2 GiB around its text; probe another process of it"}
}
