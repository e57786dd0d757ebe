package source

import (
	"fmt"
	"go/scanner"
	"go/token"
	"slices"
	"strings"
)

// lines holds a text to the line table: a line with code must have some, and a
// function must begin where the build says that it does. What it returns says how
// the text differs; nothing: not that one could see.
func (f *Finder) lines(file string, text []byte) []string {
	if !strings.HasSuffix(file, ".go") {
		return nil
	}
	tokens, funcs := scan(text)
	last := len(tokens) - 1
	var wrong []int
	why := []string{}
	beyond := 0
	for _, n := range f.withCode(file) {
		switch {
		case n > last:
			beyond = max(beyond, n)
		case !tokens[n]:
			wrong = append(wrong, n)
		}
	}
	if beyond > 0 {
		why = append(why, fmt.Sprintf("the build has code of line %d, and the text ends with line %d", beyond, last))
	}
	if len(wrong) > 0 {
		why = append(why, fmt.Sprintf("the build has code of %s, where the text has none", list(wrong)))
	}
	for _, fn := range f.build.FileFuncs(file) {
		if len(why) > 0 {
			break
		}
		rows := f.build.Lines(fn)
		if fn.Wrapper || fn.Assembly || len(rows) == 0 || rows[0].File != file || fn.StartLine <= 0 || made(fn.Name) {
			continue
		}
		if fn.StartLine > last || !funcs[fn.StartLine] {
			why = append(why, fmt.Sprintf("the build has %s begin on line %d, and no function begins there", fn.Name, fn.StartLine))
		}
	}
	return why
}

// made tells of functions that the compiler makes of other things than a func.
func made(name string) bool {
	return strings.HasSuffix(name, ".init") || strings.Contains(name, "-range") || strings.Contains(name, ".map.init") ||
		strings.Contains(name, "gowrap") || strings.Contains(name, "deferwrap") || strings.HasPrefix(name, "type:") || strings.HasSuffix(name, "-fm")
}

// withCode lists the lines of a file that have code, sorted. Functions that the
// compiler made have the line of something else, or line 1.
func (f *Finder) withCode(file string) []int {
	seen := map[int]bool{}
	for _, fn := range f.build.FileFuncs(file) {
		if fn.Wrapper || strings.HasPrefix(fn.Name, "type:") {
			continue
		}
		for _, row := range f.build.Lines(fn) {
			if row.File == file && row.Line > 1 {
				seen[row.Line] = true
			}
		}
	}
	var out []int
	for n := range seen {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// scan tells of each line, from 1, whether it has a token that is no comment, and
// whether it has the word func.
func scan(text []byte) (tokens, funcs []bool) {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, func(token.Position, string) {}, 0)
	n := strings.Count(string(text), "\n") + 1
	if strings.HasSuffix(string(text), "\n") {
		n--
	}
	tokens, funcs = make([]bool, n+1), make([]bool, n+1)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return tokens, funcs
		}
		if tok == token.SEMICOLON && lit == "\n" {
			continue
		}
		from := file.PositionFor(pos, false).Line // what //line says is no line of this text
		for k := from; k <= from+strings.Count(lit, "\n") && k <= n; k++ {
			tokens[k] = true
		}
		if tok == token.FUNC && from <= n {
			funcs[from] = true
		}
	}
}

// list is line numbers for a person.
func list(lines []int) string {
	const most = 5
	word := "line"
	if len(lines) > 1 {
		word = "lines"
	}
	var parts []string
	for _, n := range lines[:min(len(lines), most)] {
		parts = append(parts, fmt.Sprint(n))
	}
	if len(lines) > most {
		parts = append(parts, fmt.Sprintf("and %d more", len(lines)-most))
	}
	return word + " " + strings.Join(parts, ", ")
}
