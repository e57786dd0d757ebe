//go:build linux && amd64

package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestWhereSaysWhatALogReads logs, in a program that runs, all that where says
// can be read and all that it says cannot.
func TestWhereSaysWhatALogReads(t *testing.T) {
	path := buildTarget(t, nil)
	x, err := Examine(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	c := startTarget(t, path)
	readable, lost := 0, 0
	for _, name := range []string{"handle", "leaf", "inlined", "calls"} {
		w, err := x.Where(mark(t, name))
		if err != nil {
			t.Fatal(err)
		}
		can := map[string]bool{}
		var message strings.Builder
		for _, s := range w.Sites {
			for _, v := range s.Variables {
				before, known := can[v.Name]
				if !known {
					fmt.Fprintf(&message, "{%s} ", v.Name)
				}
				can[v.Name] = v.Readable && (before || !known) // at every site
			}
		}
		o := observe(t, c, probe.Spec{Kind: probe.Log, At: mark(t, name), Message: message.String()})
		c.run(scenario(name), 50)
		o.end()
		if len(o.hits("p1")) == 0 {
			t.Fatalf("%s is not passed", name)
		}
		for _, h := range o.hits("p1") {
			for _, v := range h.Values {
				text, err := json.Marshal(v.Value)
				if err != nil {
					t.Fatal(err)
				}
				unreadable := strings.HasPrefix(string(text), `{"unreadable"`)
				switch {
				case can[v.Name] && unreadable:
					t.Errorf("%s: where says that %s can be read, and a hit has %s", name, v.Name, text)
				case can[v.Name]:
					readable++
				case unreadable:
					lost++
				}
			}
		}
	}
	if readable == 0 {
		t.Error("nothing was read")
	}
	t.Logf("%d values read, %d not, as where says", readable, lost)
	checkText(t, c)
}

// scenario is what the target runs to pass a mark.
func scenario(mark string) string {
	if mark == "calls" {
		return "inlined"
	}
	return mark
}
