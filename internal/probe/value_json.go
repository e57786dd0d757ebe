package probe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// MarshalJSON writes the value as the output contract has it: scalars plain
// and exact, a struct as an object, a list as an array; {"unreadable":why} for
// what could not be read, {"redacted":rule} for what is not to be shown, {"value":…,"len":N,"truncated":true} for what was
// cut, {"base64":…} for bytes that are no UTF-8, strings for NaN and infinities.
func (v Value) MarshalJSON() ([]byte, error) { return v.AppendJSON(nil), nil }

// AppendJSON appends what MarshalJSON writes.
func (v Value) AppendJSON(b []byte) []byte {
	switch v.Shape {
	case Nil:
		return append(b, "null"...)
	case Bool:
		return strconv.AppendBool(b, v.Bool)
	case Int:
		return strconv.AppendInt(b, v.Int, 10)
	case Uint:
		return strconv.AppendUint(b, v.Uint, 10)
	case Float:
		return v.appendFloat(b)
	case Complex, Struct:
		return AppendValues(b, v.Fields)
	case String:
		return v.appendString(b)
	case List:
		return v.appendList(b)
	case Interface:
		return v.appendInterface(b)
	case Pointer:
		if len(v.Elems) == 1 {
			return v.Elems[0].AppendJSON(b)
		}
		return fmt.Appendf(b, `"0x%x"`, v.Uint)
	case Map, Chan:
		if v.Len < 0 {
			return append(appendText(append(b, `{"type":`...), v.Type), '}')
		}
		return fmt.Appendf(b, `{"len":%d}`, v.Len)
	case Func:
		if v.Text != "" {
			return appendText(b, v.Text)
		}
		return fmt.Appendf(b, `"0x%x"`, v.Uint)
	case Literal:
		return appendText(b, v.Text)
	case Redacted:
		return append(appendText(append(b, `{"redacted":`...), v.Text), '}')
	}
	b = appendText(append(b, `{"unreadable":`...), v.Text)
	return append(b, '}')
}

// AppendValues appends an object of the values, in their order.
func AppendValues(b []byte, values []NamedValue) []byte {
	b = append(b, '{')
	for i, f := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendText(b, f.Name), ':')
		b = f.Value.AppendJSON(b)
	}
	return append(b, '}')
}

// appendFloat writes a number as encoding/json does, so that it is read back
// as the same one.
func (v Value) appendFloat(b []byte) []byte {
	if math.IsNaN(v.Float) || math.IsInf(v.Float, 0) {
		return appendText(b, v.floatText())
	}
	bits, format := v.Bits, byte('f')
	if bits != 32 {
		bits = 64
	}
	if abs := math.Abs(v.Float); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, v.AsFloat(), format, -1, bits)
}

func (v Value) appendString(b []byte) []byte {
	plain := utf8.Valid(v.Data)
	switch {
	case plain && !v.Truncated:
		return appendText(b, string(v.Data))
	case plain:
		b = appendText(append(b, `{"value":`...), string(v.Data))
	default:
		b = append(b, `{"base64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, v.Data), '"')
	}
	if v.Truncated {
		b = fmt.Appendf(b, `,"len":%d,"truncated":true`, v.Len)
	}
	return append(b, '}')
}

func (v Value) appendList(b []byte) []byte {
	if v.Truncated {
		b = append(b, `{"value":`...)
	}
	b = append(b, '[')
	for i, e := range v.Elems {
		if i > 0 {
			b = append(b, ',')
		}
		b = e.AppendJSON(b)
	}
	b = append(b, ']')
	if v.Truncated {
		b = fmt.Appendf(b, `,"len":%d,"truncated":true}`, v.Len)
	}
	return b
}

func (v Value) appendInterface(b []byte) []byte {
	b = appendText(append(b, `{"type":`...), v.Type)
	switch {
	case v.Text != "":
		b = appendText(append(b, `,"value":`...), v.Text)
	case len(v.Elems) == 1:
		b = v.Elems[0].AppendJSON(append(b, `,"value":`...))
	}
	return append(b, '}')
}

// appendText appends s as a JSON string, with < and > left readable. Bytes
// that are no UTF-8 cannot be in one; they become U+FFFD.
func appendText(b []byte, s string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // no string makes it fail
		return append(b, `""`...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
