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

// table is our copy of a bay's table. The entry of a site that traps no more loses
// its key, so that it does not stand before that of a later session; the rest of
// it stays, as a thread may have found it just before. Its place is only used
// again for the same site. Entries of instructions in trampolines are never
// removed: a thread may still be on its way in there.
type table struct {
	index map[uint64]uint64 // key -> place, also of those that lost their key
	used  map[uint64]bool
	traps map[uint64]bool // sites that have their key
}

func newTable() *table {
	return &table{index: make(map[uint64]uint64), used: make(map[uint64]bool), traps: make(map[uint64]bool)}
}

// noKey stands for a key that was taken away: a search goes on behind it, and no
// instruction lies there.
const noKey = 1

// tableMost is how full a table may be: searches stay short.
const tableMost = ring.TableLen * 3 / 4

// put finds the place of an entry, an offset from the start of the table; one with
// the same key is replaced.
func (t *table) put(e Entry) (off uint64, err error) {
	if e.Key <= noKey {
		return 0, fmt.Errorf("a table entry needs a key")
	}
	i, known := t.index[e.Key]
	if !known {
		if len(t.index) >= tableMost {
			return 0, &RefusedError{Code: CodeFull, Message: "the table of sites is full", Cure: "use fewer probes in one command"}
		}
		for i = ring.Hash(e.Key); t.used[i]; i = (i + 1) % ring.TableLen {
		}
		t.index[e.Key], t.used[i] = i, true
	}
	if e.Kind == ring.KindTrap {
		t.traps[e.Key] = true
	}
	return i * ring.TableEntry, nil
}

// drop says where to write noKey for a site that traps no more.
func (t *table) drop(site uint64) (off uint64, ok bool) {
	if !t.traps[site] {
		return 0, false
	}
	delete(t.traps, site)
	return t.index[site] * ring.TableEntry, true
}

// bytes of an entry without its key, which is written last.
func (e Entry) bytes() []byte {
	b := binary.LittleEndian.AppendUint64(nil, e.Target)
	b = binary.LittleEndian.AppendUint64(b, e.Kind)
	return binary.LittleEndian.AppendUint64(b, e.Counter)
}

// trapPlaces lists the offsets of all entries of sites in a table as it was read.
func trapPlaces(raw []byte) (offs []uint64) {
	for off := 0; off+ring.TableEntry <= len(raw); off += ring.TableEntry {
		key := binary.LittleEndian.Uint64(raw[off:])
		if key > noKey && binary.LittleEndian.Uint64(raw[off+16:]) == ring.KindTrap {
			offs = append(offs, uint64(off))
		}
	}
	return offs
}
