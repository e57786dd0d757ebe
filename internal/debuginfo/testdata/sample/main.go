// A program that has one of everything that debuginfo reads.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

type Order struct {
	ID   int
	Qty  int32 // padding behind
	Who  string
	Tags []string
	Next *Order
}

type Celsius float64

type Pair[K comparable, V any] struct {
	Key K
	Val V
}

type Shape interface{ Area() float64 }

type Square struct {
	Order
	Side float64
}

func (s Square) Area() float64 { return s.Side * s.Side }

var (
	Table   = map[string]*Order{"a": {ID: 1}}
	Ratio   = Celsius(1.5)
	Errs    = make(chan error, 1)
	Hook    func(int) error
	Any     any
	Figure  Shape
	Grid    [3][2]int16
	Timeout = 3 * time.Second
)

//go:noinline
func Sum[T int | float64](xs []T) (total T) {
	for _, x := range xs {
		total += x
		if total < 0 {
			fmt.Fprintln(os.Stderr, total)
		}
	}
	return total
}

func (p *Pair[K, V]) Set(v V) {
	p.Val = v
	fmt.Fprintln(os.Stderr, p.Key)
}

//go:noinline
func small(p struct {
	A int8
	B int32
	C bool
	D int64
}) int64 {
	fmt.Fprintln(os.Stderr, p.A) // line: small
	return int64(p.B) + p.D
}

//go:noinline
func counter(n int, name string) func(int) int {
	total := 0
	return func(d int) int {
		total += d * n // line: closure
		fmt.Fprintln(os.Stderr, name, total)
		return total
	}
}

//go:noinline
func escape(o Order, k int) *Order {
	p := o
	p.Qty++ // line: escape
	fmt.Fprintln(os.Stderr, k, p.ID)
	return &p
}

//go:noinline
func moved(o Order) *Order {
	n := o.ID
	o.Qty = 7 // line: moved
	fmt.Fprintln(os.Stderr, n)
	return &o
}

func area(a, b int) int {
	c := a * b
	return c + 1 // line: inlined
}

//go:noinline
func (o *Order) Total(f float64) (sum float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("recovered")
		}
	}()
	v := area(o.ID, int(o.Qty)) // line: call
	x := v
	if v > 3 {
		x := float64(v) * f
		fmt.Fprintln(os.Stderr, x) // line: shadow
	}
	fmt.Fprintln(os.Stderr, x)
	return float64(v) * f, nil
}

func main() {
	f := counter(3, "x")
	f(4)
	o := escape(Order{ID: 1, Qty: 2, Who: "w"}, 5)
	Figure = Square{Side: 2}
	moved(*o)
	Any = o
	p := &Pair[string, int]{Key: "k"}
	p.Set(4)
	t, err := o.Total(2.5)
	fmt.Println(t, err, Sum([]int{1, 2}), Sum([]float64{1}), Table, Figure.Area(), Ratio, Grid, Timeout, Hook == nil, len(Errs))
	fmt.Println(small(struct {
		A int8
		B int32
		C bool
		D int64
	}{1, 2, true, 4}))
}
