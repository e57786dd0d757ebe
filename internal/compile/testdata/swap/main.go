// Command swap sets a pointer and a list to one of two all the time, while several
// goroutines pass by tick, on more threads than there are processors.
package main

import (
	"fmt"
	"runtime"
)

type settings struct {
	Name  string
	N     int
	Other string
}

var (
	current *settings
	list    []string
	spin    int
)

//go:noinline
func tick() { spin++ }

//go:noinline
func set(s *settings, l []string) { current, list = s, l }

func pause(n int) {
	for i := range n {
		spin += i
	}
}

func main() {
	a, b := &settings{"a", 1, "a"}, &settings{"b", 2, "b"}
	as, bs := []string{"a", "a", "a"}, []string{"b", "b", "b"}
	set(a, as)
	runtime.GOMAXPROCS(5)
	for range 2 {
		go func() {
			for {
				tick()
				pause(3000)
			}
		}()
	}
	fmt.Println("ready")
	for {
		set(b, bs)
		pause(50)
		set(a, as)
		pause(50)
	}
}
