package engine

import (
	"encoding/binary"
	"math"
	"math/big"
	"reflect"
	"slices"
	"sort"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// sums reads what probes have added up in the target.
type sums struct {
	mem     []byte
	region  *ring.Aggregates
	plan    *plan
	last    [][]lately // by probe and P
	rows    []map[uint64]*rowSums
	open    []uint64      // calls under way, by probe,
	counted time.Time     // when they were counted
	gone    []probe.Calls // by probe: those that were found to be gone from outside
	broken  []uint64      // by probe: snapshots of calls that made no sense
	buckets []uint64      // room to add up in
}

// lately is when a P was last seen to have added anything.
type lately struct {
	count uint64
	when  uint64 // the number of the look; 0 never
}

// rowSums are the buckets of one row, whose counters wrap.
type rowSums struct {
	positive, negative []uint64   // all Ps together
	seen               [][]uint32 // by P: the counters as they were, positive and then negative
	counts             []uint64   // by P: the count when that was
}

func newSums(mem []byte, region *ring.Aggregates, p *plan) *sums {
	s := &sums{mem: mem, region: region, plan: p, last: make([][]lately, len(p.probes)), rows: make([]map[uint64]*rowSums, len(p.probes)),
		gone: make([]probe.Calls, len(p.probes)), broken: make([]uint64, len(p.probes)), buckets: make([]uint64, ring.MainBuckets)}
	for i := range s.last {
		s.last[i] = make([]lately, region.Ps)
		s.rows[i] = map[uint64]*rowSums{}
	}
	return s
}

// needs is what the probes of a plan aggregate; nil if none does.
func (p *plan) needs() []ring.Need {
	needs := make([]ring.Need, len(p.probes))
	any := false
	for i, pl := range p.probes {
		if pl.program == nil || pl.program.Aggregate == nil {
			continue
		}
		a := pl.program.Aggregate
		needs[i] = ring.Need{Hist: a.Hist, Signed: a.Hist && !a.Pair && a.Number != program.U64, By: a.By != nil, Pair: a.Pair, Stage: pl.stage()}
		any = true
	}
	if !any {
		return nil
	}
	return needs
}

func (s *sums) word(off uint64) uint64 { return ring.WordAt(s.mem, off) }

// look notes which Ps have added anything since the last look, so that the last
// number is one of the latest.
func (s *sums) look(number uint64) {
	for i, p := range s.region.Probes {
		if !p.Hist || p.By {
			continue
		}
		for ps := range s.region.Ps {
			l := &s.last[i][ps]
			if n := s.word(s.region.AreaOf(i, ps) + ring.DistCount); n != l.count {
				l.count, l.when = n, number
			}
		}
	}
}

// advance adds up the differences of the wrapping counters of rows.
func (s *sums) advance() {
	for i, p := range s.region.Probes {
		if !p.Hist || !p.By {
			continue
		}
		for _, row := range s.used(i) {
			r := s.rows[i][row]
			if r == nil {
				r = &rowSums{positive: make([]uint64, ring.RowBuckets), negative: make([]uint64, ring.NegBuckets),
					seen: make([][]uint32, s.region.Ps), counts: make([]uint64, s.region.Ps)}
				s.rows[i][row] = r
			}
			for ps := range s.region.Ps {
				s.advanceRow(r, ps, s.rowAt(i, ps, row))
			}
		}
	}
}

func (s *sums) advanceRow(r *rowSums, ps int, at uint64) {
	n := s.word(at + ring.DistCount)
	if n == r.counts[ps] {
		return
	}
	r.counts[ps] = n
	if r.seen[ps] == nil {
		r.seen[ps] = make([]uint32, ring.RowBuckets+ring.NegBuckets)
	}
	for b := range r.seen[ps] {
		off, to := at+ring.RowPositive+uint64(4*b), r.positive
		k := b
		if b >= ring.RowBuckets {
			off, to, k = at+ring.RowNegative+uint64(4*(b-ring.RowBuckets)), r.negative, b-ring.RowBuckets
		}
		now := binary.LittleEndian.Uint32(s.mem[off:])
		to[k] += uint64(now - r.seen[ps][b])
		r.seen[ps][b] = now
	}
}

// rowAt is where a row with a histogram begins.
func (s *sums) rowAt(probe, ps int, row uint64) uint64 {
	return s.region.AreaOf(probe, ps) + s.region.Probes[probe].Rows + row<<ring.RowShift
}

// used are the rows that are in use.
func (s *sums) used(probe int) []uint64 {
	n := min(s.word(s.region.Probes[probe].Keys+ring.KeyNext), ring.KeysMax)
	rows := make([]uint64, 0, n+2)
	for row := range n {
		rows = append(rows, row)
	}
	return append(rows, ring.RowOther, ring.RowUnreadable)
}

// distribution is the merged distribution of a probe without keys.
func (s *sums) distribution(i int) probe.Distribution {
	a := s.plan.probes[i].program.Aggregate
	m := newMerge(a)
	latest := uint64(0)
	positive := s.buckets // hundreds of timers are told of every second
	clear(positive)
	for ps := range s.region.Ps {
		n := ring.NumbersAt(s.mem, s.region.AreaOf(i, ps))
		if in := s.addMain(positive, i, ps, ring.AreaPositive); s.region.Probes[i].Late() {
			n.Settle(in, positive)
		}
		when := s.last[i][ps].when
		if a.Pair {
			when = n.LastTSC
		}
		m.add(n, n.Count > 0 && when >= latest)
		if n.Count > 0 {
			latest = max(latest, when)
		}
	}
	m.buckets(positive, s.main(i, ring.AreaNegative), ring.MainScale, ring.MainScale)
	return m.done()
}

// main sums the main buckets of a sign over all Ps; nil if the probe has none.
func (s *sums) main(i int, off uint64) []uint64 {
	if off == ring.AreaNegative && !s.region.Probes[i].Signed {
		return nil
	}
	out := make([]uint64, ring.MainBuckets)
	for ps := range s.region.Ps {
		s.addMain(out, i, ps, off)
	}
	return out
}

// addMain adds the main buckets of a sign on one P, and tells how many numbers they
// hold.
func (s *sums) addMain(to []uint64, i, ps int, off uint64) (in uint64) {
	at := s.region.AreaOf(i, ps) + off
	for b, end := s.filled(i, ps); b < end; b++ {
		n := s.word(at + uint64(8*b))
		to[b] += n
		in += n
	}
	return in
}

// filled is where the main buckets of a probe on a P can hold anything: of times, whose
// least and greatest are known, a few of the thousands.
func (s *sums) filled(i, ps int) (from, end int) {
	if !s.region.Probes[i].Pair || s.region.Probes[i].By {
		return 0, ring.MainBuckets
	}
	n := ring.NumbersAt(s.mem, s.region.AreaOf(i, ps))
	low, high := math.Float64frombits(n.Min), math.Float64frombits(n.Max)
	switch {
	case n.Count == 0:
		return 0, 0
	case !(low > 0 && high >= low): // a first call is just coming in
		return 0, ring.MainBuckets
	}
	return max(0, ring.Bucket(low)), min(ring.MainBuckets, ring.Bucket(high)+1)
}

// byKey is what was added up by key, and the distribution of all rows together.
func (s *sums) byKey(i int) (*probe.Rows, probe.Distribution) {
	pl := s.plan.probes[i]
	a, hist := pl.program.Aggregate, s.region.Probes[i].Hist
	rows := &probe.Rows{Expr: pl.spec.By}
	all := newMerge(a)
	if hist {
		s.advance()
	}
	for _, row := range s.used(i) {
		r := probe.Row{}
		if hist {
			d := s.row(i, row, all)
			r.Count, r.Dist = d.Count+d.NaN+d.Inf, &d
		} else {
			for ps := range s.region.Ps {
				r.Count += s.word(s.region.AreaOf(i, ps) + s.region.Probes[i].Rows + row<<ring.CountRowShift)
			}
		}
		switch row {
		case ring.RowOther:
			rows.Other = r
		case ring.RowUnreadable:
			rows.Unreadable = r
		default:
			if r.Count == 0 {
				continue // its first hit is under way
			}
			r.Key = s.key(i, row)
			rows.Rows = append(rows.Rows, r)
		}
	}
	sort.SliceStable(rows.Rows, func(x, y int) bool { return rows.Rows[x].Count > rows.Rows[y].Count })
	if hist {
		for ps := range s.region.Ps {
			all.d.Unreadable += s.word(s.region.AreaOf(i, ps) + ring.DistUnreadable)
		}
		all.buckets(s.main(i, ring.AreaPositive), s.main(i, ring.AreaNegative), ring.MainScale, ring.MainScale)
	}
	return rows, all.done()
}

// row is the distribution of one row, which is also added to all.
func (s *sums) row(i int, row uint64, all *merge) probe.Distribution {
	m := newMerge(s.plan.probes[i].program.Aggregate)
	latest := uint64(0)
	for ps := range s.region.Ps {
		n := ring.NumbersAt(s.mem, s.rowAt(i, ps, row))
		m.add(n, n.Count > 0 && n.LastTSC >= latest)
		all.add(n, n.Count > 0 && n.LastTSC >= all.latest)
		if n.Count > 0 {
			latest, all.latest = max(latest, n.LastTSC), max(all.latest, n.LastTSC)
		}
	}
	if r := s.rows[i][row]; r != nil {
		m.buckets(r.positive, r.negative, ring.RowScale, ring.NegScale)
	}
	return m.done()
}

// key is the key of a row as a value.
func (s *sums) key(i int, row uint64) probe.Value {
	p := s.region.Probes[i]
	t := s.plan.probes[i].program.Aggregate.By.Type
	rec := s.mem[p.Keys+ring.KeyRecords+row*ring.KeyRecord:][:ring.KeyRecord]
	v := keyValue(t, binary.LittleEndian.Uint64(rec), rec[8:])
	reads := s.plan.probes[i].program.Aggregate.ByReads
	return s.plan.redact.Read(reads, v)
}

// keyValue makes a value of a record: its first word is a text's length.
func keyValue(t *program.Type, n uint64, data []byte) probe.Value {
	v := probe.Value{Type: t.Name}
	u := binary.LittleEndian.Uint64(data)
	switch k := t.Kind; {
	case k == reflect.String:
		v.Shape, v.Data, v.Len = probe.String, slices.Clone(data[:min(n, ring.KeyMax)]), int64(n)
		v.Truncated = n > ring.KeyMax
	case k == reflect.Bool:
		v.Shape, v.Bool = probe.Bool, u&1 != 0
	case k >= reflect.Int && k <= reflect.Int64:
		v.Shape, v.Int = probe.Int, int64(u)
	default:
		v.Shape, v.Uint = probe.Uint, u
	}
	return v
}

// merge makes one distribution of those of several Ps.
type merge struct {
	what   *program.Aggregate
	d      probe.Distribution
	latest uint64
}

func newMerge(a *program.Aggregate) *merge {
	m := &merge{what: a}
	if a.Number != program.F64 {
		m.d.Sum = new(big.Int)
	}
	return m
}

// done is the whole distribution. The sum of times is told in whole nanoseconds as
// each of them is: their fractions are those of the conversion from the counter,
// and of one call the sum is its time.
func (m *merge) done() probe.Distribution {
	if m.what.Pair {
		m.d.SumFloat = math.Round(m.d.SumFloat)
	}
	return m.d
}

// number is a word of a distribution as a value.
func (m *merge) number(bits uint64) probe.Value {
	v := probe.Value{}
	if m.what.Type != nil {
		v.Type = m.what.Type.Name
	}
	switch {
	case m.what.Pair:
		v.Shape, v.Int, v.Type = probe.Int, int64(math.Round(math.Float64frombits(bits))), "time.Duration"
	case m.what.Number == program.F64:
		v.Shape, v.Float, v.Bits = probe.Float, math.Float64frombits(bits), 64
	case m.what.Number == program.U64:
		v.Shape, v.Uint = probe.Uint, bits
	default:
		v.Shape, v.Int = probe.Int, int64(bits)
	}
	return v
}

// add adds the words of one P.
func (m *merge) add(n ring.Numbers, last bool) {
	d := &m.d
	if n.Count > 0 {
		if v := m.number(n.Min); d.Count == 0 || less(v, d.Min) {
			d.Min = v
		}
		if v := m.number(n.Max); d.Count == 0 || less(d.Max, v) {
			d.Max = v
		}
		if last {
			d.Last = m.number(n.Last)
		}
	}
	d.Count += n.Count
	d.Zero, d.Under, d.Over = d.Zero+n.Zero, d.Under+n.Under, d.Over+n.Over
	d.NaN, d.Inf, d.Unreadable = d.NaN+n.NaN, d.Inf+n.Inf, d.Unreadable+n.Unreadable
	switch m.what.Number {
	case program.F64:
		d.SumFloat += math.Float64frombits(n.Sum)
	case program.U64:
		d.Sum.Add(d.Sum, new(big.Int).SetUint64(n.Sum))
	default:
		d.Sum.Add(d.Sum, big.NewInt(int64(n.Sum)))
	}
	if m.what.Number != program.F64 {
		d.Sum.Add(d.Sum, new(big.Int).Lsh(big.NewInt(int64(n.Carry)), 64))
	}
}

func less(a, b probe.Value) bool {
	switch a.Shape {
	case probe.Int:
		return a.Int < b.Int
	case probe.Uint:
		return a.Uint < b.Uint
	}
	return a.Float < b.Float
}

// buckets gives the distribution its histogram, from the least to the greatest.
func (m *merge) buckets(positive, negative []uint64, scale, negScale uint) {
	m.d.Scale = int(scale)
	for i := len(negative) - 1; i >= 0; i-- {
		if negative[i] > 0 {
			m.d.Buckets = append(m.d.Buckets, probe.Bucket{
				From: -ring.UpperBound(i, negScale), To: -ring.UpperBound(i-1, negScale), Count: negative[i]})
		}
	}
	for i, n := range positive {
		if n > 0 {
			m.d.Buckets = append(m.d.Buckets, probe.Bucket{
				From: ring.UpperBound(i-1, scale), To: ring.UpperBound(i, scale), Count: n})
		}
	}
}
