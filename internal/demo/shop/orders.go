// Package shop is the sample service of the demo: a small shop that takes
// orders over TCP from customers of its own. It knows nothing of Sidelight and
// stands alone; package demo runs it in a process of its own.
package shop

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Order is what a customer wants.
type Order struct {
	ID    int
	Item  string
	Qty   int
	Total int // cents
}

// Shop takes orders, keeps its stock and packs what was sold.
type Shop struct {
	mu      sync.Mutex
	stock   map[string]int
	prices  map[string]int // cents
	last    atomic.Int64   // order number
	revenue atomic.Int64   // cents
	packing chan *Order
}

var (
	errUnknownItem = errors.New("unknown item")
	errSoldOut     = errors.New("sold out")
)

// New returns a shop with full shelves.
func New() *Shop {
	s := &Shop{
		stock:   map[string]int{},
		prices:  map[string]int{"espresso": 250, "cappuccino": 340, "croissant": 290, "water": 120},
		packing: make(chan *Order, 64),
	}
	for item := range s.prices {
		s.stock[item] = 1000
	}
	return s
}

// Place sells an order to a customer and returns the receipt.
func (s *Shop) Place(o *Order, name string) (string, error) {
	price, ok := s.prices[o.Item]
	if !ok {
		return "", fmt.Errorf("%w: %s", errUnknownItem, o.Item)
	}
	o.ID = int(s.last.Add(1))
	o.Total = discount(price*o.Qty, o.Qty)
	if !s.take(o.Item, o.Qty) {
		s.restock(o.Item)
		return "", errSoldOut
	}
	receipt := s.bill(o, name) // the demo logs here
	select {
	case s.packing <- o:
	default: // the packers are busy; it is packed tomorrow
	}
	return receipt, nil
}

// discount gives a tenth off for many.
func discount(total, qty int) int {
	if qty > 10 {
		return total - total/10
	}
	return total
}

// take takes goods from the shelf, where there are enough.
func (s *Shop) take(item string, qty int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stock[item] < qty {
		return false
	}
	s.stock[item] -= qty
	return true
}

func (s *Shop) restock(item string) {
	s.mu.Lock()
	s.stock[item] = 1000
	s.mu.Unlock()
}

func (s *Shop) bill(o *Order, name string) string {
	s.revenue.Add(int64(o.Total))
	return fmt.Sprintf("#%d %s: %d %s = %d.%02d", o.ID, name, o.Qty, o.Item, o.Total/100, o.Total%100)
}

// pack packs what was sold and returns when nothing more will be.
func (s *Shop) pack() (packed int) {
	for o := range s.packing {
		packed += parcels(o)
	}
	return packed
}

// parcels is how many parcels an order takes: six pieces fit into one.
func parcels(o *Order) int {
	return (o.Qty + 5) / 6
}
