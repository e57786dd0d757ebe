package sink

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/tree"
)

// maxRows bounds the rows below one list or map on a terminal, where a person
// looks for the whole. Elsewhere nothing is left out.
const maxRows = 24

// moment writes a snapshot as a tree: where and when, then what was asked for,
// then the variables of the function, then who called it.
func (t *Text) moment(m *probe.Moment) error {
	name := ""
	if t.opt.Named {
		name = "  " + t.paint.Bold(Escape(m.Probe))
	}
	return t.write(momentText(m, t.paint, t.opt.Width, t.opt.Zone, name) + "\n")
}

// MomentLines is a snapshot as the lines of a page of so many columns.
func MomentLines(m *probe.Moment, paint Paint, width int) []string {
	return strings.Split(strings.TrimSuffix(momentText(m, paint, width, time.Local, ""), "\n"), "\n")
}

func momentText(m *probe.Moment, paint Paint, width int, zone *time.Location, name string) string {
	p := page{paint: paint, width: width, seen: map[reference]int{}}
	p.head(m, zone, name)
	p.section("watches", tree.Named(m.Watches))
	if len(m.Frames) > 0 {
		p.site(&m.Frames[0], m.Call)
		p.stack(m.Frames)
	}
	p.foot(m)
	return p.String()
}

// page is a moment as text that is being written.
type page struct {
	strings.Builder
	paint Paint
	width int               // 0: no limit
	late  bool              // a mark has been written that needs its legend
	hints bool              // what callers have was written as hints
	seen  map[reference]int // how many rows the content took
}

// reference is a pointer whose content has been written.
type reference struct {
	at   uint64
	kind string
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, format+"\n", args...)
}

func (p *page) head(m *probe.Moment, zone *time.Location, name string) {
	took := ""
	if m.Call {
		took = "  took " + p.paint.Bold(Quantity(float64(m.Duration), durationName))
	}
	p.line("%s%s  %s  %s  %s%s", p.paint.Dim(m.Time.In(zone).Format("15:04:05.000000")), name,
		p.paint.Place(place(m.File, m.Line)), p.paint.Bold(tree.Short(m.Function)), p.paint.Dim(fmt.Sprintf("g%d", m.Goroutine)), took)
	for _, s := range Circumstances(m, zone) {
		p.line("%s", p.paint.Dim("  "+s))
	}
}

// Circumstances say in words what else is known of a moment: whose it is, who
// started the goroutine, which span it belongs to, what it cost, and how long the call
// took that began with it.
func Circumstances(m *probe.Moment, zone *time.Location) []string {
	s := fmt.Sprintf("pid %d", m.PID)
	if m.Target != "" {
		s = fmt.Sprintf("%s, pid %d", Escape(m.Target), m.PID)
	}
	s += "; taken on " + m.Time.In(zone).Format(time.DateOnly)
	if m.Took > 0 {
		s += fmt.Sprintf(" in %.1f µs", float64(m.Took.Nanoseconds())/1000)
	}
	all := []string{s}
	if m.Call {
		all = append(all, "as it was when a call began that took "+Quantity(float64(m.Duration), durationName))
	}
	if c := m.Created; c != nil {
		s := fmt.Sprintf("goroutine started by %s at %s", tree.Short(c.Function), place(c.File, c.Line))
		if c.Goroutine != 0 {
			s += fmt.Sprintf(" (g%d)", c.Goroutine)
		}
		all = append(all, s)
	}
	if m.Trace != nil {
		all = append(all, fmt.Sprintf("trace %s, span %s", Escape(m.Trace.Trace), Escape(m.Trace.Span)))
	}
	return all
}

func place(file string, line int) string {
	return fmt.Sprintf("%s:%d", Escape(path.Base(file)), line)
}

// section writes nodes below a title, or nothing.
func (p *page) section(title string, nodes []tree.Node) {
	if len(nodes) == 0 {
		return
	}
	p.line("\n  %s", p.paint.Bold(title))
	p.nodes(nodes, "    ")
}

// site writes the variables of the function that was hit. Of a call that was timed,
// its arguments are what was asked for, and come first.
func (p *page) site(f *probe.Frame, call bool) {
	groups := tree.Groups(f.Variables)
	if i := slices.IndexFunc(groups, func(g tree.Group) bool { return g.Title == tree.Arguments }); call && i > 0 {
		groups = slices.Concat(groups[i:i+1], groups[:i], groups[i+1:])
	}
	for _, g := range groups {
		p.section(g.Title, g.Nodes)
	}
	if len(f.Variables) == 0 && f.Issue == "" { // an issue stands below the function, in the stack
		p.line("\n  %s", p.paint.Dim("no variables in scope"))
	}
}

// stack writes the frames, and the variables of those that called.
func (p *page) stack(frames []probe.Frame) {
	p.line("\n  %s", p.paint.Bold("stack"))
	function, where := 0, 0
	for _, f := range frames {
		function = max(function, utf8.RuneCountInString(tree.Short(f.Function)))
		where = max(where, utf8.RuneCountInString(place(f.File, f.Line)))
	}
	number := len(fmt.Sprint(len(frames) - 1))
	for i, f := range frames {
		row := fmt.Sprintf("    %s  %s  ", p.paint.Dim(fmt.Sprintf("%*d", number, i)), pad(tree.Short(f.Function), function))
		if at := place(f.File, f.Line); f.Inlined {
			row += p.paint.Place(pad(at, where)) + "  " + p.paint.Dim("inlined")
		} else {
			row += p.paint.Place(at)
		}
		p.line("%s", row)
		below := strings.Repeat(" ", 6+number)
		if i > 0 {
			p.nodes(p.caller(&f), below)
		}
		if f.Issue != "" {
			p.line("%s%s", below, p.paint.Warn(Escape(f.Issue)))
		}
	}
}

// caller is what a function further up has: on a terminal one row each, as the
// page is about the function that was hit, and of the runtime's own nothing.
func (p *page) caller(f *probe.Frame) []tree.Node {
	nodes := tree.All(f.Variables)
	if p.width == 0 {
		return nodes
	}
	if strings.HasPrefix(f.Function, "runtime.") {
		p.hints = p.hints || len(nodes) > 0
		return nil
	}
	for i, n := range nodes {
		switch {
		case len(n.Children) == 0:
		case p.again(n):
			nodes[i] = n.Again()
		default:
			nodes[i], p.hints = n.Folded(), true
		}
	}
	return nodes
}

// again says whether rows have shown already all of what a node points to. What
// was read late may have changed in between, and where a bound was nearer there
// may have been less of it.
func (p *page) again(n tree.Node) bool {
	rows, seen := p.seen[reference{n.At, n.Type}]
	return seen && n.At != 0 && !n.Late && rows >= n.Rows()
}

// nodes writes the rows of siblings and what hangs below them.
func (p *page) nodes(nodes []tree.Node, indent string) {
	p.rows(nodes, indent, "", "")
}

// rows puts marks before the rows: one for a sibling, another for the last.
func (p *page) rows(nodes []tree.Node, indent, mark, lastMark string) {
	columns := tree.Align(nodes)
	shown := nodes
	if p.width > 0 && len(nodes) > maxRows {
		shown = nodes[:maxRows-1]
	}
	for i, n := range shown {
		m, below := mark, "│ "
		if i == len(nodes)-1 {
			m, below = lastMark, "  "
		}
		if mark == "" {
			below = ""
		}
		p.late = p.late || n.Late
		if p.again(n) && len(n.Children) > 0 {
			n = n.Again()
		} else if n.At != 0 {
			p.seen[reference{n.At, n.Type}] = max(p.seen[reference{n.At, n.Type}], n.Rows())
		}
		room := 0
		if p.width > 0 {
			room = max(leastRow, p.width-utf8.RuneCountInString(indent+m))
		}
		p.line("%s%s", p.paint.Dim(indent+m), n.Row(columns, room, p.style))
		p.rows(n.Children, indent+below, "├ ", "└ ")
	}
	if left := len(nodes) - len(shown); left > 0 {
		p.line("%s", p.paint.Dim(fmt.Sprintf("%s%s… %s more; all of them with --output json, or --save", indent, lastMark, Number(uint64(left)))))
	}
}

// leastRow is the room that a row gets where the terminal has none left.
const leastRow = 24

func (p *page) style(look tree.Look, s string) string {
	switch look {
	case tree.Name:
		return p.paint.Place(s)
	case tree.Text:
		return p.paint.Good(s)
	case tree.Faint:
		return p.paint.Dim(s)
	case tree.Warn:
		return p.paint.Warn(s)
	}
	return s
}

// foot says what is missing and explains the marks.
func (p *page) foot(m *probe.Moment) {
	if len(m.Cuts) == 0 && !p.late && !p.hints {
		return
	}
	p.line("")
	for _, c := range m.Cuts {
		p.line("  %s %s", p.paint.Warn("cut:"), Escape(c))
	}
	if p.late {
		p.line("  %s", p.paint.Dim(tree.Legend))
	}
	if p.hints {
		p.line("  %s", p.paint.Dim("callers' variables are shortened; --save and sidelight show have all"))
	}
}
