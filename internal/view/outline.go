package view

import (
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/tree"
)

// item is a node on the page: folded or open, below another or below a title.
type item struct {
	title   string // instead of a node
	node    tree.Node
	columns tree.Columns
	parent  *item
	below   []*item
	made    bool // below is filled
	open    bool
	indent  string // before the row
}

// outline is the variables of a frame as a list of rows, as they are folded.
type outline struct {
	roots  []*item
	rows   []*item
	cursor int
	first  int // the first row that is shown
}

// openAtFirst is how many rows below a variable a reader sees unasked.
const openAtFirst = 24

func newOutline(m *probe.Moment, frame int) *outline {
	o := &outline{}
	if frame == 0 {
		o.section("watches", tree.Named(m.Watches))
	}
	if frame < len(m.Frames) {
		for _, g := range tree.Groups(m.Frames[frame].Variables) {
			o.section(g.Title, g.Nodes)
		}
	}
	o.lay(nil)
	o.cursor = -1
	o.move(1)
	return o
}

func (o *outline) section(title string, nodes []tree.Node) {
	if len(nodes) == 0 {
		return
	}
	o.roots = append(o.roots, &item{title: title})
	for _, i := range items(nodes, nil) {
		i.open = len(i.node.Children) > 0 && len(i.node.Children) <= openAtFirst
		o.roots = append(o.roots, i)
	}
}

// items makes the items of siblings.
func items(nodes []tree.Node, parent *item) []*item {
	columns := tree.Align(nodes)
	var all []*item
	indent := ""
	if parent != nil {
		indent = parent.indent + "  "
	}
	for _, n := range nodes {
		i := &item{node: n, columns: columns, parent: parent, indent: indent}
		all = append(all, i)
	}
	return all
}

// children makes what is below an item when it is first needed: a snapshot may
// be large, and most of it is never opened.
func (i *item) children() []*item {
	if !i.made {
		i.made, i.below = true, items(i.node.Children, i)
	}
	return i.below
}

func (i *item) folds() bool { return len(i.node.Children) > 0 }

// lay makes the rows anew, and keeps the cursor on an item.
func (o *outline) lay(on *item) {
	o.rows = o.rows[:0]
	var add func([]*item)
	add = func(list []*item) {
		for _, i := range list {
			if i == on {
				o.cursor = len(o.rows)
			}
			o.rows = append(o.rows, i)
			if i.open {
				add(i.children())
			}
		}
	}
	add(o.roots)
}

// chosen is the item under the cursor; nil where there is none.
func (o *outline) chosen() *item {
	if o.cursor < 0 || o.cursor >= len(o.rows) || o.rows[o.cursor].title != "" {
		return nil
	}
	return o.rows[o.cursor]
}

// move moves the cursor; titles are stepped over.
func (o *outline) move(by int) {
	to := clamp(o.cursor+by, len(o.rows))
	for _, step := range []int{sign(by), -sign(by)} {
		for at := to; at >= 0 && at < len(o.rows); at += step {
			if o.rows[at].title == "" {
				o.cursor = at
				return
			}
		}
	}
}

func sign(n int) int {
	if n < 0 {
		return -1
	}
	return 1
}

// unfold opens the chosen item, or goes into it where it is open.
func (o *outline) unfold() {
	i := o.chosen()
	switch {
	case i == nil || !i.folds():
	case i.open:
		o.move(1)
	default:
		i.open = true
		o.lay(i)
	}
}

// fold closes the chosen item, or goes to the one that it is in.
func (o *outline) fold() {
	i := o.chosen()
	switch {
	case i == nil:
	case i.open:
		i.open = false
		o.lay(i)
	case i.parent != nil:
		o.lay(i.parent)
	}
}

// toggle opens or closes the chosen item, if it can be.
func (o *outline) toggle() bool {
	i := o.chosen()
	if i == nil || !i.folds() {
		return false
	}
	i.open = !i.open
	o.lay(i)
	return true
}

// maxOpen bounds what is opened at once.
const maxOpen = 5000

// foldAll opens everything below the chosen item, or closes everything.
func (o *outline) foldAll(open bool) {
	i := o.chosen()
	if i == nil {
		return
	}
	if open {
		left := maxOpen
		i.openAll(&left)
		o.lay(i)
		return
	}
	for i.parent != nil {
		i = i.parent
	}
	for _, root := range o.roots {
		root.closeAll()
	}
	o.lay(i)
}

func (i *item) openAll(left *int) {
	if !i.folds() || *left <= 0 {
		return
	}
	i.open = true
	*left -= len(i.node.Children)
	for _, c := range i.children() {
		c.openAll(left)
	}
}

func (i *item) closeAll() {
	i.open = false
	for _, c := range i.below {
		c.closeAll()
	}
}

// reveal opens what an item is in, and puts the cursor on it.
func (o *outline) reveal(i *item) {
	for p := i.parent; p != nil; p = p.parent {
		p.open = true
	}
	o.lay(i)
}
