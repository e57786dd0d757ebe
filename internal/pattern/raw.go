package pattern

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// Targets of transitions that are no state of their own.
const (
	dead = -1
	sure = -2
)

// raw is an automaton as it is built: states by number, bytes by class.
type raw struct {
	class  [256]uint8
	bytes  []byte // one of each class
	next   [][]int
	accept []bool // of a state at the end of a text
	start  int
}

var errTooLarge = errors.New("it needs more states than can be run in the target; make it simpler, or cut it into several")

// table makes equal states one, then equal classes, and lays them out.
func (r *raw) table() (*Table, error) {
	group := r.merge()
	// Numbers: dead, sure, those that do not accept, those that do.
	number := map[int]uint8{}
	t := &Table{}
	id := 2
	for _, accepting := range []bool{false, true} {
		if accepting {
			t.Accept = uint8(min(id, 255))
		}
		for s, g := range group {
			if _, have := number[g]; !have && r.accept[s] == accepting {
				if id > maxStates+1 {
					return nil, errTooLarge
				}
				number[g] = uint8(id)
				id++
			}
		}
	}
	if id == int(t.Accept) {
		t.Accept = 255 // no state accepts; none has this number
	}
	of := func(s int) uint8 {
		switch s {
		case dead:
			return program.StateDead
		case sure:
			return program.StateSure
		}
		return number[group[s]]
	}
	rows := make([][]byte, id)
	for s, row := range r.next {
		out := make([]byte, len(row))
		for c, to := range row {
			out[c] = of(to)
		}
		rows[of(s)] = out
	}
	t.Start = of(r.start)
	return t.layOut(r, rows)
}

// layOut writes the classes and the rows; classes that never differ become one.
func (t *Table) layOut(r *raw, rows [][]byte) (*Table, error) {
	seen := map[string]int{}
	merged := make([]int, len(r.bytes))
	for c := range r.bytes {
		column := make([]byte, 0, len(rows))
		for _, row := range rows {
			if row != nil {
				column = append(column, row[c])
			}
		}
		i, have := seen[string(column)]
		if !have {
			i = len(seen)
			seen[string(column)] = i
		}
		merged[c] = i
	}
	t.Shift = uint8(bits.Len(uint(max(len(seen), 1) - 1)))
	size := classes + len(rows)<<t.Shift
	if size > maxTable {
		return nil, fmt.Errorf("%w (its table has %d bytes)", errTooLarge, size)
	}
	t.Data = make([]byte, size)
	for b := range 256 {
		t.Data[b] = uint8(merged[r.class[b]])
	}
	for s, row := range rows {
		for c, to := range row {
			t.Data[classes+s<<t.Shift+merged[c]] = to
		}
	}
	return t, nil
}

// merge gives states that cannot be told apart the same number: it begins with
// those that accept and those that do not, and takes apart what differs in where
// it leads to, until nothing does (Moore).
func (r *raw) merge() []int {
	group := make([]int, len(r.next))
	for s, a := range r.accept {
		if a {
			group[s] = 1
		}
	}
	for count := 0; ; {
		seen := map[string]int{}
		next := make([]int, len(group))
		for s, row := range r.next {
			key := fmt.Appendf(nil, "%d", group[s])
			for _, to := range row {
				if to >= 0 {
					to = group[to]
				}
				key = fmt.Appendf(key, ",%d", to)
			}
			g, have := seen[string(key)]
			if !have {
				g = len(seen)
				seen[string(key)] = g
			}
			next[s] = g
		}
		group = next
		if len(seen) == count {
			return group
		}
		count = len(seen)
	}
}
