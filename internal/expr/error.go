package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error is a mistake in an expression or a template.
type Error struct {
	Src      string // the whole text
	Pos, End int    // byte offsets of the place in Src
	Msg      string // what is wrong, one line
	Hint     string // what to do about it; may be empty
}

// Error shows the message, the text with the place marked, and the hint.
func (e *Error) Error() string {
	line, mark := e.excerpt()
	s := fmt.Sprintf("%s\n    %s\n    %s", string(plain(e.Msg)), line, mark)
	if e.Hint != "" {
		for line := range strings.SplitSeq(e.Hint, "\n") {
			s += "\n" + string(plain(line))
		}
	}
	return s
}

// excerptRunes is how much text is shown on either side of the marked place.
const excerptRunes = 60

// excerpt returns one line of Src around the place, and a line that marks it.
func (e *Error) excerpt() (line, mark string) {
	pos, end := clamp(e.Pos, 0, len(e.Src)), clamp(e.End, 0, len(e.Src))
	end = max(end, pos)
	before := plain(e.Src[:pos])
	place := plain(e.Src[pos:end])
	after := plain(e.Src[end:])
	if len(before) > excerptRunes {
		before = append([]rune("… "), before[len(before)-excerptRunes:]...)
	}
	if len(place) > excerptRunes {
		place, after = place[:excerptRunes], nil
		place = append(place, []rune(" …")...)
	}
	if len(after) > excerptRunes {
		after = append(after[:excerptRunes:excerptRunes], []rune(" …")...)
	}
	line = strings.TrimRight(string(before)+string(place)+string(after), " ")
	mark = strings.Repeat(" ", len(before)) + strings.Repeat("^", max(1, len(place)))
	return line, mark
}

// plain makes every character of s one that takes one column: what controls a
// terminal, or is no character at all, becomes a space or a question mark.
func plain(s string) []rune {
	out := make([]rune, 0, len(s))
	for _, r := range s {
		switch {
		case r < ' ' || r == 0x7f:
			r = ' '
		case r == utf8.RuneError || r >= 0x80 && r < 0xa0:
			r = '?'
		}
		out = append(out, r)
	}
	return out
}

func clamp(v, lo, hi int) int { return max(lo, min(v, hi)) }

// Errorf makes an error that marks n.
func (x *Expr) Errorf(n Node, hint, format string, args ...any) *Error {
	return &Error{Src: x.Src, Pos: n.Pos(), End: n.End(), Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// ErrorAt makes an error that marks the bytes from pos to end.
func (x *Expr) ErrorAt(pos, end int, hint, format string, args ...any) *Error {
	return &Error{Src: x.Src, Pos: pos, End: end, Msg: fmt.Sprintf(format, args...), Hint: hint}
}
