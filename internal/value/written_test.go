package value

import (
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestWritten: a lock of which a part is missing is shown as what it is made of.
func TestWritten(t *testing.T) {
	of := func(typ string, fields ...any) probe.Value {
		v := probe.Value{Shape: probe.Struct, Type: typ}
		for i := 0; i < len(fields); i += 2 {
			v.Fields = append(v.Fields, probe.NamedValue{Name: fields[i].(string), Value: Written(fields[i+1].(probe.Value))})
		}
		return v
	}
	number := func(n int64) probe.Value { return probe.Value{Shape: probe.Int, Int: n} }
	mutex := of("sync.Mutex", "mu", of("internal/sync.Mutex", "state", number(1|3<<3)))
	for _, c := range []struct {
		v          probe.Value
		text, json string
	}{
		{mutex, "held, 3 waiting", `"held, 3 waiting"`},
		{of("sync.Mutex", "state", number(0), "sema", number(0)), "free", `"free"`},
		{of("sync.Mutex", "state", probe.Why("optimised out")), "{state:<optimised out>}", `{"state":{"unreadable":"optimised out"}}`},
		{of("sync.RWMutex", "w", mutex, "readerCount", of("sync/atomic.Int32", "v", number(2-1<<30)), "readerWait", of("sync/atomic.Int32", "v", number(1))),
			"held by 1 reader, a writer waiting", `"held by 1 reader, a writer waiting"`},
		{of("sync/atomic.Bool", "v", probe.Value{Shape: probe.Uint, Uint: 1}), "true", "true"},
		{of("main.Mutex", "state", number(1)), "{state:1}", `{"state":1}`},
	} {
		got := Written(c.v)
		text, json := got.String(), string(got.AppendJSON(nil))
		if text != c.text || json != c.json || got.Type != c.v.Type {
			t.Errorf("%s: %s, %s; want %s, %s", got.Type, text, json, c.text, c.json)
		}
	}
}
