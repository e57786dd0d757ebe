package locate

import (
	"strings"
	"unicode"
)

// pattern is what a person types to find functions or files.
type pattern struct {
	text  string
	glob  bool
	cases bool // an upper case letter was typed: it means itself
	loose bool // neither glob nor empty: letters in their order will do
	fuzzy bool // now letters will do

	prefix bool // a completion: the name begins with the text, as it was typed
}

// newPattern reads a pattern. Text without wildcards is looked for anywhere in
// the name; where nothing has it, its letters in their order are enough. With *
// (anything) or ? (one letter) it has to match the whole name, or its end from
// an element of the path on; the star of (*T) is Go's and means itself. Upper
// case letters mean themselves, lower case ones either.
func newPattern(text string) *pattern {
	p := &pattern{text: text, cases: strings.IndexFunc(text, unicode.IsUpper) >= 0}
	star := strings.ReplaceAll(text, "(*", "(\x00")
	p.glob = strings.ContainsAny(star, "*?")
	if p.glob {
		p.text = star
	}
	p.loose = text != "" && !p.glob
	if !p.cases {
		p.text = strings.ToLower(p.text)
	}
	return p
}

// match says how well a name matches; less is better.
func (p *pattern) match(name string) (rank int, ok bool) {
	if p.text == "" {
		return 0, true
	}
	if p.prefix {
		return 0, p.begins(name)
	}
	if !p.cases {
		name = strings.ToLower(name)
	}
	switch {
	case p.glob:
		return p.matchGlob(name)
	case p.fuzzy:
		return p.matchLetters(name)
	}
	if !strings.Contains(name, p.text) { // quicker than LastIndex, and mostly so
		return 0, false
	}
	i := strings.LastIndex(name, p.text)
	return rankAt(name, i, i+len(p.text)), true
}

// begins tells whether a name, from an element of its path on, begins with the
// text; or the short name, which has no version in it.
func (p *pattern) begins(name string) bool {
	if dot := strings.LastIndexByte(p.text, '.'); dot >= 0 && !strings.Contains(name, p.text[dot:]) {
		return false // most names, and quicker
	}
	for from := 0; ; {
		if strings.HasPrefix(name[from:], p.text) {
			return true
		}
		next := strings.IndexByte(name[from:], '/')
		if next < 0 {
			break
		}
		from += next + 1
	}
	if !strings.Contains(name, "/v") {
		return false
	}
	pkg, rest := shortParts(name)
	if len(p.text) <= len(pkg) {
		return strings.HasPrefix(pkg, p.text)
	}
	after, ok := strings.CutPrefix(p.text, pkg)
	return ok && strings.HasPrefix(rest, after)
}

// rankAt ranks a match by where it begins and ends: whole words before parts of
// words, in the last element before in the path, the name before closures in it.
func rankAt(name string, from, to int) int {
	rank := 0
	last := strings.LastIndexByte(name, '/') + 1
	if from < last {
		rank += 8
	}
	if from > 0 && wordy(name[from-1]) && wordy(name[from]) {
		rank += 4
	}
	if to < len(name) && wordy(name[to]) {
		rank += 2
	}
	if strings.Contains(name, ".func") {
		rank++
	}
	return rank
}

func wordy(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func (p *pattern) matchGlob(name string) (int, bool) {
	for from := 0; ; {
		if globbed(p.text, name[from:]) {
			return rankAt(name, from, len(name)), true
		}
		next := strings.IndexByte(name[from:], '/')
		if next < 0 {
			return 0, false
		}
		from += next + 1
	}
}

// globbed tells whether a text matches a glob as a whole. It goes back to the
// last star only, so that no pattern takes long.
func globbed(glob, text string) bool {
	g, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, t
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == text[t] || glob[g] == 0 && text[t] == '*'):
			g++
			t++
		case star >= 0:
			mark++
			g, t = star+1, mark
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

// matchLetters looks for the letters in their order, from the end: what people
// abbreviate is the name and not the path. Gaps cost, the most inside words.
func (p *pattern) matchLetters(name string) (int, bool) {
	cost, at := 0, len(name)
	for i := len(p.text) - 1; i >= 0; i-- {
		k := strings.LastIndexByte(name[:at], p.text[i])
		if k < 0 {
			return 0, false
		}
		if gap := at - k - 1; gap > 0 && at < len(name) {
			cost += 4 + min(gap, 12)
		}
		if k > 0 && wordy(name[k-1]) && !upperAt(name, k) {
			cost++
		}
		at = k
	}
	return cost + strings.Count(name, "/"), true
}

func upperAt(name string, k int) bool { return name[k] >= 'A' && name[k] <= 'Z' }
