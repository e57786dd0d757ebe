//go:build linux && amd64

package compile_test

import (
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/testprog"
)

// TestSwapped shows what a pointer and a list hold that another goroutine sets all
// the time: one thing or the other, and never parts of both.
func TestSwapped(t *testing.T) {
	whole := map[string]bool{`&{Name:"a" N:1 Other:"a"}`: true, `&{Name:"b" N:2 Other:"b"}`: true,
		`["a" "a" "a"]`: true, `["b" "b" "b"]`: true}
	var specs []probe.Spec
	for _, x := range []string{"current", "list"} {
		specs = append(specs, probe.Spec{ID: x, Kind: probe.Log, At: "main.tick", Message: "{" + x + "}", For: 2 * time.Second, Rate: 20_000})
	}
	seen, mixed := map[string]int{}, map[string]int{}
	ask(t, "testdata/swap", testprog.Options{}, specs, func(h *probe.Hit) {
		if seen[h.Message]++; !whole[h.Message] {
			mixed[h.Message]++
		}
	})
	if len(mixed) > 0 || len(seen) == 0 {
		t.Errorf("%v of %v", mixed, seen)
	}
}
