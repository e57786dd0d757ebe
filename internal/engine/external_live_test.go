//go:build linux && amd64

package engine

import (
	"os"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TestExternalPIE counts and logs in position-independent targets that the
// system's linker has linked, in which the table of functions is merged with other
// data before Go 1.26: whole, stripped, and stripped with the other's debug
// information. One release stands for all, unless SIDELIGHT_EXTERNAL is set.
func TestExternalPIE(t *testing.T) {
	needC(t)
	for _, tc := range toolchains {
		if tc != "go1.24.11" && os.Getenv("SIDELIGHT_EXTERNAL") == "" {
			continue
		}
		env := []string{toolchainEnv(tc), "CGO_ENABLED=1"}
		build := func(flags string) string {
			return buildTarget(t, env, "-buildmode=pie", "-ldflags=-linkmode=external"+flags)
		}
		t.Run(tc+"/whole", func(t *testing.T) { testTarget(t, startTarget(t, build(""))) })
		t.Run(tc+"/stripped", func(t *testing.T) { testStripped(t, startTarget(t, build(" -s -w"))) })
		t.Run(tc+"/symbols", func(t *testing.T) { testWithSymbols(t, build(""), build(" -s -w")) })
		for _, flags := range []string{"", " -s -w"} {
			t.Run(tc+"/function"+flags, func(t *testing.T) {
				c := startTarget(t, build(flags))
				o := observe(t, c, probe.Spec{ID: "calls", Kind: probe.Count, At: "main.handle"})
				n := c.run("handle", 1000)
				checkSums(t, o.end()["calls"], n)
				checkText(t, c)
			})
		}
	}
}
