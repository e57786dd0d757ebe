package sink

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// The columns by which the table of functions can be sorted.
const (
	TopTotal = "total"
	topCalls = "calls"
	topMean  = "mean"
	topP99   = "p99"
)

// TopColumns are their names.
var TopColumns = []string{TopTotal, topCalls, topMean, topP99}

// TopOptions says how the table of functions is to look.
type TopOptions struct {
	TextOptions
	Every   time.Duration
	By      string // a column
	Rows    int    // 0: all
	Pattern string
}

// Top writes a table of the functions that are timed, from time to time and at the
// end.
type Top struct {
	w     io.Writer
	opt   TopOptions
	paint Paint
	table *Functions
	last  time.Time
}

// NewTop returns a Sink for people that makes one table of many times.
func NewTop(w io.Writer, opt TopOptions) *Top {
	if opt.Zone == nil {
		opt.Zone = time.Local
	}
	if opt.Notes == nil {
		opt.Notes = io.Discard
	}
	return &Top{w: w, opt: opt, paint: Paint(opt.Color), table: NewFunctions()}
}

// Event takes one event.
func (t *Top) Event(e probe.Event) error {
	t.table.Event(e)
	switch e := e.(type) {
	case *probe.Ready:
		t.last = time.Now()
		_, _ = io.WriteString(t.opt.Notes, t.table.Said()+"\n")
		if e.ClockNote != "" {
			_, _ = io.WriteString(t.opt.Notes, "note: "+EscapeLines(e.ClockNote)+"\n")
		}
	case *probe.Measured:
		if !e.Final && e.Time.Sub(t.last) >= t.opt.Every {
			t.last = e.Time
			return t.write(e.Time)
		}
	case *probe.End:
		if t.table.Alive() == 0 {
			return t.write(time.Now())
		}
	}
	return nil
}

func (t *Top) write(at time.Time) error {
	if len(t.table.Sorted(t.opt.By)) == 0 {
		if t.table.Alive() > 0 {
			return nil
		}
		_, err := io.WriteString(t.w, "no function of "+Escape(t.opt.Pattern)+" was called\n")
		return err
	}
	text := t.paint.Dim(at.In(t.opt.Zone).Format("15:04:05")) + "  " + t.paint.Bold(Escape(t.opt.Pattern)) + "\n" +
		strings.Join(t.table.Lines(t.opt.By, t.opt.Rows, t.opt.Width, t.paint), "\n") + "\n"
	if said := t.table.Marks(); said != "" {
		text += t.paint.Warn(said) + "\n"
	}
	_, err := io.WriteString(t.w, text+"\n")
	return err
}

// Functions is the table of functions that are timed, as it grows.
type Functions struct {
	rows    map[string]*FunctionRow
	ready   *probe.Ready
	refused int
	ended   int
	now     time.Time // of the newest event
}

// NewFunctions returns an empty table.
func NewFunctions() *Functions { return &Functions{rows: map[string]*FunctionRow{}} }

// FunctionRow is what is known of one function.
type FunctionRow struct {
	Name  string
	Calls uint64
	Rate  float64 // calls a second, lately
	Busy  float64 // nanoseconds a second, as long as it was timed
	Total float64 // nanoseconds
	Mean  float64
	P99   float64
	Turns bool // timed now and then: all but Rate and Busy are sums of these moments

	often       float64 // calls a second, as long as it was timed
	timed, last float64 // seconds
	at          time.Time
}

// Event takes one event.
func (f *Functions) Event(e probe.Event) {
	switch e := e.(type) {
	case *probe.Ready:
		f.ready = e
		for _, r := range e.Probes {
			if r.Sites == 0 {
				f.refused++
			}
		}
	case *probe.Measured:
		f.measured(e)
	case *probe.End:
		f.ended++
	}
}

func (f *Functions) measured(e *probe.Measured) {
	r := f.rows[e.Probe]
	if r == nil {
		r = &FunctionRow{Name: e.Location}
		f.rows[e.Probe] = r
	}
	if f.ready != nil {
		r.timed = e.Time.Sub(f.ready.Time).Seconds()
	}
	if e.Turns {
		r.Turns = e.Timed.Seconds() < mostly*r.timed
		r.timed = e.Timed.Seconds()
	}
	calls := e.Dist.Count
	switch d := r.timed - r.last; {
	case r.Turns && r.timed > 0:
		r.Rate, r.last = float64(calls)/r.timed, r.timed
	case d > 0.5 || r.Calls == 0 && d > 0:
		r.Rate, r.last = float64(calls-min(calls, r.Calls))/d, r.timed
	}
	r.Calls, r.Mean, r.Total, r.P99 = calls, e.Dist.Mean(), e.Dist.SumFloat, e.Dist.Quantile(0.99)
	r.at = e.Time
	if e.Time.After(f.now) {
		f.now = e.Time
	}
}

// upTo spreads what the function took over the time in which it was timed. One that is
// not called any more is told of no more, but its time goes on.
func (r *FunctionRow) upTo(now time.Time) {
	timed := r.timed
	if !r.Turns {
		timed += now.Sub(r.at).Seconds()
	}
	if timed > 0 {
		r.Busy, r.often = r.Total/timed, float64(r.Calls)/timed
	}
}

// mostly is the share of the time from which on a timer counts as in all the time:
// what it missed is about its coming.
const mostly = 0.8

// Alive is how many timers are in.
func (f *Functions) Alive() int {
	if f.ready == nil {
		return 0
	}
	return len(f.ready.Probes) - f.refused - f.ended
}

// Sorted is the functions that were called, the largest first.
func (f *Functions) Sorted(by string) []*FunctionRow {
	var out []*FunctionRow
	for _, r := range f.rows {
		if r.Calls > 0 {
			r.upTo(f.now)
			out = append(out, r)
		}
	}
	key := func(r *FunctionRow) float64 {
		switch by {
		case topCalls:
			return r.often
		case topMean:
			return r.Mean
		case topP99:
			return r.P99
		}
		return r.Busy
	}
	slices.SortFunc(out, func(a, b *FunctionRow) int {
		switch x, y := key(a), key(b); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// Lines is the first functions as the lines of a table; most 0: all. Columns for which
// width has no room are left out, but for the one that sorts; width 0: none.
func (f *Functions) Lines(by string, most, width int, paint Paint) []string {
	rows := f.Sorted(by)
	more := 0
	if most > 0 && len(rows) > most {
		more = len(rows) - most
		rows = rows[:most]
	}
	cells := [][]string{{"function", "calls/s", "time/s", "calls", "total", "mean", "p99"}}
	for _, r := range rows {
		cells = append(cells, r.cells())
	}
	out := strings.Split(strings.TrimSuffix(table(fit(cells, width, by), paint), "\n"), "\n")
	if more > 0 {
		out = append(out, paint.Dim(fmt.Sprintf("  %d more with less", more)))
	}
	return out
}

// cells is a row as text.
func (r *FunctionRow) cells() []string {
	name := Escape(ShortFunction(r.Name))
	if r.Turns {
		name += " ~"
	}
	return []string{name, Number(uint64(r.Rate + 0.5)), duration(r.Busy), Number(r.Calls), duration(r.Total), duration(r.Mean), duration(r.P99)}
}

// Said says how many functions are timed.
func (f *Functions) Said() string {
	if f.ready == nil {
		return ""
	}
	s := fmt.Sprintf("%s timed in pid %d; no thread was held longer than %s", plural(len(f.ready.Probes)-f.refused, "function"), f.ready.PID, Pause(f.ready.Pause))
	if f.refused > 0 {
		s += fmt.Sprintf("; %d take no timer", f.refused)
	}
	return s
}

// Marks says what the marks of the rows mean; "" where there are none.
func (f *Functions) Marks() string {
	turns := 0
	for _, r := range f.rows {
		if r.Turns {
			turns++
		}
	}
	if turns == 0 {
		return ""
	}
	return fmt.Sprintf("~ %d timed in turns (--budget): calls, total and p99 are of their turns", turns)
}
