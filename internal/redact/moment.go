package redact

import (
	"go/scanner"
	"go/token"
	"slices"
	"strconv"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// Moment is a snapshot as it may be shown. Frames of functions where the rules
// refuse probes keep their names, and show none of their variables.
//
// Watches are the expressions of its watches, in their order.
func (r *Rules) Moment(m *probe.Moment, watches ...program.Var) *probe.Moment {
	out := *m
	out.Frames = slices.Clone(m.Frames)
	for i := range out.Frames {
		f := &out.Frames[i]
		_, refused := r.RefusesFunction(f.Function)
		f.Variables = slices.Clone(f.Variables)
		for k := range f.Variables {
			v := &f.Variables[k]
			if refused {
				v.Value = redacted(v.Value, byBlock)
			} else {
				v.Value = r.Value(v.Name, v.Value)
			}
		}
	}
	out.Watches = slices.Clone(m.Watches)
	for i, w := range out.Watches {
		v := r.Expression(w.Name, w.Value)
		if i < len(watches) {
			v = r.Read(watches[i].Reads, w.Value)
		}
		out.Watches[i] = probe.NamedValue{Name: r.Source(w.Name), Value: v}
	}
	return &out
}

// Expression is v as it may be shown, where v is the value of an expression of
// which only the text is at hand. What compile says of it is better: Read.
func (r *Rules) Expression(text string, v probe.Value) probe.Value {
	return r.Read(readsOf(text), v)
}

// readsOf are the names in an expression's text: all but those of which only
// the length is asked.
func readsOf(text string) program.Reads {
	var out program.Reads
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(text)), []byte(text), func(token.Position, string) {}, 0)
	shape, depth, last, name := 0, 0, token.ILLEGAL, ""
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.LPAREN:
			if depth++; shape == 0 && last == token.IDENT && (name == "len" || name == "cap") {
				shape = depth
			}
		case token.RPAREN:
			if depth == shape {
				shape = 0
			}
			depth--
		case token.IDENT:
			if name = lit; shape == 0 && lit != "len" && lit != "cap" {
				out.Names = append(out.Names, lit)
			}
		case token.STRING:
			if key, err := strconv.Unquote(lit); err == nil && last == token.LBRACK && shape == 0 {
				out.Names = append(out.Names, key)
			}
		case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.ADD, token.SUB:
			out.Made = true
		}
		last = tok
	}
}
