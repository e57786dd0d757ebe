package ring

import (
	"math"
	"math/big"
	"math/rand"
	"testing"
)

// exactBucket is Bucket by definition, with as many digits as it takes: the
// number of boundaries below the magnitude.
func exactBucket(v float64) int {
	frac, exp := math.Frexp(v) // v = frac * 2^exp, 0.5 <= frac < 1
	// (2*frac)^64 against 2^j: the smallest j with (2 frac)^64 <= 2^j.
	x := new(big.Float).SetPrec(8000).SetFloat64(2 * frac)
	for range MainScale {
		x.Mul(x, x)
	}
	j := 0
	for b := new(big.Float).SetPrec(8000).SetInt64(1); x.Cmp(b) > 0; j++ {
		b.Mul(b, big.NewFloat(2))
	}
	return (exp-1-MinExp)<<MainScale + j - 1
}

func TestBucketIsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	check := func(v float64) {
		if got, want := Bucket(v), exactBucket(v); got != want {
			t.Errorf("Bucket(%v) = %d, want %d", v, got, want)
		}
	}
	for range 3000 {
		check(math.Ldexp(1+r.Float64(), r.Intn(95)-32))
	}
	for i := range 65 { // at the boundaries
		b := math.Exp2(float64(i) / 64)
		for _, v := range []float64{b, math.Nextafter(b, 0), math.Nextafter(b, 9), math.Nextafter(math.Nextafter(b, 0), 0)} {
			check(v)
			check(v * 1024)
			check(v / 1024)
		}
	}
}

func TestBucketRange(t *testing.T) {
	least := math.Nextafter(math.Ldexp(1, MinExp), 1)
	if Bucket(least) != 0 || Bucket(math.Ldexp(1, MinExp)) >= 0 {
		t.Errorf("the range begins at %d, %d", Bucket(least), Bucket(math.Ldexp(1, MinExp)))
	}
	most := math.Ldexp(1, MaxExp)
	if Bucket(most) != MainBuckets-1 || Bucket(math.Nextafter(most, math.Inf(1))) != MainBuckets {
		t.Errorf("the range ends at %d", Bucket(most))
	}
	for _, v := range []float64{1e-300, 5e-324, 1e-10, 1e20, math.MaxFloat64} {
		if i := Bucket(v); i >= 0 && i < MainBuckets {
			t.Errorf("Bucket(%v) = %d", v, i)
		}
	}
	for _, v := range []float64{3, 1000, 0.1, 1 << 40} {
		i := Bucket(v)
		if lo, hi := UpperBound(i-1, MainScale), UpperBound(i, MainScale); v <= lo || v > hi*(1+1e-15) {
			t.Errorf("%v is not in (%v, %v]", v, lo, hi)
		}
	}
}

func TestAggregatesDoNotOverlap(t *testing.T) {
	needs := []Need{{}, {Hist: true}, {Hist: true, Signed: true}, {By: true}, {Hist: true, By: true, Signed: true},
		{Hist: true, Pair: true, Stage: 5000}, {Hist: true, Pair: true, By: true}, {Hist: true, Pair: true, Stage: 50_000}}
	a, err := NewAggregates(3, needs)
	if err != nil {
		t.Fatal(err)
	}
	type span struct{ from, end uint64 }
	spans := []span{{0, boundarySize}, {a.Pairs, a.Pairs + PairsSize}, {a.StateAt, a.StateAt + 8*uint64(a.Stages)}}
	for i := range uint64(a.Stages) {
		spans = append(spans, span{a.StageAt + i*a.StageSize, a.StageAt + (i+1)*a.StageSize})
	}
	if a.StageSize < StageRecord+50_000 || a.Stages < stagesLeast || uint64(a.Stages)*a.StageSize > stagesBytes {
		t.Errorf("%d places of %d bytes", a.Stages, a.StageSize)
	}
	for i, n := range needs {
		if n.By {
			spans = append(spans, span{a.Probes[i].Keys, a.Probes[i].Keys + keysSize})
		}
		for p := range 3 {
			if n.area() > 0 {
				spans = append(spans, span{a.AreaOf(i, p), a.AreaOf(i, p) + n.area()})
			}
		}
	}
	for i, x := range spans {
		if x.end > a.Size() {
			t.Errorf("%+v lies outside", x)
		}
		for _, y := range spans[:i] {
			if x.from < y.end && y.from < x.end {
				t.Errorf("%+v and %+v overlap", x, y)
			}
		}
	}
	if RowNegative+NegBuckets*4 > 1<<RowShift {
		t.Error("a row is larger than its place")
	}
	if _, err := NewAggregates(1<<16, []Need{{Hist: true, By: true}}); err == nil {
		t.Error("more than there is room for")
	}
}
