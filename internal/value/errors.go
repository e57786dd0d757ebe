package value

import (
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
)

// message is what an error's Error method returns, of types whose method is
// known to do nothing but read it; "" of any other. late tells that any of what it
// is made of was read after the hit.
func (r *Reader) message(t *program.Type, v probe.Value) (text string, late bool) {
	if v.Shape == probe.Pointer && len(v.Elems) == 1 {
		v = v.Elems[0]
	}
	if t.Name == "*errors.joinError" {
		return joined(v)
	}
	late = t.Name == "syscall.Errno" && v.Late
	text, _ = ErrorText(t.Name, v.Uint, func(field string) (string, bool) {
		for _, f := range v.Fields {
			if f.Name != field {
				continue
			}
			if t.Name == "*net.OpError" && (field == "Source" || field == "Addr") {
				late = late || lateIn(f.Value)
				return address(f.Value)
			}
			late = late || f.Value.Late
			if f.Value.Shape == probe.Interface {
				return f.Value.Text, f.Value.Text != ""
			}
			return string(f.Value.Data), f.Value.Shape == probe.String && !f.Value.Truncated
		}
		return "", false
	})
	return text, late && text != ""
}

// joined is the message of errors.Join: those of its errors, one a line.
func joined(v probe.Value) (text string, late bool) {
	for _, f := range v.Fields {
		if f.Name != "errs" || f.Value.Truncated {
			continue
		}
		late = f.Value.Late
		for i, e := range f.Value.Elems {
			if e.Text == "" {
				return "", false
			}
			if i > 0 {
				text += "\n"
			}
			text += e.Text
			late = late || e.Late
		}
	}
	return text, late
}

// always are errors without content, by their type.
var always = map[string]string{
	"context.deadlineExceededError":        "context deadline exceeded",
	"*internal/poll.DeadlineExceededError": "i/o timeout",
	"internal/poll.errNetClosing":          "use of closed network connection",
	"net.canceledError":                    "operation was canceled",
	"*net.timeoutError":                    "i/o timeout",
	"net.timeoutError":                     "i/o timeout",
	"*net/http.timeoutError":               "net/http: timeout awaiting response headers",
	"*net/http.MaxBytesError":              "http: request body too large",
}

// form is how an error type's Error method puts its fields together.
type form struct {
	fields []string
	text   func(f []string) string
}

func first(f []string) string { return f[0] }

// forms are the types of errors whose message is plain from their fields (Go
// 1.22 to 1.26, the sources of their packages).
var forms = map[string]form{
	"*errors.errorString":        {[]string{"s"}, first},
	"*fmt.wrapError":             {[]string{"msg"}, first},
	"*fmt.wrapErrors":            {[]string{"msg"}, first},
	"*encoding/json.SyntaxError": {[]string{"msg"}, first},
	"*net/http.ProtocolError":    {[]string{"ErrorString"}, first},
	"*io/fs.PathError":           {[]string{"Op", "Path", "Err"}, func(f []string) string { return f[0] + " " + f[1] + ": " + f[2] }},
	"*os.LinkError": {[]string{"Op", "Old", "New", "Err"}, func(f []string) string {
		return f[0] + " " + f[1] + " " + f[2] + ": " + f[3]
	}},
	"*os.SyscallError": {[]string{"Syscall", "Err"}, func(f []string) string { return f[0] + ": " + f[1] }},
	"*net/url.Error":   {[]string{"Op", "URL", "Err"}, func(f []string) string { return fmt.Sprintf("%s %q: %s", f[0], f[1], f[2]) }},
	"*strconv.NumError": {[]string{"Func", "Num", "Err"}, func(f []string) string {
		return "strconv." + f[0] + ": parsing " + strconv.Quote(f[1]) + ": " + f[2]
	}},
	"*os/exec.Error": {[]string{"Name", "Err"}, func(f []string) string { return "exec: " + strconv.Quote(f[0]) + ": " + f[1] }},
	"*net.OpError": {[]string{"Op", "Net", "Source", "Addr", "Err"}, func(f []string) string {
		text := f[0]
		if f[1] != "" {
			text += " " + f[1]
		}
		switch {
		case f[2] != "" && f[3] != "":
			text += " " + f[2] + "->" + f[3]
		case f[2]+f[3] != "":
			text += " " + f[2] + f[3]
		}
		return text + ": " + f[4]
	}},
	"*net.AddrError": {[]string{"Err", "Addr"}, func(f []string) string {
		if f[1] == "" {
			return f[0]
		}
		return "address " + f[1] + ": " + f[0]
	}},
	"*net.ParseError": {[]string{"Type", "Text"}, func(f []string) string { return "invalid " + f[0] + ": " + f[1] }},
	"*net.DNSError": {[]string{"Err", "Name", "Server"}, func(f []string) string {
		if f[2] != "" {
			return "lookup " + f[1] + " on " + f[2] + ": " + f[0]
		}
		return "lookup " + f[1] + ": " + f[0]
	}},
}

// ErrorText is what the Error method of a type of errors returns, if it is one
// whose message is plain from memory: its number, or its fields, which get gives
// as texts, those that hold errors by their messages.
func ErrorText(typ string, number uint64, get func(field string) (string, bool)) (string, bool) {
	if text := always[typ]; text != "" {
		return text, true
	}
	if typ == "syscall.Errno" {
		return syscall.Errno(number).Error(), true
	}
	f, known := forms[typ]
	if !known {
		return "", false
	}
	var parts []string
	for _, name := range f.fields {
		text, ok := get(name)
		if !ok {
			return "", false
		}
		parts = append(parts, text)
	}
	return f.text(parts), true
}

// AddrText is what the String method of an address of the network returns: typ is
// its type, head the bytes of its IP or its name. ok is false of other types, and
// of an IP with a zone.
func AddrText(typ string, head []byte, port int64) (text string, ok bool) {
	switch typ {
	case "*net.UnixAddr":
		return string(head), true
	case "*net.TCPAddr", "*net.UDPAddr":
		ip := ""
		if len(head) > 0 {
			ip = net.IP(head).String()
		}
		return net.JoinHostPort(ip, strconv.FormatInt(port, 10)), len(head) == 0 || len(head) == net.IPv4len || len(head) == net.IPv6len
	}
	return "", false
}

// address is the text of a net.Addr; a nil one has none.
func address(v probe.Value) (text string, ok bool) {
	if v.Shape == probe.Nil {
		return "", true
	}
	typ := v.Type
	for len(v.Elems) == 1 && (v.Shape == probe.Interface || v.Shape == probe.Pointer) {
		v = v.Elems[0]
	}
	var head []byte
	port := int64(0)
	for _, f := range v.Fields {
		switch {
		case f.Name == "IP" && f.Value.Shape == probe.Literal:
			head = net.ParseIP(f.Value.Text)
			if ip4 := net.IP(head).To4(); ip4 != nil {
				head = ip4
			}
			if head == nil {
				return "", false
			}
		case f.Name == "Name" && f.Value.Shape == probe.String && !f.Value.Truncated:
			head = f.Value.Data
		case f.Name == "Port" && f.Value.Shape == probe.Int:
			port = f.Value.Int
		case f.Name == "Zone" && f.Value.Len == 0, f.Name == "Net", f.Name == "IP" && f.Value.Len == 0:
		default:
			return "", false
		}
	}
	return AddrText(typ, head, port)
}
