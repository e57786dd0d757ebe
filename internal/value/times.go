package value

import (
	"encoding/binary"
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

// Time is the time, in UTC, of a time.Time's first two fields; ok is false where
// it is so far away that it has no usual text.
func Time(wall uint64, ext int64) (at time.Time, ok bool) {
	if wall&timeMonotonic != 0 {
		ext = year1885 + int64(wall>>timeNanoBits&(1<<timeSecondBits-1))
	}
	at = time.Unix(ext-year1970, int64(wall&(1<<timeNanoBits-1))).UTC()
	return at, at.Year() >= 0 && at.Year() <= 9999
}

// time reads a time.Time in its location, where what the location says of that
// very second is known, and in UTC else.
func (r *Reader) time(t *program.Type, p Place) (probe.Value, bool) {
	wall, late, ok1 := r.number(t, p, "wall")
	ext, _, ok2 := r.number(t, p, "ext")
	loc, _, ok3 := r.number(t, p, "loc")
	if !ok1 || !ok2 || !ok3 {
		return probe.Value{}, false
	}
	at, ok := Time(wall, int64(ext))
	if !ok {
		return probe.Value{}, false
	}
	v := probe.Value{Shape: probe.Literal, Text: at.Format(time.RFC3339Nano), Late: late}
	if loc != 0 {
		lt, lp, _ := part(t, p, "loc")
		r.locate(&v, at, lt.Elem, lp, loc)
	}
	return v, true
}

// locate puts a time into its location. A snapshot does not copy the tables of
// locations: they are read after the hit. What time.Local is made of lives as
// long as the program and never changes once it was made, so that a time there
// is of the hit all the same.
func (r *Reader) locate(v *probe.Value, at time.Time, t *program.Type, from Place, loc uint64) {
	from0, late0, rest := r.from, r.late, r.rest.on
	local, known := r.local()
	known = known && local == loc
	r.from, r.late, r.rest.on = from, r.cfg.Late != nil && (known || !r.cfg.Past), false
	defer func() { r.from, r.late, r.rest.on = from0, late0, rest }()
	p := Place{Addr: loc}
	_, np, ok := part(t, p, "name")
	if !ok {
		return
	}
	name := r.text(np)
	if known {
		name.Late = false
	}
	if name.Shape != probe.String || name.Truncated {
		v.Note = "in UTC; its location was not copied"
		return
	}
	if string(name.Data) == "UTC" {
		return
	}
	offset, late, ok := r.zone(t, p, at.Unix())
	if !ok {
		v.Text += space(name.Data)
		v.Note = "in UTC; what its location made of it was not copied"
		if known && len(name.Data) == 0 {
			v.Note = "in UTC; the program has not asked yet what its local time is"
		}
		return
	}
	v.Text = at.In(time.FixedZone("", offset)).Format(time.RFC3339Nano) + space(name.Data)
	v.Late = v.Late || (late || name.Late) && !known
}

// location reads a time.Location as what its String method returns: its name.
// That of time.Local it has once the program asked for its local time.
func (r *Reader) location(t *program.Type, p Place) (probe.Value, bool) {
	_, np, ok := part(t, p, "name")
	if !ok {
		return probe.Value{}, false
	}
	name := r.text(np)
	text := string(name.Data)
	if local, known := r.local(); known && local == p.Addr {
		text = "Local"
	}
	if name.Shape != probe.String || name.Truncated || text == "" {
		return probe.Value{}, false
	}
	return literal(text, name.Late)
}

// space puts a space before a name, if there is one.
func space(name []byte) string {
	if len(name) == 0 {
		return ""
	}
	return " " + string(name)
}

// local is the address of time.Local's location.
func (r *Reader) local() (uint64, bool) {
	if r.cfg.Global == nil {
		return 0, false
	}
	return r.cfg.Global("time.localLoc")
}

// zone is a location's offset from UTC at a second, as time.Location.lookup
// finds it; what was before its table of changes it does not tell.
func (r *Reader) zone(t *program.Type, p Place, sec int64) (offset int, late, ok bool) {
	start, l1, ok1 := r.number(t, p, "cacheStart")
	end, l2, ok2 := r.number(t, p, "cacheEnd")
	cached, l3, ok3 := r.number(t, p, "cacheZone")
	zt, zp, ok4 := part(t, p, "zone")
	tt, tp, ok5 := part(t, p, "tx")
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return 0, false, false
	}
	if cached != 0 && int64(start) <= sec && sec < int64(end) {
		u, l, ok := r.number(zt.Elem, Place{Addr: cached}, "offset")
		return int(int64(u)), l1 || l2 || l3 || l, ok
	}
	zones, n, _, why := r.header(zp)
	if why != "" || zt.Elem == nil || tt.Elem == nil {
		return 0, false, false
	}
	index, last, late, ok := r.change(tt.Elem, tp, sec)
	if !ok || int64(index) >= n {
		return 0, false, false
	}
	if last {
		_, ep, _ := part(t, p, "extend")
		rule := r.text(ep)
		if rule.Shape != probe.String || rule.Truncated {
			return 0, false, false
		}
		late = late || rule.Late
		if offset, ok = ruled(string(rule.Data), sec); ok {
			return offset, late, true
		}
	}
	u, l, ok := r.number(zt.Elem, Place{Addr: zones + index*uint64(zt.Elem.Size)}, "offset")
	return int(int64(u)), late || l, ok
}

// ruled is what a location's rule for the time after its last change says of a
// second: a TZ string of POSIX, such as EST5EDT,M3.2.0,M11.1.0. Package time
// reads one where the data of a zone end in it, so it gets data that have nothing
// else (RFC 9636): one change, long ago.
func ruled(rule string, sec int64) (offset int, ok bool) {
	if rule == "" {
		return 0, false
	}
	const changes, zones, letters = 1, 1, 4
	head := func(changes byte) []byte {
		h := append([]byte("TZif2"), make([]byte, 39)...)
		h[35], h[39], h[43] = changes, zones, letters
		return h
	}
	zone := make([]byte, 6+letters)
	data := append(head(0), zone...)
	data = append(data, head(changes)...)
	data = binary.BigEndian.AppendUint64(data, 1<<63)
	data = append(append(data, 0), zone...)
	data = append(data, "\n"+rule+"\n"...)
	loc, err := time.LoadLocationFromTZData("", data)
	if err != nil {
		return 0, false
	}
	name, offset := time.Unix(sec, 0).In(loc).Zone()
	return offset, name != "" // the one change has no name: then the rule is none
}

// change is the index of the zone that holds since the last change before sec;
// last says that the table has none after it.
func (r *Reader) change(t *program.Type, p Place, sec int64) (index uint64, last, late, ok bool) {
	tx, n, _, why := r.header(p)
	if why != "" || t.Size <= 0 || n > 1<<16 {
		return 0, false, false, false
	}
	if n == 0 {
		return 0, false, false, true
	}
	lo, hi := int64(0), n
	when := func(i int64) (int64, bool) {
		u, l, ok := r.number(t, Place{Addr: tx + uint64(i*t.Size)}, "when")
		late = late || l
		return int64(u), ok
	}
	if first, ok := when(0); !ok || sec < first {
		return 0, false, late, false
	}
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		w, ok := when(mid)
		if !ok {
			return 0, false, late, false
		}
		if sec < w {
			hi = mid
		} else {
			lo = mid
		}
	}
	u, l, ok := r.number(t, Place{Addr: tx + uint64(lo*t.Size)}, "index")
	return u, lo == n-1, late || l, ok
}
