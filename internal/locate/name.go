package locate

import (
	"net/url"
	"strings"
)

// name is a function's linker name taken apart.
type name struct {
	pkg  string // import path, unescaped
	rest string // F, (*T).M, T.M, F.func1; without type arguments
	args string // the first type arguments, with their brackets; "" if it has none
}

// plain is the name without type arguments, as people write it.
func (n name) plain() string {
	if n.pkg == "" {
		return n.rest
	}
	return n.pkg + "." + n.rest
}

// plainName is splitName(full).plain(), which for most names is full itself.
func plainName(full string) string {
	if strings.IndexByte(full, '%') >= 0 {
		return splitName(full).plain()
	}
	flat, _ := withoutArgs(full)
	return flat
}

// splitName takes a full name apart. Its package ends at the first dot after
// the last slash; the linker writes the dots of a path's last element as %2e.
func splitName(full string) name {
	flat, args := withoutArgs(full)
	end := len(flat)
	if i := strings.IndexByte(flat, '('); i >= 0 {
		end = i
	}
	slash := strings.LastIndexByte(flat[:end], '/') + 1
	dot := strings.IndexByte(flat[slash:], '.')
	if dot < 0 {
		return name{rest: flat, args: args}
	}
	pkg := flat[:slash+dot]
	if strings.IndexByte(pkg, '%') >= 0 {
		if s, err := url.PathUnescape(pkg); err == nil {
			pkg = s
		}
	}
	return name{pkg: pkg, rest: flat[slash+dot+1:], args: args}
}

// withoutArgs removes everything in square brackets and returns the first such part.
func withoutArgs(s string) (flat, args string) {
	for {
		open := strings.IndexByte(s, '[')
		if open < 0 {
			break
		}
		n, closed := bracketed(s[open:])
		if closed && args == "" {
			args = s[open : open+n]
		}
		flat += s[:open]
		s = s[open+n:]
	}
	if flat == "" {
		return s, args
	}
	return flat + s, args
}

// bracketed is how long the part in square brackets is that a text begins with:
// all of it, if they are never closed.
func bracketed(s string) (n int, closed bool) {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(s), false
}

// match says how well a name fits what was asked for.
type match uint8

const (
	matchNone   match = iota
	matchAlias        // by the name of the package where its path ends in a version
	matchSuffix       // by the end of the package's path
	matchFull         // the whole path
)

// query is a function as it was asked for.
type query struct {
	text string // without type arguments
	args string // with brackets; "" and "[...]" mean every instantiation
}

func newQuery(at string) query {
	flat, args := withoutArgs(at)
	if args == "[...]" {
		args = ""
	}
	return query{flat, args}
}

func (q query) match(n name) match {
	if !strings.HasSuffix(q.text, n.rest) || !q.instance(n.args) {
		return matchNone
	}
	if m := matchPath(n.plain(), q.text); m != matchNone {
		return m
	}
	if alias := packageName(n.pkg); alias != n.pkg {
		if matchPath(alias+"."+n.rest, q.text) != matchNone {
			return matchAlias
		}
	}
	return matchNone
}

func matchPath(full, asked string) match {
	switch {
	case full == asked:
		return matchFull
	case strings.HasSuffix(full, asked) && full[len(full)-len(asked)-1] == '/':
		return matchSuffix
	}
	return matchNone
}

// instance tells whether the type arguments that were asked for are those of an
// instantiation. The compiler names them by shape: go.shape.int.
func (q query) instance(args string) bool {
	return q.args == "" || q.args == args || q.args == strings.ReplaceAll(args, "go.shape.", "")
}

// packageName replaces the end of an import path by what the package is likely
// called: gopkg.in/yaml.v3 and example.com/yaml/v3 are yaml.
func packageName(path string) string {
	if i := strings.LastIndexByte(path, '/'); i >= 0 && isVersion(path[i+1:]) {
		return path[:i]
	}
	if i := strings.LastIndexByte(path, '.'); i > strings.LastIndexByte(path, '/') && isVersion(path[i+1:]) {
		return path[:i]
	}
	return path
}

func isVersion(s string) bool {
	if len(s) < 2 || s[0] != 'v' {
		return false
	}
	for _, c := range s[1:] {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
