package interp

import (
	"bytes"
	"crypto/aes"
	"testing"
)

// TestRoundsAreAES encrypts by the rounds here and by the standard library.
func TestRoundsAreAES(t *testing.T) {
	key := []byte("sixteen byte key")
	want, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		x := block(bytes.Repeat([]byte{byte(37 * i)}, 16))
		x[i%16] ^= byte(i)
		var out block
		want.Encrypt(out[:], x[:])
		if got := encrypt(x, key); got != out {
			t.Fatalf("%x: got %x, want %x", x, got, out)
		}
	}
}

// encrypt is AES-128 by round.
func encrypt(x block, key []byte) block {
	keys := [11]block{block(key)}
	rcon := byte(1)
	for n := 1; n <= 10; n++ {
		last, next := keys[n-1], &keys[n]
		for i := range 16 {
			var v byte
			if i < 4 {
				if v = sbox[last[12+(i+1)%4]]; i == 0 {
					v ^= rcon
				}
			} else {
				v = next[i-4]
			}
			next[i] = v ^ last[i]
		}
		rcon = double(rcon)
	}
	x.xor(keys[0])
	for n := 1; n < 10; n++ {
		x.round(keys[n])
	}
	var s block
	for i := range s { // the last round does not mix columns
		s[i] = sbox[x[(i+4*(i%4))%16]]
	}
	s.xor(keys[10])
	return s
}
