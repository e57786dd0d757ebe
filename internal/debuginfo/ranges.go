package debuginfo

// Range list entries of DWARF 5 (section 7.25) and location list entries
// (section 7.7.3); their numbers agree where their meanings do.
const (
	rleEnd          = 0
	rleBasex        = 1
	rleStartxEndx   = 2
	rleStartxLength = 3
	rleOffsetPair   = 4
	rleBase         = 5
	rleStartEnd     = 6
	rleStartLength  = 7

	lleDefault     = 5
	lleBase        = 6
	lleStartEnd    = 7
	lleStartLength = 8
)

// rangesOf are the address ranges of a DIE.
func (b *Build) rangesOf(u *unit, d *die) [][2]uint64 {
	if d.has(atRanges) {
		if u.version >= 5 {
			return b.rnglist(u, d.ranges)
		}
		return b.rangeList(u, d.ranges)
	}
	if d.has(atLowPC) && d.has(atHighPC) && d.end() > d.low {
		return [][2]uint64{{d.low, d.end()}}
	}
	return nil
}

// rangeList reads a list of .debug_ranges (DWARF 2 to 4).
func (b *Build) rangeList(u *unit, off uint64) [][2]uint64 {
	data, _ := b.section("ranges")
	var out [][2]uint64
	base := u.low
	for r := data.at(off); ; {
		lo, hi := r.u64(), r.u64()
		switch {
		case r.bad || lo == 0 && hi == 0:
			return out
		case lo == ^uint64(0):
			base = hi
		case hi > lo:
			out = append(out, [2]uint64{base + lo, base + hi})
		}
	}
}

// rnglist reads a list of .debug_rnglists (DWARF 5).
func (b *Build) rnglist(u *unit, off uint64) [][2]uint64 {
	data, _ := b.section("rnglists")
	var out [][2]uint64
	base := u.low
	for r := data.at(off); ; {
		var lo, hi uint64
		switch r.u8() {
		case rleBasex:
			base = b.addrIndex(u, r.uleb())
			continue
		case rleStartxEndx:
			lo, hi = b.addrIndex(u, r.uleb()), b.addrIndex(u, r.uleb())
		case rleStartxLength:
			lo = b.addrIndex(u, r.uleb())
			hi = lo + r.uleb()
		case rleOffsetPair:
			lo = base + r.uleb()
			hi = base + r.uleb()
		case rleBase:
			base = r.u64()
			continue
		case rleStartEnd:
			lo, hi = r.u64(), r.u64()
		case rleStartLength:
			lo = r.u64()
			hi = lo + r.uleb()
		default: // rleEnd, and what is not known
			return out
		}
		if r.bad {
			return out
		}
		if hi > lo {
			out = append(out, [2]uint64{lo, hi})
		}
	}
}

func inRanges(rs [][2]uint64, pc uint64) bool {
	for _, r := range rs {
		if r[0] <= pc && pc < r[1] {
			return true
		}
	}
	return false
}

// locEntry is one entry of a location list: the expression that holds in
// [low, high).
type locEntry struct {
	low, high uint64
	expr      string
}

// eachLoc walks a location list until visit returns false.
func (b *Build) eachLoc(u *unit, off uint64, visit func(locEntry) bool) {
	if u.version >= 5 {
		b.eachLoc5(u, off, visit)
		return
	}
	data, _ := b.section("loc")
	base := u.low
	for r := data.at(off); ; {
		lo, hi := r.u64(), r.u64()
		if r.bad || lo == 0 && hi == 0 {
			return
		}
		if lo == ^uint64(0) {
			base = hi
			continue
		}
		e := locEntry{base + lo, base + hi, r.bytes(uint64(r.u16()))}
		if r.bad || !visit(e) {
			return
		}
	}
}

func (b *Build) eachLoc5(u *unit, off uint64, visit func(locEntry) bool) {
	data, _ := b.section("loclists")
	base := u.low
	for r := data.at(off); ; {
		var e locEntry
		switch r.u8() {
		case rleBasex:
			base = b.addrIndex(u, r.uleb())
			continue
		case rleStartxEndx:
			e.low, e.high = b.addrIndex(u, r.uleb()), b.addrIndex(u, r.uleb())
		case rleStartxLength:
			e.low = b.addrIndex(u, r.uleb())
			e.high = e.low + r.uleb()
		case rleOffsetPair:
			e.low = base + r.uleb()
			e.high = base + r.uleb()
		case lleDefault:
			e.high = ^uint64(0)
		case lleBase:
			base = r.u64()
			continue
		case lleStartEnd:
			e.low, e.high = r.u64(), r.u64()
		case lleStartLength:
			e.low = r.u64()
			e.high = e.low + r.uleb()
		default: // rleEnd, and what is not known
			return
		}
		e.expr = r.bytes(r.uleb())
		if r.bad || !visit(e) {
			return
		}
	}
}
