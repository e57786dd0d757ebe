//go:build go1.23

package main

func count(n int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := 0; i < n; i++ { // ?
			if !yield(i) { // ?
				return
			}
		}
	}
}

//go:noinline
func iterate(n int) int {
	t := 0
	for v := range count(n) { // ?
		t += v // = 3
	}
	for v := range count(n) { // ?
		if v == 1 { // = 2
			break // = 1
		}
		t -= v // ? computed before the test for the break
	}
	return t // = 1
}
