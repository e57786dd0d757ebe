package debuginfo

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"unsafe"

	"github.com/sidelight-dev/sidelight/internal/cache"
)

// keptPart is a part that a cache has, with so many bits of the cache's copy
// turned.
func keptPart(t *testing.T, data string, turned int, rnd *rand.Rand) *part {
	t.Helper()
	dir := cache.New(t.TempDir(), cache.DefaultMax)
	if err := dir.Store("key", []cache.Block{{Name: "x", Data: []byte(data)}}); err != nil {
		t.Fatal(err)
	}
	file := cachedFile(t, dir)
	image, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for range turned {
		image[len(image)-1-rnd.IntN(len(data))] ^= 1 << rnd.IntN(8)
	}
	replace(t, file, image)
	return &part{kept: dir.Load("key").Block("x"), spoil: func() {}, make: func() (string, error) { return data, nil }}
}

// TestPartReadsAsTheWhole reads parts out of caches, sound and damaged, as decoders
// do, beside the same bytes in one piece.
func TestPartReadsAsTheWhole(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		raw := make([]byte, 1+rnd.IntN(100_000))
		for i := range raw {
			if raw[i] = byte(rnd.Uint32()); rnd.IntN(1+round) > 0 {
				raw[i] |= 0x80 // long numbers, long texts
			}
		}
		data := unsafe.String(&raw[0], len(raw))
		p := keptPart(t, data, round%4, rnd)
		for range 50 {
			end := rnd.IntN(len(data) + 1)
			off := rnd.IntN(end + 1)
			a, b := p.within(uint64(off), uint64(end)), buf{data: data[:end], off: off}
			for range 40 {
				if x, y := step(&a, &b, rnd); x != y {
					t.Fatalf("round %d: %s from the cache, %s from the whole", round, x, y)
				}
				if a.bad {
					break
				}
			}
		}
		if got, err := p.all(); err != nil || got != data || p.size() != len(data) {
			t.Fatal("all of it is something else", err)
		}
	}
}

// step reads one thing from both.
func step(a, b *buf, rnd *rand.Rand) (string, string) {
	kind, n := rnd.IntN(9), rnd.IntN(40_000)
	one := func(r *buf) string {
		var v any
		switch kind {
		case 0:
			v = r.u8()
		case 1:
			v = r.u16()
		case 2:
			v = r.u64()
		case 3:
			v = r.uleb()
		case 4:
			v = r.sleb()
		case 5:
			v = r.cstr()
		case 6:
			v = r.bytes(uint64(n % 200))
		case 7:
			r.skip(uint64(n))
		case 8:
			if n <= r.left() {
				r.off += n
			}
		}
		return fmt.Sprint(kind, v, r.bad, r.bad || r.more(), r.bad || r.left() == 0)
	}
	return one(a), one(b)
}

func TestTables(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 200 {
		byName, byKey := map[string][]uint64{}, map[uint64]uint64{}
		var ns []named
		var list []number
		for range rnd.IntN(1 + round) {
			name, v := fmt.Sprintf("%x", rnd.IntN(64)), rnd.Uint32()
			if rnd.IntN(20) == 0 {
				name = ""
			}
			ns, byName[name] = append(ns, named{name, v}), append(byName[name], uint64(v))
			if key := rnd.Uint64() >> (rnd.IntN(7) * 8); byKey[key] == 0 {
				list, byKey[key] = append(list, number{key, v | 1}), uint64(v|1)
			}
		}
		for _, values := range byName {
			slices.Sort(values)
		}
		x, y := namesIn(partOf(packNames(ns))), numbers{partOf(packNumbers(list))}
		for i := range 70 {
			name := fmt.Sprintf("%x", i)
			if i == 69 {
				name = ""
			}
			var got []uint64
			for v := range x.of(name) {
				got = append(got, v)
			}
			if fmt.Sprint(got) != fmt.Sprint(byName[name]) {
				t.Fatalf("%q: %d, want %d", name, got, byName[name])
			}
		}
		n := 0
		for name := range x.all() {
			if x.name(n) != name {
				t.Fatalf("name %d is %q and %q", n, name, x.name(n))
			}
			n++
		}
		if n != len(ns) || y.len() != len(byKey) {
			t.Fatalf("%d of %d names, %d of %d numbers", n, len(ns), y.len(), len(byKey))
		}
		for key, v := range byKey {
			if got, ok := y.get(key); !ok || got != v {
				t.Fatalf("%#x: %d, want %d", key, got, v)
			}
			if _, ok := y.get(key + 1); ok != (byKey[key+1] != 0) {
				t.Fatalf("%#x is there and is not", key+1)
			}
		}
	}
}

// FuzzTables reads tables that nobody packed: whatever they say, it ends.
func FuzzTables(f *testing.F) {
	f.Add([]byte(packNames([]named{{"a", 1}, {"b", 2}})), "b")
	f.Add([]byte{255, 255, 255, 255, 0, 0}, "")
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		x := namesIn(partOf(string(data)))
		for range x.all() {
		}
		for range x.of(name) {
		}
		y := numbers{partOf(string(data))}
		for range y.all() {
		}
		y.get(uint64(len(name)))
		u := unpack{partOf(string(data)).at(0)}
		for range u.count() {
			u.text()
		}
		_, _ = unpackSequences(partOf(string(data)).at(0))
	})
}
