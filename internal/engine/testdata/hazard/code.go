package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"unsafe"
)

var sink int

type node struct {
	pad  [3]int
	next *node
	n    int
}

// The lines with calls begin with the call itself: it is what a probe displaces.

//go:noinline
func collects() {
	runtime.GC()
}

//go:noinline
func callsGC() int {
	collects() // mark:callgc
	return 1
}

func callGC(n int) int {
	got := 0
	for range n {
		got += callsGC()
	}
	return got
}

//go:noinline
func down(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return 0
	}
	return down(n-1) + pad[n%64]
}

//go:noinline
func grows() {
	if got := down(1000); got != 1000*1001/2 {
		broken("grows", got)
	}
}

//go:noinline
func callsGrow() {
	grows() // mark:callgrow
	sink++
}

func callGrow(n int) int {
	done := make(chan bool)
	for range n {
		go func() { callsGrow(); done <- true }() // a fresh stack, so that it grows
		<-done
	}
	return n
}

//go:noinline
func callsClosure(f func()) {
	sink++
	f() // mark:callclosure
	sink++
}

func callClosure(n int) int {
	k := 0
	for range n {
		callsClosure(func() { k++; grows() })
	}
	return k
}

type grower interface{ grow() }

func (*node) grow() { grows(); runtime.GC() }

//go:noinline
func callsMethod(g grower) {
	sink++
	g.grow() // mark:callmethod
	sink++
}

func callMethod(n int) int {
	for range n {
		callsMethod(&node{})
	}
	return n
}

var here string

//go:noinline
func traces() {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	f, _ := frames.Next()
	here = fmt.Sprint(f.Function, f.Line)
	for stack := string(debug.Stack()); !strings.Contains(stack, "main.callsTrace"); {
		broken("traces", stack)
	}
}

//go:noinline
func callsTrace() {
	traces() // mark:calltrace
	sink++
}

var firstTrace string

// callTrace checks that the callee sees the same caller, probed or not.
func callTrace(n int) int {
	for range n {
		callsTrace()
		if firstTrace == "" {
			firstTrace = here
		}
		if here != firstTrace {
			broken("calltrace", here)
		}
	}
	return n
}

// nilAt fails in the middle of short instructions.
//
//go:noinline
func nilAt(p *node, k int) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
			n = lineOfPanic()
		}
	}()
	k += p.n + int(p.pad[1]) // mark:nil
	p.n = k
	return k, nil
}

// lineOfPanic is the line of nilAt on a stack that panics.
func lineOfPanic() int {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for {
		f, more := frames.Next()
		if f.Function == "main.nilAt" || f.Function == "main.faultAt" {
			return f.Line
		}
		if !more {
			return 0
		}
	}
}

var nilLine int

func nils(n int) int {
	p := &node{n: 1}
	for i := range n {
		p.n = 1
		if k, err := nilAt(p, i); k != i+1 || err != nil {
			broken("nil", err)
		}
		line, err := nilAt(nil, i)
		var re runtime.Error
		if !errors.As(err, &re) || err.Error() != "runtime error: invalid memory address or nil pointer dereference" {
			broken("nil", err)
		}
		if nilLine == 0 {
			nilLine = line
		}
		if line == 0 || line != nilLine {
			broken("nil: line", line)
		}
	}
	return 2 * n
}

//go:noinline
func faultAt(p *node, k int) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
			n = lineOfPanic()
		}
	}()
	k ^= p.n + p.pad[2] // mark:fault
	return k, nil
}

// faults reads memory that is not there: with SetPanicOnFault that is a panic
// that tells the address.
func faults(n int) int {
	mem, err := syscall.Mmap(-1, 0, 4096, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		broken("mmap", err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p := (*node)(unsafe.Pointer(&mem[0]))
	lo := uintptr(unsafe.Pointer(p))
	line := 0
	for i := range n {
		got, err := faultAt(p, i)
		var at interface{ Addr() uintptr }
		if !errors.As(err, &at) || at.Addr() < lo || at.Addr() >= lo+unsafe.Sizeof(*p) {
			broken("fault", err)
		}
		if line == 0 {
			line = got
		}
		if got == 0 || got != line {
			broken("fault: line", got)
		}
	}
	if _, err := faultAt(&node{}, 1); err != nil {
		broken("fault", err)
	}
	return n + 1
}

//go:noinline
func dies(p *node, k int) int {
	k += p.n + p.pad[1] // mark:crash
	return k
}

var nobody *node

// crash ends the program by a panic that nobody recovers.
func crash(n int) int { return dies(nobody, n) }

//go:noinline
func deferring(k int) (n int) {
	defer func() {
		r := recover() // mark:recovers
		n = r.(int) + 1
	}()
	for i := range 2 {
		defer func() { sink += i }() // mark:loopdefer
	}
	panic(k) // mark:panics
}

func defers(n int) int {
	for i := range n {
		if got := deferring(i); got != i+1 {
			broken("defers", got)
		}
	}
	return n
}

//go:noinline
func openly(k int, p *node) (n int) {
	defer func() { n += 2 }() // mark:open1
	defer func() {
		if recover() != nil {
			n = 5 // mark:open2
		}
	}()
	if k%2 == 0 {
		defer func() { n += 3 }() // mark:open3
	}
	return p.n // mark:open4
}

func openCoded(n int) int {
	p := &node{n: 1}
	for i := range n {
		want := 3
		if i%2 == 0 {
			want = 6
		}
		if got := openly(i, p); got != want {
			broken("open", got)
		}
		if got := openly(i, nil); got != 7 {
			broken("open", got)
		}
	}
	return 2 * n
}

//go:noinline
func exits(depth int, ran *int) {
	defer func() { *ran++ }()
	if depth == 0 {
		runtime.Goexit() // mark:goexit
	}
	exits(depth-1, ran) // mark:exiting
	broken("goexit", "came back")
}

func goexits(n int) int {
	for range n {
		ran, done := 0, make(chan bool)
		go func() {
			defer func() { done <- true }()
			exits(20, &ran)
		}()
		<-done
		if ran != 21 {
			broken("goexit", ran)
		}
	}
	return n
}

//go:noinline
func middle(depth int) {
	if depth == 0 {
		panic("through")
	}
	middle(depth - 1) // mark:through
	sink++
}

func through(n int) int {
	for range n {
		func() {
			defer func() {
				if r := recover(); r != "through" {
					broken("through", r)
				}
			}()
			middle(30)
		}()
	}
	return 30 * n
}
