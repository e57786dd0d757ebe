// Command recoversrange is recovers for loops over functions, whose bodies defer calls
// of the function around them.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

type tally struct {
	Returned, Recovered, Panicked uint64
}

//go:noinline
func twice(yield func(int) bool) {
	for i := range 2 {
		if !yield(i) {
			return
		}
	}
}

// ranging defers in the body of a loop over a function, and otherwise if mixed.
//
//go:noinline
func ranging(bad, mixed bool) (saved bool) {
	for i := range twice {
		defer func() {
			if i == 0 && recover() != nil {
				saved = true
			}
		}()
	}
	if mixed {
		for range 2 {
			defer func() {
				if recover() != nil {
					saved = true
				}
			}()
		}
	}
	if bad {
		panic("ranging")
	}
	return saved
}

// only defers nowhere else.
//
//go:noinline
func only(bad bool) (saved bool) {
	for range twice {
		defer func() {
			if recover() != nil {
				saved = true
			}
		}()
	}
	if bad {
		panic("only")
	}
	return saved
}

func main() {
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var n int
		if _, err := fmt.Sscanf(in.Text(), "run %d", &n); err != nil {
			fmt.Println("mistake:", in.Text())
			continue
		}
		t := map[string]*tally{"ranging": {}, "only": {}}
		count := func(name string, saved bool) {
			if saved {
				t[name].Recovered++
			} else {
				t[name].Returned++
			}
		}
		for i := range n {
			count("ranging", ranging(i%3 == 0, i%2 == 0))
			count("only", only(i%5 == 0))
		}
		answer, err := json.Marshal(t)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(answer))
	}
}
