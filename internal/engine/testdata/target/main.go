// Command target does what it is told on standard input, and says how often it
// did it: the program whose own counts the engine's tests compare with.
//
//	run NAME N   run a scenario N times; answers "done NAME COUNT"
//	spin N       start N goroutines that spin for ever; answers "done spin N"
//	mix N        start N goroutines that compute, and check, for ever; "done mix N"
//	load         start a load that checks itself, for ever; answers "done load 1"
//	exit CODE
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

type order struct {
	ID   int
	Qty  int
	Note *string
}

var sink int

//go:noinline
func leaf(n int) int {
	return n*3 + 1 // mark:leaf
}

//go:noinline
func handle(o *order, name string, price int) int {
	total := o.Qty * price // mark:handle
	if total > 1000 {
		total -= o.ID // mark:rare
	}
	sink += len(name)
	return total
}

func inlined(n int) int { return n ^ 0x55 } // mark:inlined

//go:noinline
func useInlined(n int) int {
	a := inlined(n + 1000) // mark:calls
	b := inlined(a + 1)
	return a + b
}

type cart struct{ items []int }

//go:noinline
func (c *cart) Add(n int) {
	c.items = append(c.items[:0], n) // mark:method
}

//go:noinline
func biggest[T int | float64 | string](xs []T) T {
	var m T
	for _, x := range xs { // mark:range
		if x > m {
			m = x // mark:generic
		}
	}
	return m
}

//go:noinline
func nilDeref(o *order) (n int) {
	defer func() {
		if recover() != nil {
			n = -1
		}
	}()
	return len(*o.Note) + o.ID // mark:nil
}

//go:noinline
func deep(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return pad[0] // mark:bottom
	}
	return deep(n-1) + pad[n%64] // mark:deep
}

//go:noinline
func caller(n int) int {
	return leaf(n) + leaf(n+1) // mark:caller
}

var names = []string{"alice", "bob", "a name of twenty b.."}

func closures(n int) int {
	k := n
	f := func(i int) int {
		k += i // mark:closure
		return k
	}
	call(f)
	return k
}

//go:noinline
func call(f func(int) int) { f(1) }

//go:noinline
func floaty(x float64, n int) float64 {
	return x * float64(n) // mark:float
}

//go:noinline
func outer(n int, who string) int {
	a := inlined(n) // mark:outer
	return a*3 + n
}

// mix is a loop in which the runtime preempts nowhere; only the kernel takes its
// processor away, at any instruction.
//
//go:nosplit
//go:noinline
func mix(n int) uint32 {
	x := uint32(1)
	for i := 0; i < n; i++ {
		x ^= x << 13 // mark:mix1
		x ^= x >> 17 // mark:mix2
		x ^= x << 5
		x += 3      // mark:mix3
		x ^= x << 7 // mark:mix4
		x ^= x >> 9
	}
	return x
}

//go:noinline
func parts(n int) (string, []string) {
	return names[n%3], make([]string, 2, 5)
}

// fragment uses only the length of one variable and the capacity of another: the
// compiler keeps no more of them.
//
//go:noinline
func fragment(n int) int {
	s, xs := parts(n)
	k := leaf(n) // mark:fragment
	k += leaf(len(s))
	return k + cap(xs)
}

// scenarios return how often the line that they are named for was passed.
var scenarios = map[string]func(n int) int{
	"leaf": func(n int) int {
		for i := range n {
			sink += leaf(i)
		}
		return n
	},
	"handle": func(n int) int {
		o := &order{ID: 7, Qty: 3}
		for i := range n {
			o.ID = i
			sink += handle(o, names[i%3], i%10)
		}
		return n
	},
	"inlined": func(n int) int {
		for i := range n {
			sink += useInlined(i)
		}
		return 2 * n
	},
	"outer": func(n int) int {
		for i := range n {
			sink += outer(i, "nobody reads this")
		}
		return n
	},
	"fragment": func(n int) int {
		for i := range n {
			sink += fragment(i)
		}
		return n
	},
	"method": func(n int) int {
		c := &cart{}
		for i := range n {
			c.Add(i)
		}
		return n
	},
	"generic": func(n int) int {
		for range n {
			sink += biggest([]int{1, 2, 3})
			sink += int(biggest([]float64{1, 2}))
			sink += len(biggest([]string{"a"}))
		}
		return 6 * n
	},
	"closure": func(n int) int {
		for i := range n {
			sink += closures(i)
		}
		return n
	},
	"nil": func(n int) int {
		s := "note"
		for i := range n {
			o := &order{ID: i, Note: &s}
			if i%2 == 0 {
				o.Note = nil
			}
			if got := nilDeref(o); (got == -1) != (i%2 == 0) {
				fmt.Println("broken nil", got)
				os.Exit(3)
			}
		}
		return n
	},
	"deep": func(n int) int {
		done := make(chan int)
		for range n {
			go func() { done <- deep(500) }() // a fresh stack, so that it grows
			<-done
		}
		return 500 * n
	},
	"caller": func(n int) int {
		for i := range n {
			sink += caller(i)
			if i%1000 == 0 {
				runtime.GC()
			}
		}
		return n
	},
	"parallel": func(n int) int {
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s := 0
				for i := range n {
					s += leaf(i)
				}
				_ = s
			}()
		}
		wg.Wait()
		return 8 * n
	},
	"float": func(n int) int {
		for i := range n {
			sink += int(floaty(0.5, i))
		}
		return n
	},
	"fork": func(n int) int {
		for range n {
			if err := exec.Command("/proc/self/exe", "child").Run(); err != nil {
				fmt.Println("broken fork", err)
				os.Exit(3)
			}
			sink += leaf(n)
		}
		return n
	},
	"gc": func(n int) int {
		for i := range n {
			b := make([]*order, 1000)
			for j := range b {
				b[j] = &order{ID: leaf(j), Qty: i}
			}
			runtime.KeepAlive(b)
		}
		return 1000 * n
	},
	"sleep": func(n int) int {
		for range n {
			start := time.Now()
			time.Sleep(time.Millisecond)
			if time.Since(start) < time.Millisecond {
				fmt.Println("broken sleep")
				os.Exit(3)
			}
		}
		return n
	},
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		return
	}
	debug.SetGCPercent(50)
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for in.Scan() {
		words := strings.Fields(in.Text())
		n := 0
		if len(words) > 1 {
			n, _ = strconv.Atoi(words[len(words)-1])
		}
		switch words[0] {
		case "run":
			fmt.Println("done", words[1], scenarios[words[1]](n))
		case "spin":
			for range n {
				go spin()
			}
			fmt.Println("done spin", n)
		case "mix":
			want := mix(20000)
			for range n {
				go func() {
					for {
						if got := mix(20000); got != want {
							broken("mix", got)
						}
					}
				}()
			}
			fmt.Println("done mix", n)
		case "load":
			load()
			fmt.Println("done load 1")
		case "exit":
			os.Exit(n)
		}
	}
}

func spin() {
	x := 0
	for {
		x += leaf(x)
	}
}

// load keeps the process busy in many ways, and ends it when a result is wrong.
func load() {
	go pressure()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		broken("listen", err)
	}
	go serve(ln)
	for range 4 {
		go echo(ln.Addr().String())
	}
	for i := range 500 {
		in, out := make(chan int), make(chan int)
		go relay(in, out)
		go bounce(i, in, out)
	}
	go timers()
	go panics()
	go grow()
}

func broken(what string, why any) {
	fmt.Println("broken", what, why)
	os.Exit(3)
}

//go:noinline
func step(n int) int {
	return n + 1 // mark:step
}

func relay(in, out chan int) {
	for n := range in {
		out <- step(n)
	}
}

func bounce(i int, in, out chan int) {
	for n := i; ; n++ {
		in <- n
		if got := <-out; got != n+1 {
			broken("relay", got)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

//go:noinline
func allot(n int) []*order {
	list := make([]*order, n)
	for i := range list {
		list[i] = &order{ID: i, Qty: n} // mark:allot
	}
	return list
}

func pressure() {
	for {
		for i, o := range allot(2000) {
			if o.ID != i || o.Qty != 2000 {
				broken("heap", *o)
			}
		}
		time.Sleep(time.Millisecond)
	}
}

func serve(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			broken("accept", err)
		}
		go io.Copy(c, c)
	}
}

func echo(addr string) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		broken("dial", err)
	}
	buf := make([]byte, 8)
	for i := uint64(0); ; i++ {
		say := binary.LittleEndian.AppendUint64(nil, i) // mark:echo
		if _, err := c.Write(say); err != nil {
			broken("write", err)
		}
		if _, err := io.ReadFull(c, buf); err != nil || !bytes.Equal(buf, say) {
			broken("echo", err)
		}
		time.Sleep(time.Millisecond)
	}
}

func timers() {
	for {
		start := time.Now()
		<-time.After(2 * time.Millisecond)
		if time.Since(start) < 2*time.Millisecond {
			broken("timer", time.Since(start))
		}
	}
}

func panics() {
	s := "note"
	for i := 0; ; i++ {
		o := &order{ID: i, Note: &s}
		if i%2 == 0 {
			o.Note = nil
		}
		if got := nilDeref(o); (got == -1) != (i%2 == 0) {
			broken("panic", got)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func grow() {
	done := make(chan int)
	for {
		go func() { done <- deep(300) }()
		if got := <-done; got != 300*301/2 {
			broken("deep", got)
		}
		time.Sleep(time.Millisecond)
	}
}
