package probe

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendNode appends a value as a node of a snapshot: an object that says what
// the value is, and holds what is below it as nodes. Members that are empty are
// left out.
//
// Scalars have "value"; structs "fields", lists "elements" and maps "entries"
// of nodes. What a pointer points to and what an interface holds stands in the
// node of the pointer or interface itself; where that is again one of these, in
// a node of its own in "elements".
func AppendNode(b []byte, name string, v Value) []byte {
	return appendNode(b, name, "", v)
}

// AppendVariable appends a variable as a node that has its role, too.
func AppendVariable(b []byte, v Variable) []byte {
	return appendNode(b, v.Name, v.Role, v.Value)
}

func appendNode(b []byte, name string, role Role, v Value) []byte {
	n := node{b: append(b, '{')}
	n.text("name", name)
	n.text("role", string(role))
	n.value(v)
	return append(n.b, '}')
}

// node is an object that is being written.
type node struct {
	b    []byte
	more bool // it has a member
}

func (n *node) key(name string) {
	if n.more {
		n.b = append(n.b, ',')
	}
	n.more = true
	n.b = append(append(append(n.b, '"'), name...), `":`...)
}

func (n *node) text(key, s string) {
	if s != "" {
		n.key(key)
		n.b = appendText(n.b, s)
	}
}

func (n *node) flag(key string, on bool) {
	if on {
		n.key(key)
		n.b = append(n.b, "true"...)
	}
}

func (n *node) length(l int64) {
	if l >= 0 {
		n.key("len")
		n.b = strconv.AppendInt(n.b, l, 10)
	}
}

// value writes the members of a value.
func (n *node) value(v Value) {
	if v.Shape == Interface && v.Declared != "" {
		n.text("type", v.Declared)
		n.text("dynamic", v.Type)
		n.text("message", v.Text)
	} else {
		n.text("type", v.Type)
	}
	n.content(v, 0)
}

// content writes what a value is, whatever its type. What it holds comes into
// its own node, which then has the marks of both and the address that a pointer
// holds: an interface is itself nothing that one would look for by its place.
func (n *node) content(v Value, address uint64) {
	held, ok := v.held()
	if address == 0 && !(ok && v.Shape == Interface) {
		address = v.Points()
	}
	if ok {
		n.content(held, address)
		return
	}
	n.plain(v)
	if sized(v) {
		n.length(v.Len)
	}
	n.flag("truncated", v.Truncated)
	n.text("cut", v.Cut)
	n.text("note", v.Note)
	n.flag("late", v.Late)
	if address != 0 || v.Shape == Pointer {
		n.key("address")
		n.b = fmt.Appendf(n.b, `"0x%x"`, address)
	}
}

// Points is the address of what a value points to, or of the value itself
// where it points to nothing; 0 where that is not known.
func (v Value) Points() uint64 {
	if v.Shape == Pointer || v.Address == 0 && (v.Shape == Chan || v.Shape == Func) {
		return v.Uint
	}
	return v.Address
}

// held is what a pointer or an interface holds, where it can stand in the
// holder's place. A pointer to a pointer cannot: there are two addresses.
func (v Value) held() (Value, bool) {
	if len(v.Elems) != 1 || v.Shape != Pointer && v.Shape != Interface {
		return Value{}, false
	}
	inner := v.Elems[0]
	if inner.Shape == Interface || v.Shape == Pointer && inner.Shape == Pointer {
		return Value{}, false
	}
	inner.Late = inner.Late || v.Late
	inner.Truncated = inner.Truncated || v.Truncated
	inner.Note = both(v.Note, inner.Note)
	inner.Cut = both(v.Cut, inner.Cut)
	return inner, true
}

func both(a, b string) string {
	switch {
	case a == "" || a == b:
		return b
	case b == "":
		return a
	}
	return a + "; " + b
}

// sized says whether a value has a length that a reader may want.
func sized(v Value) bool {
	switch v.Shape {
	case List, Map, Chan:
		return true
	case String:
		return v.Truncated
	}
	return false
}

// plain writes the one member that has the value.
func (n *node) plain(v Value) {
	switch v.Shape {
	case Nil, Bool, Int, Uint, Float:
		n.key("value")
		n.b = v.AppendJSON(n.b)
	case String:
		n.bytes(v.Data)
	case Struct, Complex:
		n.fields(v.Fields)
	case List:
		n.elements(v.Elems)
	case Pointer, Interface:
		if len(v.Elems) > 0 {
			n.elements(v.Elems)
		}
	case Map:
		if v.Entries != nil || v.Len == 0 { // else they were not read
			n.entries(v.Entries)
		}
	case Chan:
		n.someFields(v.Fields)
		if len(v.Elems) > 0 {
			n.elements(v.Elems)
		}
	case Func:
		n.text("value", v.Text)
		n.someFields(v.Fields)
	case Literal:
		n.key("value")
		n.b = appendText(n.b, v.Text)
	case Redacted:
		n.key("redacted")
		n.b = appendText(n.b, v.Text)
	default:
		n.key("unreadable")
		n.b = appendText(n.b, v.Text)
	}
}

func (n *node) bytes(data []byte) {
	n.key("value")
	if utf8.Valid(data) {
		n.b = appendText(n.b, string(data))
		return
	}
	n.b = append(n.b, `{"base64":"`...)
	n.b = append(base64.StdEncoding.AppendEncode(n.b, data), `"}`...)
}

func (n *node) someFields(fields []NamedValue) {
	if len(fields) > 0 {
		n.fields(fields)
	}
}

func (n *node) fields(fields []NamedValue) {
	n.key("fields")
	n.b = AppendNodes(n.b, fields)
}

// AppendNodes appends a list of named nodes.
func AppendNodes(b []byte, values []NamedValue) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendNode(b, v.Name, v.Value)
	}
	return append(b, ']')
}

func (n *node) elements(elems []Value) {
	n.key("elements")
	n.b = append(n.b, '[')
	for i, e := range elems {
		if i > 0 {
			n.b = append(n.b, ',')
		}
		n.b = AppendNode(n.b, "", e)
	}
	n.b = append(n.b, ']')
}

func (n *node) entries(entries []Entry) {
	n.key("entries")
	n.b = append(n.b, '[')
	for i, e := range entries {
		if i > 0 {
			n.b = append(n.b, ',')
		}
		n.b = AppendNode(append(n.b, `{"key":`...), "", e.Key)
		n.b = AppendNode(append(n.b, `,"value":`...), "", e.Value)
		n.b = append(n.b, '}')
	}
	n.b = append(n.b, ']')
}
