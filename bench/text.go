package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// table is rows of cells, the first of which is the head.
type table struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

// tables are the report for people.
func (r *report) tables() []table {
	all := []table{r.costTable(), r.contentionTable(), r.toppedTable(), r.pauseTable()}
	return slices.DeleteFunc(all, func(t table) bool { return len(t.rows) == 0 })
}

func (r *report) costTable() table {
	t := table{title: "Cost of a hit",
		head: []string{"probe", "by", "per call", "per hit", "least", "× unprobed call", "× log", "allowed"}}
	for _, c := range r.Costs {
		row := []string{c.Name, c.By, span(c.Call), span(c.Hit), span(c.Least), times(c.ToUnprobed), times(c.ToLog), verdict(span, c.Hit, c.Limit)}
		t.rows = append(t.rows, row)
		if c.Note != "" {
			t.notes = append(t.notes, fmt.Sprintf("%s (%s): %s", c.Name, c.By, c.Note))
		}
	}
	t.notes = append(t.notes, "The log prints two ints through a pointer, a string of 20 bytes and an int argument. "+
		"Per call: the whole call, probe included. Per hit: what the probe adds, the median of rounds that alternate with calls without it; least: by the best batches.")
	return t
}

func (r *report) contentionTable() table {
	t := table{title: "Two threads on one probe",
		head: []string{"probe", "one thread", "two threads", "ratio", "unprobed call, one", "two", "allowed"}}
	for _, c := range r.Contention {
		t.rows = append(t.rows, []string{c.Name, span(c.One), span(c.Two), times(c.Ratio), span(c.BareOne), span(c.BareTwo),
			verdict(times, c.Ratio, c.Limit)})
		if c.Note != "" {
			t.notes = append(t.notes, c.Name+": "+c.Note)
		}
	}
	t.notes = append(t.notes, "Nanoseconds that a hit adds for each thread, in batches in which both ran at once.")
	return t
}

func (r *report) toppedTable() table {
	t := table{title: "Top over a package of a loaded server",
		head: []string{"functions", "timed", "of these in turns", "requests/s without", "fall with", "95 % interval", "allowed", "while it starts", "while it runs"}}
	for _, p := range r.Topped {
		t.rows = append(t.rows, []string{fmt.Sprint(p.Functions), fmt.Sprint(p.Timed), fmt.Sprint(p.Turns),
			fmt.Sprintf("%.0f", p.Bare), percent(p.Fall), percent(p.Low) + " to " + percent(p.High), verdict(percent, p.Fall, p.Limit),
			percent(p.Starting), percent(p.Running)})
		t.notes = append(t.notes, fmt.Sprintf("Median of %d pairs of windows, with and without; of each one without, half is before the one with and half after it. With: from the start of `sidelight top` to its end, %.1f s, of which %.2f s of processor time are the tool's own. "+
			"In the server, a request takes %s more processor time.", p.Pairs, p.Window, p.Tool, percent(p.Request)))
	}
	t.notes = append(t.notes, fmt.Sprintf("An HTTP server on the same machine, whose every request makes 1,820 calls of all the functions, and %d connections that ask again as soon as they are answered: server, load and tool share the processors. "+
		"Functions whose timers would cost more than their part of the budget, 1 %% of one core, are timed in turns.", connections))
	return t
}

func (r *report) pauseTable() table {
	t := table{title: "Gaps of a spinning goroutine while probes come and go",
		head: []string{"threads", "no probes", "probes elsewhere", "probes", "probes / none", "allowed", "pause reported", "cycles"}}
	for _, p := range r.Pauses {
		row := func(name string, cell func(gaps) string, ratio float64) []string {
			return []string{name, cell(p.None), cell(p.Elsewhere), cell(p.Probes), times(ratio),
				verdict(times, ratio, p.Limit), "", ""}
		}
		all := row(fmt.Sprint(p.Threads), func(g gaps) string { return fmt.Sprintf("%s / %.0f", span(g.Nth), g.Long) }, p.Ratio)
		all[6] = fmt.Sprintf("%.0f µs, median %.0f µs", p.Reported, p.Middle)
		all[7] = fmt.Sprint(p.Cycles)
		own := row("  less waiting", func(g gaps) string { return fmt.Sprintf("%s / %.0f", span(g.OwnNth), g.OwnLong) }, p.OwnRatio)
		t.rows = append(t.rows, all, own)
		if p.Made < p.Cycles {
			t.notes = append(t.notes, fmt.Sprintf("%d threads: installations were late, and a run had time for %d of %d only", p.Threads, p.Made, p.Cycles))
		}
	}
	t.notes = append(t.notes, "The nth-largest gap, n being the cycles, and how many were above 100 µs. A cycle is the installation and the removal of a log and a counter. "+
		"Elsewhere: the same in a twin of the process, which tells the share of the machine. Less waiting: without the time in which the thread was not held, but other threads of the machine had its processor. "+
		"Pause reported: the longest time that Sidelight held one thread.")
	return t
}

// verdict is a limit and whether it was held; of nothing measured, nothing.
func verdict(show func(float64) string, got, limit float64) string {
	switch {
	case limit == 0 || got == 0:
		return ""
	case got <= limit:
		return show(limit) + ": held"
	}
	return show(limit) + ": missed"
}

// span is a time in the unit that suits it; of nothing, nothing.
func span(ns float64) string {
	switch {
	case ns == 0:
		return ""
	case ns < 1e3:
		return fmt.Sprintf("%.1f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	}
	return fmt.Sprintf("%.1f ms", ns/1e6)
}

// percent is a share.
func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// times is a ratio; of nothing, nothing.
func times(x float64) string {
	switch {
	case x == 0:
		return ""
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// machine says where and when this was measured.
func (r *report) machine() string {
	s := fmt.Sprintf("%s, %s with %d processors, %s, %s, load before %s", r.Date, r.CPU, r.CPUs, r.Kernel, r.Go, r.Load)
	if r.Quick {
		s += "; a quick run"
	}
	return s
}

// text is the report for a terminal.
func (r *report) text() string {
	var out strings.Builder
	fmt.Fprintln(&out, r.machine())
	for _, t := range r.tables() {
		fmt.Fprintf(&out, "\n%s\n", t.title)
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		for _, row := range append([][]string{t.head}, t.rows...) {
			fmt.Fprintf(w, "  %s\n", strings.Join(row, "\t"))
		}
		_ = w.Flush()
		for _, n := range t.notes {
			fmt.Fprintf(&out, "  - %s\n", n)
		}
	}
	return out.String()
}

// markdown is the report for the documentation.
func (r *report) markdown() string {
	var out strings.Builder
	out.WriteString("# Performance\n\nMeasured by `go run ./bench`: " + r.machine() + ".\n")
	for _, t := range r.tables() {
		fmt.Fprintf(&out, "\n## %s\n\n", t.title)
		line := func(cells []string) { fmt.Fprintf(&out, "| %s |\n", strings.Join(cells, " | ")) }
		line(t.head)
		out.WriteString(strings.Repeat("|---", len(t.head)) + "|\n")
		for _, row := range t.rows {
			line(row)
		}
		out.WriteByte('\n')
		for _, n := range t.notes {
			fmt.Fprintf(&out, "- %s\n", n)
		}
	}
	return out.String()
}
