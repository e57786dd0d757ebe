package decode

import (
	"encoding/binary"
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// slot is what one slot recorded.
type slot struct {
	status program.Status
	data   []byte // a scalar's Size bytes, a block, or the first bytes of a run
	n      int64  // SlotBytes: how many elements there are
}

// parse cuts a record of site into its slots, as package ring lays them out, and
// what follows them.
func parse(site *program.Site, rec []byte) (slots []slot, rest []byte, err error) {
	c := cursor{rec: rec, at: ring.RecordHeader}
	slots = make([]slot, len(site.Slots))
	for i, b := range c.take(int64(len(slots))) {
		slots[i].status = program.Status(b)
	}
	for i, s := range site.Slots {
		switch s.Kind {
		case program.SlotScalar:
			slots[i].data = c.take(8)
			if s.Size >= 0 && s.Size < int64(len(slots[i].data)) {
				slots[i].data = slots[i].data[:s.Size]
			}
		case program.SlotPlace:
			slots[i].data = c.take(program.PlaceSize)
			slots[i].data = slots[i].data[:min(len(slots[i].data), 8)]
		case program.SlotBlock:
			slots[i].data = c.take(s.Size)
		case program.SlotBytes:
			if b := c.take(8); len(b) == 8 {
				slots[i].n = int64(binary.LittleEndian.Uint64(b))
			}
		}
	}
	for i, s := range site.Slots {
		if s.Kind != program.SlotBytes || slots[i].status != program.StatusOK {
			continue
		}
		n, elem := slots[i].n, max(s.Elem, 1)
		if n < 0 {
			return nil, nil, fmt.Errorf("%w: slot %d has length %d", ErrDamaged, i, n)
		}
		size := s.Max
		if n <= s.Max/elem {
			size = n * elem
		}
		slots[i].data = c.take(size)
	}
	if c.bad {
		return nil, nil, fmt.Errorf("%w: %d bytes are too few for its slots", ErrDamaged, len(rec))
	}
	return slots, rec[c.at:], nil
}

// cursor reads a record from front to back in steps of eight bytes.
type cursor struct {
	rec []byte
	at  int
	bad bool
}

// take returns the next n bytes, and skips what pads them to eight.
func (c *cursor) take(n int64) []byte {
	if c.bad || n < 0 || n > int64(len(c.rec)-c.at) {
		c.bad = true
		return nil
	}
	b := c.rec[c.at : c.at+int(n) : c.at+int(n)]
	c.at = min(c.at+int(n+7)&^7, len(c.rec))
	return b
}
