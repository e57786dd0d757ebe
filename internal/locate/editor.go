package locate

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// FindFile is the build's name of a file on this machine's disk, as an editor
// names it: the same path; the path that -trimpath leaves of it; or, for a
// program that was built elsewhere, the one file whose path ends alike. A file
// that merely has the same name is not taken for it.
func FindFile(b *debuginfo.Build, path string) (string, error) {
	return findFile(b.Files(), path, exists)
}

func findFile(files []string, path string, exists func(string) bool) (string, error) {
	path = filepath.ToSlash(path)
	if slices.Contains(files, path) {
		return path, nil
	}
	if name := trimmed(path); name != "" && slices.Contains(files, name) {
		return name, nil
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil && resolved != path && slices.Contains(files, resolved) {
		return resolved, nil
	}
	var found []string
	most := 0
	for _, f := range files {
		n := commonEnd(f, path)
		whole := n == strings.Count(strings.Trim(f, "/"), "/")+1 // a trimmed name, altogether
		switch {
		case n == 0 || f[0] == '/' && exists(f): // another file, which is here
			continue
		case n < 2 && !whole || whole && n < 2 && !strings.HasSuffix(path, "/"+f):
			continue
		case n > most:
			most, found = n, nil
		}
		if n == most {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", unknownFile(files, path)
	}
	sort.Strings(found)
	return "", fmt.Errorf("%s may be one of several files of the build: %s; say which by \"substitutePath\"",
		path, strings.Join(limit(found, 6), ", "))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// unknownFile says what the build has instead of a file.
func unknownFile(files []string, path string) error {
	var alike []string
	for _, f := range files {
		if base(f) == base(path) {
			alike = append(alike, f)
		}
	}
	if len(alike) == 0 {
		return fmt.Errorf("%s is no file of this build, or none of its code was compiled in", base(path))
	}
	sort.Strings(alike)
	return fmt.Errorf("%s is no file of this build; it has %s: if that is the same, map the folders by \"substitutePath\"",
		path, strings.Join(limit(alike, 4), ", "))
}

// commonEnd is how many elements at the end of two paths are equal.
func commonEnd(a, b string) int {
	x, y := strings.Split(strings.Trim(a, "/"), "/"), strings.Split(strings.Trim(b, "/"), "/")
	n := 0
	for n < len(x) && n < len(y) && x[len(x)-1-n] == y[len(y)-1-n] {
		n++
	}
	return n
}

// trimmed is what -trimpath makes of a file's path: the module's path, as its
// go.mod says it, in the place of its folder.
func trimmed(path string) string {
	for dir := filepath.Dir(path); len(dir) > 1; dir = filepath.Dir(dir) {
		if module := moduleOf(filepath.Join(dir, "go.mod")); module != "" {
			return module + strings.TrimPrefix(path, dir)
		}
	}
	return ""
}

// moduleOf reads the module's path from a go.mod.
func moduleOf(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) >= 2 && words[0] == "module" {
			return strings.Trim(words[1], "\"`")
		}
	}
	return ""
}

// Extents say which lines of a file have code, and which function each is of.
type Extents struct {
	list  []int // sorted
	spans []span
}

// span is from where to where a function has code in a file.
type span struct{ from, to int }

// ReadExtents reads the lines of a file (a name of Files).
func ReadExtents(b *debuginfo.Build, file string) *Extents {
	spans := map[string]span{}
	seen := map[int]bool{}
	for _, fn := range b.FileFuncs(file) {
		tree := b.Inline(fn)
		for _, row := range b.Lines(fn) {
			if row.File != file || row.Line <= 0 {
				continue
			}
			seen[row.Line] = true
			name, start := innermost(tree, row.PC), row.Line
			if name == "" {
				name, start = fn.Name, min(max(fn.StartLine, 1), row.Line)
			}
			s, ok := spans[name]
			if !ok {
				s = span{start, row.Line}
			}
			spans[name] = span{min(s.from, start), max(s.to, row.Line)}
		}
	}
	l := &Extents{}
	for n := range seen {
		l.list = append(l.list, n)
	}
	slices.Sort(l.list)
	for _, s := range spans {
		l.spans = append(l.spans, s)
	}
	return l
}

// innermost is the inlined function that an address came from; "" where it is
// the function's own.
func innermost(tree []*debuginfo.Inline, pc uint64) string {
	for _, in := range tree {
		if in.Contains(pc) {
			if name := innermost(in.Children, pc); name != "" {
				return name
			}
			return in.Name
		}
	}
	return ""
}

// Next is the line itself where it has code, or the next one that has within a
// function that both belong to; 0 where there is none.
func (l *Extents) Next(line int) int {
	i := sort.SearchInts(l.list, line)
	if i == len(l.list) {
		return 0
	}
	next := l.list[i]
	if next == line {
		return line
	}
	for _, s := range l.spans {
		if s.from <= line && next <= s.to {
			return next
		}
	}
	return 0
}
