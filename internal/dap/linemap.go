package dap

import (
	"slices"
	"strings"
)

// lineMap says which lines of the editor's text are which of the build's. Lines
// count from 1; 0 stands for one that the other text does not have. A nil map is
// of two equal texts.
type lineMap struct {
	built []int // by line of the editor's text
	local []int // by line of the build's
}

// maxTable bounds the table by which changed parts are compared.
const maxTable = 4 << 20

// compareLines maps an editor's text to the build's; nil where they are equal.
func compareLines(local, built string) *lineMap {
	if local == built {
		return nil
	}
	a, b := strings.Split(local, "\n"), strings.Split(built, "\n")
	m := &lineMap{built: make([]int, len(a)+1), local: make([]int, len(b)+1)}
	pair := func(i, j int) { m.built[i+1], m.local[j+1] = j+1, i+1 }
	from := 0
	for from < len(a) && from < len(b) && a[from] == b[from] {
		pair(from, from)
		from++
	}
	end := 0
	for end < len(a)-from && end < len(b)-from && a[len(a)-1-end] == b[len(b)-1-end] {
		pair(len(a)-1-end, len(b)-1-end)
		end++
	}
	middle(a[from:len(a)-end], b[from:len(b)-end], func(i, j int) { pair(from+i, from+j) })
	return m
}

// middle pairs the lines of a longest common subsequence. Parts that are too
// large for that stay without pairs.
func middle(a, b []string, pair func(i, j int)) {
	if len(a) == 0 || len(b) == 0 || (len(a)+1)*(len(b)+1) > maxTable {
		return
	}
	width := len(b) + 1
	longest := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pair(i, j)
			i, j = i+1, j+1
		case longest[(i+1)*width+j] >= longest[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}

// toBuilt is the build's line of an editor's line; 0 where it has none.
func (m *lineMap) toBuilt(line int) int {
	switch {
	case m == nil:
		return line
	case line < 1 || line >= len(m.built):
		return 0
	}
	return m.built[line]
}

// toLocal is the editor's line of a build's line; 0 where it has none.
func (m *lineMap) toLocal(line int) int {
	switch {
	case m == nil:
		return line
	case line < 1 || line >= len(m.local):
		return 0
	}
	return m.local[line]
}

// blank tells whether an editor's line says nothing: a breakpoint may stand
// there all the same, and moves to the next line with code.
func blank(text string, line int) bool {
	lines := strings.Split(text, "\n")
	if line < 1 || line > len(lines) {
		return true
	}
	t := strings.TrimSpace(lines[line-1])
	return t == "" || strings.HasPrefix(t, "//") || slices.Contains([]string{"{", "}"}, t)
}
