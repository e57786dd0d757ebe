package probe

import (
	"math"
	"math/big"
	"time"
)

// DefaultPeriod is how often an aggregate tells what it has.
const DefaultPeriod = time.Second

// Told tells how often an aggregate tells what it has.
func (s Spec) Told() time.Duration {
	if s.Period > 0 {
		return s.Period
	}
	return DefaultPeriod
}

// Aggregates tells whether a probe of this kind adds numbers up in the target.
func (k Kind) Aggregates() bool { return k == Measure || k == Time }

// Distribution is what is known of many numbers. Each bucket of its histogram
// reaches from From, exclusive, to To, inclusive, and the other way round below
// zero.
type Distribution struct {
	Count      uint64 // finite numbers
	Sum        *big.Int
	SumFloat   float64 // of floats, where Sum is nil; it may be infinite
	Min        Value   // these are meaningless while Count is 0
	Max        Value
	Last       Value
	Zero       uint64 // numbers that have no bucket: 0,
	Under      uint64 // magnitudes too small,
	Over       uint64 // and too large
	NaN        uint64 // what is not in Count:
	Inf        uint64
	Unreadable uint64
	Scale      int // each power of two has 2^Scale buckets
	Buckets    []Bucket
}

// Bucket is a bucket that holds any number, from the least to the greatest.
type Bucket struct {
	From, To float64
	Count    uint64
}

// Mean is the mean, NaN of no number.
func (d *Distribution) Mean() float64 {
	sum := d.SumFloat
	if d.Sum != nil {
		sum, _ = new(big.Float).SetInt(d.Sum).Float64()
	}
	return sum / float64(d.Count)
}

// Quantile is the number below which a share q of all numbers lies, to half a
// bucket; NaN of no number.
func (d *Distribution) Quantile(q float64) float64 {
	if d.Count == 0 {
		return math.NaN()
	}
	rank := min(d.Count, max(1, uint64(math.Ceil(q*float64(d.Count)))))
	least, most := d.Min.Number(), d.Max.Number()
	seen := uint64(0)
	zeros := d.Zero + d.Under
	for _, b := range d.Buckets {
		if b.To > 0 && zeros > 0 {
			if seen += zeros; seen >= rank {
				return min(max(0, least), most)
			}
			zeros = 0
		}
		if seen += b.Count; seen >= rank {
			mid := math.Sqrt(math.Abs(b.From) * math.Abs(b.To))
			if b.To <= 0 {
				mid = -mid
			}
			if d.Sum != nil {
				mid = math.Round(mid)
			}
			return min(max(mid, least), most)
		}
	}
	if seen+zeros >= rank {
		return min(max(0, least), most)
	}
	return most
}

// Number is a number as a float64; NaN of what is none.
func (v Value) Number() float64 {
	switch v.Shape {
	case Int:
		return float64(v.Int)
	case Uint:
		return float64(v.Uint)
	case Float:
		return v.Float
	}
	return math.NaN()
}

// Row is what was added up for one key.
type Row struct {
	Key   Value
	Count uint64
	Dist  *Distribution // nil: only counted
}

// Rows is what was added up by key, the largest count first. Other is what had no
// row any more; Unreadable where the key could not be evaluated.
type Rows struct {
	Expr       string
	Rows       []Row
	Other      Row
	Unreadable Row
}

// Measured is the running distribution of a measure or a time.
type Measured struct {
	Kind     Kind
	Probe    string
	Location string
	Time     time.Time
	Final    bool
	Expr     string // what is measured
	Type     string // its Go type
	Dist     Distribution
	By       *Rows  // nil: not by key
	Calls    *Calls // of a time

	Turns bool          // of a time: it comes in turns with others (see Spec),
	Timed time.Duration // and its calls were timed for so long

	Snapshots *Snapshots // of a time with snapshots
}

// Snapshots is what became of the snapshots of the calls for which the condition
// held, all of them together.
type Snapshots struct {
	Taken      uint64
	Suppressed uint64 // there is none: by rate, limit or budget
	Dropped    uint64 // there is none: there was no room, or what was taken made no sense
}

// Calls is what became of the calls that a time saw.
type Calls struct {
	Returned  uint64
	Recovered uint64 // returned after recovering from a panic
	Panicked  uint64 // ended by a panic that somebody above recovered from
	Goexited  uint64 // ended by runtime.Goexit
	Running   uint64 // not yet ended
	Abandoned uint64 // the goroutine ended on the way
	Restarted uint64 // the first location was passed again before the second
	Unmatched uint64 // ends whose beginning was before the probe
	Lost      uint64 // for which there was no room
	Untimed   uint64 // over the budget, only some calls are timed: these were not
	Filtered  uint64 // left out by the condition on their duration
	Backwards uint64 // the clock went back, and the duration counts as 0
}

func (*Measured) event() {}
