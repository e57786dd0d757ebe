package debuginfo

import (
	"slices"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// placesSource has variables whose places on the stack do not always hold them.
const placesSource = `package main

import "os"

type five struct{ A, B, C, D, E int }

//go:noinline
func ten(n int) (a [10]int) {
	for i := range a {
		a[i] = n + i
	}
	return a
}

//go:noinline
func use(a [10]int) int { return a[3] }

//go:noinline
func mark(n int) int { return n + len(os.Args) }

// The lives of a, b and c do not meet.
//
//go:noinline
func meet(n int) int {
	a := ten(n)
	r := use(a) + a[n%10]
	b := ten(n + 100)
	r += mark(r)       // line: second
	r += use(b) + b[n%10]
	c := ten(n + 200)
	r += use(c) + c[n%10]
	return r + mark(r) // line: last
}

//go:noinline
func long(n int) int {
	keep := n * 2
	v := five{
		A: n,
		B: mark(keep), // line: within
		C: 3,
	}
	p := &v
	return keep + p.B // line: behind
}

type pair struct {
	A int
	B string
}

//go:noinline
func take(p pair) int { return p.A + len(p.B) + len(os.Args) }

//go:noinline
func give(n int) pair { return pair{n, "given"} }

// The life of t ends before that of u begins, and the compiler spills both to
// the same places.
//
//go:noinline
func spill(n int, t pair) int {
	r := mark(n)
	r += take(t) // line: spilled
	u := give(n - 1)
	r += mark(r)
	r += mark(u.A)
	if n > 0 {
		r += spill(n-1, u) // line: again
	}
	return r + mark(n)
}

func main() { println(meet(3), long(3), spill(3, pair{3, "three"})) }
`

// readable are the variables that can be read at the marked line.
func readable(t *testing.T, b *Build, function, name string) (names []string, pc uint64) {
	t.Helper()
	line := 0
	for i, l := range strings.Split(placesSource, "\n") {
		if strings.HasSuffix(l, "// line: "+name) {
			line = i + 1
		}
	}
	for _, r := range b.Lines(b.FuncNamed(function)) {
		if r.Stmt && r.Line == line {
			for _, v := range b.Scope(r.PC) {
				if v.Name[0] != '~' && v.Locate(r.PC).Readable() {
					names = append(names, v.Name)
				}
			}
			return names, r.PC
		}
	}
	t.Fatalf("%s has no code on line %d", function, line)
	return nil, 0
}

// TestPlaces: a variable is readable only where its place holds it for certain,
// and no two are at one place.
func TestPlaces(t *testing.T) {
	for _, toolchain := range []string{testprog.Toolchains[0], testprog.Toolchains[1], ""} {
		for _, flags := range []string{"", "-N -l"} {
			o := testprog.Options{Toolchain: toolchain, GCFlags: flags}
			t.Run(o.String(), func(t *testing.T) {
				b, err := Open(testprog.Build(t, map[string]string{"main.go": placesSource}, o))
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range []struct{ function, line, must, never string }{
					{"main.meet", "second", "b", ""},
					{"main.meet", "last", "c", ""},
					{"main.long", "within", "", "v"},
				} {
					got, pc := readable(t, b, c.function, c.line)
					list := " " + strings.Join(got, " ") + " "
					if toolchain == testprog.Toolchains[0] && flags == "" {
						c.must = "" // it describes no such variables
					}
					if c.must != "" && !strings.Contains(list, " "+c.must+" ") || c.never != "" && strings.Contains(list, " "+c.never+" ") {
						t.Errorf("%s: readable are %s", c.line, list)
					}
					apart(t, b, pc)
				}
				if flags == "" {
					return
				}
				if got, _ := readable(t, b, "main.long", "behind"); !strings.Contains(strings.Join(got, " "), "v") {
					t.Errorf("behind: readable are %s", got)
				}
			})
		}
	}
}

// TestReusedPlaces: where the location list goes on to name a place on the stack
// that another value was spilled to, the variable is not read; one that is counted
// up in its place is. Of a call in the middle, as callers are looked at, the same.
func TestReusedPlaces(t *testing.T) {
	for _, toolchain := range []string{testprog.Toolchains[0], testprog.Toolchains[2], ""} {
		o := testprog.Options{Toolchain: toolchain}
		t.Run(o.String(), func(t *testing.T) {
			b, err := Open(testprog.Build(t, map[string]string{"main.go": placesSource}, o))
			if err != nil {
				t.Fatal(err)
			}
			for line, want := range map[string]bool{"spilled": true, "again": false} {
				names, pc := readable(t, b, "main.spill", line)
				if slices.Contains(names, "t") != want || !slices.Contains(names, "r") {
					t.Errorf("%s: readable are %s", line, names)
				}
				for _, v := range b.Scope(pc) {
					if at := v.Locate(pc + 1); v.Name == "t" && !want && at.Readable() {
						t.Errorf("%s: within an instruction, t is at %+v", line, at.Pieces)
					}
				}
			}
		})
	}
}

// apart: no two variables that are readable at pc lie at one place.
func apart(t *testing.T, b *Build, pc uint64) {
	t.Helper()
	taken := map[int64]string{}
	for _, v := range b.Scope(pc) {
		l := v.Locate(pc)
		if !l.Readable() || len(l.Pieces) != 1 || l.Pieces[0].Kind != AtCFA || l.Pieces[0].Size <= ownPlace {
			continue
		}
		if other := taken[l.Pieces[0].Off]; other != "" {
			t.Errorf("%s and %s are both read at %d", v.Name, other, l.Pieces[0].Off)
		}
		taken[l.Pieces[0].Off] = v.Name
	}
}
