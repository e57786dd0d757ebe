//go:build linux && amd64

package inject

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// tidMap translates the numbers of threads that the target sees into those that
// we see. In a container, which has a PID namespace of its own, they differ.
type tidMap struct {
	same bool // one namespace
	of   map[uint64]int
}

// tidMost is the kernel's PID_MAX_LIMIT.
const tidMost = 1 << 22

// mapTids brings a map up to date; m is nil for the first time. It costs nothing
// unless the target has a namespace of its own.
func (p *Proc) mapTids(m *tidMap) (*tidMap, error) {
	if m == nil {
		st, err := p.status()
		if err != nil {
			return nil, err
		}
		m = &tidMap{same: len(strings.Fields(st["NSpid"])) < 2, of: make(map[uint64]int)}
	}
	if m.same {
		return m, nil
	}
	tids, err := p.tids()
	if err != nil {
		return nil, err
	}
	known := make(map[int]bool, len(m.of))
	for _, tid := range m.of {
		known[tid] = true
	}
	for _, tid := range tids {
		if known[tid] {
			continue
		}
		st, err := p.statusOf(fmt.Sprintf("task/%d/status", tid))
		if errors.Is(err, ErrExited) {
			continue // the thread is gone
		}
		if err != nil {
			return nil, err
		}
		if theirs, ok := innermost(st["NSpid"]); ok {
			m.of[theirs] = tid
		}
	}
	return m, nil
}

// innermost is the number that a thread has for itself: the last of NSpid, which
// lists one for each namespace from the reader's inwards.
func innermost(nspid string) (uint64, bool) {
	f := strings.Fields(nspid)
	if len(f) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[len(f)-1], 10, 32)
	return n, err == nil
}

// ours is our number of the thread that the target calls theirs; 0 if there is none.
func (m *tidMap) ours(theirs uint64) int {
	if m.same && theirs <= tidMost {
		return int(theirs)
	}
	return m.of[theirs]
}
