package debuginfo

import (
	"maps"
	"slices"
)

// index is what one pass over .debug_info finds: where the functions, package
// variables and types begin. Their insides are read when they are asked for.
type index struct {
	info    *part
	units   []*unit
	tables  map[string]*part // of which the rest is
	pcs     numbers          // entries of functions to their DIEs
	inlined numbers          // abstract functions to the functions that have a copy of them
	rtypes  numbers          // DW_AT_go_runtime_type to DIE
	abs     names            // abstract (inlined) functions
	globals names            // package variables
	consts  names            // package constants
	types   names            // named DIEs of types; a typedef wins over its base
}

func (b *Build) indexed() (*index, error) {
	return b.idx.get(func() (*index, error) {
		info, err := b.section("info")
		if err != nil {
			return nil, err
		}
		if b.cached != nil {
			if units, ok := b.keptUnits(); ok {
				return newIndex(info, units, b.cached.tables), nil
			}
		}
		units, err := b.parseUnits(info)
		if err != nil {
			return nil, err
		}
		tables, err := b.scan(info, units)
		if err != nil {
			return nil, err
		}
		return newIndex(info, units, tables), nil
	})
}

// newIndex is the index that some tables are.
func newIndex(info *part, units []*unit, t map[string]*part) *index {
	return &index{info: info, units: units, tables: t, pcs: numbers{t[tablePCs]}, inlined: numbers{t[tableInlined]}, rtypes: numbers{t[tableRTypes]},
		abs: namesIn(t[tableAbs]), globals: namesIn(t[tableGlobals]), consts: namesIn(t[tableConsts]), types: namesIn(t[tableTypes])}
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

// dieAt is the DIE of the function that begins at pc.
func (x *index) dieAt(pc uint64) (off uint64, ok bool) { return x.pcs.get(pc) }

// entryOf is the entry of the function of this name.
func (x *index) entryOf(b *Build, name string) (pc uint64, ok bool) {
	for pc, off := range x.pcs.all() {
		if b.dieName(off) == name {
			return pc, true
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
	if !b.HasDebug() {
		return b.funcsAt(b.pclnIndex().inlined[name])
	}
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	var out []*Func
	for origin := range x.abs.of(name) {
		for i := x.inlined.from(origin); i < x.inlined.len(); i++ {
			of, fn := x.inlined.at(i)
			if of != origin {
				break
			}
			var d die
			u := x.unitAt(fn)
			if u == nil || !b.readDIE(x.info, u, fn, &d) || !d.has(atLowPC) {
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
// sorted. Some of them have code of their own besides. They are not to be changed.
func (b *Build) InlinedNames() []string {
	names, _ := b.inlined.get(func() ([]string, error) {
		if !b.HasDebug() {
			return slices.Clip(slices.Sorted(maps.Keys(b.pclnIndex().inlined))), nil
		}
		x, err := b.indexed()
		if err != nil {
			return nil, nil
		}
		out := make([]string, 0, x.abs.n)
		for name := range x.abs.all() {
			if n := len(out); n == 0 || out[n-1] != name {
				out = append(out, name)
			}
		}
		return slices.Clip(out), nil
	})
	return names
}
