package value

import (
	"net"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Written is a value that is made of its fields already, as those of a log are,
// in the way in which people write its type: a lock says who holds it, an atomic
// number is the number. Any other value stays what it is.
func Written(v probe.Value) probe.Value {
	out := v
	switch {
	case v.Shape != probe.Struct:
		return v
	case v.Type == "sync.Mutex", v.Type == "internal/sync.Mutex":
		if state := fieldOf(v, "state"); state.Shape == probe.Int {
			out, _ = literal(mutexText(uint32(state.Int)), v.Late)
		} else if inner := fieldOf(v, "mu"); inner.Shape == probe.Literal { // since Go 1.24
			out = inner
		}
	case v.Type == "sync.RWMutex":
		w, count, wait := fieldOf(v, "w"), fieldOf(v, "readerCount"), fieldOf(v, "readerWait")
		if w.Shape == probe.Literal && count.Shape == probe.Int && wait.Shape == probe.Int {
			out, _ = literal(rwMutexText(w.Text, int32(count.Int), int32(wait.Int)), v.Late)
		}
	case v.Type == "sync.WaitGroup":
		if state := fieldOf(v, "state"); state.Shape == probe.Uint {
			out, _ = literal(waitGroupText(state.Uint), v.Late)
		}
	case strings.HasPrefix(v.Type, "sync/atomic."):
		if out = fieldOf(v, "v"); out.Shape == probe.Unreadable {
			return v
		}
		if v.Type == "sync/atomic.Bool" && out.Shape == probe.Uint {
			out = probe.Value{Shape: probe.Bool, Bool: out.Uint != 0}
		}
		if out.Shape == probe.Interface { // of a Value: what it holds has a type of its own
			return out
		}
	}
	out.Type, out.Address = v.Type, v.Address
	return out
}

// Octets is a list of bytes as people write its type, an address of the network;
// ok is false of any other, and of one that is no address.
func Octets(typ string, v probe.Value) (text probe.Value, ok bool) {
	switch {
	case v.Shape != probe.String || v.Truncated || len(v.Data) == 0:
		return text, false
	case typ == "net.IP" && (len(v.Data) == net.IPv4len || len(v.Data) == net.IPv6len):
		return literal(net.IP(v.Data).String(), v.Late)
	case typ == "net.HardwareAddr":
		return literal(net.HardwareAddr(v.Data).String(), v.Late)
	}
	return text, false
}

// fieldOf is a field of a struct that was read; unreadable if it has none.
func fieldOf(v probe.Value, name string) probe.Value {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value
		}
	}
	return probe.Why(whyDamaged)
}
