package debuginfo

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
)

// index is what one pass over .debug_info finds: where the functions, package
// variables and types begin. Their insides are read when they are asked for.
type index struct {
	info    string
	units   []*unit
	pcs     []pcDIE     // functions with code, by entry
	inlined []inlinedIn // by origin
	abs     []absFunc   // abstract (inlined) functions, by name
	names   *nameIndex
	once    sync.Once         // where the names come from a cache:
	load    func() *nameIndex // when they are first asked for
}

// nameIndex finds DIEs by the names of what they describe.
type nameIndex struct {
	globals table[string] // package variables: name to DIE
	consts  table[string] // package constants: name to DIE
	types   table[string] // named DIEs of types; a typedef wins over its base
	rtypes  table[uint64] // DW_AT_go_runtime_type to DIE
	abs     map[string][]uint64
}

// absFunc is an abstract function: its name, and the DIEs that have it.
type absFunc struct {
	name string
	dies []uint64
}

func (x *index) named() *nameIndex {
	x.once.Do(func() {
		if x.names == nil {
			x.names = x.load()
		}
	})
	return x.names
}

// absOf are the abstract functions of that name.
func (x *index) absOf(name string) []uint64 {
	i, ok := slices.BinarySearchFunc(x.abs, name, func(a absFunc, name string) int { return strings.Compare(a.name, name) })
	if !ok {
		return nil
	}
	return x.abs[i].dies
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
		x := &index{info: info}
		if x.units, err = b.parseUnits(info); err != nil {
			return nil, err
		}
		if b.cached.index(x) {
			x.load = func() *nameIndex { return b.cachedNames(x) }
			return x, nil
		}
		return x, b.scan(x)
	})
}

// scan passes over .debug_info.
func (b *Build) scan(x *index) error {
	x.names = &nameIndex{abs: map[string][]uint64{}}
	x.pcs, x.inlined, x.abs = nil, nil, nil
	for _, u := range x.units {
		if err := b.indexUnit(x, u); err != nil {
			return err
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
	for name, dies := range x.names.abs {
		x.abs = append(x.abs, absFunc{name, dies})
	}
	x.names.abs = nil
	slices.SortFunc(x.abs, func(a, b absFunc) int { return strings.Compare(a.name, b.name) })
	return nil
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
			x.names.abs[d.name] = append(x.names.abs[d.name], d.off)
		case d.has(atLowPC):
			x.pcs = append(x.pcs, pcDIE{d.low, d.off})
		}
	case tagVariable:
		if d.hasExpr {
			x.names.globals.put(d.name, d.off)
		}
	case tagConstant:
		x.names.consts.put(d.name, d.off)
	case tagBase, tagStruct, tagArray, tagPointer, tagTypedef, tagUnspecified, tagSubroutine:
		if _, dup := x.names.types.get(d.name); !dup || d.tag == tagTypedef && d.kind == 0 {
			x.names.types.put(d.name, d.off)
		}
		if d.rtype != 0 {
			x.names.rtypes.put(b.rtypeOffset(d), d.off)
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
	if !b.HasDebug() {
		return b.funcsAt(b.pclnIndex().inlined[name])
	}
	x, err := b.indexed()
	if err != nil {
		return nil
	}
	var out []*Func
	for _, origin := range x.absOf(name) {
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
		out := make([]string, len(x.abs))
		for i := range x.abs {
			out[i] = x.abs[i].name
		}
		return out, nil
	})
	return names
}
