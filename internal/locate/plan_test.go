package locate

import (
	"fmt"
	"testing"
)

// Sites of a line over flows that compilers make. In marks, each letter is one
// instruction: S begins a statement of the line, L is of the line, m is a move of
// the line, q is a move under another line's number, - is other code.
func TestSitesOfLine(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []string
		marks string
		sites string
		exact bool
	}{
		{"one block", []string{"", "", "", "r"}, "-SL-", "[1]", true},
		{"twice in a block", []string{"", "", "", "", "", "r"}, "-SL-S-", "[1]", true},
		{"a && b: two blocks", []string{"", "c 3", "c 3", "", "r"}, "-SL--", "[1]", true},
		{"loop head, init and step apart",
			[]string{"", "j 4", "", "", "c 2", "", "r"}, "-S-SS--", "[1 3]", true},
		{"loop head of one block with its body",
			[]string{"", "", "", "", "c 1", "r"}, "-S-LL-", "[3]", true},
		{"reload in a rare branch",
			[]string{"", "c 4", "", "j 6", "", "", "", "r"}, "-S----m-", "[1]", true},
		{"a move of other code between two parts",
			[]string{"", "", "", "c 5", "", "r"}, "-SqSL-", "[1]", true},
		{"computed later, behind other code",
			[]string{"", "c 4", "", "", "", "r"}, "-S-S--", "[1]", true},
		{"jumps back into the line from other code",
			[]string{"c 3", "", "", "", "", "c 3", "r"}, "---SL--", "[3]", true},
		{"an endless loop on one line", []string{"", "", "j 1"}, "-SL", "[0]", true},
		{"nothing but moves", []string{"", "", "r"}, "-m-", "[1]", true},
		{"left from the middle", []string{"c 3", "", "j 4", "", "c 3", "r"}, "---SS-", "[5]", true},
		{"entered and left from the middle",
			[]string{"c 3", "c 6", "j 6", "c 2", "j 6", "r", "r"}, "-SS----", "[1]", false},
	} {
		f := flowOf(c.code...)
		e := extent{stmt: map[int32]bool{}, inside: map[int32]bool{}}
		f.lines = map[place]*extent{{}: &e}
		for i, m := range c.marks {
			f.code.insts[i].Idle = m == 'm' || m == 'q'
			f.pos[i].stmt = m == 'S' || m == '-'
			if m == 'S' {
				e.stmt[int32(i)] = true
			}
			if m != '-' && m != 'q' {
				e.insts = append(e.insts, int32(i))
			}
		}
		p := f.code.runs(f.extent(place{})).solve()
		if got := fmt.Sprint(p.sites); got != c.sites || p.exact() != c.exact {
			t.Errorf("%s: %s %+v, want %s exact %v", c.name, got, p, c.sites, c.exact)
		}
	}
}

// The body of a range-over-func loop that was inlined back is at its own lines.
func TestFoldRanges(t *testing.T) {
	f := flowOf("", "", "", "r")
	f.nodes = []node{{name: "main.f"}, {name: "iter.seq", file: "f.go", line: 5}, {name: "main.f-range1", parent: 1, file: "seq.go", line: 20}}
	f.node = []int32{0, 1, 2, 0}
	f.pos = []pos{{"f.go", 5, true}, {"seq.go", 20, true}, {"f.go", 6, true}, {"f.go", 7, true}}
	f.foldRanges()
	want := map[place]string{
		{0, "f.go", 5}: "[0 1]", {1, "seq.go", 20}: "[1 2]", {0, "f.go", 6}: "[2]", {0, "f.go", 7}: "[3]",
	}
	for p, e := range f.extents() {
		if got := fmt.Sprint(e.insts); got != want[p] {
			t.Errorf("%+v: %s, want %s", p, got, want[p])
		}
	}
	if len(f.extents()) != len(want) {
		t.Errorf("%d extents, want %d", len(f.extents()), len(want))
	}
}

// A closure that is written and called on one line is part of that line.
func TestNestedExtent(t *testing.T) {
	f := flowOf("", "", "r")
	f.nodes = []node{{name: "main.f"}, {name: "main.f.func1", file: "f.go", line: 5}}
	f.node = []int32{0, 1, 0}
	f.pos = []pos{{"f.go", 5, true}, {"f.go", 5, true}, {"f.go", 6, true}}
	f.foldRanges()
	if got := f.at("f.go", 5); len(got) != 1 || got[0].node != 0 {
		t.Errorf("%+v, want the outer line only", got)
	}
}
