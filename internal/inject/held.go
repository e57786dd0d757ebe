//go:build linux && amd64

package inject

// Held is a range of the target's text that a bay's journal holds.
type Held struct {
	Lo, Hi uint64
	PID    int // of the Sidelight that put it there
}

// Overlaps tells whether [lo,hi) has an address in common with it.
func (h Held) Overlaps(lo, hi uint64) bool { return h.Lo < hi && lo < h.Hi }

// Held lists what the Sidelights that live hold in the target. The caller holds
// the Lock.
func (p *Proc) Held() ([]Held, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, err := p.bays()
	if err != nil {
		return nil, err
	}
	var out []Held
	for _, info := range list {
		for _, j := range info.journal {
			if info.Alive {
				out = append(out, Held{j.addr, j.addr + uint64(len(j.orig)), info.PID})
			}
		}
	}
	return out, nil
}
