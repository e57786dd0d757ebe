package probe

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// String is the value as a message shows it: as Go's %+v does, but strings
// within others are quoted, an error is what it says, and no byte of the target can control a terminal.
func (v Value) String() string {
	text := v.inner()
	switch {
	case v.Shape == String:
		text = v.stringText(false)
	case v.Shape == Interface && v.Text != "":
		text = Escape(v.Text)
	}
	if v.Late || v.Shape == Pointer && len(v.Elems) == 1 && v.Elems[0].Late {
		text += " (late)"
	}
	return text
}

// inner is the value as a part of another shows it.
func (v Value) inner() string {
	if v.Note != "" {
		return v.plain() + " (" + Escape(v.Note) + ")"
	}
	return v.plain()
}

// plain is inner without what is to be known besides.
func (v Value) plain() string {
	switch v.Shape {
	case Nil:
		return "nil"
	case Bool:
		return strconv.FormatBool(v.Bool)
	case Int:
		if v.Type == "time.Duration" {
			return time.Duration(v.Int).String()
		}
		return strconv.FormatInt(v.Int, 10)
	case Uint:
		return strconv.FormatUint(v.Uint, 10)
	case Float:
		return v.floatText()
	case Complex:
		return v.complexText()
	case String:
		return v.stringText(true)
	case Struct:
		return v.structText()
	case List:
		return v.listText()
	case Interface:
		return v.interfaceText()
	case Pointer:
		if len(v.Elems) == 1 {
			return "&" + v.Elems[0].inner()
		}
		return fmt.Sprintf("0x%x", v.Uint)
	case Map:
		return v.mapText()
	case Chan:
		return v.chanText()
	case Func:
		return v.funcText()
	case Literal:
		return Escape(v.Text)
	case Redacted:
		return "[redacted: " + Escape(v.Text) + "]"
	}
	return "<" + Escape(v.Text) + ">"
}

func (v Value) floatText() string {
	switch {
	case math.IsNaN(v.Float):
		return "NaN"
	case math.IsInf(v.Float, 1):
		return "+Inf"
	case math.IsInf(v.Float, -1):
		return "-Inf"
	}
	bits := v.Bits
	if bits != 32 {
		bits = 64
	}
	return strconv.FormatFloat(v.AsFloat(), 'g', -1, bits)
}

func (v Value) complexText() string {
	if len(v.Fields) != 2 {
		return "<damaged>"
	}
	imag := v.Fields[1].Value.inner()
	if !strings.HasPrefix(imag, "-") && !strings.HasPrefix(imag, "+") {
		imag = "+" + imag
	}
	return "(" + v.Fields[0].Value.inner() + imag + "i)"
}

func (v Value) stringText(quoted bool) string {
	s := Escape(string(v.Data))
	switch {
	case (v.Type == "[]uint8" || v.Bits == 8) && !isText(v.Data):
		s = hex.EncodeToString(v.Data)
	case quoted:
		s = `"` + strings.ReplaceAll(s, `"`, `\"`) + `"`
	}
	if v.Truncated {
		s += fmt.Sprintf("… (%d bytes)", v.Len)
	}
	return s
}

// isText tells whether bytes are likely to be text: UTF-8 without control
// characters but for those that lay it out.
func isText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
	})
}

func (v Value) structText() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, f := range v.Fields {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Escape(f.Name) + ":" + f.Value.inner())
	}
	b.WriteByte('}')
	return b.String()
}

func (v Value) listText() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, e := range v.Elems {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.inner())
	}
	if v.Truncated {
		if len(v.Elems) > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("…")
	}
	b.WriteByte(']')
	if v.Truncated {
		fmt.Fprintf(&b, " (len %d)", v.Len)
	}
	return b.String()
}

func (v Value) interfaceText() string {
	if v.Text != "" && (len(v.Elems) == 0 || len(v.Elems[0].Elems)+len(v.Elems[0].Fields) == 0) {
		return Escape(v.Type) + `("` + strings.ReplaceAll(Escape(v.Text), `"`, `\"`) + `")`
	}
	if len(v.Elems) != 1 {
		return Escape(v.Type)
	}
	e := v.Elems[0]
	if e.Shape == Struct {
		return Escape(v.Type) + e.inner()
	}
	return Escape(v.Type) + "(" + e.inner() + ")"
}

// Escape makes text of the target fit to be shown: what does not print, such
// as control characters, marks that turn the direction of writing, and bytes
// that are no UTF-8, is written as Go escapes it.
func Escape(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsPrint(r):
			b.WriteString(s[:n])
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}
