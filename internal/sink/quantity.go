package sink

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// durationName is the type whose numbers are written as times.
const durationName = "time.Duration"

// Quantity writes a number of a Go type for people, with three or four digits
// that matter.
func Quantity(v float64, typ string) string {
	switch {
	case math.IsNaN(v):
		return "-"
	case math.IsInf(v, 0):
		return strconv.FormatFloat(v, 'g', -1, 64)
	case typ == durationName:
		return duration(v)
	case v == math.Trunc(v) && math.Abs(v) < 1e6:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case math.Abs(v) >= 999.95 && math.Abs(v) < 1e15:
		return signed(v, func(n float64) string { return Number(uint64(math.Round(n))) })
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func signed(v float64, text func(float64) string) string {
	if v < 0 {
		return "-" + text(-v)
	}
	return text(v)
}

// duration writes nanoseconds with three digits.
func duration(ns float64) string {
	return signed(ns, func(ns float64) string {
		for _, u := range []struct {
			size float64
			name string
		}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
			if ns < u.size*0.9995 {
				continue
			}
			if u.name == "s" && ns >= 600e9 {
				return time.Duration(ns).Round(time.Second).String()
			}
			return three(ns/u.size) + " " + u.name
		}
		return three(ns) + " ns"
	})
}

func three(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// exactly writes a number of a distribution in full.
func exactly(v probe.Value, typ string) string {
	if typ == durationName || v.Type == durationName {
		return duration(v.Number())
	}
	if v.Shape == probe.Float {
		return Quantity(v.Float, typ)
	}
	return v.String()
}

// sumText writes the sum of a distribution.
func sumText(d *probe.Distribution, typ string) string {
	switch {
	case d.Sum == nil || typ == durationName:
		v := d.SumFloat
		if d.Sum != nil {
			v, _ = new(big.Float).SetInt(d.Sum).Float64()
		}
		return Quantity(v, typ)
	case d.Sum.IsUint64():
		return Number(d.Sum.Uint64())
	}
	return d.Sum.String()
}

// bars are eighths of a block, for the lengths of bars.
var bars = []rune("▏▎▍▌▋▊▉█")

// Bar is a bar of a length from 0 to 1, at most width columns.
func Bar(share float64, width int) string {
	eighths := int(math.Round(share * float64(8*width)))
	if share > 0 {
		eighths = max(1, eighths)
	}
	s := strings.Repeat("█", eighths/8)
	if r := eighths % 8; r > 0 {
		s += string(bars[r-1])
	}
	return s
}

// maxBars bounds the lines of a histogram.
const maxBars = 20

// coarse joins neighbouring buckets until few enough are left.
func coarse(in []probe.Bucket, most int) []probe.Bucket {
	out := in
	for perOctave := 32.0; len(out) > most && perOctave >= 1.0/64; perOctave /= 2 {
		out = join(in, perOctave)
	}
	return out
}

// join puts buckets together that begin in the same bucket of so many to a power
// of two.
func join(in []probe.Bucket, perOctave float64) []probe.Bucket {
	var out []probe.Bucket
	last := math.NaN()
	for _, b := range in {
		// The middle of a bucket tells where it belongs, whatever was rounded.
		mid := math.Log2(math.Sqrt(math.Abs(b.From) * math.Abs(b.To)))
		i := math.Floor(mid * perOctave)
		lo, hi := math.Exp2(i/perOctave), math.Exp2((i+1)/perOctave)
		key := i
		if b.To <= 0 {
			lo, hi, key = -hi, -lo, -1e6-i
		}
		if key == last {
			out[len(out)-1].Count += b.Count
			continue
		}
		last = key
		out = append(out, probe.Bucket{From: lo, To: hi, Count: b.Count})
	}
	return out
}

// Histogram draws a distribution, one line a bucket.
func Histogram(d *probe.Distribution, typ string, width int, paint Paint) []string {
	type line struct {
		label string
		count uint64
	}
	var lines []line
	add := func(label string, n uint64) {
		if n > 0 {
			lines = append(lines, line{label, n})
		}
	}
	zero := func() { add("0", d.Zero); add("close to 0", d.Under) }
	past := false
	for _, b := range coarse(d.Buckets, maxBars) {
		if b.To > 0 && !past {
			zero()
			past = true
		}
		add(rangeText(b, d.Sum != nil && typ != durationName, typ), b.Count)
	}
	if !past {
		zero()
	}
	add("beyond ±2^63", d.Over)
	most, left, right := uint64(1), 0, 0
	for _, l := range lines {
		most = max(most, l.count)
		left, right = max(left, runes(l.label)), max(right, len(Number(l.count)))
	}
	var out []string
	for _, l := range lines {
		share := float64(l.count) / float64(most)
		out = append(out, fmt.Sprintf("  %s%s  %*s  %s", strings.Repeat(" ", left-runes(l.label)), l.label, right, Number(l.count),
			paint.Place(Bar(share, width))))
	}
	return out
}

// rangeText names a bucket; one of integers by those that it has.
func rangeText(b probe.Bucket, integers bool, typ string) string {
	from, to := b.From, b.To
	if integers && math.Abs(from) < 1<<52 && math.Abs(to) < 1<<52 {
		if from, to = math.Floor(from)+1, math.Floor(to); b.To <= 0 {
			from, to = math.Ceil(b.From), math.Ceil(b.To)-1
		}
		if from >= to {
			return Quantity(to, typ)
		}
	}
	return Quantity(from, typ) + " … " + Quantity(to, typ)
}

func runes(s string) int { return len([]rune(s)) }
