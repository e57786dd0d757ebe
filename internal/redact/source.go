package redact

import (
	"go/scanner"
	"go/token"
	"strconv"
	"strings"
)

// Source is the text of an expression or of a template as it may be shown: the
// literals in it that a secret is compared with, or that are secrets by their
// looks, have stars inside. Every byte stays in its place, so that a place in the
// text can still be marked.
func (r *Rules) Source(src string) string {
	out := []byte(src)
	for _, l := range r.literals(src) {
		for i := l.from + 1; i < l.to-1; i++ {
			out[i] = '*'
		}
	}
	return string(out)
}

// Told is a text about src, such as an error, as it may be shown.
func (r *Rules) Told(src, text string) string {
	for _, l := range r.literals(src) {
		quoted := src[l.from:l.to]
		text = strings.ReplaceAll(text, quoted, quoted[:1]+strings.Repeat("*", max(0, len(quoted)-2))+quoted[len(quoted)-1:])
		if plain, err := strconv.Unquote(quoted); err == nil && len(plain) > 2 {
			text = strings.ReplaceAll(text, strconv.Quote(plain), `"`+strings.Repeat("*", len(plain))+`"`)
			text = strings.ReplaceAll(text, plain, strings.Repeat("*", len(plain)))
		}
	}
	return text
}

type literal struct{ from, to int }

// literals are the places of those that are not shown. In a template each pair
// of braces is an expression of its own.
func (r *Rules) literals(src string) []literal {
	if !strings.ContainsAny(src, "\"'`") {
		return nil
	}
	var out, strs []literal
	secret := false
	flush := func() {
		for _, l := range strs {
			plain, _ := strconv.Unquote(src[l.from:l.to])
			if _, found := r.rules().match([]byte(plain)); found || secret {
				out = append(out, l)
			}
		}
		strs, secret = nil, false
	}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(src))
	s.Init(file, []byte(src), func(token.Position, string) {}, 0)
	last := token.ILLEGAL
	for {
		pos, tok, lit := s.Scan()
		at := file.Offset(pos)
		switch {
		case tok == token.EOF:
			flush()
			return out
		case tok == token.LBRACE || tok == token.RBRACE:
			flush()
		case tok == token.IDENT:
			secret = secret || r.Secret(lit)
		case tok == token.STRING || tok == token.CHAR:
			if plain, err := strconv.Unquote(lit); err == nil && last == token.LBRACK && r.Secret(plain) {
				secret = true // a key, which is no secret itself
			} else if end := at + len(lit); len(lit) >= 2 && end <= len(src) {
				strs = append(strs, literal{at, end})
			}
		}
		last = tok
	}
}
