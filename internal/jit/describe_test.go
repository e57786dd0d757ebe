//go:build linux && amd64

package jit

import (
	"fmt"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/program"
)

// describe writes a site for the report of a failure.
func describe(s *program.Site) string {
	var b strings.Builder
	fmt.Fprintf(&b, "cfa %v cond %s", s.CFA, show(s.Cond))
	for i := range s.Slots {
		sl := &s.Slots[i]
		fmt.Fprintf(&b, "\n slot %d kind %d size %d elem %d max %d guard %s node %s len %s", i, sl.Kind, sl.Size, sl.Elem, sl.Max,
			show(sl.Guard), show(sl.Node), show(sl.Len))
	}
	return b.String()
}

func show(n *program.Node) string {
	if n == nil {
		return "-"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "(op%d:t%d r%d %#x", n.Op, n.Type, n.Reg, uint64(n.Imm))
	for _, x := range []*program.Node{n.X, n.Y, n.Z, n.W} {
		if x != nil {
			b.WriteString(" " + show(x))
		}
	}
	return b.String() + ")"
}
