package locate

import (
	"strconv"
	"strings"
)

// location is the parsed text of a LOCATION: a line of a file or a function.
type location struct {
	file string // empty: a function
	line int
	fn   query
}

// parse reads the text of a location. Whatever ends in :DIGITS, or has ".go:"
// in it, is a line.
func parse(at string) (location, error) {
	text := strings.TrimSpace(at)
	if text == "" {
		return location{}, &SyntaxError{at, "it is empty"}
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		line, err := strconv.Atoi(text[i+1:])
		switch {
		case err != nil && strings.HasSuffix(text[:i], ".go"):
			return location{}, &SyntaxError{at, "after the colon belongs a line number"}
		case err == nil && line < 1:
			return location{}, &SyntaxError{at, "lines begin at 1"}
		case err == nil && text[:i] == "":
			return location{}, &SyntaxError{at, "the file is missing"}
		case err == nil:
			return location{file: strings.TrimPrefix(text[:i], "./"), line: line}, nil
		}
	}
	if strings.HasSuffix(text, ".go") {
		return location{}, &SyntaxError{at, "the line is missing (" + text + ":LINE)"}
	}
	fn := newQuery(strings.TrimSuffix(text, "()"))
	if fn.text == "" || strings.Count(text, "[") != strings.Count(text, "]") {
		return location{}, &SyntaxError{at, "its brackets do not balance"}
	}
	if strings.ContainsAny(fn.text, " \t\n:") {
		return location{}, &SyntaxError{at, "names of functions have no spaces or colons"}
	}
	return location{fn: fn}, nil
}

// matchFile tells whether asked is file or a suffix of it that begins at an
// element of the path.
func matchFile(file, asked string) bool {
	return file == asked || strings.HasSuffix(file, asked) &&
		(asked[0] == '/' || file[len(file)-len(asked)-1] == '/')
}
