//go:build linux && amd64

package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// tracedCall is what the program of testdata/otel says of a call, or of a span
// that it exported.
type tracedCall struct {
	Case, Trace, Span         string
	Sampled, Remote, Exported bool
}

// buildTraced builds the program of testdata/otel with a version of the SDK.
func buildTraced(t *testing.T, version, toolchain string, flags ...string) string {
	t.Helper()
	key := strings.Join(append([]string{"otel", version, toolchain}, flags...), " ")
	if path := built[key]; path != "" {
		return path
	}
	// All builds of one version are of one directory: its path is in them.
	dir := built["otel source "+version]
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "sidelight-engine"); err != nil {
			t.Fatal(err)
		}
		built["otel source "+version] = filepath.Join(dir, "main.go")
	} else {
		dir = filepath.Dir(dir)
	}
	for to, from := range map[string]string{"main.go": "main.go", "go.mod": version + "/mod", "go.sum": version + "/sum"} {
		text, err := os.ReadFile(filepath.Join("testdata/otel", from))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, fmt.Sprintf("traced%d", len(built)))
	cmd := exec.Command("go", append([]string{"build", "-o", path}, flags...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", toolchainEnv(toolchain))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building a program with OpenTelemetry %s: %v\n%s", version, err, out)
	}
	built[key] = path
	return path
}

// calls lets the program run once.
func (c *child) traced() (calls map[string]tracedCall, exported map[string]tracedCall) {
	c.t.Helper()
	c.say("run")
	calls, exported = map[string]tracedCall{}, map[string]tracedCall{}
	for line := c.line(); line != "done"; line = c.line() {
		var s tracedCall
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			c.t.Fatalf("%q: %v", line, err)
		}
		if s.Exported {
			exported[s.Span] = s
		} else {
			calls[s.Case] = s
		}
	}
	return calls, exported
}

// TestSpansJoinTheApplicationsTraces compares spans with what the program says
// of its own, by several versions of its SDK and of Go.
func TestSpansJoinTheApplicationsTraces(t *testing.T) {
	for _, c := range []struct {
		version, toolchain string
		flags, stripped    []string // stripped: what is run, by the debug information of the first
	}{
		{"v1.46.0", "local", nil, nil},
		{"v1.46.0", "local", []string{"-buildmode=pie"}, []string{"-buildmode=pie", "-ldflags=-s -w"}},
		{"v1.46.0", "local", []string{"-gcflags=all=-N -l"}, nil},
		{"v1.34.0", "go1.24.11", nil, nil},
		{"v1.0.1", "go1.22.12", nil, nil},
	} {
		if testing.Short() && c.toolchain != "local" {
			continue
		}
		t.Run(strings.Join(append([]string{c.version, c.toolchain}, append(c.flags, c.stripped...)...), ","), func(t *testing.T) {
			path := buildTraced(t, c.version, c.toolchain, c.flags...)
			var symbols []string
			if c.stripped != nil {
				symbols = []string{path}
				path = buildTraced(t, c.version, c.toolchain, c.stripped...)
			}
			target := startTarget(t, path)
			target.symbols = symbols
			testJoined(t, target)
			checkText(t, target)
		})
	}
}

func testJoined(t *testing.T, c *child) {
	var specs []probe.Spec
	for _, at := range []string{"main.handle", "main.serve", "main.third", "main.(*service).do", "main.page", "main.outer", "main.inner",
		"main.generic", "main.copied", "main.nameless"} {
		specs = append(specs, probe.Spec{Kind: probe.Trace, At: at, Attrs: []probe.Attr{{Name: "name", Expr: "name"}}})
	}
	o := observe(t, c, specs...)
	said, exported := c.traced()
	o.end()
	spans := map[string]*probe.Span{}
	ids := map[string]bool{}
	for _, s := range o.spans() {
		name := strings.Trim(s.Attrs[0].Value.String(), `"`)
		if s.Function == "main.copied" {
			name = "copied" // a constant, of which the copy needs no variable
		}
		spans[name] = s
		if ids[s.ID] || len(s.ID) != 16 || len(s.TraceID) != 32 {
			t.Errorf("%s: span %q of trace %q", name, s.ID, s.TraceID)
		}
		ids[s.ID] = true
	}
	within := map[string]string{"outer: the same": "outer", "outer: none": "outer", "inner: the older": "outer: a child", "inner: the same": "outer: a child"}
	unjoined := map[string]bool{"a hundred values": true, "alien": true, "wrapped": true}
	for name, s := range spans {
		want := said[name]
		switch {
		case name == "nameless":
			// Whatever the compiler made of its context: it is told, or it is right.
			if want := said["generic"]; s.Unjoined == "" && s.TraceID != want.Trace || s.Unjoined != "" && s.Joined != nil {
				t.Errorf("%s: %+v, want %+v", name, s, want)
			}
		case within[name] != "":
			if above := spans[within[name]]; s.TraceID != above.TraceID || s.Above != above.ID || s.Parent != above.ID || s.Root != above.Root || s.Unjoined != "" {
				t.Errorf("%s: %+v is not within %+v", name, s, above)
			}
		case want.Trace == "":
			if s.Joined != nil || s.Above != "" || s.Parent != "" || (s.Unjoined != "") != unjoined[name] {
				t.Errorf("%s: %+v, and its context carries no span that is known", name, s)
			}
		default:
			if s.TraceID != want.Trace || s.Above != want.Span || s.Joined == nil || s.Joined.Sampled() != want.Sampled || s.Joined.Remote != want.Remote || s.Unjoined != "" {
				t.Errorf("%s: %+v %+v, want %+v", name, s, s.Joined, want)
			}
			if _, ok := exported[s.Above]; want.Sampled && !want.Remote && !ok {
				t.Errorf("%s: its parent %s was never exported", name, s.Above)
			}
		}
	}
	if child := spans["outer: a child"]; child == nil || child.Parent != spans["outer"].ID || child.Depth != 1 {
		t.Errorf("the call in a child span: %+v", child)
	}
	if len(spans) != 36 {
		t.Errorf("%d different calls, want 36", len(spans))
	}
}
