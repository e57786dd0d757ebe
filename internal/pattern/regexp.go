package pattern

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Compile makes the automaton that finds a regular expression in a text.
func Compile(expr string) (*Table, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxInsts {
		return nil, errTooLarge
	}
	n := &nfa{prog: prog, shared: map[string]int{}}
	if err := n.build(); err != nil {
		return nil, err
	}
	r, err := n.determine()
	if err != nil {
		return nil, err
	}
	return r.table()
}

// nfa is a program over bytes: node i < len(prog.Inst) is the program's own
// instruction; others are bytes within a character.
type nfa struct {
	prog   *syntax.Prog
	steps  [][]step // by node: where its bytes lead to
	shared map[string]int
	uses   syntax.EmptyOp // what the program asks of the places between bytes
	work   int            // nodes visited
}

// step leads to a node by a byte from lo to hi.
type step struct {
	lo, hi byte
	to     int
}

func (n *nfa) build() error {
	n.steps = make([][]step, len(n.prog.Inst))
	for i := range n.prog.Inst {
		in := &n.prog.Inst[i]
		switch in.Op {
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(in.Arg)
			if op&syntax.EmptyNoWordBoundary != 0 {
				return fmt.Errorf(`\B is not part of it`)
			}
			n.uses |= op
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			for _, seq := range sequences(runesOf(in)) {
				n.steps[i] = append(n.steps[i], step{seq[0].lo, seq[0].hi, n.rest(seq[1:], int(in.Out))})
			}
		}
		if len(n.steps) > 4*maxInsts {
			return errTooLarge
		}
	}
	return nil
}

// rest is the node from which the bytes of seq lead to out; equal ones are one.
func (n *nfa) rest(seq []byteRange, out int) int {
	if len(seq) == 0 {
		return out
	}
	key := fmt.Sprint(seq, out)
	if i, have := n.shared[key]; have {
		return i
	}
	next := n.rest(seq[1:], out)
	n.steps = append(n.steps, []step{{seq[0].lo, seq[0].hi, next}})
	n.shared[key] = len(n.steps) - 1
	return len(n.steps) - 1
}

// runesOf are the characters of an instruction as ranges.
func runesOf(in *syntax.Inst) []rune {
	switch in.Op {
	case syntax.InstRuneAny:
		return []rune{0, unicode.MaxRune}
	case syntax.InstRuneAnyNotNL:
		return []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	}
	if len(in.Rune) != 1 {
		return in.Rune
	}
	r0 := in.Rune[0]
	out := []rune{r0, r0}
	if syntax.Flags(in.Arg)&syntax.FoldCase != 0 && in.Op == syntax.InstRune {
		for r := unicode.SimpleFold(r0); r != r0; r = unicode.SimpleFold(r) {
			out = append(out, r, r)
		}
	}
	return out
}

type byteRange struct{ lo, hi byte }

// sequences are the ways to write characters of the ranges in UTF-8.
func sequences(runes []rune) (out [][]byteRange) {
	for i := 0; i+1 < len(runes); i += 2 {
		out = split(runes[i], runes[i+1], out)
	}
	return out
}

// split cuts a range of characters until all bytes of its ends but the first
// that differs span their whole range.
func split(lo, hi rune, out [][]byteRange) [][]byteRange {
	for _, b := range []rune{0x7f, 0x7ff, 0xd7ff, 0xdfff, 0xffff} {
		if lo <= b && hi > b {
			return split(b+1, hi, split(lo, b, out))
		}
	}
	if lo > hi || lo >= 0xd800 && lo <= 0xdfff || hi > unicode.MaxRune {
		return out // surrogates are not written
	}
	for shift := 6; shift <= 18 && utf8.RuneLen(lo) > shift/6; shift += 6 {
		m := rune(1)<<shift - 1
		if lo&^m == hi&^m {
			break
		}
		if lo&m != 0 {
			return split((lo|m)+1, hi, split(lo, lo|m, out))
		}
		if hi&m != m {
			return split(hi&^m, hi, split(lo, hi&^m-1, out))
		}
	}
	a, b := utf8.AppendRune(nil, lo), utf8.AppendRune(nil, hi)
	seq := make([]byteRange, len(a))
	for i := range a {
		seq[i] = byteRange{a[i], b[i]}
	}
	return append(out, seq)
}

// What stood before a place in the text, as far as the program asks.
const (
	afterBegin = iota
	afterNewline
	afterWord
	afterOther
)

// state is a set of nodes before it is known what follows.
type state struct {
	nodes []int // sorted
	after int
}

func (s state) key() string { return fmt.Sprint(s.nodes, s.after) }

// determine builds the automaton, whose states are sets of nodes.
func (n *nfa) determine() (*raw, error) {
	r := &raw{}
	n.classify(r)
	anchored := n.prog.StartCond()&syntax.EmptyBeginText != 0
	number := map[string]int{}
	var queue []state
	enter := func(s state) int {
		key := s.key()
		i, have := number[key]
		if !have {
			i = len(queue)
			number[key] = i
			queue = append(queue, s)
		}
		return i
	}
	start := state{[]int{n.prog.Start}, n.after(-1)}
	if r.start = enter(start); n.certain(start) {
		r.start = sure
	}
	for i := 0; i < len(queue); i++ {
		if i >= maxRaw || n.work > maxWork {
			return nil, errTooLarge
		}
		s := queue[i]
		_, end := n.closure(s.nodes, n.between(s.after, -1))
		row := make([]int, len(r.bytes))
		for c, b := range r.bytes {
			next, matched := n.step(s, b)
			switch {
			case matched:
				row[c] = sure
				continue
			case !anchored:
				next = insert(next, n.prog.Start)
			case len(next) == 0:
				row[c] = dead
				continue
			}
			to := state{next, n.after(int(b))}
			if row[c] = sure; !n.certain(to) {
				row[c] = enter(to)
			}
		}
		r.next, r.accept = append(r.next, row), append(r.accept, end)
	}
	return r, nil
}

// certain tells whether a state is a match whatever follows.
func (n *nfa) certain(s state) bool {
	_, matched := n.closure(s.nodes, 0)
	return matched
}

// step is the set of nodes behind byte b, or that there is a match before it.
func (n *nfa) step(s state, b byte) (next []int, matched bool) {
	nodes, matched := n.closure(s.nodes, n.between(s.after, int(b)))
	if matched {
		return nil, true
	}
	for _, i := range nodes {
		for _, st := range n.steps[i] {
			if st.lo <= b && b <= st.hi {
				next = insert(next, st.to)
			}
		}
	}
	return next, false
}

func insert(set []int, v int) []int {
	i, have := slices.BinarySearch(set, v)
	if have {
		return set
	}
	return slices.Insert(set, i, v)
}

// closure follows what takes no byte, where the place is as flags say.
func (n *nfa) closure(from []int, flags syntax.EmptyOp) (nodes []int, matched bool) {
	seen := map[int]bool{}
	work := slices.Clone(from)
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		n.work++
		if seen[i] {
			continue
		}
		seen[i] = true
		if i >= len(n.prog.Inst) {
			nodes = append(nodes, i)
			continue
		}
		switch in := &n.prog.Inst[i]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			work = append(work, int(in.Out), int(in.Arg))
		case syntax.InstCapture, syntax.InstNop:
			work = append(work, int(in.Out))
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				work = append(work, int(in.Out))
			}
		case syntax.InstMatch:
			matched = true
		case syntax.InstFail:
		default:
			nodes = append(nodes, i)
		}
	}
	return nodes, matched
}

func isWord(b int) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// after is what a byte, -1 for the beginning, means to the place behind it.
func (n *nfa) after(b int) int {
	switch {
	case b < 0 && n.uses&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0:
		return afterBegin
	case b == '\n' && n.uses&syntax.EmptyBeginLine != 0:
		return afterNewline
	case isWord(b) && n.uses&syntax.EmptyWordBoundary != 0:
		return afterWord
	}
	return afterOther
}

// between are the flags of the place between what stood before and byte b, -1
// for the end.
func (n *nfa) between(after, b int) (flags syntax.EmptyOp) {
	switch after {
	case afterBegin:
		flags |= syntax.EmptyBeginText | syntax.EmptyBeginLine
	case afterNewline:
		flags |= syntax.EmptyBeginLine
	}
	if b < 0 {
		flags |= syntax.EmptyEndText | syntax.EmptyEndLine
	}
	if b == '\n' {
		flags |= syntax.EmptyEndLine
	}
	if (after == afterWord) != isWord(b) {
		flags |= syntax.EmptyWordBoundary
	}
	return flags
}

// classify puts bytes that nothing tells apart into one class.
func (n *nfa) classify(r *raw) {
	var cut [257]bool
	mark := func(lo, hi byte) { cut[lo], cut[int(hi)+1] = true, true }
	for _, steps := range n.steps {
		for _, s := range steps {
			mark(s.lo, s.hi)
		}
	}
	if n.uses != 0 {
		mark('\n', '\n')
		mark('0', '9')
		mark('A', 'Z')
		mark('_', '_')
		mark('a', 'z')
	}
	for b := range 256 {
		if b == 0 || cut[b] {
			r.bytes = append(r.bytes, byte(b))
		}
		r.class[b] = uint8(len(r.bytes) - 1)
	}
}
