package shop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// The shop's own traffic: some hundred orders a second, and a few large ones.
const (
	pause   = 4 * time.Millisecond // between two orders of a customer
	packers = 2
	largeIn = 250 // one order in so many is large
)

var customers = []string{"alice", "bob", "carol", "dave"}

// Run opens the shop on a loopback port, sends it customers and returns when
// the context ends. open is called when the first order can come.
func Run(ctx context.Context, open func(addr net.Addr)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	s := New()
	for range packers {
		go s.pack()
	}
	for _, name := range customers {
		go customer(ctx, l.Addr().String(), name)
	}
	open(l.Addr())
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go s.serve(conn)
	}
}

// serve answers one customer's lines: "NAME ITEM QUANTITY".
func (s *Shop) serve(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var name string
		o := new(Order)
		answer := "please say: name item quantity"
		if _, err := fmt.Sscan(lines.Text(), &name, &o.Item, &o.Qty); err == nil {
			if answer, err = s.Place(o, name); err != nil {
				answer = "sorry: " + err.Error()
			}
		}
		if _, err := io.WriteString(conn, answer+"\n"); err != nil {
			return
		}
	}
}

// customer orders again and again.
func customer(ctx context.Context, addr, name string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		item, qty := choose()
		fmt.Fprintf(conn, "%s %s %d\n", name, item, qty)
		if answer, err := answers.ReadString('\n'); err != nil || strings.TrimSpace(answer) == "" {
			return
		}
		time.Sleep(pause)
	}
}

func choose() (item string, qty int) {
	items := []string{"espresso", "cappuccino", "croissant", "water"}
	qty = 1 + rand.IntN(4)
	if rand.IntN(largeIn) == 0 {
		qty = 11 + rand.IntN(20)
	}
	return items[rand.IntN(len(items))], qty
}
