package cache

import (
	"encoding/binary"
	"hash/crc32"
	"sync/atomic"
)

// chunk is how much of a block one checksum is of, in bytes: four pages are read
// in less time than it takes to find out which part of them is needed.
const chunk = 16 << 10

func chunks(size uint64) uint64 { return (size + chunk - 1) / chunk }

// sumUp are the checksums of the chunks of a block, four bytes each.
func sumUp(data []byte) string {
	var sums []byte
	for len(data) > 0 {
		n := min(len(data), chunk)
		sums = binary.LittleEndian.AppendUint32(sums, crc32.Checksum(data[:n], castagnoli))
		data = data[n:]
	}
	return string(sums)
}

// Kept is a block as it comes out of a cache. It may be used concurrently.
type Kept struct {
	data []byte
	sums string        // of the chunks
	good []atomic.Bool // chunks whose sums were found right
}

func newKept(data []byte, sums string) *Kept {
	return &Kept{data: data, sums: sums, good: make([]atomic.Bool, chunks(uint64(len(data))))}
}

// Len is how many bytes there are.
func (k *Kept) Len() int { return len(k.data) }

// Upto is the block from its beginning to at least off+n, which must be within
// it. The bytes from off on are those that were stored; ok is false where they
// are damaged. Those before off may be damaged all the same: nobody looked.
// What it returns must not be changed.
func (k *Kept) Upto(off, n int) (data []byte, ok bool) {
	end := off
	for i := off / chunk; i*chunk < off+n; i++ {
		end = min((i+1)*chunk, len(k.data))
		if k.good[i].Load() {
			continue
		}
		if crc32.Checksum(k.data[i*chunk:end], castagnoli) != binary.LittleEndian.Uint32([]byte(k.sums[4*i:4*i+4])) {
			return nil, false
		}
		k.good[i].Store(true)
	}
	return k.data[:end:end], true
}
