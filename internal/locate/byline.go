package locate

import (
	"fmt"
	"sort"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

// line finds the sites of a line: in every function and every inlined copy that
// has it.
func (r *resolver) line(loc location) error {
	file, err := r.file(loc.file)
	if err != nil {
		return err
	}
	hit := false
	for _, fn := range r.withLine(file, loc.line) {
		hit = true
		r.lineIn(fn, file, loc.line)
	}
	if !hit || len(r.sites)+len(r.refused)+len(r.strange) == 0 {
		return r.noLine(file, loc.line)
	}
	return nil
}

// lineIn adds the sites of a line in one function.
func (r *resolver) lineIn(fn *debuginfo.Func, file string, line int) {
	f, ok := r.load(fn)
	if !ok {
		return
	}
	for _, p := range f.at(file, line) {
		if p.node == 0 && fn.Wrapper {
			continue
		}
		r.add(fn, f, f.solve(func(f *function) extent { return f.extent(p) }), f.nodes[p.node].name, file, line)
	}
}

// file finds the one file of the build that a path means.
func (r *resolver) file(asked string) (string, error) {
	var list []string
	for _, f := range r.build.Files() {
		if f == asked {
			return f, nil
		}
		if matchFile(f, asked) {
			list = append(list, f)
		}
	}
	switch len(list) {
	case 1:
		return list[0], nil
	case 0:
		return "", r.noFile(asked)
	}
	sort.Strings(list)
	return "", &AmbiguousError{At: r.at, What: "files", Candidates: shortest(list)}
}

// shortest cuts each path to the shortest end that tells it from the others.
func shortest(files []string) []string {
	out := make([]string, len(files))
	for i, f := range files {
		out[i] = f
		for from := len(f) - 1; from > 0; from-- {
			if f[from] != '/' {
				continue
			}
			unique := true
			for j, g := range files {
				unique = unique && (i == j || !matchFile(g, f[from+1:]))
			}
			if unique {
				out[i] = f[from+1:]
				break
			}
		}
	}
	return out
}

func (r *resolver) noFile(asked string) error {
	names := map[string]bool{}
	for _, f := range r.build.Files() {
		names[f] = true
	}
	e := &NotFoundError{At: r.at, Why: "no file of this build that has code ends in " + asked}
	if e.Candidates = shortest(similarFiles(asked, names)); len(e.Candidates) == 0 {
		e.Why += `; "sidelight files" names those that there are`
	}
	return e
}

// noLine explains a line without code and names the nearest ones that have.
func (r *resolver) noLine(file string, line int) error {
	lines := r.linesOf(file)
	e := &NotFoundError{At: r.at, Why: "no code was compiled for this line", File: file}
	i := sort.SearchInts(lines, line)
	j := i - 1
	for len(e.Nearest) < 3 && (j >= 0 || i < len(lines)) {
		if j < 0 || i < len(lines) && lines[i]-line <= line-lines[j] {
			if lines[i] != line {
				e.Nearest = append(e.Nearest, lines[i])
			}
			i++
		} else {
			e.Nearest = append(e.Nearest, lines[j])
			j--
		}
	}
	if n := len(lines); n > 0 && line > lines[n-1] {
		e.Why = fmt.Sprintf("the last line of %s with code is %d", base(file), lines[n-1])
		e.Nearest = nil
	}
	return e
}
