package engine

import (
	"cmp"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/source"
)

// Source finds the source that has a location, and its line there; line 0: the
// location names none. dir is where the program's own tree is looked for.
func (x *Examiner) Source(at, dir string) (s *source.Source, line int, err error) {
	file := ""
	if i := strings.LastIndexByte(at, ':'); i > 0 {
		if n := lineNumber(at[i+1:]); n > 0 {
			if file, err = locate.File(x.build, at[:i]); err != nil {
				return nil, 0, err
			}
			return source.New(x.build, dir).Find(file), n, nil
		}
	}
	if strings.HasSuffix(at, ".go") {
		if file, err = locate.File(x.build, at); err != nil {
			return nil, 0, err
		}
		return source.New(x.build, dir).Find(file), 0, nil
	}
	if f := x.build.FuncNamed(at); f != nil { // also one that takes no probe
		if row, ok := x.build.LineAt(f.Entry); ok {
			return source.New(x.build, dir).Find(row.File), cmp.Or(f.StartLine, row.Line), nil
		}
	}
	found, err := locate.Resolve(x.build, at)
	if err != nil {
		return nil, 0, unserved(err)
	}
	site := found.Sites[0]
	return source.New(x.build, dir).Find(site.File), site.Line, nil
}

// lineNumber reads a line number; 0 if it is none.
func lineNumber(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > 1<<24 {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}
