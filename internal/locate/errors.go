package locate

import (
	"fmt"
	"strings"
)

// SyntaxError says that the text is no location.
type SyntaxError struct {
	At  string
	Why string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%q is no location: %s; write file.go:LINE, pkg.Func or pkg.(*Type).Method", e.At, e.Why)
}

// NotFoundError says that the build has no code for a location.
type NotFoundError struct {
	At         string
	Why        string   // what there is none of
	Candidates []string // locations that may have been meant, likeliest first
	Nearest    []int    // lines of the file that have code, nearest first
	File       string   // the file that Nearest is about
}

func (e *NotFoundError) Error() string {
	text := fmt.Sprintf("%s: %s", e.At, e.Why)
	switch {
	case len(e.Nearest) > 0:
		var lines []string
		for _, n := range e.Nearest {
			lines = append(lines, fmt.Sprint(n))
		}
		text += fmt.Sprintf("; the nearest with code: %s:%s", base(e.File), strings.Join(lines, ", "))
	case len(e.Candidates) > 0:
		text += "; did you mean " + alternatives(e.Candidates) + "?"
	}
	return text
}

// AmbiguousError says that a location means several different places.
type AmbiguousError struct {
	At         string
	What       string   // "files" or "functions"
	Candidates []string // sorted; each is unambiguous
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s means %d %s; say which: %s", e.At, len(e.Candidates), e.What,
		strings.Join(limit(e.Candidates, 12), ", "))
}

// RefusedError says that a location has code, but code that takes no probe.
type RefusedError struct {
	At  string
	Why string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s takes no probe: %s; probe a caller of it instead", e.At, e.Why)
}

// alternatives joins names as people list a choice.
func alternatives(names []string) string {
	names = limit(names, 6)
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

func limit(names []string, most int) []string {
	if len(names) <= most {
		return names
	}
	rest := fmt.Sprintf("%d more", len(names)-most)
	return append(append([]string(nil), names[:most]...), rest)
}

func base(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }
