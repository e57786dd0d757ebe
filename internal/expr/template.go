package expr

import "strings"

// Template is the message of a log: literal texts and holes in turn.
type Template struct {
	Src   string
	Text  []string // the literal texts, one more than there are holes
	Exprs []*Expr  // the different expressions, in the order of their first hole
	Holes []int    // for each hole, the index in Exprs
}

const braceHint = "a brace that is meant as text is written twice: {{ or }}"

// ParseTemplate reads a template: text with expressions in braces; {{ and }}
// stand for the braces themselves. The error is an *Error.
func ParseTemplate(src string) (*Template, error) {
	t := &Template{Src: src}
	whole := &Expr{Src: src}
	if len(src) > maxLen {
		return nil, whole.ErrorAt(0, 1, "shorten it", "the message is %d bytes long; at most %d are allowed", len(src), maxLen)
	}
	var text strings.Builder
	seen := map[string]int{}
	for i := 0; i < len(src); {
		b := src[i]
		switch {
		case b != '{' && b != '}':
			text.WriteByte(b)
			i++
		case strings.HasPrefix(src[i+1:], src[i:i+1]):
			text.WriteByte(b)
			i += 2
		case b == '}':
			return nil, whole.ErrorAt(i, i+1, braceHint, "this brace closes nothing")
		default:
			end, err := holeEnd(whole, i)
			if err != nil {
				return nil, err
			}
			if err := t.addHole(i+1, end, seen); err != nil {
				return nil, err
			}
			t.Text = append(t.Text, text.String())
			text.Reset()
			i = end + 1
		}
	}
	t.Text = append(t.Text, text.String())
	return t, nil
}

// addHole parses src[lo:hi]; an expression that is there already is not added
// again.
func (t *Template) addHole(lo, hi int, seen map[string]int) error {
	x, err := parseAt(t.Src, lo, hi)
	if err != nil {
		return err
	}
	i, ok := seen[x.Text]
	if !ok {
		i = len(t.Exprs)
		seen[x.Text] = i
		t.Exprs = append(t.Exprs, x)
	}
	t.Holes = append(t.Holes, i)
	return nil
}

// holeEnd finds the brace that closes the one at open. Braces in string and
// character literals do not count; no expression of the language has others.
func holeEnd(x *Expr, open int) (int, error) {
	for i := open + 1; i < len(x.Src); {
		if n := literalLen(x.Src[i:]); n > 0 {
			if i+n == len(x.Src) {
				break // a quote without its end: the brace is looked for in vain
			}
			i += n
			continue
		}
		switch x.Src[i] {
		case '}':
			return i, nil
		case '{':
			return 0, x.ErrorAt(i, i+1, braceHint, "an expression cannot hold a brace; one is open already")
		}
		i++
	}
	return 0, x.ErrorAt(open, open+1, braceHint, "this brace is never closed")
}
