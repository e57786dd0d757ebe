package debuginfo

import "slices"

// ReadableLines are the lines of the function that v belongs to, above and
// below the one that v was asked for, on which v is in scope and can be read
// whole at the first instruction of a statement; the nearest come first. A line
// is met where a probe is put, which may be another instruction: whoever
// promises a line looks with ReadableAt at the sites that it has.
func (b *Build) ReadableLines(v *Variable, from uint64) (up, down []int) {
	f := b.FuncAt(from)
	if f == nil || v == nil || v.fn != f || b.tree(f) == nil {
		return nil, nil
	}
	here := v.line
	if from != v.pc {
		row, ok := b.LineAt(from)
		if !ok {
			return nil, nil
		}
		here = row.Line
	}
	seen := map[int]bool{here: true}
	for _, r := range b.Lines(f) {
		if !r.Stmt || seen[r.Line] || !b.ReadableAt(v, r.PC, r.Line) {
			continue
		}
		seen[r.Line] = true
		if r.Line < here {
			up = append(up, r.Line)
		} else {
			down = append(down, r.Line)
		}
	}
	slices.SortFunc(up, func(a, b int) int { return b - a })
	slices.Sort(down)
	return up, down
}

// ReadableAt tells whether v is in scope and can be read whole at pc, which was
// found for that line.
func (b *Build) ReadableAt(v *Variable, pc uint64, line int) bool {
	return b.InScopeAt(v, pc, line) && v.Locate(pc).Readable()
}

// InScopeAt tells whether the name of v means v at pc, which was found for that
// line of the very copy of the function that v is of.
func (b *Build) InScopeAt(v *Variable, pc uint64, line int) bool {
	if !v.Param && !v.Result && !v.Captured && line <= v.DeclLine {
		return false // it may not hold its value yet
	}
	return v.fn.Contains(pc) && inRanges(v.block.ranges, pc) && b.innermost(v, v.fn, pc)
}
