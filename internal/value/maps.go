package value

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// table is a map that is being read.
type table struct {
	r     *Reader
	t     *program.Type // as the program declares it
	v     *probe.Value
	found int64 // entries met
	most  int64
	cut   string
}

// mapping reads a map by the struct that this very type has in the runtime.
func (r *Reader) mapping(t *program.Type, p Place) probe.Value {
	at, late, why := r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	if at == 0 {
		return probe.Value{Shape: probe.Nil, Late: late}
	}
	v := probe.Value{Shape: probe.Map, Uint: at, Address: at, Len: -1, Late: late}
	in := t.Inner
	key := thing{at, t}
	if r.seen[key] {
		v.Note = "shown above"
		return v
	}
	r.seen[key] = true
	m := table{r: r, t: t, v: &v, most: int64(r.cfg.Bounds.MaxItems)}
	saved := r.from
	r.from = p
	v.Entries = []probe.Entry{}
	m.written(at)
	switch head := (Place{Addr: at}); {
	case field(in, "dirPtr") != nil:
		m.swiss(in, head)
	case field(in, "buckets") != nil:
		m.classic(in, head)
	default:
		m.cut = "the debug information does not tell how it is laid out"
	}
	r.from = saved
	m.finish()
	return v
}

// number reads a field of a struct; why is kept as the reason of a cut.
func (m *table) number(t *program.Type, p Place, name string) (u uint64, ok bool) {
	f := field(t, name)
	if f == nil {
		m.miss("the debug information does not tell how it is laid out")
		return 0, false
	}
	u, late, why := m.r.uint(p.plus(f.Offset), f.Type.Size)
	if why != "" {
		m.miss(why)
		return 0, false
	}
	m.v.Late = m.v.Late || late
	return u, true
}

// written notes a map of which a part, at an address, was written while it was
// copied.
func (m *table) written(at uint64) {
	if m.r.cfg.Image.Written(at) {
		m.v.Note = noteWriting
	}
}

func (m *table) miss(why string) {
	if m.cut == "" {
		m.cut = why
	}
}

// entry reads one entry.
func (m *table) entry(key, elem *program.Type, kp, vp Place) {
	m.found++
	if m.found > m.most {
		return
	}
	if key == nil || elem == nil {
		m.miss(whyDamaged)
		return
	}
	k := m.kept(m.t.Key, key, kp)
	if k.Shape == probe.Unreadable {
		m.miss(k.Text)
		return
	}
	m.v.Entries = append(m.v.Entries, probe.Entry{Key: k, Value: m.kept(m.t.Elem, elem, vp)})
}

// kept reads a key or an element. Where it is large, the map keeps a pointer to
// it instead (128 bytes in cmd/compile/internal/reflectdata, all versions).
func (m *table) kept(declared, slot *program.Type, p Place) probe.Value {
	if declared == nil || slot.Kind != reflect.Pointer || declared.Kind != reflect.Struct && declared.Kind != reflect.Array {
		return m.r.value(slot, p)
	}
	at, late, why := m.r.word(p)
	if why != "" {
		return probe.Why(why)
	}
	v := m.r.follow(declared, p, at)
	v.Late = v.Late || late
	return v
}

// finish puts the entries in an order of their own, and says what is missing.
func (m *table) finish() {
	v := m.v
	sortEntries(v.Entries)
	shown := int64(len(v.Entries))
	if shown == 0 && v.Len != 0 {
		v.Entries = nil
	}
	switch {
	case m.cut != "":
		v.Truncated, v.Cut = shown < v.Len || v.Len < 0, m.cut
		if !v.Truncated {
			v.Cut = ""
		}
	case m.found > m.most:
		v.Truncated, v.Cut = true, fmt.Sprintf("more than --max-items %d entries", m.most)
	case v.Len >= 0 && m.found != v.Len && v.Note == "":
		v.Truncated = m.found < v.Len
		v.Note = fmt.Sprintf("its count says %d: it was changed meanwhile", v.Len)
	}
}

// What the runtime keeps in a classic map (runtime/map.go, up to Go 1.23).
const (
	bucketSlots    = 8
	minTopHash     = 5 // lower: no entry, or one that has moved
	flagWriting    = 4
	flagSameSize   = 8
	noteWriting    = "being written"
	maxChain       = 1 << 16
	ctrlFull       = 0x80 // of a Swiss table: not set in a slot that is in use
	maxDirectories = 1 << 20
)

// classic reads a map of buckets and, while it grows, of old buckets.
func (m *table) classic(t *program.Type, p Place) {
	count, ok := m.number(t, p, "count")
	if !ok {
		return
	}
	m.v.Len = int64(count)
	if m.v.Len < 0 || m.v.Len >= maxLen {
		m.v.Len = -1
		m.miss(whyLength)
		return
	}
	flags, ok1 := m.number(t, p, "flags")
	b, ok2 := m.number(t, p, "B")
	buckets, ok3 := m.number(t, p, "buckets")
	old, ok4 := m.number(t, p, "oldbuckets")
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return
	}
	if flags&flagWriting != 0 {
		m.v.Note = noteWriting
	}
	f := field(t, "buckets")
	if b > 40 || f.Type.Elem == nil {
		m.miss(whyLength)
		return
	}
	m.r.from = p.plus(f.Offset)
	m.buckets(f.Type.Elem, buckets, 1<<b)
	if old != 0 {
		n := int64(1) << b
		if flags&flagSameSize == 0 {
			n = max(n/2, 1)
		}
		m.buckets(f.Type.Elem, old, n)
	}
}

// full tells that there is no need to read on: unless a part that is still to come
// may say that the map was written.
func (m *table) full() bool {
	return m.found > m.most || m.v.Len >= 0 && m.v.Note == "" && m.found >= m.v.Len && !m.r.cfg.Image.AnyWritten()
}

func (m *table) buckets(t *program.Type, at uint64, n int64) {
	hash, keys, values, next := field(t, "tophash"), field(t, "keys"), field(t, "values"), field(t, "overflow")
	if at == 0 {
		return
	}
	if hash == nil || keys == nil || values == nil || next == nil || t.Size <= 0 {
		m.miss("the debug information does not tell how it is laid out")
		return
	}
	for i := range n {
		if m.full() {
			return
		}
		p := Place{Addr: at + uint64(i*t.Size)}
		for range maxChain {
			m.written(p.Addr)
			top, late, why := m.r.load(p.plus(hash.Offset), bucketSlots)
			if why != "" {
				m.miss(why)
				return
			}
			m.v.Late = m.v.Late || late
			m.bucket(top, keys, values, p)
			over, _, why := m.r.word(p.plus(next.Offset))
			if why != "" || over == 0 || m.full() {
				break
			}
			p = Place{Addr: over}
		}
	}
}

func (m *table) bucket(top []byte, keys, values *program.Field, p Place) {
	for i, h := range top {
		if h < minTopHash {
			continue
		}
		k, kp := slot(keys, p, i, m.r)
		v, vp := slot(values, p, i, m.r)
		m.entry(k, v, kp, vp)
	}
}

// slot is element i of an array that is a field at p. The linker writes such
// arrays with the type of their elements, or of pointers to large ones.
func slot(f *program.Field, p Place, i int, r *Reader) (*program.Type, Place) {
	elem := f.Type.Elem
	if f.Type.Kind != reflect.Array || elem == nil {
		return nil, p
	}
	at := p.plus(f.Offset + int64(i)*elem.Size)
	return elem, at
}

// swiss reads a map of Go 1.24 and later: one group, or a directory of tables.
func (m *table) swiss(t *program.Type, p Place) {
	used, ok := m.number(t, p, "used")
	if !ok {
		return
	}
	if m.v.Len = int64(used); m.v.Len < 0 || m.v.Len >= maxLen {
		m.v.Len = -1
		m.miss(whyLength)
		return
	}
	if w, ok := m.number(t, p, "writing"); ok && w != 0 {
		m.v.Note = noteWriting
	}
	dir, ok1 := m.number(t, p, "dirPtr")
	n, ok2 := m.number(t, p, "dirLen")
	tables := field(t, "dirPtr").Type.Elem // *table
	if !ok1 || !ok2 || dir == 0 {
		return
	}
	if tables == nil || tables.Elem == nil || n > maxDirectories {
		m.miss(whyLength)
		return
	}
	groups := field(tables.Elem, "groups")
	if groups == nil {
		m.miss("the debug information does not tell how it is laid out")
		return
	}
	m.r.from = p.plus(field(t, "dirPtr").Offset)
	if n == 0 {
		m.groups(groups.Type, dir, 1)
		return
	}
	m.directory(tables.Elem, groups, dir, n)
}

func (m *table) directory(t *program.Type, groups *program.Field, dir uint64, n uint64) {
	last := uint64(0)
	seen := map[uint64]bool{}
	for i := range n {
		m.written(dir + 8*i)
		if m.full() {
			return
		}
		at, late, why := m.r.word(Place{Addr: dir + 8*i})
		if why != "" {
			m.miss(why)
			return
		}
		m.v.Late = m.v.Late || late
		if at == last || at == 0 || seen[at] {
			continue // several entries may lead to one table
		}
		last, seen[at] = at, true
		p := Place{Addr: at + uint64(groups.Offset)}
		data, ok1 := m.number(groups.Type, p, "data")
		mask, ok2 := m.number(groups.Type, p, "lengthMask")
		if !ok1 || !ok2 {
			continue
		}
		if mask >= maxDirectories {
			m.miss(whyLength)
			continue
		}
		m.groups(groups.Type, data, mask+1)
	}
}

// groups reads n groups at an address; ref is the runtime's reference to them.
func (m *table) groups(ref *program.Type, at uint64, n uint64) {
	data := field(ref, "data")
	if data == nil || data.Type.Elem == nil || data.Type.Elem.Size <= 0 {
		m.miss("the debug information does not tell how it is laid out")
		return
	}
	g := data.Type.Elem
	ctrl := field(g, "ctrl")
	if ctrl == nil {
		m.miss("the debug information does not tell how it is laid out")
		return
	}
	for i := range n {
		if m.full() {
			return
		}
		p := Place{Addr: at + i*uint64(g.Size)}
		m.written(p.Addr)
		c, late, why := m.r.load(p.plus(ctrl.Offset), bucketSlots)
		if why != "" {
			m.miss(why)
			return
		}
		m.v.Late = m.v.Late || late
		for k, b := range c {
			if b&ctrlFull == 0 {
				m.slot(g, p, k)
			}
		}
	}
}

// slot reads entry i of a group: an array of pairs, or one of keys and one of
// elements.
func (m *table) slot(g *program.Type, p Place, i int) {
	if pairs := field(g, "slots"); pairs != nil {
		t, at := slot(pairs, p, i, m.r)
		k, v := field(t, "key"), field(t, "elem")
		if k == nil || v == nil {
			m.miss(whyDamaged)
			return
		}
		m.entry(k.Type, v.Type, at.plus(k.Offset), at.plus(v.Offset))
		return
	}
	k, v := field(g, "keys"), field(g, "elems")
	if k == nil || v == nil {
		m.miss("the debug information does not tell how it is laid out")
		return
	}
	kt, kp := slot(k, p, i, m.r)
	vt, vp := slot(v, p, i, m.r)
	m.entry(kt, vt, kp, vp)
}

// untold is 1 of a key of which no byte was taken: it comes behind the others.
func untold(v probe.Value) int {
	if v.Shape == probe.String && v.Truncated && len(v.Data) == 0 {
		return 1
	}
	return 0
}

// sortEntries puts entries in the order of their keys: numbers by value, strings
// by their bytes, others by their text.
func sortEntries(entries []probe.Entry) {
	slices.SortStableFunc(entries, func(x, y probe.Entry) int {
		a, b := x.Key, y.Key
		if m, n := untold(a), untold(b); m != n {
			return m - n
		}
		if a.Shape == b.Shape {
			switch a.Shape {
			case probe.Int:
				return cmp.Compare(a.Int, b.Int)
			case probe.Uint, probe.Pointer:
				return cmp.Compare(a.Uint, b.Uint)
			case probe.Float:
				return cmp.Compare(a.Float, b.Float)
			case probe.String:
				return slices.Compare(a.Data, b.Data)
			}
		}
		return cmp.Compare(a.String(), b.String())
	})
}
