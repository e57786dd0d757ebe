//go:build linux && amd64

package inject

import (
	"bytes"
	"errors"
	"testing"
)

// TestProtocolHoldsOverRetries lets every barrier of a change fail once, tries
// again, and checks that no tail is written while a core may still run the old
// instruction, and no first byte while one may still see the old tail.
func TestProtocolHoldsOverRetries(t *testing.T) {
	orig := []byte{0x48, 1, 2, 3, 4}
	jump := []byte{0xE9, 5, 6, 7, 8}
	for _, c := range []struct{ from, to []byte }{{orig, jump}, {jump, orig}, {[]byte{int3, 1, 2, 3, 4}, orig}} {
		for fails := range 4 {
			checkProtocol(t, c.from, c.to, fails)
		}
	}
}

func checkProtocol(t *testing.T, from, to []byte, fails int) {
	t.Helper()
	text := bytes.Clone(from)
	stale := false // has anything been written since the last barrier
	barriers := 0
	write := func(b []byte, addr uint64) error {
		if stale {
			t.Errorf("% x to % x, barrier %d fails: % x written at +%d before a barrier", from, to, fails, b, addr)
		}
		if addr > 0 && text[0] != int3 {
			t.Errorf("% x to % x: a tail written behind % x", from, to, text[0])
		}
		copy(text[addr:], b)
		stale = true
		return nil
	}
	barrier := func() error {
		if barriers++; barriers == fails+1 {
			return ErrBusy
		}
		stale = false
		return nil
	}
	edits := []textEdit{{0, bytes.Clone(from), to}}
	for range 2 {
		err := protocol(edits, write, barrier)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
	}
	if stale || !bytes.Equal(text, to) || !bytes.Equal(edits[0].now, to) {
		t.Errorf("% x to % x, barrier %d fails: % x, stale %v", from, to, fails, text, stale)
	}
}

func TestWrote(t *testing.T) {
	const base, site = 0x20000000, 0x20800ffd // the site spans two pages
	orig := []byte{0x90, 1, 2, 3, 4}
	into := jumpBytes(site, base+0x5000)
	away := jumpBytes(site, 0x123456)
	with := func(first byte, b []byte) []byte { return append([]byte{first}, b[1:]...) }
	for _, c := range []struct {
		name string
		now  []byte
		want bool
	}{
		{"trap", with(int3, orig), true},
		{"jump to us", into, true},
		{"trap before our tail", with(int3, into), true},
		{"trap before half of our tail", []byte{int3, into[1], into[2], 3, 4}, true},
		{"trap before the other half", []byte{int3, 1, 2, into[3], into[4]}, true},
		{"jump elsewhere", away, false},
		{"trap before a tail of others", with(int3, []byte{0, 7, 7, 7, 7}), false},
		{"jump before the original tail", with(0xE9, orig), false},
		{"short jump elsewhere", []byte{0xEB, 0x10, 2, 3, 4}, false},
		{"another instruction", with(0xC3, orig), false},
	} {
		j := journalEntry{site, orig}
		info := BayInfo{Base: base, journal: []journalEntry{j}}
		if got := info.wrote(j, c.now); got != c.want {
			t.Errorf("%s: % x ours: %v", c.name, c.now, got)
		}
	}
}

func jumpBytes(from, to uint64) []byte {
	e := &emitter{at: from}
	e.put(0xE9)
	e.rel(to, 0)
	return e.code
}
