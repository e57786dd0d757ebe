package locate

import (
	"slices"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// withLine lists the functions that have code of a line, as their own or
// inlined.
func (r *resolver) withLine(file string, line int) []*debuginfo.Func {
	var list []*debuginfo.Func
	for _, fn := range r.build.FileFuncs(file) {
		has := slices.ContainsFunc(r.build.Lines(fn), func(row debuginfo.Row) bool {
			return row.Line == line && row.File == file
		})
		if has || calls(r.build.Inline(fn), file, line) {
			list = append(list, fn)
		}
	}
	return list
}

// calls tells whether a call at the line was inlined; nothing but the callee's
// code may be left of it.
func calls(tree []*debuginfo.Inline, file string, line int) bool {
	for _, in := range tree {
		if in.CallFile == file && in.CallLine == line || calls(in.Children, file, line) {
			return true
		}
	}
	return false
}

// linesOf lists the lines of a file that have code, sorted.
func (r *resolver) linesOf(file string) []int {
	seen := map[int]bool{}
	for _, fn := range r.build.FileFuncs(file) {
		for _, row := range r.build.Lines(fn) {
			if row.File == file && row.Line > 0 {
				seen[row.Line] = true
			}
		}
	}
	var lines []int
	for n := range seen {
		lines = append(lines, n)
	}
	slices.Sort(lines)
	return lines
}
