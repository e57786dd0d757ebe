//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// A bay is not used again while a thread may be held up at one of its hops.
func TestHopsAreFoundInTheTable(t *testing.T) {
	code := extent{0x10000, 0x20000}
	raw := make([]byte, 8*ring.TableEntry)
	for i, e := range []Entry{
		{Key: 0x400020, Kind: ring.KindYield}, {Key: 0x10100, Kind: ring.KindYield}, {Key: noKey, Kind: ring.KindYield},
		{Key: 0x400030, Kind: ring.KindTrap}, {Key: 0x400040, Kind: ring.KindFixup}, {Key: 0x500000, Kind: ring.KindYield},
	} {
		binary.LittleEndian.PutUint64(raw[i*ring.TableEntry:], e.Key)
		copy(raw[i*ring.TableEntry+8:], e.bytes())
	}
	want := []extent{{0x400020, 0x400022}, {0x500000, 0x500002}}
	if got := hopsIn(raw, code); !slices.Equal(got, want) {
		t.Errorf("%#x, want %#x", got, want)
	}
}
