package redact_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/saved"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// TestEveryRuleThroughEveryOutputOfSnapshots puts a secret for each rule into
// every place of a moment that has a name, and looks for it in text, JSON and
// the saved file.
func TestEveryRuleThroughEveryOutputOfSnapshots(t *testing.T) {
	for _, s := range secrets() {
		if s.rule == "type" {
			continue // by the types of what compile reads, which a moment's values do not need
		}
		name := s.names[len(s.names)-1]
		m := redact.Default().Moment(momentOf(name, s.text))
		all := outputs(t, m)
		for _, part := range strings.Fields(s.text) {
			if len(part) > 5 && !strings.Contains(s.rule, part) && strings.Contains(all, part) {
				t.Errorf("%+v came out: %s", s, all)
			}
		}
		for _, want := range []string{"[redacted: " + s.rule + "]", fmt.Sprintf(`"redacted":%q`, s.rule), `"shape":"redacted"`} {
			if n := strings.Count(all, want); n < 4 {
				t.Errorf("%+v: %s is there %d times, want 4 and more: %s", s, want, n, all)
			}
		}
	}
}

// momentOf holds a secret as a variable, a field, an entry of a map and behind
// a pointer and an interface, in a caller's frame, too.
func momentOf(name, text string) *probe.Moment {
	secret := probe.Value{Shape: probe.String, Type: "string", Data: []byte(text), Len: int64(len(text)), Address: 0x10}
	key := probe.Value{Shape: probe.String, Type: "string", Data: []byte(name), Len: int64(len(name))}
	object := probe.Value{Shape: probe.Struct, Type: "main.T", Fields: []probe.NamedValue{{Name: name, Value: secret},
		{Name: "below", Value: probe.Value{Shape: probe.Interface, Type: "*main.T", Declared: "any", Elems: []probe.Value{
			{Shape: probe.Pointer, Type: "*main.T", Uint: 0x20, Elems: []probe.Value{{Shape: probe.Struct, Type: "main.T",
				Fields: []probe.NamedValue{{Name: name, Value: secret}, {Name: "n", Value: probe.Value{Shape: probe.List, Type: "[]int"}}}}}}}}}}}
	table := probe.Value{Shape: probe.Map, Type: "map[string]string", Len: 1, Entries: []probe.Entry{{Key: key, Value: secret}}}
	f := probe.Frame{Function: "main.f", File: "f.go", Line: 1, Variables: []probe.Variable{
		{Name: name, Role: probe.RoleArgument, Value: secret}, {Name: "o", Role: probe.RoleLocal, Value: object}, {Name: "m", Role: probe.RoleLocal, Value: table}}}
	return &probe.Moment{Probe: "p1", Location: "f.go:1", Function: "main.f", File: "f.go", Line: 1, Frames: []probe.Frame{f, f}}
}

// outputs is all that comes out of a moment.
func outputs(t *testing.T, m *probe.Moment) string {
	t.Helper()
	var all bytes.Buffer
	for _, out := range []sink.Sink{sink.NewText(&all, sink.TextOptions{}), sink.NewText(&all, sink.TextOptions{Width: 200}), sink.NewJSON(&all)} {
		if err := out.Event(m); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "m")
	f, err := saved.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(&all, zip); err != nil {
		t.Fatal(err)
	}
	return all.String()
}
