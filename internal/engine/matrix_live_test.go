//go:build linux && amd64

package engine

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// toolchains are those that targets may be built with; each comes through the
// module proxy when the tests first need it.
var toolchains = []string{"go1.22.12", "go1.23.12", "go1.24.11", "go1.25.5", "local"}

// variants are ways to build a target.
var variants = []struct {
	name  string
	env   []string
	flags []string
}{
	{"default", nil, nil},
	{"pie", nil, []string{"-buildmode=pie"}},
	{"v3", []string{"GOAMD64=v3"}, nil},
	{"trimpath", nil, []string{"-trimpath"}},
	{"test", nil, []string{asTest}},
	{"unoptimised", nil, []string{"-gcflags=all=-N -l"}},
	{"race", []string{"CGO_ENABLED=1"}, []string{"-race"}},
}

// TestToolchains counts and logs in targets of every toolchain and way to build.
func TestToolchains(t *testing.T) {
	for _, tc := range toolchains {
		for _, v := range variants {
			if testing.Short() && tc != "local" {
				continue
			}
			if tc != "local" && v.name == "race" {
				continue // builds a standard library of its own
			}
			if tc != "local" && tc != toolchains[0] && v.name != "default" && v.name != "pie" && v.name != "v3" {
				continue // the ends of the range stand for the middle
			}
			t.Run(tc+"/"+v.name, func(t *testing.T) {
				if v.name == "race" {
					needC(t)
				}
				env := append([]string{toolchainEnv(tc)}, v.env...)
				testTarget(t, startTarget(t, buildTarget(t, env, v.flags...)))
			})
		}
	}
}

// toolchainEnv is the setting that lets a toolchain build.
func toolchainEnv(tc string) string {
	if tc == "local" {
		tc = strings.Fields(runtime.Version())[0]
	}
	return "GOTOOLCHAIN=" + tc
}

// testTarget puts probes of both kinds at the places that differ between
// builds, and compares with the target's own counts.
func testTarget(t *testing.T, c *child) {
	places := []string{"leaf", "handle", "inlined", "method", "closure", "nil", "deep", "caller", "float"}
	var specs []probe.Spec
	for _, m := range places {
		specs = append(specs, probe.Spec{ID: m, Kind: probe.Count, At: mark(t, m)})
	}
	specs = append(specs, probe.Spec{ID: "log", Kind: probe.Log, At: mark(t, "handle"), Message: "{o.ID} {name} {price}", If: "o.ID%10 == 3"})
	o := observe(t, c, specs...)
	want := map[string]uint64{}
	for _, m := range places {
		switch m {
		case "leaf":
			continue // caller calls it too
		case "deep":
			want[m] = c.run(m, 5)
		default:
			want[m] = c.run(m, 1000)
		}
	}
	ends := o.end()
	for m, n := range want {
		checkSums(t, ends[m], n)
	}
	checkLog(t, o, ends["log"])
	for _, p := range o.ready.Probes {
		if len(p.Issues) > 0 {
			t.Logf("%s: %v", p.Probe, p.Issues)
		}
	}
	checkText(t, c)
}

// checkLog holds the hits of the log to what the target passed. A hit that meets
// a pending preemption is dropped, and counted.
func checkLog(t *testing.T, o *observation, end *probe.End) {
	t.Helper()
	hits := o.hits("log")
	checkSums(t, end, 100)
	if uint64(len(hits)) != end.Emitted {
		t.Errorf("%d hits came, %+v", len(hits), end)
	}
	names := []string{"alice", "bob", "a name of twenty b.."}
	for _, h := range hits {
		id, err := strconv.Atoi(strings.Fields(h.Message)[0])
		if err != nil || id%10 != 3 {
			t.Fatalf("hit %q: %v", h.Message, err)
		}
		name := names[id%3]
		if strings.Contains(h.Message, "<optimised out>") {
			name = "<optimised out>" // the race detector's calls take the registers
		}
		if want := fmt.Sprintf("%d %s 3", id, name); h.Message != want {
			t.Fatalf("hit %q, want %q", h.Message, want)
		}
	}
}
