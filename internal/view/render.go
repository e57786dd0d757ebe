package view

import (
	"fmt"
	"path"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/tree"
)

// Lines of the page that are always there.
const (
	headLines = 3
	footLines = 2
)

// sideBySide is the width from which the stack stands beside the variables.
const sideBySide = 90

// The looks of the page, in the colours that a terminal's user has chosen.
var (
	bold    = lipgloss.NewStyle().Bold(true)
	faint   = lipgloss.NewStyle().Faint(true)
	where   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
	text    = lipgloss.NewStyle().Foreground(lipgloss.Green)
	warn    = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	cursor  = lipgloss.NewStyle().Reverse(true)
	resting = lipgloss.NewStyle().Underline(true) // the cursor of the pane that has no keys
)

func style(look tree.Look, s string) string {
	switch look {
	case tree.Name:
		return where.Render(s)
	case tree.Text:
		return text.Render(s)
	case tree.Faint:
		return faint.Render(s)
	case tree.Warn:
		return warn.Render(s)
	}
	return s
}

// View draws the page.
func (p *page) View() tea.View {
	v := tea.NewView(p.draw())
	v.AltScreen = true
	v.WindowTitle = "sidelight show " + sink.Escape(p.name)
	return v
}

// draw is the page as text of exactly its size.
func (p *page) draw() string {
	if p.width <= 0 || p.height <= 0 {
		return ""
	}
	if p.width < 20 || p.height < headLines+footLines+3 {
		return tree.Clip("too small", p.width)
	}
	var body []string
	switch {
	case p.help:
		body = helpLines()
	case p.detail != nil:
		body = p.detail.draw(p.width, p.room())
	default:
		body = p.panes()
	}
	lines := append(p.head(), fit(body, p.room())...)
	lines = append(lines, p.foot()...)
	for i := range lines {
		lines[i] = tree.Clip(lines[i], p.width)
	}
	return strings.Join(lines, "\n")
}

// fit makes a list of lines exactly so long.
func fit(lines []string, n int) []string {
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines[:n]
}

func (p *page) head() []string {
	m := p.moment()
	first := fmt.Sprintf("%s  %s  %s  %s", where.Render(at(m.File, m.Line)), bold.Render(tree.Short(m.Function)),
		m.Time.Local().Format("15:04:05.000000"), faint.Render(fmt.Sprintf("g%d", m.Goroutine)))
	if len(p.moments) > 1 {
		first = bold.Render(fmt.Sprintf("%d/%d", p.at+1, len(p.moments))) + "  " + first
	}
	return []string{first, faint.Render(strings.Join(sink.Circumstances(m, time.Local), "; ")), p.rule()}
}

func (p *page) rule() string { return faint.Render(strings.Repeat("─", p.width)) }

func at(file string, line int) string {
	return fmt.Sprintf("%s:%d", probe.Escape(path.Base(file)), line)
}

func (p *page) foot() []string {
	var say string
	switch {
	case p.search.typing:
		say = "/" + p.search.text + cursor.Render(" ") + faint.Render("  enter finds it in all frames; esc leaves")
	case p.help:
		say = faint.Render("any key goes back")
	case p.detail != nil:
		say = faint.Render("↑↓ scroll   enter back")
	case p.search.says != "":
		say = sink.Escape(p.search.says)
	default:
		say = faint.Render(p.keys())
	}
	return []string{p.rule(), say}
}

// keys are the ones of which a reader is reminded.
func (p *page) keys() string {
	keys := "↑↓ move   ←→ fold   enter open   tab stack   {} frame   / search   ? help   q quit"
	if p.focus == paneFrames {
		keys = "↑↓ frame   enter variables   / search   ? help   q quit"
	}
	if len(p.moments) > 1 {
		keys = "[] snapshot   " + keys
	}
	return keys
}

func helpLines() []string {
	rows := [][2]string{
		{"↑ ↓  k j", "move"}, {"pgup pgdn", "move by half a page"}, {"home end  g G", "to the first, to the last"},
		{"→ ←  l h", "open, close; into it, out of it"}, {"enter", "open or close; show a value as long as it is"},
		{"v", "show a value as long as it is"}, {"e  c", "open all below; close all"},
		{"tab", "between stack and variables"}, {"{ }  b f", "the frame before, the next one"}, {"[ ]  < >", "the snapshot before, the next one"},
		{"/  n  N", "search in all frames; the next place, the one before"}, {"q", "quit"},
	}
	lines := []string{"", bold.Render("  Keys"), ""}
	for _, r := range rows {
		lines = append(lines, "  "+where.Render(pad(r[0], 16))+r[1])
	}
	return append(lines, "", faint.Render("  "+tree.Legend))
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-tree.Width(s)))
}

func (d *detail) draw(width, room int) []string {
	lines := d.lines(width)
	lines[0] = where.Render(lines[0])
	d.first = clamp(d.first, len(lines))
	return lines[d.first:min(len(lines), d.first+room)]
}

// panes draws stack and variables: side by side, or one above the other.
func (p *page) panes() []string {
	room := p.room()
	if p.width < sideBySide {
		stack := p.stack(p.width, min(max(2, room/3), len(p.moment().Frames)), false)
		variables := p.variables(p.width, room-len(stack)-1)
		return append(append(stack, p.rule()), variables...)
	}
	width := min(44, p.width/3)
	stack := fit(p.stack(width, room, true), room)
	variables := fit(p.variables(p.width-width-3, room), room)
	lines := make([]string, room)
	for i := range lines {
		lines[i] = pad(stack[i], width) + faint.Render(" │ ") + variables[i]
	}
	return lines
}

// stack draws the frames: on two lines each where there is no room beside.
func (p *page) stack(width, room int, narrow bool) []string {
	s, m := p.state(), p.moment()
	if len(m.Frames) == 0 {
		return []string{faint.Render("no stack")}
	}
	each := 1
	if narrow {
		each = 2
	}
	s.first = scroll(s.first, s.frame, len(m.Frames), room/each)
	functions := 0
	for _, f := range m.Frames {
		functions = max(functions, tree.Width(tree.Short(f.Function)))
	}
	var lines []string
	for i := s.first; i < len(m.Frames) && len(lines)+each <= room; i++ {
		f := m.Frames[i]
		place := at(f.File, f.Line)
		if f.Inlined {
			place += "  inlined"
		}
		head := fmt.Sprintf("%2d %s", i, tree.Short(f.Function))
		if !narrow {
			head = pad(fmt.Sprintf("%2d %s", i, tree.Short(f.Function)), min(functions+3, width*2/3)) + "  " + place
		}
		head = tree.Clip(head, width)
		switch {
		case i != s.frame:
		case p.focus == paneFrames:
			head = cursor.Render(pad(head, width))
		default:
			head = bold.Render(head)
		}
		lines = append(lines, head)
		if narrow {
			lines = append(lines, faint.Render(tree.Clip("   "+place, width)))
		}
	}
	return lines
}

// scroll is the first of many that is to be shown so that one of them is seen.
func scroll(first, one, many, room int) int {
	room = max(1, room)
	first = min(first, one)
	first = max(first, one-room+1)
	return max(0, min(first, many-room))
}

// variables draws the rows of the chosen frame.
func (p *page) variables(width, room int) []string {
	o := p.outline()
	var lines []string
	s, m := p.state(), p.moment()
	if s.frame < len(m.Frames) {
		if issue := m.Frames[s.frame].Issue; issue != "" {
			lines = append(lines, warn.Render(tree.Clip(probe.Escape(issue), width)))
		}
	}
	if s.frame == 0 {
		for _, c := range m.Cuts {
			lines = append(lines, warn.Render(tree.Clip("cut: "+probe.Escape(c), width)))
		}
	}
	if len(lines) > room/2 {
		lines = lines[:room/2]
	}
	if len(o.rows) == 0 {
		return append(lines, faint.Render("no variables here"))
	}
	room = max(1, room-len(lines))
	o.first = scroll(o.first, o.cursor, len(o.rows), room)
	if o.first == 1 && o.rows[0].title != "" && room > 1 && o.cursor < room {
		o.first = 0 // the title above the first row is worth its line
	}
	for n := o.first; n < len(o.rows) && n < o.first+room; n++ {
		lines = append(lines, p.row(o.rows[n], n == o.cursor, width))
	}
	return lines
}

// row draws one row.
func (p *page) row(i *item, chosen bool, width int) string {
	if i.title != "" {
		return bold.Render(i.title)
	}
	mark, n := "  ", i.node
	if i.folds() {
		mark = "▾ "
		if !i.open {
			mark, n = "▸ ", n.Folded()
		}
	}
	room := max(10, width-tree.Width(i.indent)-2)
	switch {
	case chosen && p.focus == paneVariables:
		return cursor.Render(pad(i.indent+mark+n.Row(i.columns, room, tree.Unstyled), width))
	case chosen:
		return resting.Render(i.indent + mark + n.Row(i.columns, room, tree.Unstyled))
	}
	return faint.Render(i.indent+mark) + n.Row(i.columns, room, style)
}
