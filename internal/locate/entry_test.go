package locate

import (
	"fmt"
	"testing"
)

// flowOf makes a function of instructions at PC 0, 1, 2 …: "" falls to the next,
// "j N" jumps, "c N" jumps if a condition holds, "r" returns, "g N" is in a block
// that grows the stack and jumps to N.
func flowOf(text ...string) *function {
	insts := make([]inst, len(text))
	for i, s := range text {
		insts[i] = inst{PC: uint64(i), Len: 1}
		var op string
		var to int32
		fmt.Sscanf(s, "%s %d", &op, &to)
		switch op {
		case "":
			insts[i].Succ = []int32{int32(i + 1)}
		case "j":
			insts[i].Succ, insts[i].Ends = []int32{to}, true
		case "g":
			insts[i].Succ, insts[i].Ends, insts[i].Grow = []int32{to}, true, true
		case "c":
			insts[i].Succ, insts[i].Ends = []int32{to, int32(i + 1)}, true
		case "r":
			insts[i].Ends, insts[i].Ret = true, true
		}
	}
	f := &function{code: newCode(insts, []int32{0}), nodes: []node{{name: "f"}}}
	f.node = make([]int32, len(insts))
	f.pos = make([]pos, len(insts))
	return f
}

func TestEntry(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  []string
		after uint64
		want  string
	}{
		{"no frame", []string{"", "", "r"}, 0, "[0]"},
		{"stack check", []string{"", "c 5", "", "", "r", "g 0"}, 3, "[3]"},
		{"stack check, no prologue's end told", []string{"", "c 5", "", "", "r", "g 0"}, 0, "[2]"},
		{"two stack checks", []string{"c 5", "", "c 5", "", "r", "g 0"}, 3, "[3]"},
		{"two stack checks, wrong end", []string{"c 5", "", "c 5", "", "r", "g 0"}, 1, "[3]"},
		{"a loop from the entry", []string{"", "c 0", "", "r"}, 0, "[2]"},
		{"a loop from the prologue's end", []string{"", "c 6", "", "c 2", "", "r", "g 0"}, 2, "[4]"},
		{"a loop from the entry with two ends", []string{"c 4", "c 0", "", "r", "", "r"}, 0, "[2 4]"},
	} {
		p := flowOf(c.code...).entry(c.after)
		if got := fmt.Sprint(p.sites); got != c.want || !p.exact() {
			t.Errorf("%s: %s %+v, want %s", c.name, got, p, c.want)
		}
	}
}

// A function that is nothing but a loop has no place that executes once a call.
func TestEntryOfEndlessLoop(t *testing.T) {
	p := flowOf("", "c 0", "j 0").entry(0)
	if p.exact() && len(p.sites) > 0 {
		t.Errorf("%+v claims to be exact", p)
	}
}
