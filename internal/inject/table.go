package inject

import (
	"encoding/binary"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Entry is one entry of a bay's table: what the handlers do about a trap or a
// fault at Key. See ring.
type Entry struct {
	Key, Target uint64
	Kind        uint64
	Counter     uint64 // address, 0 for none
}

// table is our copy of a bay's table. Entries are never removed: a thread may
// still be on its way in a trampoline that nothing leads to any more.
type table struct {
	keys map[uint64]uint64 // key -> index
	used map[uint64]bool
}

func newTable() *table {
	return &table{keys: make(map[uint64]uint64), used: make(map[uint64]bool)}
}

// fullness of the table at which it takes no more: searches stay short.
const tableMost = ring.TableLen * 3 / 4

// put finds the place of an entry; one with the same key is replaced.
func (t *table) put(e Entry) (off uint64, b []byte, err error) {
	if e.Key == 0 {
		return 0, nil, fmt.Errorf("a table entry needs a key")
	}
	i, known := t.keys[e.Key]
	if !known {
		if len(t.keys) >= tableMost {
			return 0, nil, &RefusedError{Code: CodeFull, Message: "the table of sites is full", Cure: "use fewer probes in one command"}
		}
		for i = ring.Hash(e.Key); t.used[i]; i = (i + 1) % ring.TableLen {
		}
		t.keys[e.Key], t.used[i] = i, true
	}
	b = binary.LittleEndian.AppendUint64(nil, e.Key)
	b = binary.LittleEndian.AppendUint64(b, e.Target)
	b = binary.LittleEndian.AppendUint64(b, e.Kind)
	b = binary.LittleEndian.AppendUint64(b, e.Counter)
	return i * ring.TableEntry, b, nil
}
