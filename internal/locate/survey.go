package locate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// Code is one function, read once to be asked for several of its lines. The
// sites are those that Resolve finds in it.
type Code struct {
	build *debuginfo.Build
	fn    *debuginfo.Func
	f     *function // nil: it takes no probe
	note  *resolver // why it takes none
	plans map[place]plan
}

// ReadCode reads a function.
func ReadCode(b *debuginfo.Build, fn *debuginfo.Func) *Code {
	c := &Code{build: b, fn: fn, note: newResolver(b, fn.Name), plans: map[place]plan{}}
	if f, ok := c.note.load(fn); ok {
		c.f = f
	}
	return c
}

// Sites are the sites of a line in the function.
func (c *Code) Sites(file string, line int) []Site {
	r := newResolver(c.build, place{file: file, line: line}.String())
	c.into(r, file, line)
	return r.sites
}

// Entry are the sites of the function itself.
func (c *Code) Entry() []Site {
	r := newResolver(c.build, c.fn.Name)
	if c.f != nil && !c.fn.Wrapper {
		r.entryOf(c.fn, c.f)
	}
	return r.sites
}

// Place is a line of a file.
type Place struct {
	File string
	Line int
}

// Places are the lines that the function has code of, its own and of what was
// inlined into it.
func (c *Code) Places() []Place {
	seen := map[Place]bool{}
	if c.f != nil {
		for p := range c.f.extents() {
			seen[Place{p.file, p.line}] = true
		}
	} else {
		for _, row := range c.build.Lines(c.fn) {
			seen[Place{row.File, row.Line}] = true
		}
	}
	var list []Place
	for p := range seen {
		if p.Line > 0 {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b Place) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
	return list
}

// into adds the sites of a line to what a resolver gathers, as lineIn does.
func (c *Code) into(r *resolver, file string, line int) {
	if c.f == nil {
		for why, n := range c.note.refused {
			for range n {
				r.refuse(why)
			}
		}
		r.strange = append(r.strange, c.note.strange...)
		return
	}
	for _, p := range c.f.at(file, line) {
		if p.node == 0 && c.fn.Wrapper {
			continue
		}
		chosen, ok := c.plans[p]
		if !ok {
			chosen = c.f.code.runs(c.f.extent(p)).solve()
			c.plans[p] = chosen
		}
		r.add(c.fn, c.f, chosen, c.f.nodes[p.node].name, file, line)
	}
}

// lines are the lines of a file that the function has code of.
func (c *Code) lines(file string) []int {
	seen := map[int]bool{}
	if c.f != nil {
		for p := range c.f.extents() {
			if p.file == file && p.line > 0 {
				seen[p.line] = true
			}
		}
	} else {
		for _, row := range c.build.Lines(c.fn) {
			if row.File == file && row.Line > 0 {
				seen[row.Line] = true
			}
		}
	}
	list := make([]int, 0, len(seen))
	for n := range seen {
		list = append(list, n)
	}
	sort.Ints(list)
	return list
}

func (p place) String() string { return fmt.Sprintf("%s:%d", base(p.file), p.line) }

// Line is one line of a file that has code, and what Resolve says of it.
type Line struct {
	Line   int
	Result *Result // nil: Err says why it takes no probe
	Err    error
}

// File is the one file of the build that a path means, as the build has it.
func File(b *debuginfo.Build, asked string) (string, error) {
	r := newResolver(b, asked)
	return r.file(asked)
}

// Survey resolves every line of a file, a full path of the build's Files, that
// has code. It reads each function once.
func Survey(b *debuginfo.Build, file string) []Line {
	at := map[int]*resolver{}
	for _, fn := range b.FileFuncs(file) {
		c := ReadCode(b, fn)
		for _, n := range c.lines(file) {
			r := at[n]
			if r == nil {
				r = newResolver(b, place{file: file, line: n}.String())
				at[n] = r
			}
			c.into(r, file, n)
		}
	}
	var out []Line
	for n, r := range at {
		res, err := r.result()
		if errors.As(err, new(*NotFoundError)) && len(r.refused)+len(r.strange) == 0 {
			continue // nothing but compiler-made wrappers
		}
		out = append(out, Line{n, res, err})
	}
	slices.SortFunc(out, func(a, b Line) int { return a.Line - b.Line })
	return out
}

// Allows tells whether a function's code takes probes at all.
func Allows(b *debuginfo.Build, fn *debuginfo.Func) bool {
	return forbidden(fn) == "" && lent(b, fn) == ""
}
