//go:build linux && amd64

package inject

import (
	"errors"
	"testing"
)

// A thread that another Sidelight holds at this moment is not usable now; that is no
// lack of permission, whether this one has held any before or not.
func TestAThreadThatAnotherHolds(t *testing.T) {
	tg := start(t, programBuild(t, "odd"), "fpe")
	holder, p := open(t, tg), open(t, tg)
	tids, err := holder.tids()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		looked := false
		for _, tid := range tids {
			if tid == p.PID {
				continue
			}
			var inner error
			err := holder.Look(tid, func(View) { inner = p.Look(tid, func(View) {}) })
			if err == nil {
				looked = true
				if !errors.Is(inner, errThread) {
					t.Errorf("thread %d, which another holds: %v", tid, inner)
				}
			}
			_ = p.Look(tid, func(View) {})
		}
		if !looked {
			t.Error("no thread could be looked at")
		}
	}
}
