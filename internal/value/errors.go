package value

import (
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// message is what an error's Error method returns, of types whose method is
// known to do nothing but read it; "" of any other.
func (r *Reader) message(t *program.Type, v probe.Value) string {
	if v.Shape == probe.Pointer && len(v.Elems) == 1 {
		v = v.Elems[0]
	}
	get := func(field string) string {
		for _, f := range v.Fields {
			if f.Name == field && f.Value.Shape == probe.String && !f.Value.Truncated {
				return string(f.Value.Data)
			}
		}
		return ""
	}
	switch t.Name {
	case "*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors":
		return get("s") + get("msg")
	case "*errors.joinError":
		return joined(v)
	}
	return ""
}

// joined is the message of errors.Join: those of its errors, one a line.
func joined(v probe.Value) string {
	text := ""
	for _, f := range v.Fields {
		if f.Name != "errs" || f.Value.Truncated {
			continue
		}
		for i, e := range f.Value.Elems {
			if e.Text == "" {
				return ""
			}
			if i > 0 {
				text += "\n"
			}
			text += e.Text
		}
	}
	return text
}
