package interp

import (
	"math"

	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Sums is what a distribution has added up.
type Sums struct {
	Numbers  ring.Numbers
	Positive map[int]uint64 // by bucket
	Negative map[int]uint64
}

// Aggregate is all that a probe without pairs has added up: what bodies do in the
// region, by its definition.
type Aggregate struct {
	What *program.Aggregate
	Main Sums             // the words only where there are no keys
	Rows map[string]*Sums // by key
	Keys map[string]int64 // where there are keys and no numbers
}

// Names of rows that are no key.
const (
	KeyUnreadable = "\x00unreadable"
	keyLonger     = "\x00longer"
)

// Hit adds a hit of a site.
func (m *Aggregate) Hit(s *State, site *program.Site) {
	var v uint64
	if m.What.Hist {
		var st program.Status
		if v, st = s.Eval(site.Value); st != program.StatusOK {
			m.Main.Numbers.Unreadable++
			return
		}
	}
	if m.What.By == nil {
		m.Main.add(m.What.Number, v, &m.Main, ring.MainScale, ring.MainScale)
		return
	}
	key := s.key(site.Key)
	if !m.What.Hist {
		if m.Keys == nil {
			m.Keys = map[string]int64{}
		}
		m.Keys[key]++
		return
	}
	if m.Rows == nil {
		m.Rows = map[string]*Sums{}
	}
	if m.Rows[key] == nil {
		m.Rows[key] = &Sums{}
	}
	m.Rows[key].add(m.What.Number, v, &m.Main, ring.RowScale, ring.NegScale)
}

// key is the name of a key's row: the bytes of an integer or of a text.
func (s *State) key(k *program.Key) string {
	v, st := s.Eval(k.Node)
	if st != program.StatusOK {
		return KeyUnreadable
	}
	if k.Len == nil {
		var b [8]byte
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		return string(b[:])
	}
	n, st := s.Eval(k.Len)
	if st != program.StatusOK || n >= program.MaxLen {
		return KeyUnreadable
	}
	if n == 0 {
		return ""
	}
	b, st := s.mem(v, int(min(n, ring.KeyMax)))
	if st != program.StatusOK {
		return KeyUnreadable
	}
	if n > ring.KeyMax {
		return string(b) + keyLonger
	}
	return string(b)
}

// add adds one number: to the words and buckets of s, and to the buckets of main
// where that is another one.
func (s *Sums) add(t program.Scalar, v uint64, main *Sums, scale, negScale uint) {
	n := &s.Numbers
	x := value(t, v)
	switch magnitude := math.Abs(x); {
	case math.IsNaN(x):
		n.NaN++
		return
	case math.IsInf(x, 0):
		n.Inf++
		return
	case x == 0:
		n.Zero++
	case ring.Bucket(magnitude) < 0:
		n.Under++
	case magnitude > math.Ldexp(1, ring.MaxExp) || t == program.U64 && v > 1<<63:
		n.Over++
	default:
		count(main, ring.Bucket(magnitude), x < 0)
		if s != main {
			shift := ring.MainScale - scale
			if x < 0 {
				shift = ring.MainScale - negScale
			}
			count(s, ring.Bucket(magnitude)>>shift, x < 0)
		}
	}
	words(n, t, v)
}

func count(s *Sums, bucket int, negative bool) {
	if s.Positive == nil {
		s.Positive, s.Negative = map[int]uint64{}, map[int]uint64{}
	}
	if negative {
		s.Negative[bucket]++
	} else {
		s.Positive[bucket]++
	}
}

func value(t program.Scalar, v uint64) float64 {
	switch t {
	case program.I64:
		return float64(int64(v))
	case program.U64:
		return float64(v)
	}
	return math.Float64frombits(v)
}

func words(n *ring.Numbers, t program.Scalar, v uint64) {
	if n.Count == 0 {
		n.Min, n.Max = v, v
	}
	n.Count++
	n.Last = v
	less := v < n.Min
	greater := v > n.Max
	switch t {
	case program.I64:
		less, greater = int64(v) < int64(n.Min), int64(v) > int64(n.Max)
		old := int64(n.Sum)
		n.Sum += v
		switch sum := int64(n.Sum); {
		case int64(v) > 0 && sum < old:
			n.Carry++
		case int64(v) < 0 && sum > old:
			n.Carry--
		}
	case program.U64:
		if n.Sum += v; n.Sum < v {
			n.Carry++
		}
	default:
		x := math.Float64frombits(v)
		less, greater = x < math.Float64frombits(n.Min), x > math.Float64frombits(n.Max)
		n.Sum = math.Float64bits(math.Float64frombits(n.Sum) + x)
	}
	if less {
		n.Min = v
	}
	if greater {
		n.Max = v
	}
}
