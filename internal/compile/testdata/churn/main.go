// Command churn has maps that grow and shrink all the time, with one key each
// that stays as it is. With an argument, several goroutines pass by tick as fast as
// they can, on more threads than there are processors.
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type record struct {
	Name string
	N    int
	Pair [2]int
}

// large is more than what a map keeps in its own memory.
type large struct {
	Numbers [30]int
	Name    string
}

var (
	byText   = map[string]int{"fixed": 7}
	byNumber = map[int]string{7: "seven"}
	byZero   = map[int]string{0: "zero"}
	byNone   = map[string]string{"": "none"}
	structs  = map[string]record{"fixed": fixed}
	larges   = map[int]large{7: {Name: "seven", Numbers: [30]int{29: 7}}}
	arrays   = map[[3]int32][3]int{seven: {1, 2, 3}}
	pointers = map[int]*record{7: &fixed}
	texts    = map[int][]byte{7: []byte("seven")}
	inner    = map[int]string{7: "seven"}
	nested   = map[string]map[int]string{"fixed": inner}
	keys     = map[int][3]int32{7: seven}

	fixed = record{"fixed", 7, [2]int{7, 7}}
	seven = [3]int32{7, 7, 7}
)

//go:noinline
func tick() {}

// churn fills and empties a map, and now and then makes a new one. The key k has
// the value v all the time.
func churn[K comparable, V any](m *map[K]V, round int, anew bool, k K, v V, other func(i int) K, none V) {
	for i := range 300 {
		(*m)[other(round*1000+i+1000)] = none
	}
	if anew && round%3 == 0 {
		*m = map[K]V{k: v}
	}
	for i := range 300 {
		delete(*m, other(round*1000+i+1000))
	}
}

func churnAll() {
	number := func(i int) int { return i }
	text := func(i int) string { return fmt.Sprint(i) }
	array := func(i int) [3]int32 { return [3]int32{int32(i)} }
	for round := 0; ; round++ {
		churn(&byText, round, true, "fixed", 7, text, 1)
		churn(&byNumber, round, true, 7, "seven", number, "x")
		churn(&byZero, round, true, 0, "zero", number, "x")
		churn(&byNone, round, true, "", "none", text, "x")
		churn(&structs, round, true, "fixed", fixed, text, record{Name: "x"})
		churn(&larges, round, true, 7, larges[7], number, large{Name: "x"})
		churn(&arrays, round, true, seven, [3]int{1, 2, 3}, array, [3]int{})
		churn(&pointers, round, true, 7, &fixed, number, nil)
		churn(&texts, round, true, 7, texts[7], number, []byte("x"))
		churn(&inner, round, false, 7, "seven", number, "x")
		churn(&nested, round, true, "fixed", inner, text, nil)
		churn(&keys, round, true, 7, seven, number, [3]int32{})
	}
}

func main() {
	if len(os.Args) > 1 {
		runtime.GOMAXPROCS(2 * runtime.NumCPU())
		for range 2 {
			go func() {
				for {
					tick()
				}
			}()
		}
	}
	go churnAll()
	for {
		tick()
		time.Sleep(20 * time.Microsecond)
	}
}
