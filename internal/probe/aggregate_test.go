package probe

import (
	"math"
	"math/big"
	"testing"
)

func TestQuantiles(t *testing.T) {
	d := &Distribution{Count: 10, Sum: big.NewInt(0), Min: Value{Shape: Int, Int: -4}, Max: Value{Shape: Int, Int: 8}, Zero: 2,
		Buckets: []Bucket{{From: -4.1, To: -3.9, Count: 3}, {From: 1.9, To: 2.1, Count: 4}, {From: 7.9, To: 8.1, Count: 1}}}
	for q, want := range map[float64]float64{0: -4, 0.3: -4, 0.31: 0, 0.5: 0, 0.51: 2, 0.9: 2, 0.91: 8, 1: 8} {
		if got := d.Quantile(q); got != want {
			t.Errorf("the %v quantile is %v, want %v", q, got, want)
		}
	}
	over := &Distribution{Count: 2, Over: 1, Min: Value{Shape: Float, Float: 1}, Max: Value{Shape: Float, Float: 1e300},
		Buckets: []Bucket{{From: 0.99, To: 1, Count: 1}}}
	if got := over.Quantile(1); got != 1e300 {
		t.Errorf("beyond the buckets: %v", got)
	}
	if got := (&Distribution{}).Quantile(0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}
