// Command hour makes as many calls as a busy service makes in an hour, of every kind
// and end that a call can have, and knows what became of each; and it takes the time
// of calls by its own clock, from within and from without.
//
//	run NAME N   runs a scenario with N goroutines; answers one line of JSON
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// truth is what a scenario came to. Saved are returns of saved, the others of call. Of
// timed calls, Inner has their durations as read from within, Outer those read from
// without, both sorted.
type truth struct {
	Returned  uint64
	Saved     uint64
	Recovered uint64
	Panicked  uint64
	Goexited  uint64
	Inner     []int64
	Outer     []int64
}

// tally is the truth as goroutines add to it.
type tally struct {
	returned, saved, recovered, panicked, goexited atomic.Uint64

	mu    sync.Mutex
	spans []span
}

// span is one timed call.
type span struct{ inner, outer int64 }

var sink atomic.Int64

// How a call is made, or ends.
const (
	plain = iota
	grows
	yields
	panics
	goexits
)

// call calls itself as often as depth says; the innermost does what its kind says.
//
//go:noinline
func call(kind, depth int) int {
	if depth > 0 {
		return call(kind, depth-1) + 1
	}
	switch kind {
	case grows:
		return int(grow(20))
	case yields:
		runtime.Gosched()
	case panics:
		panic("call")
	case goexits:
		runtime.Goexit()
	}
	return 1
}

// saved recovers from a panic of its own.
//
//go:noinline
func saved(bad bool) (n int) {
	defer func() {
		if recover() != nil {
			n = -1
		}
	}()
	sink.Add(1)
	if bad {
		panic("saved")
	}
	return 1
}

// grow needs a stack of so many kilobytes.
//
//go:noinline
func grow(k int) byte {
	var b [1024]byte
	b[k%1024] = byte(k)
	if k > 0 {
		return b[k%7] + grow(k-1)
	}
	return b[0]
}

// try calls and recovers.
func try(kind, depth int) {
	defer func() { _ = recover() }()
	call(kind, depth)
}

// callsOfOne is how many calls a goroutine makes, however it lives and ends.
const callsOfOne = 36

// life makes the calls of goroutine n.
func (t *tally) life(n int) {
	var returned, panicked, goexited uint64
	defer func() {
		t.returned.Add(returned)
		t.panicked.Add(panicked)
		t.goexited.Add(goexited)
	}()
	calls := func(kind, depth, many int) {
		for range many {
			call(kind, depth)
			returned += uint64(depth) + 1
		}
	}
	switch n % 16 {
	case 0: // recursion
		calls(plain, 5, 6)
	case 1: // stack growth below calls under way
		calls(plain, 0, 20)
		calls(grows, 7, 2)
	case 2: // a panic through calls, and more calls after it
		try(panics, 5)
		panicked += 6
		calls(plain, 2, 10)
	case 3: // the goroutine ends during calls
		calls(plain, 0, 30)
		goexited += 6
		call(goexits, 5)
	case 4: // it ends after a panic through calls, and passes nothing else
		calls(plain, 0, 32)
		panicked += 4
		try(panics, 3)
	case 5: // calls go on on another thread
		calls(yields, 3, 1)
		calls(plain, 0, 32)
	case 6: // calls that recover by themselves
		for i := range callsOfOne {
			if saved(i%9 == 0) < 0 {
				t.recovered.Add(1)
			} else {
				t.saved.Add(1)
			}
		}
	default:
		calls(plain, 0, callsOfOne)
	}
}

// atOnce is how many goroutines there are at most.
const atOnce = 2000

// each runs so many goroutines to their ends.
func each(n int, life func(n int)) {
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		all.Add(1)
		go func() {
			defer all.Done()
			defer func() { <-free }()
			life(i)
		}()
	}
	all.Wait()
}

var began = time.Now()

func now() int64 { return int64(time.Since(began)) }

func spin(d time.Duration) {
	for end := now() + int64(d); now() < end; {
	}
}

// timed reads the clock as the first and as the last thing that it does.
//
//go:noinline
func (t *tally) timed(kind string, d time.Duration, depth int, out *[]span) (inner int64) {
	from := now()
	switch kind {
	case "sleep":
		time.Sleep(d)
	case "grow":
		sink.Add(int64(grow(30)))
		spin(d)
	case "panic":
		panic("timed")
	case "goexit":
		runtime.Goexit()
	default:
		spin(d)
	}
	if depth > 0 {
		t.outside(kind, d, depth-1, out)
	}
	return now() - from
}

// outside calls timed and reads the clock around it.
//
//go:noinline
func (t *tally) outside(kind string, d time.Duration, depth int, out *[]span) {
	from := now()
	inner := t.timed(kind, d, depth, out)
	*out = append(*out, span{inner, now() - from})
}

var kinds = []string{"spin", "sleep", "grow", "panic", "sleep", "recurse", "goexit", "sleep", "spin", "sleep"}

// durations makes timed calls in goroutines of every kind, from 20 µs to 20 ms.
func (t *tally) durations(n int) {
	kind := kinds[n%len(kinds)]
	d := time.Duration(20+n%80) * time.Microsecond
	if kind == "sleep" {
		d *= time.Duration(1 + n%200)
	}
	depth := 0
	if kind == "recurse" {
		depth = 4
	}
	var out []span
	defer func() {
		_ = recover()
		t.mu.Lock()
		defer t.mu.Unlock()
		t.spans = append(t.spans, out...)
		switch kind {
		case "panic":
			t.panicked.Add(1)
		case "goexit":
			t.goexited.Add(1)
		}
	}()
	t.outside(kind, d, depth, &out)
}

func (t *tally) truth() truth {
	out := truth{Returned: t.returned.Load() + uint64(len(t.spans)), Saved: t.saved.Load(), Recovered: t.recovered.Load(),
		Panicked: t.panicked.Load(), Goexited: t.goexited.Load()}
	for _, s := range t.spans {
		out.Inner, out.Outer = append(out.Inner, s.inner), append(out.Outer, s.outer)
	}
	slices.Sort(out.Inner)
	slices.Sort(out.Outer)
	return out
}

func main() {
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var name string
		var n int
		t := &tally{}
		_, err := fmt.Sscanf(in.Text(), "run %s %d", &name, &n)
		switch {
		case err == nil && name == "hour":
			each(n, t.life)
		case err == nil && name == "durations":
			each(n, t.durations)
		default:
			fmt.Println("mistake:", in.Text())
			continue
		}
		answer, err := json.Marshal(t.truth())
		if err != nil {
			panic(err)
		}
		fmt.Println(string(answer))
	}
}
