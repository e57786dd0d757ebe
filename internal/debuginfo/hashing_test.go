package debuginfo

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestHashing knows the hash functions of every release, in every way of building.
func TestHashing(t *testing.T) {
	eachWay(t, func(t *testing.T, b *Build, o testprog.Options) {
		h, err := b.Hashing()
		if err != nil {
			t.Fatal(err)
		}
		for name, addr := range map[string]uint64{"runtime.useAeshash": h.Uses, "runtime.aeskeysched": h.Schedule} {
			if g, ok := b.Global(name); !ok || g.Addr != addr {
				t.Errorf("%s is at %#x by the code, %+v by the debug information", name, addr, g)
			}
		}
		for _, name := range []string{"strhash", "memhash32", "memhash64"} {
			if addr, ok := b.Symbol("runtime." + name); !ok || addr != h.Funcs[name] {
				t.Errorf("%s: %#x, %#x", name, h.Funcs[name], addr)
			}
		}
	})
}
