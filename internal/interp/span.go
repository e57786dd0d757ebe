package interp

import "github.com/sidelight-dev/sidelight/internal/program"

// span is OpSpan.
func (s *State) span(n *program.Node) (v uint64, st program.Status) {
	tab, st := s.Eval(n.X)
	if st != program.StatusOK {
		return 0, st
	}
	data, st := s.Eval(n.Y)
	if st != program.StatusOK {
		return 0, st
	}
	defer caught(&v, &st)
	f := finder{s: s}
	c := n.Chain
	for range c.Max {
		if tab < 4096 {
			return 0, program.StatusKey
		}
		t := f.word(tab + 8)
		next := c.Next
		if t != c.Value+s.Slide {
			next = s.link(c.Contexts, t)
		} else if f.word(data+uint64(c.Key)) == c.SpanKey+s.Slide {
			t, at := f.word(data+uint64(c.Val)), f.word(data+uint64(c.Val)+8)
			if t < 4096 {
				return 0, program.StatusKey
			}
			return at + uint64(s.link(c.Spans, t)), program.StatusOK
		}
		tab, data = f.word(data+uint64(next)), f.word(data+uint64(next)+8)
	}
	return 0, program.StatusLarge
}

// link is the offset that a list has for a type. Its panics end the search.
func (s *State) link(list []program.Link, t uint64) int64 {
	for _, l := range list {
		if l.Type+s.Slide != t {
			continue
		}
		if l.Off < 0 {
			panic(ended{program.StatusKey})
		}
		return l.Off
	}
	panic(ended{program.StatusType})
}
