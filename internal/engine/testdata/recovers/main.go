// Command recovers knows exactly how the calls of its functions end: most of them
// have defers that the compiler does not write out at each return.
//
//	run N   calls all functions N times, in ways chosen at random; answers one line of
//	        JSON: by function, how many calls ended in which way
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// tally is how the calls of a function ended. Calls that a panic ended are the rest.
type tally struct {
	Begun, Returned, Recovered, Panicked, Goexited uint64
}

var tallies map[string]*tally

// call begins a call of a function; what it gives back says how that ended.
func call(name string) func(recovered bool) {
	t := tallies[name]
	if t == nil {
		t = &tally{}
		tallies[name] = t
	}
	t.Begun++
	return func(recovered bool) {
		if recovered {
			t.Recovered++
		} else {
			t.Returned++
		}
	}
}

// safely calls f, and takes its panic.
//
//go:noinline
func safely(f func()) {
	defer func() { _ = recover() }()
	f()
}

// single has one deferred call, which is written out.
//
//go:noinline
func single(bad bool) (saved bool) {
	defer func() { saved = recover() != nil }()
	if bad {
		panic("single")
	}
	return false
}

// looped defers in a loop; without any defer it does not recover.
//
//go:noinline
func looped(defers int, bad bool) (saved bool) {
	for range defers {
		defer func() {
			if recover() != nil {
				saved = true
			}
		}()
	}
	if bad {
		panic("looped")
	}
	return saved
}

func catch(saved *bool) {
	if recover() != nil {
		*saved = true
	}
}

// nine has more deferred calls than are written out.
//
//go:noinline
func nine(bad bool) (saved bool) {
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	if bad {
		panic("nine")
	}
	return false
}

func last(n int) { sum = fails(n) } // small enough to be inlined

// ending has a copy of last right before the call of deferreturn.
//
//go:noinline
func ending(n int, saved *bool) {
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	defer catch(saved)
	last(n)
}

// returning has many returns, each with results of its own.
//
//go:noinline
func returning(how int, bad bool) (n int, text string, saved bool) {
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	defer catch(&saved)
	if bad {
		panic("returning")
	}
	switch how {
	case 0:
		return 1, "one", false
	case 1:
		return 2, fmt.Sprint("two", how), false
	case 2:
		runtime.Gosched()
		return how, "", false
	case 3:
		return -how, "four", false
	}
	return how, fmt.Sprint(how), false
}

var kept *bool

// kept keeps its result in the heap.
//
//go:noinline
func heaped(bad bool) (saved bool) {
	kept = &saved
	defer func() { saved = recover() != nil }()
	if bad {
		panic("heaped")
	}
	return false
}

// deep calls itself. Every third level recovers; the levels of which a bit is set
// panic on their way back.
//
//go:noinline
func deep(level int, bits uint, saved *bool) {
	for range 2 {
		defer func() {
			if level%3 == 0 && recover() != nil {
				*saved = true
			}
		}()
	}
	if level > 0 {
		ended, below := call("deep"), false
		deep(level-1, bits, &below)
		ended(below)
	}
	if bits>>level&1 != 0 {
		panic("deep")
	}
}

// inner is a deferred call that panics and recovers by itself.
//
//go:noinline
func inner(bad bool, saved *bool) {
	for range 1 {
		defer func() {
			if recover() != nil {
				*saved = true
			}
		}()
	}
	if bad {
		panic("inner")
	}
}

// outer defers calls of inner, and others that recover.
//
//go:noinline
func outer(bad, badly bool) (saved bool) {
	for range 2 {
		defer func() {
			if recover() != nil {
				saved = true
			}
			ended, below := call("inner"), false
			inner(badly, &below)
			ended(below)
		}()
	}
	if bad {
		panic("outer")
	}
	return saved
}

// again panics anew where it has recovered, and may recover from that, too.
//
//go:noinline
func again(bad, finally bool) (saved bool) {
	for i := range 2 {
		defer func() {
			if i == 0 && !finally {
				return
			}
			if r := recover(); r != nil {
				saved = true
				if i == 1 {
					panic("again")
				}
			}
		}()
	}
	if bad {
		panic("first")
	}
	return saved
}

// later recovers, and panics in a deferred call that runs after that.
//
//go:noinline
func later(bad, worse bool) (saved bool) {
	for i := range 2 {
		defer func() {
			if i == 1 && recover() != nil {
				saved = true
			}
			if i == 0 && worse {
				panic("later")
			}
		}()
	}
	if bad {
		panic("first")
	}
	return saved
}

// leaving ends its goroutine: from its body, or from a deferred call after it has
// recovered.
//
//go:noinline
func leaving(how int) (saved bool) {
	for i := range 2 {
		defer func() {
			if i == 1 && recover() != nil {
				saved = true
			}
			if i == 0 && how == 2 {
				runtime.Goexit()
			}
		}()
	}
	switch how {
	case 1:
		runtime.Goexit()
	case 2, 3:
		panic("leaving")
	}
	return saved
}

//go:noinline
func fails(n int) int {
	if n < 0 {
		panic("fails")
	}
	return n
}

func inlined(n int) int { return fails(n) + 1 } // small enough to be inlined

var sum int

// inlining has a copy of inlined right before its end.
//
//go:noinline
func inlining(bad bool) (saved bool) {
	for range 2 {
		defer func() {
			if recover() != nil {
				saved = true
			}
		}()
	}
	n := 1
	if bad {
		n = -1
	}
	ended := call("inlined")
	sum = inlined(n)
	ended(false)
	return saved
}

var state uint64 = 1

// one says yes in one of n times.
func one(n uint64) bool {
	state = state*6364136223846793005 + 1442695040888963407
	return state>>33%n == 0
}

func round() {
	ended := call("single")
	ended(single(one(3)))

	safely(func() {
		defers := 2
		if one(4) {
			defers = 0
		}
		ended := call("looped")
		ended(looped(defers, one(3)))
	})

	ended = call("nine")
	ended(nine(one(2)))

	ended = call("returning")
	_, _, saved := returning(int(state>>40%5), one(3))
	ended(saved)

	ended = call("heaped")
	ended(heaped(one(3)))

	safely(func() {
		ended, saved := call("deep"), false
		deep(int(state>>35%9), uint(state>>50), &saved)
		ended(saved)
	})

	ended = call("outer")
	ended(outer(one(2), one(2)))

	safely(func() {
		ended := call("again")
		ended(again(one(2), one(2)))
	})

	safely(func() {
		ended := call("later")
		ended(later(one(2), one(3)))
	})

	safely(func() {
		ended := call("inlining")
		ended(inlining(one(2)))
	})

	saved = false
	ended, lastEnded := call("ending"), call("last")
	if n := 1; one(2) {
		ending(-n, &saved)
	} else {
		ending(n, &saved)
		lastEnded(false)
	}
	ended(saved)

	done := make(chan bool)
	go func() {
		defer close(done)
		how := int(state >> 33 % 4)
		ended := call("leaving")
		if how == 1 || how == 2 {
			tallies["leaving"].Goexited++
		}
		ended(leaving(how))
	}()
	<-done
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
		tallies = map[string]*tally{}
		for range n {
			one(2)
			round()
		}
		for _, t := range tallies {
			t.Panicked = t.Begun - t.Returned - t.Recovered - t.Goexited
		}
		answer, err := json.Marshal(tallies)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(answer))
	}
}
