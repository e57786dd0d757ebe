package sink

import (
	"fmt"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// span writes a span as a line: its time, where it stands among others, how long
// it took and how it ended.
func (t *Text) span(e *probe.Span) error {
	t.noteUnjoined(e)
	g := fmt.Sprintf("g%d", e.Goroutine)
	t.width.goroutine = max(t.width.goroutine, len(g))
	return t.line(e.Start, e.Probe, t.paint.Dim(pad(g, t.width.goroutine)), t.spanText(e))
}

// noteUnjoined counts a span whose context could not be looked through.
func (t *Text) noteUnjoined(e *probe.Span) {
	if e.Unjoined == "" {
		return
	}
	if t.unjoined[e.Probe] == nil {
		t.unjoined[e.Probe] = map[string]int{}
	}
	t.unjoined[e.Probe][e.Unjoined]++
}

// spanText is a span without its time and goroutine.
func (t *Text) spanText(e *probe.Span) string {
	parts := []string{strings.Repeat("  ", e.Depth) + t.paint.Place(Escape(ShortFunction(e.Function))), t.paint.Bold(tookText(e))}
	if end := outcomeText(e); end != "" {
		parts = append(parts, t.paint.Warn(end))
	}
	for _, a := range e.Attrs {
		parts = append(parts, Escape(a.Name)+"="+Escape(a.Value.String()))
	}
	if c := e.Creator; c != nil && e.Depth == 0 {
		parts = append(parts, t.paint.Dim(creatorText(c)))
	}
	if j := joinedText(e); j != "" {
		parts = append(parts, t.paint.Dim(j))
	}
	return strings.Join(parts, "  ")
}

// joinedText names the trace of the application that a call joins, where it does
// so by itself.
func joinedText(e *probe.Span) string {
	j := e.Joined
	if j == nil || e.Above != j.Span {
		return ""
	}
	text := "trace " + e.TraceID
	if !j.Sampled() {
		text += " (not sampled)"
	}
	return text
}

func creatorText(c *probe.Creator) string {
	if c.Function == "" {
		return fmt.Sprintf("started by g%d", c.Goroutine)
	}
	return fmt.Sprintf("started by g%d in %s", c.Goroutine, Escape(ShortFunction(c.Function)))
}

func tookText(e *probe.Span) string {
	if e.Outcome == probe.Returned || e.Outcome == probe.Recovered {
		return duration(float64(e.Duration))
	}
	return "-"
}

// outcomeText says how a call ended that did not just return.
func outcomeText(e *probe.Span) string {
	switch {
	case e.Error != nil:
		return "error: " + Escape(ErrorText(*e.Error))
	case e.Outcome == probe.Returned:
		return ""
	}
	return string(e.Outcome)
}

// ErrorText is the text of an error where it is known, else its type.
func ErrorText(v probe.Value) string {
	if v.Shape == probe.Interface && len(v.Elems) == 1 && v.Elems[0].Shape == probe.String {
		return v.Elems[0].String()
	}
	return v.String()
}

// ShortFunction is a function's name with the path of its package cut to the last
// element. Instantiations are named as where names them.
func ShortFunction(name string) string {
	name = strings.ReplaceAll(name, "go.shape.", "")
	head := name
	if i := strings.IndexByte(head, '['); i >= 0 {
		head = head[:i]
	}
	return name[strings.LastIndexByte(head, '/')+1:]
}
