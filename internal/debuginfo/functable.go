package debuginfo

import (
	"encoding/binary"
	"iter"
	"math"
	"sort"
	"strings"
	"sync/atomic"
)

// funcTable is the functions of a build, sorted by entry: all of them made, or,
// as a cache has them, each made when it is first asked for.
type funcTable struct {
	all []Func

	records *part
	names   names // of functions to their numbers
	n       int
	made    []atomic.Pointer[Func]
	list    onceErr[[]*Func]
}

// quick tells that functions are found by their names without a table of all.
func (t *funcTable) quick() bool { return t.all == nil }

func (t *funcTable) len() int {
	if t.all != nil {
		return len(t.all)
	}
	return t.n
}

func (t *funcTable) entry(i int) uint64 {
	if t.all != nil {
		return t.all[i].Entry
	}
	return t.records.u64(recordsHead + recordSize*i)
}

func (t *funcTable) at(i int) *Func {
	if t.all != nil {
		return &t.all[i]
	}
	if f := t.made[i].Load(); f != nil {
		return f
	}
	t.made[i].CompareAndSwap(nil, t.unpack(i)) // whoever is first: there is one of each
	return t.made[i].Load()
}

// Funcs are all functions that have code, sorted by Entry.
func (b *Build) Funcs() []*Func {
	list, _ := b.funcs.list.get(func() ([]*Func, error) {
		list := make([]*Func, b.funcs.len())
		for i := range list {
			list[i] = b.funcs.at(i)
		}
		return list, nil
	})
	return list
}

// Func is one of Funcs, without the making of the others.
func (b *Build) Func(i int) *Func { return b.funcs.at(i) }

// FuncNames are the names of all functions that have code, with their places in
// Funcs, in no particular order.
func (b *Build) FuncNames() iter.Seq2[int, string] {
	return func(yield func(i int, name string) bool) {
		for i := range b.funcs.all {
			if !yield(i, b.funcs.all[i].Name) {
				return
			}
		}
		if b.funcs.all != nil {
			return
		}
		for name, i := range b.funcs.names.all() {
			if i < uint64(b.funcs.n) && !yield(int(i), name) {
				return
			}
		}
	}
}

// FuncAt is the function whose own bytes hold pc, or nil.
func (b *Build) FuncAt(pc uint64) *Func {
	i := sort.Search(b.funcs.len(), func(i int) bool { return b.funcs.entry(i) > pc })
	if i == 0 {
		return nil
	}
	if f := b.funcs.at(i - 1); pc < f.End {
		return f
	}
	return nil
}

// FuncNamed is the function with this full name, or nil.
func (b *Build) FuncNamed(name string) (found *Func) {
	for _, f := range b.FuncsNamed(name) {
		found = better(found, f)
	}
	return found
}

// FuncsNamed are the functions with this full name: more than one where some are
// wrappers, or where the compiler made copies.
func (b *Build) FuncsNamed(name string) (found []*Func) {
	if b.funcs.quick() {
		for i := range b.funcs.names.of(name) {
			if i < uint64(b.funcs.n) {
				found = append(found, b.funcs.at(int(i)))
			}
		}
		return found
	}
	byName, _ := b.names.get(func() (map[string][]*Func, error) {
		m := make(map[string][]*Func, b.funcs.len())
		for _, f := range b.Funcs() {
			m[f.Name] = append(m[f.Name], f)
		}
		return m, nil
	})
	return byName[name]
}

// better is the one of two functions of a name that is meant: one of assembly's
// calling convention has a wrapper of the same name.
func better(old, f *Func) *Func {
	if old == nil || !f.Wrapper {
		return f
	}
	return old
}

// The records of functions begin with the address that the runtime's offsets are
// relative to, and that of its types. Each has the entry (8 bytes), the length of
// the code, the offset of DeferReturn, the line, the offset of its _func and the
// place of its name among the names (4 bytes each), the length of the package in
// the name (2 bytes), FuncID and flags (1 byte each).
const (
	recordsHead = 16
	recordSize  = 32
	flagAsmCode = 1 << 0
	flagWrapper = 1 << 1
	noPrefix    = math.MaxUint16 // the package is not what the name begins with
)

// packFuncs makes the records, and the table of the names.
func (b *Build) packFuncs() (records, byName string) {
	list := make([]named, b.funcs.len())
	for i := range list {
		list[i] = named{b.funcs.at(i).Name, uint32(i)}
	}
	byName = packNames(list) // sorts list
	place := make([]uint32, len(list))
	for k, e := range list {
		place[e.value] = uint32(k)
	}
	data := make([]byte, 0, recordsHead+recordSize*len(list))
	data = binary.LittleEndian.AppendUint64(data, b.pcln.text)
	data = binary.LittleEndian.AppendUint64(data, b.typesSymbol())
	for i := range list {
		data = b.funcs.at(i).pack(data, place[i])
	}
	return string(data), byName
}

func (f *Func) pack(data []byte, place uint32) []byte {
	data = binary.LittleEndian.AppendUint64(data, f.Entry)
	for _, n := range []uint32{uint32(f.End - f.Entry), uint32(max(f.DeferReturn, f.Entry) - f.Entry), uint32(f.StartLine), uint32(f.pcln), place} {
		data = binary.LittleEndian.AppendUint32(data, n)
	}
	pkg, flags := uint16(noPrefix), byte(0)
	if len(f.Package) < noPrefix && strings.HasPrefix(f.Name, f.Package) {
		pkg = uint16(len(f.Package))
	}
	if f.Assembly {
		flags |= flagAsmCode
	}
	if f.Wrapper {
		flags |= flagWrapper
	}
	return append(binary.LittleEndian.AppendUint16(data, pkg), f.FuncID, flags)
}

func (t *funcTable) unpack(i int) *Func {
	f := &Func{index: int32(i)}
	s := t.records.bytes(recordsHead+recordSize*i, recordSize)
	if s == "" {
		return f
	}
	f.Entry = le64(s)
	f.End = f.Entry + uint64(le32(s[8:]))
	if d := le32(s[12:]); d != 0 {
		f.DeferReturn = f.Entry + uint64(d)
	}
	f.StartLine, f.pcln, f.Name = int(int32(le32(s[16:]))), uint64(le32(s[20:])), t.names.name(int(le32(s[24:])))
	if n := int(le16(s[28:])); n <= len(f.Name) && n != noPrefix {
		f.Package = f.Name[:n]
	} else {
		f.Package = packageOf(f.Name)
	}
	f.FuncID, f.Assembly, f.Wrapper = s[30], s[31]&flagAsmCode != 0, s[31]&flagWrapper != 0
	return f
}

// keptFuncs takes a build's functions from the cache.
func (b *Build) keptFuncs() bool {
	if b.cached == nil {
		return false
	}
	t := &b.funcs
	t.records, t.names = b.cached.tables[tableFuncs], namesIn(b.cached.tables[tableFuncNames])
	t.n = (t.records.size() - recordsHead) / recordSize
	if t.n <= 0 || t.n != t.names.n {
		t.n, t.names = 0, names{}
		return false
	}
	t.made = make([]atomic.Pointer[Func], t.n)
	types := t.records.u64(8)
	b.pcln.text = t.records.u64(0)
	_, _ = b.base.get(func() (uint64, error) { return types, nil })
	return true
}
