package shop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	s := New()
	receipt, err := s.Place(&Order{Item: "espresso", Qty: 2}, "alice")
	if err != nil || receipt != "#1 alice: 2 espresso = 5.00" {
		t.Errorf("Place = %q, %v", receipt, err)
	}
	receipt, err = s.Place(&Order{Item: "water", Qty: 20}, "bob") // a tenth off
	if err != nil || receipt != "#2 bob: 20 water = 21.60" {
		t.Errorf("Place = %q, %v", receipt, err)
	}
	if _, err = s.Place(&Order{Item: "tea", Qty: 1}, "bob"); !errors.Is(err, errUnknownItem) {
		t.Errorf("tea: %v", err)
	}
	if _, err = s.Place(&Order{Item: "water", Qty: 5000}, "bob"); !errors.Is(err, errSoldOut) {
		t.Errorf("too much: %v", err)
	}
}

func TestRunServes(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	addr := make(chan net.Addr, 1)
	go func() { ended <- Run(ctx, func(a net.Addr) { addr <- a }) }()
	conn, err := net.Dial("tcp", (<-addr).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewScanner(conn)
	for question, want := range map[string]string{
		"erin espresso 1": "erin: 1 espresso = 2.50", "erin tea 1": "sorry: unknown item", "nonsense": "please say"} {
		fmt.Fprintln(conn, question)
		if !answers.Scan() || !strings.Contains(answers.Text(), want) {
			t.Errorf("%q is answered %q, want %q", question, answers.Text(), want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestLogLineIsInTheSource(t *testing.T) {
	lines := strings.Split(Source, "\n")
	if n := LogLine(); !strings.Contains(lines[n-1], mark) {
		t.Errorf("line %d is %q", n, lines[n-1])
	}
}
