package decode

import (
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
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
	at, ok := value.Time(wall.Value.Uint, ext.Value.Int)
	if offset, ok := b.zone(s.Elems, at.Unix()); ok {
		at = at.In(time.FixedZone("", offset))
	}
	if !ok {
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
