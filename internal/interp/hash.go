package interp

import (
	"encoding/binary"
	"math/bits"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// hashed tells whether the map's keys are hashed as it is known here.
func (f *finder) hashed() bool {
	h := f.m.Hash
	if h == nil || f.bytes(h.Uses+f.s.Slide, 1)[0] == 0 {
		return false
	}
	closure := f.word(h.Hasher + f.s.Slide)
	return f.word(closure) == h.Func+f.s.Slide && (!h.Varlen || f.word(closure+8) == uint64(f.m.KeySize))
}

// hash is the hash of the key.
func (f *finder) hash() uint64 {
	h := f.m.Hash
	var seed [8]byte
	copy(seed[:], f.bytes(f.at+uint64(h.Seed), int(h.SeedSize)))
	keys := f.bytes(h.Schedule+f.s.Slide, program.ScheduleLen)
	var data []byte
	switch f.m.Key {
	case program.KeyString:
		if f.z > 0 {
			data = f.bytes(f.y, int(f.z))
		}
	case program.KeyMemory:
		data = f.bytes(f.y, int(f.m.KeySize))
	default:
		data = binary.LittleEndian.AppendUint64(nil, f.y)[:f.m.KeySize]
	}
	return Hash(h, binary.LittleEndian.Uint64(seed[:]), data, keys)
}

// Hash is the hash of a key's bytes with a map's seed and a process's round keys.
func Hash(h *program.Hash, seed uint64, data, keys []byte) uint64 {
	if h.Word {
		return hashWord(seed, data, keys)
	}
	return hashBytes(seed, data, keys)
}

// hashWord is memhash32 and memhash64.
func hashWord(seed uint64, data, keys []byte) uint64 {
	var x block
	binary.LittleEndian.PutUint64(x[:], seed)
	copy(x[8:], data)
	for i := range 3 {
		x.round(block(keys[16*i:]))
	}
	return x.low()
}

// hashBytes is memhash and strhash (aeshashbody): lanes of 16 bytes from either end
// of the data, each with a seed of its own.
func hashBytes(seed uint64, data, keys []byte) uint64 {
	var start block
	binary.LittleEndian.PutUint64(start[:], seed)
	for i := 8; i < 16; i += 2 {
		binary.LittleEndian.PutUint16(start[i:], uint16(len(data)))
	}
	lane := func(i int) block {
		x := start
		x.xor(block(keys[16*i:]))
		x.round(x)
		return x
	}
	n := len(data)
	if n == 0 {
		x := lane(0)
		x.round(x)
		return x.low()
	}
	lanes := 8
	switch {
	case n <= 16:
		lanes = 1
		data = append(append([]byte(nil), data...), make([]byte, 16-n)...)
	case n <= 32:
		lanes = 2
	case n <= 64:
		lanes = 4
	}
	var sum block
	for i := range lanes {
		at := len(data) - 16*(lanes-i)
		if n <= 128 && i < lanes/2 {
			at = 16 * i
		}
		x := lane(i)
		x.xor(block(data[at:]))
		for b := 16 * i; n > 128 && b < (n-1)&^127; b += 128 {
			x.round(x)
			x.round(block(data[b:]))
		}
		for range 3 {
			x.round(x)
		}
		sum.xor(x)
	}
	return sum.low()
}

// block is what AES works on: four columns of four bytes.
type block [16]byte

func (x *block) low() uint64 { return binary.LittleEndian.Uint64(x[:]) }

func (x *block) xor(y block) {
	for i := range x {
		x[i] ^= y[i]
	}
}

// round is the instruction AESENC (FIPS 197, section 5.1): ShiftRows, SubBytes,
// MixColumns, AddRoundKey.
func (x *block) round(key block) {
	var s block
	for i := range s {
		s[i] = sbox[x[(i+4*(i%4))%16]]
	}
	for i := range x {
		column := i &^ 3
		at := func(j int) byte { return s[column+(i+j)%4] }
		x[i] = double(at(0)) ^ double(at(1)) ^ at(1) ^ at(2) ^ at(3) ^ key[i]
	}
}

// double is 2·v in AES's field, of 256 numbers modulo x⁸+x⁴+x³+x+1.
func double(v byte) byte { return v<<1 ^ v>>7*0x1b }

// sbox is that of FIPS 197, section 5.1.1: the inverse in the field, then an affine
// map. 3 generates the field: the inverse of 3ⁿ is 3²⁵⁵⁻ⁿ.
var sbox = func() (box [256]byte) {
	var powers [256]byte
	v := byte(1)
	for n := range powers {
		powers[n] = v
		v ^= double(v)
	}
	box[0] = 0x63
	for n := range 255 {
		i := powers[255-n]
		r := func(k int) byte { return bits.RotateLeft8(i, k) }
		box[powers[n]] = i ^ r(1) ^ r(2) ^ r(3) ^ r(4) ^ 0x63
	}
	return box
}()
