package interp

import (
	"bytes"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// strings is OpStrEq and OpStrLt. Both look at eight bytes at a time, so a fault
// behind the first difference, but among the same eight, is a fault.
func (s *State) strings(n *program.Node) (uint64, program.Status) {
	var v [4]uint64
	for i, part := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		x, st := s.Eval(part)
		if st != program.StatusOK {
			return 0, st
		}
		v[i] = x
	}
	if n.Op == program.OpStrEq && v[1] != v[3] {
		return 0, program.StatusOK
	}
	common := min(int64(v[1]), int64(v[3]))
	if common < 0 || common > program.MaxCompare {
		return 0, program.StatusCorrupt
	}
	order, st := s.order(v[0], v[2], uint64(common))
	if st != program.StatusOK {
		return 0, st
	}
	if n.Op == program.OpStrEq {
		return truth(order == 0), program.StatusOK
	}
	return truth(order < 0 || order == 0 && v[1] < v[3]), program.StatusOK
}

func (s *State) order(p, q, n uint64) (int, program.Status) {
	for n > 0 {
		size := uint64(1)
		if n >= 8 {
			size = 8
		}
		x, st := s.mem(p, int(size))
		if st != program.StatusOK {
			return 0, st
		}
		y, st := s.mem(q, int(size))
		if st != program.StatusOK {
			return 0, st
		}
		if c := bytes.Compare(x, y); c != 0 {
			return c, program.StatusOK
		}
		p, q, n = p+size, q+size, n-size
	}
	return 0, program.StatusOK
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
