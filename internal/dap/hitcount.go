package dap

import (
	"fmt"
	"strconv"
	"strings"
)

// hitCount says which hits of a breakpoint are meant, as Delve reads it: N the
// Nth, > N those after it, % N every Nth.
type hitCount struct {
	after int64 // hits that are passed over first
	every int64 // of the others, every so manyth; 0: each
	once  bool  // and only one
}

// parseHitCount reads a hitCondition; an empty one means every hit.
func parseHitCount(text string) (hitCount, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return hitCount{}, nil
	}
	digits := strings.TrimLeft(text, "=><% ")
	op := strings.ReplaceAll(text[:len(text)-len(digits)], " ", "")
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	if err == nil && n >= 0 {
		switch {
		case (op == "" || op == "==" || op == "=") && n > 0:
			return hitCount{after: n - 1, once: true}, nil
		case op == ">":
			return hitCount{after: n}, nil
		case op == ">=":
			return hitCount{after: max(n-1, 0)}, nil
		case op == "%" && n > 0:
			return hitCount{every: n}, nil
		}
	}
	return hitCount{}, fmt.Errorf("hit count %q: write N for the Nth hit, > N for those after it, or %% N for every Nth", text)
}
