package probe

import (
	"fmt"
	"strings"
)

// mapText is a map as Go writes it, or its type and length where its entries
// were not read.
func (v Value) mapText() string {
	switch {
	case v.Entries == nil && v.Len < 0:
		return Escape(v.Type)
	case v.Entries == nil:
		return fmt.Sprintf("%s(len %d)", Escape(v.Type), v.Len)
	}
	var b strings.Builder
	b.WriteString("map[")
	for i, e := range v.Entries {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(e.Key.inner() + ":" + e.Value.inner())
	}
	if v.Truncated {
		if len(v.Entries) > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("…")
	}
	b.WriteByte(']')
	if v.Truncated && v.Len >= 0 {
		fmt.Fprintf(&b, " (len %d)", v.Len)
	}
	return b.String()
}

// chanText is a channel's type and length, and where more of it was read what
// waits in it and who waits for it.
func (v Value) chanText() string {
	if v.Len < 0 {
		return Escape(v.Type)
	}
	text := fmt.Sprintf("%s(len %d", Escape(v.Type), v.Len)
	for _, f := range v.Fields {
		switch {
		case f.Name == "cap":
			text += " of " + f.Value.inner()
			if len(v.Elems) > 0 {
				list := Value{Shape: List, Elems: v.Elems}.listText()
				text += ": " + list[1:len(list)-1]
			}
		case f.Name == "closed" && f.Value.Bool:
			text += ", closed"
		case f.Name == "receivers" && f.Value.Int > 0:
			text += ", " + f.Value.inner() + " waiting to receive"
		case f.Name == "senders" && f.Value.Int > 0:
			text += ", " + f.Value.inner() + " waiting to send"
		}
	}
	return text + ")"
}

// funcText is a function's name, and what it captured.
func (v Value) funcText() string {
	text := Escape(v.Text)
	if v.Text == "" {
		text = fmt.Sprintf("func(0x%x)", v.Uint)
	}
	if len(v.Fields) > 0 {
		text += Value{Shape: Struct, Fields: v.Fields}.structText()
	}
	return text
}
