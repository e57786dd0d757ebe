package redact_test

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/interp"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/redact"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// secrets are one for each rule: the names on the way to it, and the text.
func secrets() (out []secret) {
	for _, n := range redact.DefaultNames {
		for _, name := range []string{n, strings.ReplaceAll(n, " ", "_"), strings.ToUpper(strings.ReplaceAll(n, " ", "-")), strings.ReplaceAll(n, " ", "")} {
			out = append(out, secret{"name", []string{"u", name}, "hunter2"})
		}
	}
	for _, c := range redact.PatternCases {
		out = append(out, secret{"pattern: " + c[0], []string{"x"}, c[1]})
	}
	return append(out, secret{"type", []string{"x"}, "hunter2"})
}

type secret struct {
	rule  string
	names []string
	text  string
}

// TestEveryRuleThroughEveryOutput puts a secret for each rule into the memory of
// a target and looks for it in all that comes out at the other end.
func TestEveryRuleThroughEveryOutput(t *testing.T) {
	for _, s := range secrets() {
		hit := hitOf(t, s)
		var text, lines, notes bytes.Buffer
		for _, out := range []sink.Sink{sink.NewText(&text, sink.TextOptions{Notes: &notes}), sink.NewJSON(&lines)} {
			if err := out.Event(hit); err != nil {
				t.Fatal(err)
			}
		}
		all := text.String() + lines.String() + notes.String()
		for _, part := range strings.Fields(s.text) {
			if len(part) > 5 && !strings.Contains(s.rule, part) && strings.Contains(all, part) {
				t.Errorf("%+v came out: %s", s, all)
			}
		}
		if want := "[redacted: " + s.rule + "]"; !strings.Contains(text.String(), want) || !strings.Contains(lines.String(), "at "+want) {
			t.Errorf("%+v: %s is in no message: %s", s, want, all)
		}
		if want := fmt.Sprintf(`{"redacted":%q}`, s.rule); !strings.Contains(lines.String(), want) {
			t.Errorf("%+v: %s is missing in %s", s, want, lines.String())
		}
	}
}

// hitOf is what decode makes of a record that holds the secret.
func hitOf(t *testing.T, s secret) *probe.Hit {
	t.Helper()
	at := func(off int64) *program.Node { return &program.Node{Op: program.OpAddr, Type: program.U64, Imm: off} }
	reads := program.Reads{Names: s.names}
	if s.rule == "type" {
		reads.Types = []string{"crypto/rsa.PrivateKey"}
	}
	p := &program.Program{Log: true, Text: []string{"at ", ""}, Parts: []int{0},
		Values: []program.Value{{Expr: "x", Reads: reads}},
		Sites: []program.Site{{
			Slots: []program.Slot{{Kind: program.SlotBytes, Node: at(0), Elem: 1, Max: 256,
				Len: &program.Node{Op: program.OpConst, Type: program.I64, Imm: int64(len(s.text))}}},
			Captures: []program.Capture{{Shape: program.Shape{Form: program.FormString,
				Type: &program.Type{Name: "string", Kind: reflect.String, Size: 16}, Slot2: -1}}},
		}}}
	state := &interp.State{Mem: func(addr uint64, n int) []byte { return []byte(s.text)[addr:][:n] }}
	hit, err := decode.New(decode.Config{Probes: []probe.Spec{{ID: "p1"}}}, []*program.Program{p}).Record(state.Record(&p.Sites[0], 0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return hit
}
