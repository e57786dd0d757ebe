package engine

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
)

// TestGuardStaysWhileTheTargetLives lets clearing fail for half an hour.
func TestGuardStaysWhileTheTargetLives(t *testing.T) {
	for _, last := range []error{nil, inject.ErrExited, inject.ErrReplaced, &inject.RefusedError{Code: inject.CodeNoProcess}} {
		var slept time.Duration
		tries := 0
		rest := func(d time.Duration) {
			if d > guardRest {
				t.Fatalf("it rests for %v", d)
			}
			slept += d
		}
		err := persist(rest, func() error {
			tries++
			switch {
			case slept > 30*time.Minute:
				return last
			case tries%2 == 0:
				return &inject.RefusedError{Code: inject.CodeTraced}
			}
			return fmt.Errorf("a call: %w", inject.ErrBusy)
		})
		if !errors.Is(err, last) {
			t.Errorf("%v, not %v", err, last)
		}
		if tries > 500 {
			t.Errorf("%d tries in half an hour", tries)
		}
	}
}
