// Package pattern makes small automata of regular expressions.
//
// A pattern that a person wrote comes in; a table goes out that machine code
// runs over the bytes of a text, one look-up a byte, whatever the pattern is: no
// text makes it slow. Package compile stands before it, jit and interp run what
// it makes, by way of package program.
//
// The language is RE2, as Go's regexp has it. A pattern that needs too many
// states is refused. Bytes of a text that are no UTF-8 are matched by nothing,
// not even by a dot, which is where it differs from Go.
package pattern

import (
	"fmt"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Table is an automaton.
type Table struct {
	program.Automaton
	Data []byte
}

// Bounds of an automaton.
const (
	maxStates = 254      // besides the dead and the sure one
	maxRaw    = 2000     // before equal states are made one
	maxTable  = 16 << 10 // bytes
	maxInsts  = 2000     // of the program that the pattern is first made into
	maxWork   = 20 << 20 // nodes that are visited to build it
	classes   = 256
)

// Match runs the automaton over a text.
func (t *Table) Match(text []byte) bool {
	s := t.Start
	for _, b := range text {
		if s <= program.StateSure {
			break
		}
		s = t.Data[classes+int(s)<<t.Shift+int(t.Data[b])]
	}
	return s == program.StateSure || s >= t.Accept
}

// Literal finds a text within another.
func Literal(sub string) (*Table, error) {
	if len(sub) > maxStates-1 {
		return nil, fmt.Errorf("it has %d bytes; at most %d can be searched for", len(sub), maxStates-1)
	}
	r := raw{bytes: []byte{0}}
	for b := range 256 {
		switch i := strings.IndexByte(sub, byte(b)); {
		case i < 0:
			r.bytes[0] = byte(b) // class 0: all that is not in it
		default:
			r.class[b] = uint8(len(r.bytes))
			r.bytes = append(r.bytes, byte(b))
		}
	}
	// State k: the last k bytes are the first k of sub.
	for k := range len(sub) {
		row := make([]int, len(r.bytes))
		for c, b := range r.bytes {
			if row[c] = longest(sub[:k]+string([]byte{b}), sub); row[c] == len(sub) {
				row[c] = sure
			}
		}
		r.next, r.accept = append(r.next, row), append(r.accept, false)
	}
	if sub == "" {
		r.start = sure
	}
	return r.table()
}

// longest is the length of the longest end of text that sub begins with.
func longest(text, sub string) int {
	for n := min(len(text), len(sub)); ; n-- {
		if text[len(text)-n:] == sub[:n] {
			return n
		}
	}
}
