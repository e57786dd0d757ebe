package debuginfo

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"sort"
	"strings"
)

// Tables are bytes in the form in which a cache keeps them, also where none does:
// so that there is one way to look into them, which reads no more than it needs.

// partOf is a part that is there already.
func partOf(data string) *part {
	return &part{make: func() (string, error) { return data, nil }}
}

// numbers finds a number, mostly the offset of a DIE, by another; sorted. An entry
// has 12 bytes: the key and the value.
type numbers struct{ p *part }

type number struct {
	key   uint64
	value uint32
}

const numberSize = 12

func packNumbers(list []number) string {
	slices.SortFunc(list, func(a, b number) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
	})
	list = slices.Compact(list)
	data := make([]byte, 0, numberSize*len(list))
	for _, e := range list {
		data = binary.LittleEndian.AppendUint64(data, e.key)
		data = binary.LittleEndian.AppendUint32(data, e.value)
	}
	return string(data)
}

func (t numbers) len() int { return t.p.size() / numberSize }

func (t numbers) at(i int) (key, value uint64) {
	s := t.p.bytes(numberSize*i, numberSize)
	if s == "" {
		return 0, 0
	}
	return le64(s), uint64(le32(s[8:]))
}

// from is the place of the first entry whose key is not below.
func (t numbers) from(key uint64) int {
	return sort.Search(t.len(), func(i int) bool {
		k, _ := t.at(i)
		return k >= key
	})
}

func (t numbers) get(key uint64) (value uint64, ok bool) {
	if i := t.from(key); i < t.len() {
		k, v := t.at(i)
		return v, k == key
	}
	return 0, false
}

// all are the entries in order.
func (t numbers) all() iter.Seq2[uint64, uint64] {
	return func(yield func(key, value uint64) bool) {
		for i := range t.len() {
			if !yield(t.at(i)) {
				return
			}
		}
	}
}

// names finds numbers by names; sorted, and one name may be there several times,
// its numbers ascending. After the number of entries come those, each where its
// name begins and its value, and one more, at which the last name ends; and then
// the names.
type names struct {
	p *part
	n int
}

type named struct {
	name  string
	value uint32
}

const (
	namesHead = 4
	nameSize  = 8
)

func packNames(list []named) string {
	slices.SortFunc(list, func(a, b named) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return cmp.Compare(a.value, b.value)
	})
	var data []byte
	at := uint32(0)
	entry := func(value uint32) {
		data = binary.LittleEndian.AppendUint32(data, at)
		data = binary.LittleEndian.AppendUint32(data, value)
	}
	data = binary.LittleEndian.AppendUint32(data, uint32(len(list)))
	for _, e := range list {
		entry(e.value)
		at += uint32(len(e.name))
	}
	entry(0)
	var out strings.Builder
	out.Grow(len(data) + int(at))
	out.Write(data)
	for _, e := range list {
		out.WriteString(e.name)
	}
	return out.String()
}

// namesIn are the names in a part.
func namesIn(p *part) names {
	t := names{p, int(p.u32(0))}
	if t.text() > p.size() {
		t.n = 0
	}
	return t
}

// text is where the names begin.
func (t names) text() int { return namesHead + nameSize*(t.n+1) }

func (t names) name(i int) string {
	s := t.p.bytes(namesHead+nameSize*i, nameSize+4)
	if s == "" {
		return ""
	}
	from, to := int(le32(s)), int(le32(s[nameSize:]))
	return t.p.bytes(t.text()+from, to-from)
}

func (t names) value(i int) uint64 { return uint64(t.p.u32(namesHead + nameSize*i + 4)) }

// from is the place of the first name that is not below.
func (t names) from(name string) int {
	return sort.Search(t.n, func(i int) bool { return t.name(i) >= name })
}

func (t names) get(name string) (value uint64, ok bool) {
	for v := range t.of(name) {
		return v, true
	}
	return 0, false
}

// of are the values of a name.
func (t names) of(name string) iter.Seq[uint64] {
	return func(yield func(value uint64) bool) {
		for i := t.from(name); i < t.n && t.name(i) == name && yield(t.value(i)); i++ {
		}
	}
}

// all are the names with their values, in order.
func (t names) all() iter.Seq2[string, uint64] {
	return func(yield func(name string, value uint64) bool) {
		data, err := t.p.all()
		if err != nil || len(data) < t.text() {
			return
		}
		entries, text := data[namesHead:t.text()], data[t.text():]
		for i := range t.n {
			e := entries[nameSize*i:]
			from, to := le32(e), le32(e[nameSize:])
			if from > to || uint64(to) > uint64(len(text)) || !yield(text[from:to], uint64(le32(e[4:]))) {
				return
			}
		}
	}
}
