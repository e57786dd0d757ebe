package decode

import (
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// How time.Time keeps a time, the same in Go 1.9 to 1.26 (src/time/time.go):
// with its top bit set, wall has 33 bits of seconds since 1885 and 30 bits of
// nanoseconds; else ext has the seconds since the year 1.
const (
	timeMonotonic  = 1 << 63
	timeNanoBits   = 30
	timeSecondBits = 33
	year1885       = 59453308800 // seconds since the year 1
	year1970       = 62135596800
)

// timeText makes of the fields of a time.Time the text that Go's JSON has for
// it: in its location, where what that says of the very second was recorded, else
// in UTC. ok is false if it is none, or cannot be read.
func (b *builder) timeText(s *program.Shape, fields []probe.NamedValue) (v probe.Value, ok bool) {
	t := s.Type
	if t == nil || t.Name != "time.Time" || len(fields) < 2 {
		return v, false
	}
	wall, ext := fields[0], fields[1]
	if wall.Name != "wall" || wall.Value.Shape != probe.Uint || ext.Name != "ext" || ext.Value.Shape != probe.Int {
		return v, false
	}
	w := wall.Value.Uint
	seconds, nanos := ext.Value.Int, int64(w&(1<<timeNanoBits-1))
	if w&timeMonotonic != 0 {
		seconds = year1885 + int64(w>>timeNanoBits&(1<<timeSecondBits-1))
	}
	at := time.Unix(seconds-year1970, nanos).UTC()
	if offset, ok := b.zone(s.Elems, at.Unix()); ok {
		at = at.In(time.FixedZone("", offset))
	}
	if at.Year() < 0 || at.Year() > 9999 {
		return v, false
	}
	text := at.Format(time.RFC3339Nano)
	return probe.Value{Shape: probe.String, Type: t.Name, Data: []byte(text), Len: int64(len(text))}, true
}

// maxOffset is more than any place on earth is ahead of UTC, in seconds.
const maxOffset = 24 * 60 * 60

// zone is how far the location of a time is ahead of UTC at a second.
func (b *builder) zone(parts []program.Shape, second int64) (offset int, ok bool) {
	if len(parts) <= program.TimeOffset {
		return 0, false
	}
	var v [program.TimeOffset + 1]int64
	for i := range v {
		u, why := b.word(parts[i].Slot, 0)
		if why != "" {
			return 0, false
		}
		v[i] = int64(u)
	}
	in := v[program.TimeStart] <= second && second < v[program.TimeEnd]
	return int(v[program.TimeOffset]), in && v[program.TimeOffset] > -maxOffset && v[program.TimeOffset] < maxOffset
}
