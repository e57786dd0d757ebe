package sink

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Rows that are shown: of a running line, and of the table at the end.
const (
	rowsInLine = 5
	rowsAtEnd  = 40
	barWidth   = 40
)

// rowsLine is the beginning of the rows of a count, for a running line.
func rowsLine(by *probe.Rows) string {
	var parts []string
	for i, r := range by.Rows {
		if i == rowsInLine {
			parts = append(parts, fmt.Sprintf("… %d more", len(by.Rows)-i))
			break
		}
		parts = append(parts, keyText(r.Key)+" "+Number(r.Count))
	}
	if by.Other.Count > 0 {
		parts = append(parts, "others "+Number(by.Other.Count))
	}
	if by.Unreadable.Count > 0 {
		parts = append(parts, "unreadable "+Number(by.Unreadable.Count))
	}
	return strings.Join(parts, "  ")
}

// keyText is a key for people: a text as it is, but an empty one.
func keyText(v probe.Value) string {
	if v.Shape == probe.String && v.Len == 0 {
		return `""`
	}
	return Escape(v.String())
}

// measured writes the running line of an aggregate, and all of it at the end.
func (t *Text) measured(e *probe.Measured) error {
	last, known := t.sums[e.Probe]
	t.sums[e.Probe] = e
	rate := ""
	if known && e.Time.Sub(last.Time).Seconds() > 0.1 && e.Dist.Count >= last.Dist.Count {
		rate = t.paint.Dim(fmt.Sprintf("%s/s", Number(uint64(float64(e.Dist.Count-last.Dist.Count)/e.Time.Sub(last.Time).Seconds()+0.5))))
	}
	if e.Final {
		_, err := io.WriteString(t.w, t.final(e))
		return err
	}
	place := e.Location
	t.width.place = max(t.width.place, runes(place))
	columns := []string{t.paint.Place(pad(Escape(place), t.width.place)), t.paint.Bold(fmt.Sprintf("%12s", Number(e.Dist.Count))), rate}
	if e.Dist.Count > 0 {
		columns = append(columns, quantiles(&e.Dist, Unit(e)))
	}
	if e.By != nil {
		columns = append(columns, rowsLine(e.By))
	}
	return t.line(e.Time, e.Probe, columns...)
}

// Unit is the type by which an aggregate's numbers are written.
func Unit(e *probe.Measured) string {
	if e.Kind == probe.Time {
		return durationName
	}
	return e.Type
}

func quantiles(d *probe.Distribution, typ string) string {
	q := func(share float64) string { return Quantity(d.Quantile(share), typ) }
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  max %s", q(0.5), q(0.9), q(0.99), exactly(d.Max, typ))
}

// final is all that an aggregate came to.
func (t *Text) final(e *probe.Measured) string {
	var b strings.Builder
	what := Escape(e.Location)
	if e.Expr != "" {
		what = Escape(e.Expr) + " at " + what
	}
	fmt.Fprintf(&b, "\n%s\n", t.paint.Bold(what))
	d, typ := &e.Dist, Unit(e)
	for _, l := range Summary(e) {
		b.WriteString("  " + l + "\n")
	}
	for _, l := range Histogram(d, typ, barWidth, t.paint) {
		b.WriteString(l + "\n")
	}
	if e.By != nil {
		b.WriteString(t.rowsTable(e.By, typ))
	}
	b.WriteByte('\n')
	return b.String()
}

// Summary is the numbers of an aggregate, in a few lines.
func Summary(e *probe.Measured) []string {
	d, typ := &e.Dist, Unit(e)
	lines := []string{"no number"}
	if d.Count > 0 {
		q := func(share float64) string { return Quantity(d.Quantile(share), typ) }
		lines = []string{
			fmt.Sprintf("count %s  sum %s  mean %s  last %s", Number(d.Count), sumText(d, typ), Quantity(d.Mean(), typ), exactly(d.Last, typ)),
			fmt.Sprintf("min %s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", exactly(d.Min, typ), q(0.5), q(0.9), q(0.99), q(0.999), exactly(d.Max, typ)),
		}
	}
	for _, more := range []string{oddities(d), callsText(e.Calls), snapshotsText(e.Snapshots)} {
		if more != "" {
			lines = append(lines, more)
		}
	}
	return lines
}

// oddities are what was counted and is no number.
func oddities(d *probe.Distribution) string {
	var parts []string
	for _, x := range []struct {
		n    uint64
		what string
	}{{d.NaN, "NaN"}, {d.Inf, "infinite"}, {d.Unreadable, "unreadable"}} {
		if x.n > 0 {
			parts = append(parts, Number(x.n)+" "+x.what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "and " + strings.Join(parts, ", ") + ": in none of these"
}

// callsText says what became of calls, but for those that just returned.
func callsText(c *probe.Calls) string {
	if c == nil {
		return ""
	}
	var parts []string
	for _, x := range []struct {
		n    uint64
		what string
	}{
		{c.Returned, "returned"}, {c.Recovered, "returned after recovering from a panic"}, {c.Panicked, "ended by a panic"},
		{c.Goexited, "ended by Goexit"}, {c.Running, "still running"}, {c.Abandoned, "left half way"}, {c.Restarted, "began anew before the end"},
		{c.Unmatched, "ended that began before"}, {c.Filtered, "left out by the condition"}, {c.Untimed, "not timed, for the budget"}, {c.Lost, "without room"},
		{c.Backwards, "with a clock that went back"},
	} {
		if x.n > 0 {
			parts = append(parts, Number(x.n)+" "+x.what)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "calls: " + strings.Join(parts, ", ")
}

// snapshotsText says of which calls there are snapshots, and why of others not.
func snapshotsText(s *probe.Snapshots) string {
	if s == nil {
		return ""
	}
	text := "snapshots: " + Number(s.Taken) + " taken"
	if s.Suppressed > 0 {
		text += ", " + Number(s.Suppressed) + " left out for the rate, the limit or the budget"
	}
	if s.Dropped > 0 {
		text += ", " + Number(s.Dropped) + " without room"
	}
	return text
}

// rowsTable is the rows as a table.
func (t *Text) rowsTable(by *probe.Rows, typ string) string {
	lines := RowLines(by, typ, rowsAtEnd, t.paint)
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// RowLines is the first rows as the lines of a table, in their order.
func RowLines(by *probe.Rows, typ string, most int, paint Paint) []string {
	if len(by.Rows)+int(by.Other.Count)+int(by.Unreadable.Count) == 0 {
		return nil
	}
	head := []string{Escape(by.Expr), "count"}
	hist := false
	for _, r := range by.Rows {
		hist = hist || r.Dist != nil
	}
	if hist {
		head = append(head, "mean", "p50", "p99", "max", "sum")
	}
	rows := [][]string{head}
	add := func(name string, r *probe.Row) {
		row := []string{name, Number(r.Count)}
		if d := r.Dist; hist && d != nil {
			row = append(row, Quantity(d.Mean(), typ), Quantity(d.Quantile(0.5), typ), Quantity(d.Quantile(0.99), typ), exactly(d.Max, typ), sumText(d, typ))
		}
		rows = append(rows, row)
	}
	for i := range by.Rows {
		if i == most {
			rest := probe.Row{}
			for _, r := range by.Rows[i:] {
				rest.Count += r.Count
			}
			add(fmt.Sprintf("(%d more rows)", len(by.Rows)-i), &rest)
			break
		}
		add(keyText(by.Rows[i].Key), &by.Rows[i])
	}
	if by.Other.Count > 0 {
		add("(others)", &by.Other)
	}
	if by.Unreadable.Count > 0 {
		add("(unreadable)", &by.Unreadable)
	}
	return strings.Split(strings.TrimSuffix(table(rows, paint), "\n"), "\n")
}

// fit leaves columns out of a table, the last first, until it fits into so many columns
// of the terminal; 0: any. The first one, and the one with the title keep, stay; of the
// first, what is too wide is cut in front, where names are alike.
func fit(rows [][]string, width int, keep string) [][]string {
	if width == 0 {
		return rows
	}
	for last := len(rows[0]) - 1; last > 0 && wide(rows) > width; last-- {
		if rows[0][last] != keep {
			for i, row := range rows {
				rows[i] = slices.Delete(row, last, last+1)
			}
		}
	}
	over := wide(rows) - width
	if over <= 0 {
		return rows
	}
	room := max(1, widest(rows, 0)-over)
	for _, row := range rows {
		if r := []rune(row[0]); len(r) > room {
			row[0] = "…" + string(r[len(r)-room+1:])
		}
	}
	return rows
}

// wide is how many columns of the terminal a table takes.
func wide(rows [][]string) (n int) {
	for j := range rows[0] {
		n += 2 + widest(rows, j)
	}
	return n
}

// widest is the width of a column; not every row has it.
func widest(rows [][]string, j int) (n int) {
	for _, row := range rows {
		if j < len(row) {
			n = max(n, runes(row[j]))
		}
	}
	return n
}

// table aligns rows: the first column to the left, the others to the right.
func table(rows [][]string, paint Paint) string {
	width := make([]int, len(rows[0]))
	for j := range width {
		width[j] = widest(rows, j)
	}
	var b strings.Builder
	for i, row := range rows {
		line := ""
		for j, c := range row {
			space := strings.Repeat(" ", width[j]-runes(c))
			if j == 0 {
				line += "  " + c + space
			} else {
				line += "  " + space + c
			}
		}
		if i == 0 {
			line = paint.Dim(line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
