package dap

import (
	"math/rand"
	"strings"
	"testing"
)

func TestLinesAreMapped(t *testing.T) {
	built := "package main\n\nfunc f() {\n\ta()\n\tb()\n\tc()\n}\n"
	local := "// new\npackage main\n\nfunc f() {\n\ta()\n\tB()\n\tmore()\n\tc()\n}\n"
	m := compareLines(local, built)
	for line, want := range map[int]int{1: 0, 2: 1, 4: 3, 5: 4, 6: 0, 7: 0, 8: 6, 9: 7, 0: 0, 99: 0} {
		if got := m.toBuilt(line); got != want {
			t.Errorf("line %d is %d of the build, want %d", line, got, want)
		}
		if want != 0 && m.toLocal(want) != line {
			t.Errorf("line %d of the build is %d, want %d", want, m.toLocal(want), line)
		}
	}
	if same := compareLines(built, built); same != nil || same.toBuilt(5) != 5 || same.toLocal(5) != 5 {
		t.Error("equal texts differ")
	}
}

// Whatever the texts are, lines that are paired are equal, and in order.
func TestPairedLinesAreEqual(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	text := func() []string {
		lines := make([]string, r.Intn(40))
		for i := range lines {
			lines[i] = string(rune('a' + r.Intn(5)))
		}
		return lines
	}
	for range 2000 {
		a, b := text(), text()
		m := compareLines(strings.Join(a, "\n"), strings.Join(b, "\n"))
		last := 0
		for i := range a {
			j := m.toBuilt(i + 1)
			if j == 0 {
				continue
			}
			if j > len(b) || b[j-1] != a[i] || j <= last || m.toLocal(j) != i+1 {
				t.Fatalf("%q and %q: line %d is paired with %d", a, b, i+1, j)
			}
			last = j
		}
	}
}
