package debuginfo

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// dictMark is in the symbol of every dictionary: pkg..dict.F[int]
// (cmd/compile/internal/noder/reader.go, dictNameOf, Go 1.18 and later). The
// dictionaries of a generic type's methods go by the type.
const dictMark = "..dict."

// dictionaries are the addresses of all dictionaries of the build, by what they
// are for: pkg.F.
func (b *Build) dictionaries() map[string][]uint64 {
	m, _ := b.dicts.get(func() (map[string][]uint64, error) {
		m := map[string][]uint64{}
		b.eachSymbol(func(name string, value, _ uint64) bool {
			end := strings.IndexByte(name, '[')
			if end < 0 || value == 0 {
				return true
			}
			if i := strings.LastIndex(name[:end], dictMark); i >= 0 {
				key := name[:i] + "." + name[i+len(dictMark):end]
				m[key] = append(m[key], value)
			}
			return true
		})
		return m, nil
	})
	return m
}

// dictOwner is what the dictionaries of a generic function's instantiation go
// by: pkg.F of pkg.F[go.shape.int].func1, pkg.T of pkg.(*T[go.shape.int]).M.
func dictOwner(function string) string {
	pkg := escapedPackage(function)
	rest := strings.TrimPrefix(function, pkg+".")
	i := strings.IndexByte(rest, '[')
	if pkg == "" || i < 0 {
		return ""
	}
	return pkg + "." + strings.TrimPrefix(rest[:i], "(*")
}

// dictOf is the index, and 1, that a variable's type has in the dictionary: the
// compiler gives such types a DIE of their own. 0: it is not of that kind.
func (b *Build) dictOf(typ uint64) int {
	x, err := b.indexed()
	if err != nil {
		return 0
	}
	var d die
	if u := x.unitAt(typ); u == nil || !b.readDIE(x.info, u, typ, &d) || d.tag != tagTypedef || !d.hasDict || d.dict > 1<<16 {
		return 0
	}
	return int(d.dict) + 1
}

// DictType is the true type of a variable of a generic function, which the
// compiler made once for all types of one shape: the one that word index of the
// dictionary names. Which dictionary a call was given is not known; where all
// that the build has for this function and shape agree, there is no other
// answer. nil: they do not, or the symbols are missing.
func (b *Build) DictType(function string, index int, shape *program.Type) *program.Type {
	owner := dictOwner(function)
	if owner == "" || shape == nil || index < 0 {
		return nil
	}
	var found *program.Type
	for _, at := range b.dictionaries()[owner] {
		t := b.dictWord(at, index)
		if t == nil {
			return nil
		}
		if !sameShape(t, shape, 0) {
			continue
		}
		if found != nil && found != t {
			return nil
		}
		found = t
	}
	return found
}

// DictTypeAt is the type that word index of the dictionary at a linked address
// names for a shape; nil if there is none.
func (b *Build) DictTypeAt(dict uint64, index int, shape *program.Type) *program.Type {
	for _, all := range b.dictionaries() {
		if slices.Contains(all, dict) {
			if t := b.dictWord(dict, index); sameShape(t, shape, 0) {
				return t
			}
		}
	}
	return nil
}

func (b *Build) dictWord(dict uint64, index int) *program.Type {
	base, at := b.TypesBase(), b.word(dict+8*uint64(index))
	if base == 0 || at <= base {
		return nil
	}
	return b.TypeByRuntime(at - base)
}

// sameShape tells whether t may be meant by a shape: their underlying types are
// the same, where any pointer stands for any other.
func sameShape(t, shape *program.Type, depth int) bool {
	switch {
	case t == shape:
		return true
	case t == nil || shape == nil || t.Kind != shape.Kind || t.Size != shape.Size || t.Len != shape.Len || depth > 8:
		return false
	}
	switch t.Kind {
	case reflect.Slice, reflect.Array, reflect.Chan:
		return sameShape(t.Elem, shape.Elem, depth+1)
	case reflect.Map:
		return sameShape(t.Elem, shape.Elem, depth+1) && sameShape(t.Key, shape.Key, depth+1)
	case reflect.Struct:
		if len(t.Fields) != len(shape.Fields) {
			return false
		}
		for i := range t.Fields {
			f, s := &t.Fields[i], &shape.Fields[i]
			if f.Name != s.Name || f.Offset != s.Offset || !sameShape(f.Type, s.Type, depth+1) {
				return false
			}
		}
	}
	return true
}
