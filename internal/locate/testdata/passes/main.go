// Program passes has lines of every kind. A comment "= N" tells how often
// control comes to its line, as a reader of the source counts.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
)

func init() { runtime.LockOSThread() }

var sink int

func main() {
	grow(200)
	defer func() { fmt.Fprintln(os.Stderr, sink) }()
	work()
}

// grow makes the stack large enough for all that follows.
//
//go:noinline
func grow(n int) int {
	var room [128]int
	if n == 0 {
		return room[sink&127]
	}
	room[n&127] = n
	return grow(n-1) + room[n&127]
}

//go:noinline
func work() {
	sink += loops([]int{1, 2, 3, 4, 5})
	sink += nested(3, 4)
	sink += switches([]int{1, 2, 3, 4, 2})
	sink += logic([]int{0, 1, 2, 3})
	sink += deferred(true)
	sink += deferred(false)
	sink += recovered(nil)
	sink += recovered([]int{7})
	sink += selects(3)
	sink += closures(4)
	sink += generics()
	sink += inlines(5)
	sink += iterate(3)
	sink += multi(2)
	sink += bodies(3)
	sink += methods(2)
	sink += recurse(3)
	sink += sorted()
	sink += maps(3)
	sink += labels(4)
	sink += strs("a,b,c")
	sink += structs(3)
	sink += gotos(3)
	sink += typeswitch([]any{1, "a", 2.5, nil})
}

//go:noinline
func loops(s []int) int {
	t := 0
	for i := 0; i < len(s); i++ { // = 6
		t += s[i] // = 5
	}
	for _, v := range s { // = 6
		if v == 2 { // = 5
			continue // = 1
		}
		if v == 4 { // = 4
			t++ // ? computed without a jump by some versions
		}
		t -= v // = 4
	}
	for i := range 3 { // = 4
		t += i // = 3
	}
	for t > 0 { // ?
		t -= 3
	}
	n := 0
	for { // ?
		n++         // ?
		if n == 3 { // = 3
			break // = 1
		}
	}
	return t + n // = 1
}

//go:noinline
func nested(a, b int) int {
	t := 0
	for i := 0; i < a; i++ { // = 4
		for j := 0; j < b; j++ { // = 15
			if i == j { // = 12
				t++ // = 3
			} else {
				t += i * j // = 9
			}
		}
		t *= 2 // = 3
	}
	return t // = 1
}

//go:noinline
func switches(s []int) int {
	t := 0
	for _, v := range s { // = 6
		switch v { // = 5
		case 1:
			t += 10 // = 1
		case 2:
			t += 20     // = 2
			fallthrough // ?
		case 3:
			t += 30 // = 3
		default:
			t-- // = 1
		}
	}
	return t // = 1
}

//go:noinline
func yes(i int) bool { return i > 0 } // = 9

//go:noinline
func logic(s []int) int {
	t := 0
	for _, v := range s { // = 5
		if v == 1 && t == 0 || v == 3 { // = 4
			t++ // = 2
		}
		if yes(v) && yes(v-1) || yes(v-2) { // = 4
			t += 5 // = 2
		}
		ok := v > 1 && t > 2 // ?
		if ok {              // ?
			t += 7
		}
	}
	return t
}

//go:noinline
func deferred(early bool) int {
	t := 0
	defer func() { // ?
		sink += t // = 2
	}()
	if early { // = 2
		return t // = 1
	}
	t = 4        // ?
	return t + 1 // = 1
}

//go:noinline
func recovered(s []int) (t int) {
	defer func() { // ?
		if r := recover(); r != nil { // = 2
			t = -1 // = 1
		}
	}()
	t = 3     // ?
	t += s[0] // = 2
	return t  // ?
}

//go:noinline
func selects(n int) int {
	a, b := make(chan int, n), make(chan int, n)
	t := 0
	for i := 0; i < n; i++ { // = 4
		a <- i   // = 3
		select { // ?
		case v := <-a: // ?
			t += v // = 3
		case v := <-b: // ?
			t -= v // = 0
		}
		select { // ?
		case v := <-b: // ?
			t -= v // = 0
		default:
			t++ // = 3
		}
	}
	return t // = 1
}

//go:noinline
func apply(n int, f func(int) int) int {
	t := 0
	for i := 0; i < n; i++ { // ?
		t += f(i) // = 4
	}
	return t
}

//go:noinline
func closures(n int) int {
	k := n * 2                      // ?
	t := apply(n, func(i int) int { // ?
		k += i   // = 4
		return k // = 4
	})
	return t + k // = 1
}

type number interface{ ~int | ~float64 }

//go:noinline
func total[T number](s []T) T {
	var t T
	for _, v := range s { // = 7
		t += v // = 5
	}
	return t // = 2
}

type stack[T any] struct{ items []T }

//go:noinline
func (s *stack[T]) push(v T) { // ?
	s.items = append(s.items, v) // = 3
}

//go:noinline
func generics() int {
	var a stack[int]
	var b stack[string]
	a.push(1)                                                                                // = 1
	a.push(2)                                                                                // = 1
	b.push("x")                                                                              // = 1
	return total([]int{1, 2, 3}) + int(total([]float64{1, 2})) + len(a.items) + len(b.items) // = 1
}

func square(x int) int {
	return x * x // = 10
}

func clamp(x int) int {
	if x > 10 { // = 5
		return 10 // = 2
	}
	return x // = 3
}

func upto(n int) int {
	t := 0                   // ?
	for i := 0; i < n; i++ { // ? the compiler runs the first pass of upto(1) itself
		t += i // ?
	}
	return t // = 3
}

//go:noinline
func inlines(n int) int {
	t := 0
	for i := 0; i < n; i++ { // = 6
		t += square(i) + clamp(square(i+1)) // = 5
	}
	t += upto(1)           // = 1
	t += upto(2) + upto(3) // = 1
	return t               // = 1
}

//go:noinline
func three(a, b, c int) int { return a + b*c } // = 2

//go:noinline
func multi(n int) int {
	t := 0
	for i := range n { // = 3
		t += three(
			i,          // ?
			square2(i), // ?
			n,          // ?
		)
	}
	return t // = 1
}

//go:noinline
func square2(i int) int { return i * i } // = 2

//go:noinline
func one() int { return sink & 1 } // = 3

//go:noinline
func bodies(n int) int {
	t := 0
	for range n { // = 4
		t += one() // = 3
	}
	f := func() int { return t } // ?
	return f()
}

type shape interface{ area() int }
type box struct{ w, h int }

func (b box) area() int { return b.w * b.h } // = 2

type disc struct{ r int }

//go:noinline
func (d *disc) area() int {
	if d.r == 0 { // = 2
		return 1
	}
	return d.r * 3 // = 2
}

//go:noinline
func methods(n int) int {
	t := 0
	shapes := []shape{box{1, 2}, &disc{3}} // = 1
	for range n {                          // = 3
		for _, s := range shapes { // = 6
			t += s.area() // = 4
		}
	}
	return t
}

//go:noinline
func recurse(n int) int {
	if n == 0 { // = 4
		return 0 // = 1
	}
	return recurse(n-1) + n // = 3
}

//go:noinline
func sorted() int {
	s := []int{3, 1, 2}
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] }) // ?
	return s[0]                                               // = 1
}

//go:noinline
func maps(n int) int {
	m := map[int]int{}
	for i := range n { // = 4
		m[i] += i // = 3
	}
	t := 0
	for k, v := range m { // ?
		t += k * v // = 3
	}
	delete(m, 1)           // = 1
	if v, ok := m[2]; ok { // = 1
		t += v // = 1
	}
	return t
}

//go:noinline
func labels(n int) int {
	t := 0
outer:
	for i := 0; i < n; i++ { // = 2
		for j := 0; j < n; j++ { // = 4
			if j > i { // = 4
				continue outer // = 1
			}
			if i+j == 4 { // = 3
				break outer // = 0
			}
			t++
			if i == 3 { // ?
				break outer
			}
			if j == 1 { // ?
				break outer
			}
		}
	}
	return t
}

//go:noinline
func strs(s string) int {
	t := 0
	for _, p := range strings.Split(s, ",") { // = 4
		switch p { // = 3
		case "a":
			t++ // = 1
		case "b":
			t += 2 // = 1
		}
	}
	for i, c := range s { // = 6
		t += i + int(c) // = 5
	}
	return t + len(s+"x") // = 1
}

type record struct {
	name string
	a, b [8]int
}

//go:noinline
func structs(n int) int {
	list := make([]record, n) // = 1
	for i := range list {     // = 4
		list[i] = record{ // ?
			name: "r",       // ?
			a:    [8]int{i}, // ?
		}
	}
	t := 0
	for _, r := range list { // = 4
		t += r.a[0] + len(r.name) // = 3
	}
	return t
}

//go:noinline
func gotos(n int) int {
	i := 0
again:
	i++        // = 3
	if i < n { // = 3
		goto again // ?
	}
	return i // = 1
}

//go:noinline
func typeswitch(s []any) int {
	t := 0
	for _, v := range s { // = 5
		switch x := v.(type) { // = 4
		case int:
			t += x // = 1
		case string:
			t += len(x) // = 1
		case nil:
			t++ // = 1
		default:
			t-- // = 1
		}
	}
	return t
}
