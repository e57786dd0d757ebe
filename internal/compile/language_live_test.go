//go:build linux && amd64

package compile_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/compile"
	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestLanguageLive asks all of ValueCases of a real process, in machine code.
func TestLanguageLive(t *testing.T) {
	cmd := exec.Command(testprog.Dir(t, "testdata/world", testprog.Options{}))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := engine.Open(ctx, cmd.Process.Pid, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	specs, want := questions()
	if _, err := s.Install(ctx, specs); err != nil {
		t.Fatal(err)
	}
	asked := 0
	for e := range s.Events() {
		h, ok := e.(*probe.Hit)
		if !ok {
			continue
		}
		for i, w := range want[h.Probe] {
			asked++
			if got := h.Values[i].Value.String(); got != w {
				t.Errorf("%s: got %s, want %s", h.Values[i].Name, got, w)
			}
		}
	}
	if asked == 0 || ctx.Err() != nil {
		t.Errorf("%d values came in time", asked)
	}
}

// questions are probes that ask ten expressions each, once, and what they are to
// answer.
func questions() (specs []probe.Spec, want map[string][]string) {
	want = map[string][]string{}

	for _, c := range compile.ValueCases {
		if strings.HasPrefix(c.Expr, "$") || strings.HasPrefix(c.Expr, "len($") {
			continue
		}
		id := fmt.Sprintf("p%d", len(want))
		if len(specs) == 0 || len(want[id]) == 10 {
			id = fmt.Sprintf("p%d", len(want)+1)
			specs = append(specs, probe.Spec{ID: id, Kind: probe.Log, At: "main.tick", For: time.Minute, Limit: 1})
		}
		specs[len(specs)-1].Message += "{" + c.Expr + "} "
		want[id] = append(want[id], c.Want)
	}
	return specs, want
}
