// Command hashed has maps of many kinds of keys in several sizes, with every third
// entry deleted, and asks itself for one key after the other.
package main

import (
	"fmt"
	"math/rand"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

type pair struct{ A, B int32 }

// keys are what the maps are asked for next.
type keys struct {
	Size int // which of the maps
	Want int // their value, 0 if there is none
	S    string
	I    int
	I32  int32
	U32  uint32
	U16  uint16
	I8   int8
	P    *byte
	ID   [16]byte
	Pair pair
	Odd  [3]int32
	Long [100]byte
	Has  bool // of the kinds that have only few values
	Has8 bool
}

// sizes are those of one group, of few, of two maps of Go 1.22 that have just begun
// to grow (at 6.5 entries a bucket, and a third of them deleted), and a large one.
var sizes = [...]int{5, 40, 1.5*6.5*128 + 9, 1.5*6.5*512 + 30, 30_000}

var (
	strs  [5]map[string]int
	ints  [5]map[int]int
	i32s  [5]map[int32]int
	u32s  [5]map[uint32]int
	u16s  [5]map[uint16]int
	i8s   [5]map[int8]int
	ptrs  [5]map[*byte]int
	ids   [5]map[[16]byte]int
	pairs [5]map[pair]int
	odds  [5]map[[3]int32]int
	longs [5]map[[100]byte]int
	now   *keys
	pad   = strings.Repeat("0123456789abcdef", 40)
	bytes [40_000]byte
)

func key(size, i int) *keys {
	n := uint32(i) * 2654435761
	k := &keys{Size: size, S: fmt.Sprint(i, ":", pad[:n%16])}
	if n%4 == 0 {
		k.S = fmt.Sprint(i, ":", pad[:n/16%600])
	}
	if i == 7 {
		k.S = ""
	}
	k.I, k.I32, k.U32, k.U16, k.I8, k.P = int(n)-i<<40, int32(n), n, uint16(i), int8(i), &bytes[i]
	copy(k.ID[3:], k.S)
	copy(k.Long[1:], k.S)
	k.ID[15], k.ID[14], k.ID[13], k.Long[99], k.Long[98], k.Long[97] = byte(i), byte(i>>8), byte(i>>16), byte(i), byte(i>>8), byte(i>>16)
	k.Pair, k.Odd = pair{int32(i), -int32(n)}, [3]int32{int32(i), 5, int32(n)}
	n8, n16 := min(sizes[size], 250), min(sizes[size], 20_000)
	k.Has8, k.Has = i < n8 && i%3 != 0, i < n16 && i%3 != 0
	if i < sizes[size] && i%3 != 0 {
		k.Want = i + 1
	}
	return k
}

func fill[K comparable](size, most int, of func(*keys) K) map[K]int {
	m := map[K]int{}
	n := min(sizes[size], most)
	for i := range n + 6 {
		if i < n {
			m[of(key(size, i))] = i + 1
		}
		if i%3 == 0 && i >= 6 {
			delete(m, of(key(size, i-6)))
		}
	}
	return m
}

//go:noinline
func tick() {}

func main() {
	for z := range sizes {
		const all = 1 << 30
		strs[z] = fill(z, all, func(k *keys) string { return k.S })
		ints[z] = fill(z, all, func(k *keys) int { return k.I })
		i32s[z] = fill(z, all, func(k *keys) int32 { return k.I32 })
		u32s[z] = fill(z, all, func(k *keys) uint32 { return k.U32 })
		u16s[z] = fill(z, 20_000, func(k *keys) uint16 { return k.U16 })
		i8s[z] = fill(z, 250, func(k *keys) int8 { return k.I8 })
		ptrs[z] = fill(z, all, func(k *keys) *byte { return k.P })
		ids[z] = fill(z, all, func(k *keys) [16]byte { return k.ID })
		pairs[z] = fill(z, all, func(k *keys) pair { return k.Pair })
		odds[z] = fill(z, all, func(k *keys) [3]int32 { return k.Odd })
		longs[z] = fill(z, all, func(k *keys) [100]byte { return k.Long })
	}
	fmt.Println("ready")
	for n := 0; ; n++ {
		z := n % len(sizes)
		i := rand.Intn(sizes[z] * 5 / 4)
		atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(&now)), unsafe.Pointer(key(z, i)))
		tick()
		time.Sleep(100 * time.Microsecond)
	}
}
