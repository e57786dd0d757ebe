// Command churn has maps that grow and shrink all the time, with one key each
// that stays as it is.
package main

import (
	"fmt"
	"sync"
	"time"
)

var (
	byText   = map[string]int{"fixed": 7}
	byNumber = map[int]string{7: "seven"}
	mu       sync.Mutex
)

//go:noinline
func tick() {}

func churn() {
	for round := 0; ; round++ {
		for i := range 300 {
			mu.Lock()
			byText[fmt.Sprint(round, i)], byNumber[1000+i*round] = i, "x"
			mu.Unlock()
		}
		mu.Lock()
		if round%3 == 0 {
			byText, byNumber = map[string]int{"fixed": 7}, map[int]string{7: "seven"}
		}
		for i := range 300 {
			delete(byText, fmt.Sprint(round, i))
			delete(byNumber, 1000+i*round)
		}
		mu.Unlock()
	}
}

func main() {
	go churn()
	for {
		tick()
		time.Sleep(20 * time.Microsecond)
	}
}
