package debuginfo

import (
	"cmp"
	"iter"
	"slices"
)

// table finds DIEs by a key: by a map where .debug_info was just passed over, by
// a sorted list where that came from a cache, which is quicker to read than a
// map is to make.
type table[K cmp.Ordered] struct {
	m    map[K]uint64
	list []keyed[K]
}

type keyed[K cmp.Ordered] struct {
	key K
	die uint64
}

func (t *table[K]) get(key K) (die uint64, ok bool) {
	if t.m != nil {
		die, ok = t.m[key]
		return die, ok
	}
	i, ok := slices.BinarySearchFunc(t.list, key, func(e keyed[K], key K) int { return cmp.Compare(e.key, key) })
	if !ok {
		return 0, false
	}
	return t.list[i].die, true
}

func (t *table[K]) put(key K, die uint64) {
	if t.m == nil {
		t.m = map[K]uint64{}
	}
	t.m[key] = die
}

func (t *table[K]) len() int { return max(len(t.m), len(t.list)) }

// all are the keys with their DIEs, in no order.
func (t *table[K]) all() iter.Seq2[K, uint64] {
	return func(yield func(K, uint64) bool) {
		for key, die := range t.m {
			if !yield(key, die) {
				return
			}
		}
		for _, e := range t.list {
			if !yield(e.key, e.die) {
				return
			}
		}
	}
}

// sorted is the table as a list.
func (t *table[K]) sorted() []keyed[K] {
	if t.m == nil {
		return t.list
	}
	list := make([]keyed[K], 0, len(t.m))
	for key, die := range t.m {
		list = append(list, keyed[K]{key, die})
	}
	slices.SortFunc(list, func(a, b keyed[K]) int { return cmp.Compare(a.key, b.key) })
	return list
}

// ordered tells whether a list can be searched.
func ordered[K cmp.Ordered](list []keyed[K]) bool {
	return slices.IsSortedFunc(list, func(a, b keyed[K]) int { return cmp.Compare(a.key, b.key) })
}
