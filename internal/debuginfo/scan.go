package debuginfo

// Names of the tables that a scan makes.
const (
	tablePCs     = "pcs"
	tableInlined = "inlined"
	tableRTypes  = "rtypes"
	tableAbs     = "abs"
	tableGlobals = "globals"
	tableConsts  = "consts"
	tableTypes   = "types"
)

// scanner gathers what an index has. Offsets of DIEs fit into 32 bits: maxSection.
type scanner struct {
	b       *Build
	info    *part
	pcs     []number
	inlined []number
	abs     []named
	rtypes  map[uint64]uint64
	globals map[string]uint64
	consts  map[string]uint64
	types   map[string]uint64
}

// scan passes over .debug_info and makes the tables of an index.
func (b *Build) scan(info *part, units []*unit) (map[string]*part, error) {
	s := scanner{b: b, info: info, rtypes: map[uint64]uint64{}, globals: map[string]uint64{}, consts: map[string]uint64{}, types: map[string]uint64{}}
	for _, u := range units {
		if err := s.unit(u); err != nil {
			return nil, err
		}
	}
	rtypes := make([]number, 0, len(s.rtypes))
	for key, die := range s.rtypes {
		rtypes = append(rtypes, number{key, uint32(die)})
	}
	return map[string]*part{
		tablePCs: partOf(packNumbers(s.pcs)), tableInlined: partOf(packNumbers(s.inlined)), tableRTypes: partOf(packNumbers(rtypes)),
		tableAbs: partOf(packNames(s.abs)), tableGlobals: partOf(packMap(s.globals)), tableConsts: partOf(packMap(s.consts)),
		tableTypes: partOf(packMap(s.types)),
	}, nil
}

func packMap(m map[string]uint64) string {
	list := make([]named, 0, len(m))
	for name, die := range m {
		list = append(list, named{name, uint32(die)})
	}
	return packNames(list)
}

// unit walks a unit: DIEs of depth 1 are looked at, and inlined calls at
// any depth; all else is passed over.
func (s *scanner) unit(u *unit) error {
	if !u.goLang {
		return nil
	}
	r := s.info.within(u.first, u.end)
	var d die
	var fn uint64
	depth := 0
	for r.more() {
		off := uint64(r.off)
		code := r.uleb()
		if code == 0 {
			if depth--; depth <= 0 {
				return nil
			}
			continue
		}
		a := u.abbrevs.get(code)
		if a == nil {
			return damaged("entry at %#x", off)
		}
		if a.tag == tagInlined || depth == 1 {
			if !s.b.readDIE(s.info, u, off, &d) {
				return damaged("entry at %#x", off)
			}
			r.off = int(d.next)
			if depth == 1 {
				fn = off
				s.add(&d)
			} else {
				s.inlined = append(s.inlined, number{d.origin, uint32(fn)})
			}
		} else {
			skipDIE(&r, u, a)
		}
		if a.children {
			depth++
		}
	}
	if r.bad {
		return damaged("unit at %#x", u.off)
	}
	return nil
}

// add takes one DIE of depth 1.
func (s *scanner) add(d *die) {
	switch d.tag {
	case tagSubprogram:
		switch {
		case d.inline:
			s.abs = append(s.abs, named{d.name, uint32(d.off)})
		case d.has(atLowPC):
			s.pcs = append(s.pcs, number{d.low, uint32(d.off)})
		}
	case tagVariable:
		if d.hasExpr {
			s.globals[d.name] = d.off
		}
	case tagConstant:
		s.consts[d.name] = d.off
	case tagBase, tagStruct, tagArray, tagPointer, tagTypedef, tagUnspecified, tagSubroutine:
		if _, dup := s.types[d.name]; !dup || d.tag == tagTypedef && d.kind == 0 {
			s.types[d.name] = d.off
		}
		if d.rtype != 0 {
			s.rtypes[s.b.rtypeOffset(d)] = d.off
		}
	}
}
