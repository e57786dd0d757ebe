package debuginfo

import (
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// olderSource has a sum whose new value is made in another register than the one
// that holds the value before, which the location list goes on to name.
const olderSource = `package main

type pair struct{ X, Y int }

type node[T any] struct {
	v    T
	next *node[T]
}

type list[T any] struct{ head *node[T] }

func (l *list[T]) all(yield func(T) bool) {
	for n := l.head; n != nil; n = n.next {
		if !yield(n.v) {
			return
		}
	}
}

//go:noinline
func sink(v any) {}

//go:noinline
func sum(l *list[pair]) int {
	s := 0
	for b := range l.all {
		s += b.X
		sink(s) // line: summed
	}
	return s // line: end
}

//go:noinline
func count(xs []int) int {
	n := 0
	for _, x := range xs {
		n += x
		sink(x) // line: counted
	}
	return n
}

func main() {
	l := &list[pair]{&node[pair]{pair{3, 4}, nil}}
	println(sum(l), count([]int{1, 2}))
}
`

// TestOlderValues: a variable is not read from a register that holds its value
// before, while the next one is already made in another; it is where there is
// one value.
func TestOlderValues(t *testing.T) {
	for _, toolchain := range []string{testprog.Toolchains[3], ""} {
		o := testprog.Options{Toolchain: toolchain}
		t.Run(o.String(), func(t *testing.T) {
			b, err := Open(testprog.Build(t, map[string]string{"main.go": olderSource, "go.mod": "module main\n\ngo 1.23\n"}, o))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				function, line, name string
				want                 bool
				why                  string
			}{
				{"main.sum", "summed", "s", false, WhyOlder},
				{"main.sum", "end", "s", true, ""},
				{"main.count", "counted", "n", true, ""},
			} {
				line := strings.Count(olderSource[:strings.Index(olderSource, "// line: "+c.line)], "\n") + 1
				i := slices.IndexFunc(b.Lines(b.FuncNamed(c.function)), func(r Row) bool { return r.Stmt && r.Line == line })
				pc := b.Lines(b.FuncNamed(c.function))[i].PC
				for _, v := range b.Scope(pc) {
					if l := v.Locate(pc); v.Name == c.name && (l.Readable() != c.want || l.Why != c.why) {
						t.Errorf("%s: %s is at %+v: %q", c.line, v.Name, l.Pieces, l.Why)
					}
				}
			}
		})
	}
}
