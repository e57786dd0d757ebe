package cli

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

type surveyObject struct {
	Type string `json:"type"`
	PID  int    `json:"pid,omitempty"`
	*probe.Survey
}

// survey is where --all.
func (a *App) survey(s *subject, file, output string) error {
	found, err := s.Survey(file)
	if err != nil {
		return err
	}
	s.describe(&found.Build)
	if output == outputJSON {
		return sink.NewJSON(a.Stdout).Write(surveyObject{"survey", s.pid, found})
	}
	lines, note := localSource(found.File, builtAt(s.file))
	p := &page{Paint: a.paint(a.Stdout)}
	p.survey(s, found, lines, note, terminalWidth(a.Stdout))
	return p.writeTo(a.Stdout)
}

// terminalWidth is how many columns there are; 120 where there is no terminal.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 120
}

// survey is the page about a file.
func (p *page) survey(s *subject, found *probe.Survey, source []string, note string, width int) {
	p.line(p.Bold(sink.Escape(found.File)), "  ", p.Dim(sink.Escape(s.name())+", "+found.Build.GoVersion))
	p.line(p.Dim(surveyTotals(found)))
	if note != "" {
		p.line(p.Warn(note))
	}
	p.line()
	at := map[int]probe.SurveyLine{}
	last, probeWidth := len(source), len("probe")
	for _, l := range found.Lines {
		at[l.Line] = l
		last = max(last, l.Line)
		probeWidth = max(probeWidth, len(probeWord(l)))
	}
	if n := len(source); n > 0 && source[n-1] == "" && last == n {
		last-- // what stands behind the last newline is no line
	}
	sourceWidth := sourceColumn(source, max(30, width-probeWidth-36))
	head := fmt.Sprintf("%5s  %-*s  ", "line", probeWidth, "probe")
	if len(source) > 0 {
		head += fmt.Sprintf("%-*s  ", sourceWidth, "source")
	}
	p.line(p.Dim(head + "cannot be read there"))
	for n := 1; n <= last; n++ {
		l, code := at[n]
		if !code && n > len(source) {
			continue
		}
		p.surveyLine(n, l, code, probeWidth, source, sourceWidth)
	}
	p.reasons(found)
}

func sourceColumn(source []string, most int) int {
	width := len("source")
	for _, s := range source {
		width = max(width, min(most, utf8.RuneCountInString(sink.Escape(s))))
	}
	return width
}

func (p *page) surveyLine(n int, l probe.SurveyLine, code bool, probeWidth int, source []string, sourceWidth int) {
	word := ""
	if code {
		word = probeWord(l)
	}
	cell := word + strings.Repeat(" ", probeWidth-len(word))
	switch {
	case l.Refused > 0 || l.Traps > 0:
		cell = p.Warn(cell)
	case code:
		cell = p.Good(cell)
	}
	text := ""
	if len(source) > 0 {
		if n <= len(source) {
			text = sink.Escape(source[n-1])
		}
		if r := []rune(text); len(r) > sourceWidth {
			text = string(r[:sourceWidth-1]) + "…"
		}
		text += strings.Repeat(" ", sourceWidth-utf8.RuneCountInString(text))
		if !code {
			text = p.Dim(text)
		}
		text += "  "
	}
	p.line(p.Dim(fmt.Sprintf("%5d", n)), "  ", cell, "  ", text, p.Warn(sink.Escape(strings.Join(l.Lost, ", "))))
}

// probeWord says how a line is probed.
func probeWord(l probe.SurveyLine) string {
	var parts []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	if l.Jumps+l.Traps == 0 {
		return "none"
	}
	add(l.Jumps, "jump", "jumps")
	add(l.Traps, "trap", "traps")
	return strings.Join(parts, ", ")
}

// surveyTotals is the page in one line.
func surveyTotals(found *probe.Survey) string {
	traps, none, lossy := 0, 0, 0
	for _, l := range found.Lines {
		switch {
		case l.Jumps+l.Traps == 0:
			none++
		case l.Traps > 0:
			traps++
		}
		if len(l.Lost) > 0 {
			lossy++
		}
	}
	text := number(len(found.Lines)-none, "line", "lines") + " can be probed"
	if traps > 0 {
		text += fmt.Sprintf(", %d of them by a trap (about 3 µs a hit)", traps)
	}
	if none > 0 {
		text += fmt.Sprintf("; %s code but no probe", number(none, "has", "have"))
	}
	if lossy > 0 {
		text += fmt.Sprintf("; on %d something in scope cannot be read", lossy)
	}
	return text
}

// reasons says once each why lines take a trap or no probe.
func (p *page) reasons(found *probe.Survey) {
	var whys []string
	lines := map[string][]string{}
	for _, l := range found.Lines {
		if l.Why == "" {
			continue
		}
		what := "trap: "
		if l.Jumps+l.Traps == 0 {
			what = "no probe: "
		}
		if !slices.Contains(whys, what+l.Why) {
			whys = append(whys, what+l.Why)
		}
		lines[what+l.Why] = append(lines[what+l.Why], fmt.Sprint(l.Line))
	}
	if len(whys) > 0 {
		p.line()
	}
	for _, why := range whys {
		on := lines[why]
		if len(on) > 8 {
			on = append(on[:8], "…")
		}
		p.line(p.Dim(sink.Escape(why) + " (" + strings.Join(on, ", ") + ")"))
	}
}
