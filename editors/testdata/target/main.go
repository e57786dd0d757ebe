// Command target is the program that the tests of editors look into: a small
// shop that takes some fifty orders a second, and a clock of its own that
// notices when it was stopped.
//
// On standard input it understands "gap": it answers how often its clock has
// ticked since it was last asked, and the longest time between two ticks.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Item is a part of an order.
type Item struct {
	SKU string
	Qty int
}

// Order is what a customer wants.
type Order struct {
	ID    int
	Name  string
	Items []Item
	Notes map[string]int
	Err   error
}

type clock struct {
	mu      sync.Mutex
	ticks   int
	longest time.Duration
}

func (c *clock) run() {
	last := time.Now()
	for range time.Tick(time.Millisecond) {
		now := time.Now()
		c.mu.Lock()
		c.ticks++
		c.longest = max(c.longest, now.Sub(last))
		c.mu.Unlock()
		last = now
	}
}

func (c *clock) ask() (int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ticks, longest := c.ticks, c.longest
	c.ticks, c.longest = 0, 0
	return ticks, longest
}

var revenue int

//go:noinline
func record(o *Order, name string) int {
	total := price(o)
	if total > 1000 {
		total -= total / 10
	}
	revenue += total
	fmt.Fprintf(os.Stderr, "%s pays %d for order %d\n", name, total, o.ID)

	return total
}

//go:noinline
func price(o *Order) int {
	sum := 0
	for _, item := range o.Items {
		sum += item.Qty * len(item.SKU) * 10
		if sum < 0 {
			panic("the till is empty after " + item.SKU)
		}
	}
	return sum
}

func serve() {
	for n := 1; ; n++ {
		o := &Order{ID: n, Name: "alice", Items: []Item{{"espresso", n % 7}, {"croissant", 2}}, Notes: map[string]int{"table": n % 9}}
		if n%5 == 0 {
			o.Err = errors.New("sold out")
		}
		record(o, fmt.Sprint("customer ", n%10))
		time.Sleep(20 * time.Millisecond)
	}
}

func main() {
	c := &clock{}
	go c.run()
	go serve()
	fmt.Println("open", os.Getpid())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "gap" {
			ticks, longest := c.ask()
			fmt.Println("ticks", ticks, "longest", longest.Microseconds())
		}
	}
}
