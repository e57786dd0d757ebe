package compile

import (
	"fmt"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
)

// nearby finds where else a variable can be read. A line that it names holds
// what it promises: its sites were looked at as a probe there would. It keeps
// the function that it was last asked about.
type nearby struct {
	fn   *debuginfo.Func
	code *locate.Code
}

// maxTries bounds the lines looked at in each direction. Where the nearest ones
// that the line table offers do not hold, those far away seldom do.
const maxTries = 6

// lines are the nearest lines above and below a site where v can be read; 0:
// none.
func (n *nearby) lines(s *site, v *debuginfo.Variable) (up, down int) {
	b, whole := s.b.(*debuginfo.Build)
	if n == nil || !whole { // a test's build has variables, but no code
		return 0, 0
	}
	above, below := b.ReadableLines(v, s.pc)
	if len(above)+len(below) == 0 {
		return 0, 0
	}
	fn := b.FuncAt(s.pc)
	if fn != n.fn {
		n.fn, n.code = fn, locate.ReadCode(b, fn)
	}
	return n.first(b, s, v, above), n.first(b, s, v, below)
}

// first is the first of some lines whose sites can all read v.
func (n *nearby) first(b *debuginfo.Build, s *site, v *debuginfo.Variable, lines []int) int {
	for _, line := range lines[:min(maxTries, len(lines))] {
		readable, lost := 0, 0
		for _, at := range n.code.Sites(s.file, line) {
			switch {
			case at.Function != s.function || !b.InScopeAt(v, at.PC, line):
			case v.Locate(at.PC).Readable():
				readable++
			default:
				lost++
			}
		}
		if readable > 0 && lost == 0 {
			return line
		}
	}
	return 0
}

// nearest says where else a lost variable can be read.
func (l *lost) nearest(file string) string {
	switch {
	case l.up > 0 && l.down > 0:
		return fmt.Sprintf("the nearest lines where it can be read are %s:%d above and %s:%d below", file, l.up, file, l.down)
	case l.up+l.down > 0:
		return fmt.Sprintf("the nearest line where it can be read is %s:%d", file, l.up+l.down)
	}
	return "it can be read nowhere in this function"
}
