package debuginfo

import (
	"slices"
	"sort"
)

// index is what one pass over .debug_info finds: where the functions, package
// variables and types begin. Their insides are read when they are asked for.
type index struct {
	info    string
	units   []*unit
	pcs     []pcDIE             // functions with code, by entry
	inlined []inlinedIn         // by origin
	globals map[string]uint64   // package variables: name to DIE
	consts  map[string]uint64   // package constants: name to DIE
	types   map[string]uint64   // named DIEs of types; a typedef wins over its base
	rtypes  map[uint64]uint64   // DW_AT_go_runtime_type to DIE
	abs     map[string][]uint64 // abstract (inlined) functions: name to DIEs
}

type pcDIE struct {
	pc, die uint64
}

// inlinedIn says that the abstract function at origin is inlined in the
// function whose DIE is at fn.
type inlinedIn struct {
	origin, fn uint64
}

func (b *Build) indexed() (*index, error) {
	return b.idx.get(func() (*index, error) {
		info, err := b.section("info")
		if err != nil {
			return nil, err
		}
		x := &index{info: info, globals: map[string]uint64{}, consts: map[string]uint64{},
			types: map[string]uint64{}, rtypes: map[uint64]uint64{}, abs: map[string][]uint64{}}
		if x.units, err = b.parseUnits(info); err != nil {
			return nil, err
		}
		for _, u := range x.units {
			if err := b.indexUnit(x, u); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(x.pcs, func(a, b pcDIE) int { return cmpU64(a.pc, b.pc) })
		slices.SortFunc(x.inlined, func(a, b inlinedIn) int {
			if c := cmpU64(a.origin, b.origin); c != 0 {
				return c
			}
			return cmpU64(a.fn, b.fn)
		})
		x.inlined = slices.Compact(x.inlined)
		return x, nil
	})
}

func cmpU64(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// indexUnit walks a unit: DIEs of depth 1 are looked at, and inlined calls at
// any depth; all else is passed over.
func (b *Build) indexUnit(x *index, u *unit) error {
	if !u.goLang {
		return nil
	}
	r := buf{data: x.info[:u.end], off: int(u.first)}
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
			if !b.readDIE(x.info, u, off, &d) {
				return damaged("entry at %#x", off)
			}
			r.off = int(d.next)
			if depth == 1 {
				fn = off
				x.add(b, &d)
			} else {
				x.inlined = append(x.inlined, inlinedIn{d.origin, fn})
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
func (x *index) add(b *Build, d *die) {
	switch d.tag {
	case tagSubprogram:
		switch {
		case d.inline:
			x.abs[d.name] = append(x.abs[d.name], d.off)
		case d.has(atLowPC):
			x.pcs = append(x.pcs, pcDIE{d.low, d.off})
		}
	case tagVariable:
		if d.hasExpr {
			x.globals[d.name] = d.off
		}
	case tagConstant:
		x.consts[d.name] = d.off
	case tagBase, tagStruct, tagArray, tagPointer, tagTypedef, tagUnspecified, tagSubroutine:
		if _, dup := x.types[d.name]; !dup || d.tag == tagTypedef && d.kind == 0 {
			x.types[d.name] = d.off
		}
		if d.rtype != 0 {
			x.rtypes[b.rtypeOffset(d)] = d.off
		}
	}
}

// dieAt is the DIE of the function that begins at pc.
func (x *index) dieAt(pc uint64) (off uint64, ok bool) {
	i := sort.Search(len(x.pcs), func(i int) bool { return x.pcs[i].pc >= pc })
	if i == len(x.pcs) || x.pcs[i].pc != pc {
		return 0, false
	}
	return x.pcs[i].die, true
}

// entryOf is the entry of the function of this name.
func (x *index) entryOf(b *Build, name string) (pc uint64, ok bool) {
	for _, p := range x.pcs {
		if b.dieName(p.die) == name {
			return p.pc, true
		}
	}
	return 0, false
}

// dieName is the name of a DIE, or of what it is an instance of.
func (b *Build) dieName(off uint64) string {
	x, err := b.indexed()
	if err != nil {
		return ""
	}
	var d die
	for range 4 {
		u := x.unitAt(off)
		if u == nil || !b.readDIE(x.info, u, off, &d) {
			return ""
		}
		if d.name != "" || d.origin == 0 {
			return d.name
		}
		off = d.origin
	}
	return ""
}

// InlinedIn are the functions that hold at least one inlined copy of the
// function with this full name, in order of their entries.
func (b *Build) InlinedIn(name string) []*Func {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	var out []*Func
	for _, origin := range x.abs[name] {
		i := sort.Search(len(x.inlined), func(i int) bool { return x.inlined[i].origin >= origin })
		for ; i < len(x.inlined) && x.inlined[i].origin == origin; i++ {
			var d die
			u := x.unitAt(x.inlined[i].fn)
			if u == nil || !b.readDIE(x.info, u, x.inlined[i].fn, &d) || !d.has(atLowPC) {
				continue
			}
			if f := b.FuncAt(d.low); f != nil {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *Func) int { return cmpU64(a.Entry, b.Entry) })
	return slices.Compact(out)
}

// InlinedNames are the full names of all functions that were inlined somewhere,
// sorted. Some of them have code of their own besides.
func (b *Build) InlinedNames() []string {
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	out := make([]string, 0, len(x.abs))
	for name := range x.abs {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
