package decode

import (
	"reflect"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/value"
)

// textSlot is the slot of a text that is the value of a dynamic type itself, or
// the only one of an error; -1 if there is none.
func textSlot(t *program.Type, parts []program.Shape) int {
	if len(parts) > program.IfaceText && parts[program.IfaceText].Slot >= 0 {
		return parts[program.IfaceText].Slot
	}
	switch {
	case len(parts) <= program.IfaceTexts:
		return -1
	case t.Kind == reflect.String, t.Name == "*errors.errorString", t.Name == "*fmt.wrapError", t.Name == "*fmt.wrapErrors":
		return parts[program.IfaceTexts].Slot
	}
	return -1
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
			return b.address(parts, program.IfaceSource)
		case field == "Addr":
			return b.address(parts, program.IfaceAddr)
		}
		texts := 0
		for _, f := range t.Elem.Fields {
			switch {
			case f.Type == nil:
			case f.Type.Kind == reflect.String:
				if f.Name == field {
					return b.errorText(t, parts, texts)
				}
				texts++
			case f.Name == field && f.Type.Kind == reflect.Interface && len(parts) > program.IfaceWrapped:
				e := b.value(&parts[program.IfaceWrapped], maxDepth)
				return e.Text, e.Text != ""
			}
		}
		return "", false
	})
	return text
}

// errorText is string number i of an error, if it is whole.
func (b *builder) errorText(t *program.Type, parts []program.Shape, i int) (string, bool) {
	if slot := textSlot(t, parts); i == 0 && slot >= 0 {
		if text, ok := b.whole(slot); ok {
			return text, true
		}
	}
	if i += program.IfaceTexts; i >= program.IfaceWrapped || i >= len(parts) {
		return "", false
	}
	return b.whole(parts[i].Slot)
}

// whole is a text of which nothing was cut.
func (b *builder) whole(slot int) (string, bool) {
	v := b.text(&program.Shape{Slot: slot})
	return string(v.Data), v.Shape == probe.String && !v.Truncated
}

// address is the text of a net.Addr; a nil one has none.
func (b *builder) address(parts []program.Shape, i int) (string, bool) {
	if i >= len(parts) || len(parts[i].Fields) <= program.IfaceText {
		return "", false
	}
	f := parts[i].Fields
	if word, why := b.word(f[program.IfaceWord].Slot, 0); why != "" || word == 0 {
		return "", why == ""
	}
	at, why := b.word(f[program.IfaceType].Slot, 0)
	if why != "" {
		return "", false
	}
	t := b.runtimeType(at)
	head, whole := b.whole(f[program.IfaceText].Slot)
	if t == nil || !whole {
		return "", false
	}
	if t.Name == "*net.UnixAddr" {
		return value.AddrText(t.Name, []byte(head), 0)
	}
	block := f[program.IfaceBlock].Slot
	port, why1 := b.word(block, 24)
	zone, why2 := b.word(block, 40)
	if why1 != "" || why2 != "" || zone != 0 {
		return "", false
	}
	return value.AddrText(t.Name, []byte(head), int64(port))
}
