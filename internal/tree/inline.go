package tree

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Width is the number of columns that a text takes on a terminal.
func Width(s string) int { return ansi.StringWidth(s) }

// Clip cuts a text to a number of columns and says so by an ellipsis; 0 cuts
// nothing.
func Clip(s string, columns int) string {
	if columns <= 0 {
		return s
	}
	return ansi.Truncate(s, columns, "…")
}

// Short is a name of Go without the directories of import paths, as Go itself
// prints types: *shop.Order for *example.com/acme/shop.Order.
func Short(name string) string {
	name = strings.ReplaceAll(probe.Escape(name), shape, "")
	var b strings.Builder
	start := 0 // of the path that is being read
	for i, r := range name {
		switch {
		case r == '/':
			start = i + 1
		case !inPath(r):
			b.WriteString(name[start : i+utf8.RuneLen(r)])
			start = i + utf8.RuneLen(r)
		}
	}
	b.WriteString(name[start:])
	return b.String()
}

// shape is before a type that an instantiation has for all types like it.
const shape = "go.shape."

func inPath(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-~%+", r)
}

// simple says whether a value needs no rows of its own, and is short.
func simple(v probe.Value) bool {
	if v.Note != "" || v.Cut != "" || v.Truncated {
		return false
	}
	switch v.Shape {
	case probe.String:
		return len(v.Data) <= itemRoom
	case probe.Nil, probe.Bool, probe.Int, probe.Uint, probe.Float, probe.Complex, probe.Redacted:
		return true
	case probe.Unreadable, probe.Literal:
		return len(v.Text) <= itemRoom
	case probe.Func:
		return len(v.Fields) == 0
	}
	return false
}

func allSimple(fields []probe.NamedValue) bool {
	for _, f := range fields {
		if !simple(f.Value) || f.Value.Late != fields[0].Value.Late {
			return false
		}
	}
	return true
}

// inline is a value on one row, in at most so many columns; 0 is no limit.
func inline(v probe.Value, room int) string {
	w := writer{room: room}
	w.value(v, 0)
	return Clip(w.String(), room)
}

// writer stops to write when its room is used up.
type writer struct {
	strings.Builder
	room int
}

func (w *writer) full() bool { return w.room > 0 && w.Len() > w.room*utf8.UTFMax }

// maxNesting bounds what a row shows of values within values.
const maxNesting = 4

func (w *writer) value(v probe.Value, depth int) {
	if w.full() {
		return
	}
	if depth > maxNesting {
		w.WriteString("…")
		return
	}
	switch v.Shape {
	case probe.Struct:
		w.list("{", "}", len(v.Fields), func(i int) {
			w.WriteString(probe.Escape(v.Fields[i].Name) + ":")
			w.value(v.Fields[i].Value, depth+1)
		})
	case probe.List:
		w.list("[", "]", len(v.Elems), func(i int) { w.value(v.Elems[i], depth+1) })
		w.WriteString(rest(len(v.Elems), v))
	case probe.Map:
		w.list("map[", "]", len(v.Entries), func(i int) {
			w.value(v.Entries[i].Key, depth+1)
			w.WriteString(":")
			w.value(v.Entries[i].Value, depth+1)
		})
		w.WriteString(rest(len(v.Entries), v))
	case probe.String:
		if notTaken(v) {
			w.WriteString(fmt.Sprintf("<%s bytes, not taken>", number(v.Len)))
			return
		}
		w.WriteString(quoted(v, w.room))
	case probe.Pointer:
		if len(v.Elems) == 1 {
			w.WriteString("&")
			w.value(v.Elems[0], depth+1)
			return
		}
		w.WriteString(address(v.Points()))
	case probe.Interface:
		w.WriteString(Short(v.Type) + "(")
		if v.Text != "" { // of an error: what it says
			w.WriteString(probe.Escape(v.Text))
		} else if len(v.Elems) == 1 {
			w.value(v.Elems[0], depth+1)
		}
		w.WriteString(")")
	default:
		w.WriteString(scalar(v))
	}
}

func (w *writer) list(open, end string, n int, each func(int)) {
	w.WriteString(open)
	for i := range n {
		if i > 0 {
			w.WriteString(" ")
		}
		if w.full() {
			w.WriteString("…")
			break
		}
		each(i)
	}
	w.WriteString(end)
}

// rest says how much of a list or map is not here.
func rest(here int, v probe.Value) string {
	if v.Len <= int64(here) {
		return ""
	}
	return fmt.Sprintf(" (%s)", size(here, v.Len, "len"))
}

// scalar is a value that has nothing within.
func scalar(v probe.Value) string {
	v.Late, v.Note, v.Cut = false, "", "" // they have places of their own
	switch v.Shape {
	case probe.Literal:
		return probe.Escape(v.Text)
	case probe.Redacted:
		return "[redacted: " + probe.Escape(v.Text) + "]"
	case probe.Unreadable:
		return "<" + probe.Escape(v.Text) + ">"
	case probe.Chan:
		return Short(v.Type)
	case probe.Func:
		if v.Text != "" {
			return Short(v.Text)
		}
	}
	return v.String()
}

// quoted is a string in quotes; bytes that are no text in hexadecimal digits.
// Of a string that fills the room anyhow, no more is looked at.
func quoted(v probe.Value, room int) string {
	data, more := v.Data, v.Truncated
	if room > 0 && len(data) > room*utf8.UTFMax {
		data, more = data[:room*utf8.UTFMax], true
	}
	end := ""
	if more {
		end = "…"
	}
	if hexadecimal(v) {
		return hex.EncodeToString(data) + end
	}
	return `"` + strings.ReplaceAll(probe.Escape(string(data)), `"`, `\"`) + end + `"`
}

// hexadecimal tells whether a value is bytes that are shown as digits.
func hexadecimal(v probe.Value) bool {
	return v.Shape == probe.String && v.Type == "[]uint8" && !isText(v.Data)
}

// isText tells whether bytes are likely to be text.
func isText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
	})
}
