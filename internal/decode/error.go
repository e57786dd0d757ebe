package decode

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// beginsWithText tells whether the text of an error is the one string in it: then
// it is its value, too.
func beginsWithText(t *program.Type) bool {
	switch t.Name {
	case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors":
		return true
	}
	return false
}

// message is what the Error method of the dynamic type t returns, where that is
// plain from what was recorded; else "".
func (b *builder) message(t *program.Type, parts []program.Shape, v probe.Value) string {
	number := uint64(0)
	if len(v.Elems) == 1 {
		number = v.Elems[0].Uint
	}
	text, _ := value.ErrorText(t.Name, number, func(field string) (string, bool) {
		if t.Kind != reflect.Pointer || t.Elem == nil {
			return "", false
		}
		switch {
		case t.Name != "*net.OpError":
		case field == "Source":
			return b.address(parts, ifaceSource)
		case field == "Addr":
			return b.address(parts, ifaceAddr)
		}
		texts := 0
		for _, f := range t.Elem.Fields {
			switch {
			case f.Type == nil:
			case f.Type.Kind == reflect.String:
				if f.Name == field {
					return b.part(parts, ifaceText+texts)
				}
				texts++
			case f.Name == field && f.Type.Kind == reflect.Interface && len(parts) > ifaceWrapped:
				e := b.value(&parts[ifaceWrapped], maxDepth)
				return e.Text, e.Text != ""
			}
		}
		return "", false
	})
	return text
}

// part is the text in one of an interface's slots, if it is whole.
func (b *builder) part(parts []program.Shape, i int) (string, bool) {
	if i > ifaceText3 || i >= len(parts) {
		return "", false
	}
	v := b.text(&program.Shape{Slot: parts[i].Slot})
	return string(v.Data), v.Shape == probe.String && !v.Truncated
}

// address is the text of a net.Addr; a nil one has none.
func (b *builder) address(parts []program.Shape, i int) (string, bool) {
	if i >= len(parts) || len(parts[i].Fields) < 4 {
		return "", false
	}
	f := parts[i].Fields
	if word, why := b.word(f[0].Slot, 0); why != "" || word == 0 {
		return "", why == ""
	}
	at, why := b.word(f[1].Slot, 0)
	if why != "" {
		return "", false
	}
	t := b.runtimeType(at)
	head, whole := b.part([]program.Shape{ifaceText: {Slot: f[3].Slot}}, ifaceText)
	if t == nil || !whole {
		return "", false
	}
	if t.Name == "*net.UnixAddr" {
		return value.AddrText(t.Name, []byte(head), 0)
	}
	port, why1 := b.word(f[2].Slot, 24)
	zone, why2 := b.word(f[2].Slot, 40)
	if why1 != "" || why2 != "" || zone != 0 {
		return "", false
	}
	return value.AddrText(t.Name, []byte(head), int64(port))
}
