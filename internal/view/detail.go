package view

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/sidelight-dev/sidelight/internal/tree"
)

// detail is one value on a page of its own, as long as it is.
type detail struct {
	node  tree.Node
	first int // the first line that is shown
}

func newDetail(n tree.Node) *detail {
	return &detail{node: n}
}

// read takes a key while a value is read.
func (p *page) read(key string) {
	d := p.detail
	switch key {
	case "up", "k":
		d.first--
	case "down", "j":
		d.first++
	case "pgup", "ctrl+b":
		d.first -= p.room()
	case "pgdown", "ctrl+f", "space":
		d.first += p.room()
	case "home", "g":
		d.first = 0
	case "q", "esc", "enter", "left", "h", "v":
		p.detail = nil
		return
	}
	d.first = clamp(d.first, max(1, len(d.lines(p.width))-p.room()+1))
}

// room is how many lines are between the head and the foot of the page.
func (p *page) room() int { return max(1, p.height-headLines-footLines) }

// lines are the whole of a value, wrapped.
func (d *detail) lines(width int) []string {
	n := d.node
	text := n.Text
	if len(n.Items) > 0 {
		text = strings.Join(n.Items, "\n")
	}
	if len(n.Children) > 0 {
		text = n.Folded().Text
	}
	head := []string{n.Name, n.Type}
	if n.Size != "" {
		head = append(head, n.Size)
	}
	head = append(head, n.Marks...)
	if n.Late {
		head = append(head, tree.Legend)
	}
	wrapped := ansi.Hardwrap(text, max(1, width), true)
	return append(append(head, ""), strings.Split(wrapped, "\n")...)
}
