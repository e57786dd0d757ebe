package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// median is the middle of the numbers, and NaN of none.
func median(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(xs))
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// least is the smallest of the numbers, and NaN of none.
func least(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	return slices.Min(xs)
}

// nth is the nth largest of the numbers, and 0 where there are fewer.
func nth(xs []float64, n int) float64 {
	if n < 1 || len(xs) < n {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	return s[len(s)-n]
}

// above counts the numbers above a limit.
func above(xs []float64, limit float64) int {
	n := 0
	for _, x := range xs {
		if x > limit {
			n++
		}
	}
	return n
}

// confidence is the interval that holds the median of what the numbers are drawn
// from in 95 of 100 cases, found by drawing from them anew (the bootstrap's
// percentiles).
func confidence(xs []float64) (low, high float64) {
	const draws = 2000
	r := rand.New(rand.NewPCG(1, 2))
	medians, drawn := make([]float64, draws), make([]float64, len(xs))
	for i := range medians {
		for k := range drawn {
			drawn[k] = xs[r.IntN(len(xs))]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	return medians[draws*25/1000], medians[draws*975/1000]
}

// series are batches with a probe and without, from several rounds.
type series struct {
	without, with []float64 // medians of the rounds
	hits          []float64 // their differences
	least         [2]float64
	after         []float64 // nanoseconds of the tool's processor time for each moment that it told
}

// add takes the batches of a round in.
func (s *series) add(without, with []float64) {
	if len(without) == 0 || len(with) == 0 {
		return
	}
	if len(s.hits) == 0 {
		s.least = [2]float64{math.Inf(1), math.Inf(1)}
	}
	s.without = append(s.without, median(without))
	s.with = append(s.with, median(with))
	s.hits = append(s.hits, median(with)-median(without))
	s.least[0], s.least[1] = min(s.least[0], least(without)), min(s.least[1], least(with))
}

// hit is what a hit costs: the median over the rounds, and by the best batches.
func (s *series) hit() (median_, least_ float64) {
	if len(s.hits) == 0 {
		return math.NaN(), math.NaN()
	}
	return median(s.hits), s.least[1] - s.least[0]
}
