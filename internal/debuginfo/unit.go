package debuginfo

import (
	"slices"
	"sort"
	"strings"
)

// unit is one compilation unit of .debug_info.
type unit struct {
	off, end uint64 // in .debug_info, header included
	first    uint64 // its first DIE
	version  uint16
	wide     bool
	abbrevs  *abbrevTable

	abbrevOff uint64 // of abbrevs, in .debug_abbrev

	name, pkg, compDir string
	goLang             bool
	plain              bool   // compiled without optimisation
	bare               bool   // compiled without debug information: functions have a name and lines, and no more
	low                uint64 // base of its range and location lists
	stmtList           uint64
	hasLines           bool
	addrBase           uint64
	rnglistsBase       uint64
	loclistsBase       uint64
	strOffsets         uint64
}

// parseUnits reads the headers and unit DIEs of .debug_info.
func (b *Build) parseUnits(info *part) ([]*unit, error) {
	abbrevs, err := b.abbrevs()
	if err != nil {
		return nil, err
	}
	var units []*unit
	for r := info.at(0); r.more(); {
		u := &unit{off: uint64(r.off)}
		var n uint64
		n, u.wide = r.initial()
		u.end = uint64(r.off) + n
		if r.bad || n > uint64(r.left()) {
			return nil, damaged("unit at %#x", u.off)
		}
		u.version = r.u16()
		unitType, abbrevOff := uint8(1), uint64(0)
		switch {
		case u.version == 5:
			unitType = r.u8()
			r.skip(1)
			abbrevOff = r.offset(u.wide)
		case u.version >= 2 && u.version <= 4:
			abbrevOff = r.offset(u.wide)
			r.skip(1)
		default:
			return nil, damaged("unit at %#x has version %d", u.off, u.version)
		}
		if unitType == 1 && uint64(r.off) < u.end {
			u.first = uint64(r.off)
			u.abbrevOff = abbrevOff
			if u.abbrevs, err = abbrevs(abbrevOff); err != nil {
				return nil, err
			}
			if err := b.readUnitDIE(info, u); err != nil {
				return nil, err
			}
			units = append(units, u)
		}
		r.off = int(u.end)
	}
	return units, nil
}

// abbrevs is what reads tables of abbreviations, each only once.
func (b *Build) abbrevs() (read func(off uint64) (*abbrevTable, error), err error) {
	sec, err := b.section("abbrev")
	if err != nil {
		return nil, err
	}
	tables := map[uint64]*abbrevTable{}
	return func(off uint64) (t *abbrevTable, err error) {
		if t = tables[off]; t == nil {
			t, err = parseAbbrevs(sec, off)
			tables[off] = t
		}
		return t, err
	}, nil
}

func (b *Build) readUnitDIE(info *part, u *unit) error {
	u.addrBase, u.rnglistsBase, u.loclistsBase, u.strOffsets = 8, 12, 12, 8
	if u.wide {
		u.addrBase, u.rnglistsBase, u.loclistsBase, u.strOffsets = 16, 20, 20, 16
	}
	d := die{}
	// The bases may stand behind the attributes that need them: read twice.
	for range 2 {
		if !b.readDIE(info, u, u.first, &d) || d.tag != tagCompileUnit {
			return damaged("unit DIE at %#x", u.first)
		}
		for _, base := range []struct {
			to  *uint64
			v   uint64
			has bool
		}{
			{&u.addrBase, d.addrBase, d.has(atAddrBase)},
			{&u.rnglistsBase, d.rnglistsBase, d.has(atRnglistsBase)},
			{&u.loclistsBase, d.loclistsBase, d.has(atLoclistsBase)},
			{&u.strOffsets, d.strOffsets, d.has(atStrOffsets)},
		} {
			if base.has {
				*base.to = base.v
			}
		}
	}
	u.name, u.pkg, u.compDir = d.name, d.goPackage, d.compDir
	u.goLang = d.lang == langGo
	flags := strings.Fields(d.producer)
	u.plain, u.bare = slices.Contains(flags, "-N"), slices.Contains(flags, "-dwarf=false")
	u.low, u.stmtList, u.hasLines = d.low, d.stmtList, d.has(atStmtList)
	return nil
}

// unitAt is the unit that holds a DIE offset.
func (x *index) unitAt(off uint64) *unit {
	i := sort.Search(len(x.units), func(i int) bool { return x.units[i].off > off })
	if i == 0 || off >= x.units[i-1].end {
		return nil
	}
	return x.units[i-1]
}
