package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/sink"
)

// page gathers what a command has to say, to be written at once.
type page struct {
	sink.Paint
	b strings.Builder
}

func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.b.WriteByte('\n')
}

func (p *page) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

// table writes rows in aligned columns, all to the left, below dim headings.
// style is given the row and column of each cell and the cell, which it may
// colour. Columns that are empty in every row are left out. What a row has more
// than there are headings stands below it, on a line of its own.
func (p *page) table(headings []string, rows [][]string, style func(row, col int, s string) string) {
	width := make([]int, len(headings))
	used := make([]bool, len(headings))
	for _, row := range rows {
		for j, cell := range row {
			row[j] = sink.Escape(cell)
			if j >= len(headings) {
				continue
			}
			used[j] = used[j] || cell != ""
			width[j] = max(width[j], utf8.RuneCountInString(row[j]), utf8.RuneCountInString(headings[j]))
		}
	}
	write := func(row []string, paint func(j int, s string) string) {
		line, gap := "", ""
		for j, cell := range row {
			if j >= len(headings) || !used[j] {
				continue
			}
			line += gap + paint(j, cell)
			gap = "  " + strings.Repeat(" ", max(0, width[j]-utf8.RuneCountInString(cell)))
		}
		p.line("  ", line)
	}
	write(headings, func(_ int, s string) string { return p.Dim(s) })
	for i, row := range rows {
		write(row, func(j int, s string) string { return style(i, j, s) })
		for j := len(headings); j < len(row); j++ {
			if row[j] != "" {
				p.line("  ", strings.Repeat(" ", width[0]+2), style(i, j, row[j]))
			}
		}
	}
}

// number says how many of something there are.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
