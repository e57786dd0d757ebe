package debuginfo

// packUnits writes what parseUnits found, which has to look everywhere in
// .debug_info for it.
func packUnits(units []*unit) string {
	var p pack
	p.uleb(uint64(len(units)))
	last, dir := uint64(0), ""
	for _, u := range units {
		last = p.delta(u.off, last)
		for _, n := range []uint64{u.end - u.off, u.first - u.off, uint64(u.version), u.flags(), u.abbrevOff, u.low, u.stmtList,
			u.addrBase, u.rnglistsBase, u.loclistsBase, u.strOffsets} {
			p.uleb(n)
		}
		p.text(u.name)
		p.text(u.pkg)
		if u.compDir == dir { // of most units the same
			p.uleb(0)
		} else {
			dir = u.compDir
			p.uleb(1)
			p.text(dir)
		}
	}
	return string(p.data)
}

// flags are the things that are so or not.
func (u *unit) flags() (bits uint64) {
	for i, on := range []bool{u.wide, u.goLang, u.plain, u.bare, u.hasLines} {
		if on {
			bits |= 1 << i
		}
	}
	return bits
}

// keptUnits takes the units from the cache.
func (b *Build) keptUnits() ([]*unit, bool) {
	abbrevs, err := b.abbrevs()
	if err != nil {
		return nil, false
	}
	r := unpack{b.cached.tables[tableUnits].at(0)}
	units := make([]unit, r.count())
	out := make([]*unit, len(units))
	last, dir := uint64(0), ""
	for i := range units {
		u := &units[i]
		out[i] = u
		last += r.uleb()
		u.off = last
		u.end, u.first, u.version = last+r.uleb(), last+r.uleb(), uint16(r.uleb())
		bits := r.uleb()
		u.wide, u.goLang, u.plain, u.bare, u.hasLines = bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&16 != 0
		for _, to := range []*uint64{&u.abbrevOff, &u.low, &u.stmtList, &u.addrBase, &u.rnglistsBase, &u.loclistsBase, &u.strOffsets} {
			*to = r.uleb()
		}
		u.name, u.pkg = r.text(), r.text()
		if r.uleb() != 0 {
			dir = r.text()
		}
		u.compDir = dir
		if r.bad {
			return nil, false
		}
		if u.abbrevs, err = abbrevs(u.abbrevOff); err != nil {
			return nil, false
		}
	}
	return out, r.whole()
}
