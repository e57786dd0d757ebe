package compile

import "github.com/sidelight-dev/sidelight/internal/program"

// zoneLater leaves room for what the location of a time.Time made last of some
// time: from when to when it holds, and the seconds that it is ahead of UTC. It is
// recorded with what the other values of the hit leave.
func (r *recorder) zoneLater(t *program.Type, p place, guard *program.Node) []program.Shape {
	loc := field(t, "loc")
	where := pointee(loc, 1)
	start, end, cached := field(where, "cacheStart"), field(where, "cacheEnd"), field(where, "cacheZone")
	offset := field(pointee(cached, 1), "offset")
	if start == nil || end == nil || offset == nil {
		return nil
	}
	at, why := within(p, loc.Offset).scalar(0, program.U64)
	if why != "" {
		return nil
	}
	parts := make([]program.Shape, program.TimeOffset+1)
	for i := range parts {
		parts[i] = bad(typeUint64, whyTooLarge)
	}
	r.later = append(r.later, func() {
		at := nonNil(at)
		zone := nonNil(load(program.U64, at, cached.Offset))
		_ = r.put(parts, program.TimeStart, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: load(program.I64, at, start.Offset), Size: 8}) &&
			r.put(parts, program.TimeEnd, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: load(program.I64, at, end.Offset), Size: 8}) &&
			r.put(parts, program.TimeOffset, program.Slot{Kind: program.SlotScalar, Guard: guard, Node: load(program.I64, zone, offset.Offset), Size: 8})
	})
	return parts
}
