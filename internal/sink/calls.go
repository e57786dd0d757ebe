package sink

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Calls is the table of the functions that a trace has shown calls of, as it grows.
type Calls struct {
	rows    map[string]*callRow
	seconds map[int64]uint64 // calls that ended, by second; of the last mostSeconds
	newest  int64
	n       uint64
}

// mostSeconds is how long it is remembered how many calls there were in each second.
const mostSeconds = 240

// NewCalls returns an empty table.
func NewCalls() *Calls { return &Calls{rows: map[string]*callRow{}, seconds: map[int64]uint64{}} }

// callRow is what is known of the calls of one function. Only those that returned
// have a duration.
type callRow struct {
	name          string
	calls, failed uint64
	timed         uint64
	total         time.Duration
	least, most   time.Duration
	buckets       map[int]uint64 // by callBucket
}

// callScale is that of the histogram behind quantiles: 2^6 buckets for each power of
// two, as those of a time.
const callScale = 6

// callBucket is the bucket of a duration, which is above 2^(i/64) and up to 2^((i+1)/64).
func callBucket(d time.Duration) int {
	return int(math.Ceil(math.Log2(float64(max(d, 1)))*(1<<callScale))) - 1
}

// Add takes a span.
func (c *Calls) Add(s *probe.Span) {
	c.n++
	at := s.Start.Add(s.Duration).Unix()
	c.seconds[at]++
	c.Now(time.Unix(at, 0))
	r := c.rows[s.Function]
	if r == nil {
		r = &callRow{name: s.Function, buckets: map[int]uint64{}, least: math.MaxInt64}
		c.rows[s.Function] = r
	}
	r.calls++
	if failed(s) {
		r.failed++
	}
	if s.Outcome == probe.Returned || s.Outcome == probe.Recovered {
		r.timed++
		r.total += s.Duration
		r.least, r.most = min(r.least, s.Duration), max(r.most, s.Duration)
		r.buckets[callBucket(s.Duration)]++
	}
}

// Now tells what time it is, where no call does.
func (c *Calls) Now(at time.Time) {
	if c.newest = max(c.newest, at.Unix()); len(c.seconds) > mostSeconds {
		maps.DeleteFunc(c.seconds, func(s int64, _ uint64) bool { return s <= c.newest-mostSeconds })
	}
}

// Len is how many calls there were.
func (c *Calls) Len() uint64 { return c.n }

// Rates is how many calls ended in each second, up to the last whole one.
func (c *Calls) Rates() []float64 {
	if len(c.seconds) == 0 {
		return nil
	}
	first := max(slices.Min(slices.Collect(maps.Keys(c.seconds))), c.newest-mostSeconds)
	var out []float64
	for s := first; s < c.newest; s++ {
		out = append(out, float64(c.seconds[s]))
	}
	return out
}

func (r *callRow) mean() float64 {
	if r.timed == 0 {
		return math.NaN()
	}
	return float64(r.total) / float64(r.timed)
}

func (r *callRow) p99() float64 {
	d := probe.Distribution{Count: r.timed, Scale: callScale, Min: nanoseconds(r.least), Max: nanoseconds(r.most)}
	for _, i := range slices.Sorted(maps.Keys(r.buckets)) {
		d.Buckets = append(d.Buckets, probe.Bucket{From: math.Exp2(float64(i) / (1 << callScale)),
			To: math.Exp2(float64(i+1) / (1 << callScale)), Count: r.buckets[i]})
	}
	return d.Quantile(0.99)
}

func nanoseconds(d time.Duration) probe.Value {
	return probe.Value{Shape: probe.Int, Type: "int64", Int: int64(d)}
}

// Lines is the first functions as the lines of a table, as those of Functions.
func (c *Calls) Lines(by string, most, width int, paint Paint) []string {
	rows := slices.Collect(maps.Values(c.rows))
	key := func(r *callRow) float64 {
		switch by {
		case topCalls:
			return float64(r.calls)
		case topMean:
			return r.mean()
		case topP99:
			return r.p99()
		}
		return float64(r.total)
	}
	slices.SortFunc(rows, func(a, b *callRow) int { // NaN comes last
		return cmp.Or(cmp.Compare(key(b), key(a)), strings.Compare(a.name, b.name))
	})
	more := 0
	if most > 0 && len(rows) > most {
		more = len(rows) - most
		rows = rows[:most]
	}
	cells := [][]string{{"function", "calls", "errors", "total", "mean", "p99"}}
	for _, r := range rows {
		row := []string{Escape(ShortFunction(r.name)), Number(r.calls), Number(r.failed), "-", "-", "-"}
		if r.timed > 0 {
			row[3], row[4], row[5] = duration(float64(r.total)), duration(r.mean()), duration(r.p99())
		}
		cells = append(cells, row)
	}
	out := strings.Split(strings.TrimSuffix(table(fit(cells, width, by), paint), "\n"), "\n")
	if more > 0 {
		out = append(out, paint.Dim(fmt.Sprintf("  %d more with less", more)))
	}
	return out
}
