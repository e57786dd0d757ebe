//go:build linux && amd64

package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// strippings are ways to build a target without debug information.
var strippings = []struct {
	name  string
	env   []string
	flags []string
}{
	{"s,w", nil, []string{"-ldflags=-s -w"}},
	{"w", nil, []string{"-ldflags=-w"}},
	{"s,w,pie,trimpath", nil, []string{"-ldflags=-s -w", "-buildmode=pie", "-trimpath"}},
	{"s,w,v3", []string{"GOAMD64=v3"}, []string{"-ldflags=-s -w"}},
	{"s,w,race", []string{"CGO_ENABLED=1"}, []string{"-ldflags=-s -w", "-race"}},
	{"s,w,external", []string{"CGO_ENABLED=1"}, []string{"-ldflags=-s -w -linkmode=external"}},
}

// TestStripped counts and logs in targets without debug information, of every
// toolchain and way to strip.
func TestStripped(t *testing.T) {
	for _, tc := range toolchains {
		for _, v := range strippings {
			if tc != "local" && (testing.Short() || len(v.env) > 0) {
				continue
			}
			t.Run(tc+"/"+v.name, func(t *testing.T) {
				if strings.Contains(strings.Join(v.env, " "), "CGO_ENABLED=1") {
					needC(t)
				}
				env := append([]string{toolchainEnv(tc)}, v.env...)
				testStripped(t, startTarget(t, buildTarget(t, env, v.flags...)))
			})
		}
	}
}

func testStripped(t *testing.T, c *child) {
	places := []string{"handle", "inlined", "method", "closure", "nil", "deep", "caller", "float"}
	var specs []probe.Spec
	for _, m := range places {
		specs = append(specs, probe.Spec{ID: m, Kind: probe.Count, At: mark(t, m)})
	}
	specs = append(specs, probe.Spec{ID: "log", Kind: probe.Log, At: mark(t, "handle"), Limit: 5, Message: "{$function} {$line} g{$goroutine}"})
	specs = append(specs, probe.Spec{ID: "snapshot", Kind: probe.Snapshot, At: mark(t, "handle"), Limit: 3})
	o := observe(t, c, specs...)
	want := map[string]uint64{}
	for _, m := range places {
		if want[m] = 1000; m == "deep" {
			want[m] = 5
		}
		want[m] = c.run(m, int(want[m]))
	}
	ends := o.end()
	approximate := map[string]bool{}
	for _, p := range o.ready.Probes {
		for _, i := range p.Issues {
			approximate[p.Probe] = approximate[p.Probe] || i.Code == probe.IssueApproximate
		}
	}
	for m, n := range want {
		if approximate[m] && ends[m].Hits != n {
			t.Logf("%s: %d of %d, which was said to be approximate", m, ends[m].Hits, n)
			continue
		}
		checkSums(t, ends[m], n)
	}
	line := mark(t, "handle")[len("main.go:"):]
	for _, h := range o.hits("log") {
		if w := fmt.Sprintf("main.handle %s g", line); !strings.HasPrefix(h.Message, w) {
			t.Errorf("hit %q, want %q", h.Message, w)
		}
	}
	if len(o.hits("log")) == 0 {
		t.Error("no hit came")
	}
	checkUnknown(t, o.momentsOf("snapshot"))
	checkText(t, c)
}

// checkUnknown wants stacks that say that variables are not known, and not that
// there are none.
func checkUnknown(t *testing.T, moments []*probe.Moment) {
	t.Helper()
	if len(moments) == 0 {
		t.Error("no snapshot came")
	}
	for _, m := range moments {
		if f := m.Frames[0]; f.Function != "main.handle" || len(f.Variables) > 0 || !strings.Contains(f.Issue, "not known: the build has no debug information") {
			t.Errorf("%+v", f)
		}
	}
}

// TestStrippedWithSymbols logs variables of stripped targets by the debug
// information of their twins, whose data lie elsewhere.
func TestStrippedWithSymbols(t *testing.T) {
	for _, tc := range toolchains {
		for _, flags := range [][]string{nil, {"-buildmode=pie"}} {
			if tc != "local" && (testing.Short() || flags != nil) {
				continue
			}
			t.Run(tc+"/"+strings.Join(flags, ","), func(t *testing.T) {
				env := []string{toolchainEnv(tc)}
				full := buildTarget(t, env, flags...)
				testWithSymbols(t, full, buildTarget(t, env, append([]string{"-ldflags=-s -w"}, flags...)...))
			})
		}
	}
}

// testWithSymbols logs variables of a stripped target.
func testWithSymbols(t *testing.T, full, stripped string) {
	c := startTarget(t, stripped)
	s := open(t, c, Options{Symbols: []string{full}})
	o := &observation{t: t, s: s, done: make(chan struct{})}
	o.receive(probe.Spec{ID: "log", Kind: probe.Log, At: mark(t, "handle"), Message: "{o.ID} {name} {price}", If: "o.ID%10 == 3"})
	c.run("handle", 1000)
	ends := o.end()
	checkLog(t, o, ends["log"])
	if o.ready.Probes[0].Sites == 0 || s.build.DebugPath() != full {
		t.Errorf("%+v with %s", o.ready.Probes[0], s.build.DebugPath())
	}
	checkText(t, c)
}
