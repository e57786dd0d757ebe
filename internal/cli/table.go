package cli

import (
	"cmp"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/sink"
)

// tableGap is what stands between two columns.
const tableGap = "  "

// How narrow a column becomes before others are left out, and if that was not
// enough. Headings are not shortened.
const (
	goodWidth  = 16
	leastWidth = 8
)

// writeTable writes rows in aligned columns; empty cells are shown as a dash.
// style is given each padded cell. Columns that are empty in all rows but the
// first are left out. On a terminal that is too narrow, those of spare are, too,
// one after the other, and long cells are shortened; the first column never.
func writeTable(w io.Writer, rows [][]string, spare []int, style func(row, col int, s string) string) error {
	for _, row := range rows {
		for j := range row {
			row[j] = sink.Escape(row[j])
		}
	}
	width := fit(rows, columns(w), spare)
	var b strings.Builder
	for i, row := range rows {
		line := ""
		for j, cell := range row {
			if width[j] == 0 {
				continue
			}
			cell = shorten(cmp.Or(cell, "-"), width[j])
			space := strings.Repeat(" ", max(0, width[j]-utf8.RuneCountInString(cell)))
			switch {
			case j == 0:
				line += space + style(i, j, cell)
			case j == len(row)-1:
				line += tableGap + style(i, j, cell)
			default:
				line += tableGap + style(i, j, cell) + space
			}
		}
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit is the widths of columns so that a row has at most so many characters, as far
// as that can be; most 0: any number.
func fit(rows [][]string, most int, spare []int) []int {
	width := columnWidths(rows)
	if most <= 0 {
		return width
	}
	least := leastWidths(rows, width, goodWidth)
	for _, j := range spare {
		if rowWidth(least) > most {
			least[j], width[j] = 0, 0
		}
	}
	narrow(width, least, most)
	narrow(width, leastWidths(rows, width, leastWidth), most)
	return width
}

// leastWidths is how narrow columns may become.
func leastWidths(rows [][]string, width []int, least int) []int {
	out := []int{width[0]}
	for j := 1; j < len(width); j++ {
		out = append(out, min(width[j], max(least, utf8.RuneCountInString(rows[0][j]))))
	}
	return out
}

// narrow takes from the widest column until a row has at most so many characters.
func narrow(width, least []int, most int) {
	for rowWidth(width) > most {
		widest := -1
		for j := range width {
			if width[j] > least[j] && (widest < 0 || width[j] > width[widest]) {
				widest = j
			}
		}
		if widest < 0 {
			return
		}
		width[widest]--
	}
}

func rowWidth(width []int) int {
	n := -len(tableGap)
	for _, w := range width {
		if w > 0 {
			n += w + len(tableGap)
		}
	}
	return n
}

// shorten makes a text at most n characters: of words the beginning stays, of a name
// or path both ends, and more of the last one.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	head := (n - 1) / 3
	if strings.Contains(s, " ") {
		head = n - 1
	}
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}

func columnWidths(rows [][]string) []int {
	width := make([]int, len(rows[0]))
	for j := range width {
		empty := true
		for i, row := range rows {
			empty = empty && (i == 0 || row[j] == "")
			width[j] = max(width[j], utf8.RuneCountInString(row[j]))
		}
		if empty {
			width[j] = 0
		}
	}
	return width
}
