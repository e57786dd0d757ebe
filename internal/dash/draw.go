package dash

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// draw is the page as text that fits into its size.
func (p *page) draw() string {
	lines := append(p.head(), "")
	room := max(1, p.height-len(lines)-2)
	var body []string
	switch {
	case p.help:
		body = strings.Split(help, "\n")
	case p.table != nil:
		body = p.functions(room)
	case p.current() != nil:
		body = p.aggregate(p.current(), room)
	case p.forest != nil && p.opt.Calls.Len() > 0:
		body = p.calls(room)
	default:
		body = []string{p.opt.Paint.Dim("nothing yet")}
	}
	if len(body) > room {
		body = body[:room]
	}
	lines = append(lines, body...)
	for len(lines) < p.height-1 {
		lines = append(lines, "")
	}
	lines = append(lines, p.opt.Paint.Dim(p.keys()))
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], p.width, "…")
	}
	return strings.Join(lines, "\n")
}

const help = `Probes add up inside the process; this page shows what they have.

q, esc        take the probes out and end; the last numbers stay on the terminal
p, space      hold the page still; the probes go on, and nothing is lost
tab           the next probe
b             rows instead of the histogram, and back (with --by)
c k t m 9     sort rows: count or calls, key, total, mean, 99th percentile
?             back`

// head is what is observed, and since when.
func (p *page) head() []string {
	line := p.opt.Paint.Bold("sidelight " + sink.Escape(p.opt.Title))
	if p.ready != nil {
		line += p.opt.Paint.Dim(fmt.Sprintf("   pid %d", p.ready.PID))
	}
	if s := p.current(); s != nil && !s.began.IsZero() && s.at.After(s.began) {
		line += p.opt.Paint.Dim("   " + s.at.Sub(s.began).Round(time.Second).String())
	}
	if p.paused {
		line += "   " + p.opt.Paint.Warn("paused")
	}
	out := []string{line}
	for _, i := range p.issues() {
		out = append(out, p.opt.Paint.Warn("note: ")+sink.Escape(i))
	}
	return out
}

// issues are the first ones: a page has no room for more.
func (p *page) issues() (out []string) {
	if p.ready == nil || p.table != nil {
		return nil
	}
	if p.ready.ClockNote != "" {
		out = append(out, p.ready.ClockNote)
	}
	for _, r := range p.ready.Probes {
		for _, i := range r.Issues {
			if len(out) < 2 {
				out = append(out, strings.ReplaceAll(i.Message, "\n", " "))
			}
		}
	}
	return out
}

// aggregate is one probe's numbers.
func (p *page) aggregate(s *series, room int) []string {
	paint := p.opt.Paint
	name := sink.Escape(s.location)
	if s.last != nil && s.last.Expr != "" {
		name = sink.Escape(s.last.Expr) + " at " + name
	}
	if len(p.series) > 1 {
		name += paint.Dim(fmt.Sprintf("   %d of %d", p.at+1, len(p.series)))
	}
	rate := 0.0
	if n := len(s.rates); n > 0 {
		rate = s.rates[n-1]
	}
	out := []string{paint.Bold(name), fmt.Sprintf("%s   %s/s  %s", sink.Number(s.n), sink.Number(uint64(rate+0.5)), paint.Place(spark(s.rates, max(10, p.width-30))))}
	if s.last != nil {
		out = append(out, sink.Summary(s.last)...)
	}
	out = append(out, "")
	all := room
	if s.moment != nil { // the numbers leave it the lower half
		room = max(len(out), room/2)
	}
	if by := s.by(); by != nil && (p.rows || s.last == nil) {
		out = append(out, p.rowsOf(s, by, room-len(out))...)
	} else if s.last != nil {
		out = append(out, sink.Histogram(&s.last.Dist, sink.Unit(s.last), max(10, p.width-44), paint)...)
	}
	if s.moment == nil {
		return out
	}
	out = append(out[:min(len(out), room)], "", paint.Bold(fmt.Sprintf("snapshot %d, the last", s.moment.Seq)))
	lines := sink.MomentLines(s.moment, paint, p.width)
	return append(out, lines[:min(len(lines), max(0, all-len(out)))]...)
}

// sparks are eighths of a line's height.
var sparks = []rune("▁▂▃▄▅▆▇█")

// spark draws numbers as bars, the newest to the right.
func spark(v []float64, width int) string {
	if len(v) > width {
		v = v[len(v)-width:]
	}
	most := 0.0
	for _, x := range v {
		most = max(most, x)
	}
	var b strings.Builder
	for _, x := range v {
		i := 0
		if most > 0 {
			i = min(len(sparks)-1, int(x/most*float64(len(sparks)-1)+0.5))
		}
		b.WriteRune(sparks[i])
	}
	return b.String()
}

// rowsOf is the rows of an aggregate by key, sorted as the person wants.
func (p *page) rowsOf(s *series, by *probe.Rows, room int) []string {
	sorted := *by
	sorted.Rows = slices.Clone(by.Rows)
	slices.SortStableFunc(sorted.Rows, func(a, b probe.Row) int { return compareRows(a, b, p.by) })
	typ := ""
	if s.last != nil {
		typ = sink.Unit(s.last)
	}
	return sink.RowLines(&sorted, typ, max(1, room-3), p.opt.Paint)
}

func compareRows(a, b probe.Row, by string) int {
	if by == "key" {
		return strings.Compare(a.Key.String(), b.Key.String())
	}
	if a.Dist != nil && b.Dist != nil {
		switch by {
		case "mean":
			return cmp.Compare(b.Dist.Mean(), a.Dist.Mean())
		case "p99":
			return cmp.Compare(b.Dist.Quantile(0.99), a.Dist.Quantile(0.99))
		case "total":
			return cmp.Compare(b.Dist.Mean()*float64(b.Dist.Count), a.Dist.Mean()*float64(a.Dist.Count))
		}
	}
	return cmp.Compare(b.Count, a.Count)
}

// calls is the functions of a trace, and the last tree of calls.
func (p *page) calls(room int) []string {
	paint, c := p.opt.Paint, p.opt.Calls
	rates, rate := c.Rates(), 0.0
	if n := len(rates); n > 0 {
		rate = rates[n-1]
	}
	out := []string{fmt.Sprintf("%s calls   %s/s  %s", sink.Number(c.Len()), sink.Number(uint64(rate+0.5)), paint.Place(spark(rates, max(10, p.width-30)))), ""}
	var tree []string
	if p.tree != nil {
		tree = append([]string{""}, p.tree.Lines(paint)...)
	}
	most := max(1, room-len(out)-min(len(tree), room/2)-2)
	out = append(out, c.Lines(p.by, most, p.width, paint)...)
	return append(out, tree...)
}

// functions is the table of a top.
func (p *page) functions(room int) []string {
	out := []string{p.table.Said()}
	if said := p.table.Marks(); said != "" {
		for _, l := range strings.Split(said, "\n") {
			out = append(out, p.opt.Paint.Warn(l))
		}
	}
	out = append(out, "")
	return append(out, p.table.Lines(p.by, room-len(out), p.width, p.opt.Paint)...)
}
