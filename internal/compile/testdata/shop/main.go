// Command shop is a program for tests to ask questions of.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

type Item struct {
	SKU string
	Qty int
}

type Order struct {
	ID    int
	Qty   int16
	Name  string
	Items []Item
	Total float64
	Made  time.Time
	Err   error
	Attrs map[string]string
	Next  *Order
}

var (
	Served  int
	ErrLate = errors.New("late")
)

const Limit = 11

//go:noinline
func handle(o *Order, name string, n int, err error, rate float64, urgent bool) (int, error) {
	if n > Limit || urgent {
		return n, ErrLate
	}
	total := int(rate)
	for _, it := range o.Items {
		total += it.Qty
	}
	Served++
	note(total)
	if err != nil {
		return total, fmt.Errorf("handling %s: %w", name, err)
	}
	return total, nil
}

//go:noinline
func note(total int) { Served += total }

//go:noinline
func first[T any](xs []T, i int) T { return xs[i] }

//go:noinline
func big(a [100]int, i int) int { return a[i] }

func main() {
	o := &Order{ID: len(os.Args), Items: []Item{{"a", 1}}}
	n, err := handle(o, "alice", 3, nil, 1.5, false)
	fmt.Println(n, err, first([]int{1, 2}, 1), first(o.Items, 0).SKU, big([100]int{7}, len(os.Args)))
}
