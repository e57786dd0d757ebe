package sink

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Trees writes each trace as a tree once its root has ended, with the time that
// each call took and the share of its root.
type Trees struct {
	text    *Text
	waiting map[string][]*probe.Span // by their root, which has not ended
	kept    int
}

// NewTrees returns a Sink for people that writes spans as trees, and everything
// else as a Text does.
func NewTrees(w io.Writer, opt TextOptions) *Trees {
	return &Trees{text: NewText(w, opt), waiting: map[string][]*probe.Span{}}
}

// maxWaiting bounds the spans that wait for their roots.
const maxWaiting = 1 << 17

// Event writes one event.
func (t *Trees) Event(e probe.Event) error {
	s, ok := e.(*probe.Span)
	if !ok {
		return t.text.Event(e)
	}
	t.text.noteUnjoined(s)
	if s.Parent != "" {
		if t.kept < maxWaiting {
			t.waiting[s.Root] = append(t.waiting[s.Root], s)
			t.kept++
		}
		return nil
	}
	spans := t.waiting[s.ID]
	delete(t.waiting, s.ID)
	t.kept -= len(spans)
	return t.tree(s, spans)
}

func (t *Trees) tree(root *probe.Span, spans []*probe.Span) error {
	below := map[string][]*probe.Span{}
	for _, s := range spans {
		below[s.Parent] = append(below[s.Parent], s)
	}
	paint := t.text.paint
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s", paint.Dim(root.Start.In(t.text.opt.Zone).Format("15:04:05.000000")), paint.Dim(fmt.Sprintf("g%d", root.Goroutine)))
	if root.Creator != nil {
		b.WriteString("  " + paint.Dim(creatorText(root.Creator)))
	}
	if j := joinedText(root); j != "" {
		b.WriteString("  " + paint.Dim(j))
	}
	b.WriteByte('\n')
	var write func(s *probe.Span, first, rest string)
	write = func(s *probe.Span, first, rest string) {
		share := ""
		if root.Duration > 0 && s != root && s.Duration > 0 {
			share = paint.Dim(fmt.Sprintf("  %.0f %%", 100*float64(s.Duration)/float64(root.Duration)))
		}
		line := *s
		line.Depth, line.Creator = 0, nil
		if s == root {
			line.Joined = nil // said above
		}
		b.WriteString(paint.Dim(first) + t.text.spanText(&line) + share + "\n")
		list := below[s.ID]
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
	_, err := io.WriteString(t.text.w, b.String())
	return err
}
