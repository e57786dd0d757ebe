package sink

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Trees writes each trace as a tree once its root has ended, with the time that
// each call took and the share of its root.
type Trees struct {
	text   *Text
	forest *Forest
}

// NewTrees returns a Sink for people that writes spans as trees, and everything
// else as a Text does.
func NewTrees(w io.Writer, opt TextOptions) *Trees {
	return &Trees{text: NewText(w, opt), forest: NewForest()}
}

// Event writes one event.
func (t *Trees) Event(e probe.Event) error {
	s, ok := e.(*probe.Span)
	if !ok {
		return t.text.Event(e)
	}
	t.text.noteUnjoined(s)
	tree := t.forest.Add(s)
	if tree == nil {
		return nil
	}
	_, err := io.WriteString(t.text.w, strings.Join(tree.lines(t.text), "\n")+"\n")
	return err
}

// Forest is spans that wait for the end of their roots.
type Forest struct {
	waiting map[string][]*probe.Span // by their root
	kept    int
}

// NewForest returns an empty one.
func NewForest() *Forest { return &Forest{waiting: map[string][]*probe.Span{}} }

// maxWaiting bounds the spans that wait for their roots.
const maxWaiting = 1 << 17

// Tree is a root that has ended, and all that was called within it.
type Tree struct {
	root  *probe.Span
	below map[string][]*probe.Span // by who called
	lost  int
}

// Add takes a span. With a root it gives its tree; else nil.
func (f *Forest) Add(s *probe.Span) *Tree {
	if s.Parent != "" {
		if f.kept < maxWaiting {
			f.waiting[s.Root] = append(f.waiting[s.Root], s)
			f.kept++
		} else {
			f.waiting[s.Root] = append(f.waiting[s.Root], nil) // it is missed
		}
		return nil
	}
	t := &Tree{root: s, below: map[string][]*probe.Span{}}
	for _, x := range f.waiting[s.ID] {
		if x == nil {
			t.lost++
			continue
		}
		f.kept--
		t.below[x.Parent] = append(t.below[x.Parent], x)
	}
	delete(f.waiting, s.ID)
	return t
}

// Lines is the tree as lines of a page.
func (t *Tree) Lines(paint Paint) []string {
	return t.lines(&Text{paint: paint, opt: TextOptions{Zone: time.Local}})
}

func (t *Tree) lines(text *Text) []string {
	paint, root := text.paint, t.root
	head := paint.Dim(root.Start.In(text.opt.Zone).Format("15:04:05.000000")) + "  " + paint.Dim(fmt.Sprintf("g%d", root.Goroutine))
	if root.Creator != nil {
		head += "  " + paint.Dim(creatorText(root.Creator))
	}
	if j := joinedText(root); j != "" {
		head += "  " + paint.Dim(j)
	}
	out := []string{head}
	var write func(s *probe.Span, first, rest string)
	write = func(s *probe.Span, first, rest string) {
		share := ""
		if root.Duration > 0 && s != root && s.Duration > 0 {
			share = paint.Dim(fmt.Sprintf("  %.0f %%", 100*float64(s.Duration)/float64(root.Duration)))
		}
		line := *s
		line.Depth, line.Creator = 0, nil
		via := ""
		if s.TraceID == root.TraceID { // said above
			if s != root && joinedText(s) != "" {
				via = paint.Dim("  by way of the application's span " + s.Above)
			}
			line.Joined = nil
		}
		out = append(out, paint.Dim(first)+text.spanText(&line)+share+via)
		list := t.below[s.ID]
		slices.SortStableFunc(list, func(x, y *probe.Span) int { return x.Start.Compare(y.Start) })
		for i, c := range list {
			if i == len(list)-1 {
				write(c, rest+"└─ ", rest+"   ")
			} else {
				write(c, rest+"├─ ", rest+"│  ")
			}
		}
	}
	write(root, "", "")
	if t.lost > 0 {
		out = append(out, paint.Warn(fmt.Sprintf("%s more had no room: too many calls wait for the end of their roots", plural(t.lost, "span"))))
	}
	return out
}
