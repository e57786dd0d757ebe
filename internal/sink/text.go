package sink

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// TextOptions says how text is to look.
type TextOptions struct {
	Color      bool           // ANSI colours; only for a terminal
	Width      int            // columns of the terminal that snapshots are cut to; 0: nothing is cut
	Named      bool           // begin each line with the probe's name: there are several
	Zone       *time.Location // of the times; nil: the local one
	Notes      io.Writer      // messages about the run; nil: none
	NotesColor bool           // ANSI colours in these
}

// Text writes lines for people: what probes tell to one writer, messages about
// the run to another.
type Text struct {
	w      io.Writer
	opt    TextOptions
	paint  Paint
	counts map[string]probe.CountNow // the last count of each probe, for rates
	sums   map[string]*probe.Measured
	width  struct{ probe, place, goroutine int }

	unjoined map[string]map[string]int // spans that joined no trace, by probe and reason
}

// NewText returns a Sink for people.
func NewText(w io.Writer, opt TextOptions) *Text {
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	if opt.Notes == nil {
		opt.Notes = io.Discard
	}
	return &Text{w: w, opt: opt, paint: Paint(opt.Color), counts: map[string]probe.CountNow{}, sums: map[string]*probe.Measured{},
		unjoined: map[string]map[string]int{}}
}

// Event writes one event.
func (t *Text) Event(e probe.Event) error {
	switch e := e.(type) {
	case *probe.Ready:
		return t.ready(e)
	case *probe.Hit:
		return t.hit(e)
	case *probe.Moment:
		return t.moment(e)
	case *probe.CountNow:
		return t.count(e)
	case *probe.Measured:
		return t.measured(e)
	case *probe.Span:
		return t.span(e)
	case *probe.End:
		return t.end(e)
	}
	panic("sink: an event without a text")
}

func (t *Text) ready(e *probe.Ready) error {
	var b strings.Builder
	paint := Paint(t.opt.NotesColor)
	for _, r := range e.Probes {
		t.width.probe = max(t.width.probe, utf8.RuneCountInString(r.Probe))
		if t.opt.Named { // the columns of all probes align from the first line on
			t.width.place = max(t.width.place, utf8.RuneCountInString(r.Location))
		}
		fmt.Fprintf(&b, "%s  %s: %s\n", paint.Bold(r.Probe), Escape(r.Location), Places(r))
		for _, i := range r.Issues {
			fmt.Fprintf(&b, "  %s %s\n", paint.Warn("note:"), EscapeLines(i.Message))
		}
	}
	if e.ClockNote != "" {
		fmt.Fprintf(&b, "%s %s\n", paint.Warn("note:"), EscapeLines(e.ClockNote))
	}
	fmt.Fprintf(&b, "%s\n", paint.Dim(fmt.Sprintf(
		"live in pid %d; no thread was held longer than %s", e.PID, Pause(e.Pause))))
	// The probes are what matters: notes that nobody can read end nothing.
	_, _ = io.WriteString(t.opt.Notes, b.String())
	return nil
}

// Places says in words how many sites a probe has.
func Places(r probe.Report) string {
	if r.Sites == 0 {
		return "no site"
	}
	s := plural(r.Sites, "site")
	switch {
	case r.Traps == 0:
		return s
	case r.Jumps == 0 && r.Traps == 1:
		return s + ", a trap (one to three µs a hit)"
	case r.Jumps == 0:
		return s + ", all traps (one to three µs a hit)"
	}
	return fmt.Sprintf("%s, %s (one to three µs a hit)", s, plural(r.Traps, "trap")+" among them")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func (t *Text) hit(e *probe.Hit) error {
	place := fmt.Sprintf("%s:%d", path.Base(e.File), e.Line)
	g := fmt.Sprintf("g%d", e.Goroutine)
	t.width.place = max(t.width.place, utf8.RuneCountInString(place))
	t.width.goroutine = max(t.width.goroutine, len(g))
	return t.line(e.Time, e.Probe,
		t.paint.Place(pad(Escape(place), t.width.place)),
		t.paint.Dim(pad(g, t.width.goroutine)), Escape(e.Message))
}

func (t *Text) count(e *probe.CountNow) error {
	last, known := t.counts[e.Probe]
	t.counts[e.Probe] = *e
	t.width.place = max(t.width.place, utf8.RuneCountInString(e.Location))
	rate := ""
	if d := e.Time.Sub(last.Time).Seconds(); known && d > 0.5 && e.Count >= last.Count {
		rate = t.paint.Dim(fmt.Sprintf("%s/s", Number(uint64(float64(e.Count-last.Count)/d+0.5))))
	}
	rows := ""
	if e.By != nil {
		rows = rowsLine(e.By)
	}
	err := t.line(e.Time, e.Probe, t.paint.Place(pad(Escape(e.Location), t.width.place)),
		t.paint.Bold(fmt.Sprintf("%12s", Number(e.Count))), rate, rows)
	if err == nil && e.Final && e.By != nil {
		err = t.write("\n" + t.rowsTable(e.By, "") + "\n")
	}
	return err
}

func (t *Text) line(at time.Time, name string, columns ...string) error {
	var b strings.Builder
	b.WriteString(t.paint.Dim(at.In(t.opt.Zone).Format("15:04:05.000000")))
	if t.opt.Named {
		t.width.probe = max(t.width.probe, utf8.RuneCountInString(name))
		columns = append([]string{t.paint.Bold(pad(Escape(name), t.width.probe))}, columns...)
	}
	for _, c := range columns {
		if c != "" {
			b.WriteString("  ")
			b.WriteString(c)
		}
	}
	b.WriteByte('\n')
	return t.write(b.String())
}

// write is one Write, so that nothing comes between its lines.
func (t *Text) write(s string) error {
	_, err := io.WriteString(t.w, s)
	return err
}

// end writes the closing line of a probe. Only an end by the budget is news.
func (t *Text) end(e *probe.End) error {
	reason := t.paint.Good(string(e.Reason))
	if e.Reason == probe.EndBudget {
		reason = t.paint.Warn(string(e.Reason))
	}
	name, place := Escape(e.Probe), Escape(e.Location)
	if t.opt.Named {
		name, place = pad(name, t.width.probe), pad(place, t.width.place)
	}
	s := fmt.Sprintf("%s  %s  %s: %s\n", t.paint.Bold(name), place, reason, Accounting(e))
	if e.Reason == probe.EndBudget {
		s += "the probe took more of a core than its budget and was removed; --budget 5% allows more, --if and --rate make it cheaper\n"
	}
	for _, why := range slices.Sorted(maps.Keys(t.unjoined[e.Probe])) {
		s += fmt.Sprintf("  %s did not join the trace of their context: %s\n", plural(t.unjoined[e.Probe][why], "span"), Escape(why))
	}
	return t.write(s)
}

// firm is how many samples a cost needs so that one that an interrupt came into does
// not make it: with fewer, it is said how many there were.
const firm = 100

// Accounting says in words where the hits of a probe went and what they cost.
func Accounting(e *probe.End) string {
	parts := []string{fmt.Sprintf("%s hits = %s emitted + %s suppressed%s + %s dropped%s",
		Number(e.Hits), Number(e.Emitted), Number(e.Suppressed), reasons(suppressions(e)), Number(e.Dropped), reasons(drops(e)))}
	if e.ConditionErrors > 0 {
		parts = append(parts, Number(e.ConditionErrors)+" condition errors")
	}
	if c := Tenth(e.CostNS); c > 0 {
		each := Cost(c) + " each"
		if 0 < e.Samples && e.Samples < firm {
			each += fmt.Sprintf(" (%d sampled)", e.Samples)
		}
		parts = append(parts, each)
	}
	return strings.Join(append(parts, "longest pause "+Pause(e.Pause)), "; ")
}

// reason is why hits were not recorded, and how many.
type reason struct {
	name, text string
	n          uint64
}

// suppressions are the reasons of what was suppressed.
func suppressions(e *probe.End) []reason {
	return []reason{{"rate", "rate", e.Why.Rate}, {"limit", "limit", e.Why.Limit}, {"budget", "budget", e.Why.Budget},
		{"passed_over", "passed over", e.Why.Passed}}
}

// drops are the reasons of what was dropped.
func drops(e *probe.End) []reason {
	return []reason{{"buffer_full", "buffer full", e.Why.Full}, {"moment", "a bad moment of the goroutine", e.Why.Moment}}
}

// reasons puts those that occurred in brackets.
func reasons(list []reason) string {
	var parts []string
	for _, r := range list {
		if r.n > 0 {
			parts = append(parts, r.text+" "+Number(r.n))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	if len(parts) == 1 {
		return " (" + strings.TrimSuffix(parts[0], " "+Number(sum(list))) + ")"
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func sum(list []reason) (n uint64) {
	for _, r := range list {
		n += r.n
	}
	return n
}

// Pause says how long a thread was held.
func Pause(d time.Duration) string {
	if d >= 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return Number(uint64(d.Microseconds())) + " µs"
}

// Cost says what a hit costs, in nanoseconds.
func Cost(ns float64) string { return duration(Tenth(ns)) }

// Number writes a number with its thousands apart, as people read it.
func Number(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// EscapeLines escapes a message of several lines, keeping the lines: marked
// places stand below what they mark.
func EscapeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Escape(strings.ReplaceAll(lines[i], "\t", "    "))
	}
	return strings.Join(lines, "\n  ")
}
