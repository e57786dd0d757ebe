package main

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes, in pixels of the picture.
const (
	fontSize   = 13
	charWidth  = 7.83 // of the usual monospace fonts at this size
	lineHeight = 19
	margin     = 18
	bar        = 34 // of the window
	maxColumns = 126
)

// line is one line of output and when it came.
type line struct {
	runs []span
	at   time.Duration
}

// span is text of one look.
type span struct{ class, text string }

type picture struct {
	title   string
	lines   []line
	columns int
}

// classes are the looks of the ANSI codes that Sidelight writes.
var classes = map[string]string{
	"": "", "0": "", "1": "bold", "2": "dim", "32": "good", "33": "warn", "36": "place", "1;31": "bad",
}

// add takes one line of output.
func (p *picture) add(text string, at time.Duration) {
	l := line{runs: spans(text), at: at}
	columns := 0
	for i, r := range l.runs {
		n := utf8.RuneCountInString(r.text)
		if columns+n > maxColumns {
			keep := max(0, maxColumns-columns-1)
			l.runs[i].text = string([]rune(r.text)[:keep]) + "…"
			l.runs = l.runs[:i+1]
			columns = maxColumns
			break
		}
		columns += n
	}
	p.columns = max(p.columns, columns)
	p.lines = append(p.lines, l)
}

// spans splits a line at its colour codes, ESC [ code m. Other control
// characters are dropped.
func spans(text string) []span {
	var out []span
	class := ""
	for text != "" {
		before, rest, found := strings.Cut(text, "\x1b[")
		if before = printable(before); before != "" {
			out = append(out, span{class, before})
		}
		if !found {
			break
		}
		code, after, ended := strings.Cut(rest, "m")
		if !ended {
			break
		}
		class, text = classes[code], after
	}
	return out
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

const style = `
text { font: %dpx ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #d5dbe5; white-space: pre }
.bold { font-weight: bold; fill: #ffffff } .dim { fill: #7d8799 } .place { fill: #56c8d8 }
.good { fill: #7fd88f } .warn { fill: #e5c07b } .bad { fill: #ef6b73; font-weight: bold } .title { fill: #7d8799 }
@keyframes come { from { opacity: 0 } to { opacity: 1 } }
@media (prefers-reduced-motion: no-preference) { .line { animation: come 80ms backwards } }
`

// svg draws a window with all lines. Where nothing moves, they are all there.
func (p *picture) svg() string {
	width := float64(p.columns)*charWidth + 2*margin
	height := bar + len(p.lines)*lineHeight + margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" role="img" aria-label="%s">`,
		width, height, width, height, html.EscapeString("output of "+p.title))
	fmt.Fprintf(&b, "\n<style>"+style+"</style>\n", fontSize)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%d" rx="9" fill="#161b26"/>`, width, height)
	for i, color := range []string{"#ef6b73", "#e5c07b", "#7fd88f"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="17" r="5.5" fill="%s"/>`, margin+4+i*19, color)
	}
	b.WriteByte('\n')
	for i, l := range p.lines {
		l.draw(&b, bar+(i+1)*lineHeight-5)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (l line) draw(b *strings.Builder, y int) {
	if len(l.runs) == 0 {
		return
	}
	fmt.Fprintf(b, `<text class="line" x="%d" y="%d" xml:space="preserve" style="animation-delay: %.2fs">`, margin, y, l.at.Seconds())
	for _, r := range l.runs {
		text := html.EscapeString(r.text)
		if r.class == "" {
			b.WriteString(text)
			continue
		}
		fmt.Fprintf(b, `<tspan class="%s">%s</tspan>`, r.class, text)
	}
	b.WriteString("</text>\n")
}
