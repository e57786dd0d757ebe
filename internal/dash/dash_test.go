package dash

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func integer(v int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: v} }

// told is what a measure by key says at second i.
func told(i int) *probe.Measured {
	n := uint64(100 * (i + 1))
	dist := func(n uint64) probe.Distribution {
		return probe.Distribution{Count: n, Sum: big.NewInt(int64(3 * n)), Min: integer(2), Max: integer(9), Last: integer(4), Scale: 6,
			Buckets: []probe.Bucket{{From: 1.98, To: 2, Count: n / 2}, {From: 3.9, To: 4, Count: n - n/2}}}
	}
	all, a, b := dist(n), dist(n/4), dist(n-n/4)
	name := func(s string) probe.Value {
		return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
	}
	return &probe.Measured{Kind: probe.Measure, Probe: "p1", Location: "orders.go:42", Time: noon.Add(time.Duration(i) * time.Second),
		Expr: "o.Qty", Type: "int", Dist: all, By: &probe.Rows{Expr: "o.User", Rows: []probe.Row{
			{Key: name("zoe"), Count: b.Count, Dist: &b}, {Key: name("ann\x1b[2J"), Count: a.Count, Dist: &a}}}}
}

func fed() *page {
	p := newPage(Options{Title: "measure shop"})
	p.width, p.height = 70, 20
	p.event(&probe.Ready{PID: 7, Probes: []probe.Report{{Probe: "p1", Location: "orders.go:42", Sites: 1, Jumps: 1}}})
	for i := range 5 {
		p.event(told(i))
	}
	return p
}

func TestPageShowsWhatProbesHave(t *testing.T) {
	p := fed()
	for _, want := range []string{"measure shop", "pid 7", "o.Qty at orders.go:42", "100/s", "count 500", "p99 4", "████", "q quit"} {
		if !strings.Contains(p.draw(), want) {
			t.Errorf("no %q on the page:\n%s", want, p.draw())
		}
	}
	p.key("k")
	page := p.draw()
	if ann, zoe := strings.Index(page, "ann"), strings.Index(page, "zoe"); ann < 0 || zoe < ann {
		t.Errorf("rows are not sorted by their key:\n%s", page)
	}
	if strings.Contains(page, "\x1b[2J") {
		t.Error("the target controls the terminal")
	}
	p.key("c")
	if page := p.draw(); strings.Index(page, "zoe") > strings.Index(page, "ann") {
		t.Errorf("rows are not sorted by their count:\n%s", page)
	}
}

func TestPageFitsIntoItsTerminal(t *testing.T) {
	p := fed()
	for _, size := range [][2]int{{20, 8}, {40, 10}, {70, 20}, {200, 60}} {
		p.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		lines := strings.Split(p.draw(), "\n")
		if len(lines) > size[1] {
			t.Errorf("%d lines in %d", len(lines), size[1])
		}
		if last := lines[len(lines)-1]; size[0] == 20 && !strings.Contains(p.draw(), "…") {
			t.Errorf("nothing says that lines are cut: %q", last)
		}
		for _, l := range lines {
			if w := lipgloss.Width(l); w > size[0] {
				t.Errorf("a line of %d columns in %d: %q", w, size[0], l)
			}
		}
	}
}

// The last line of a terminal of 80 columns has every key that there is.
func TestKeysFit(t *testing.T) {
	several, count, table := fed(), fed(), fed()
	several.series, several.rows = append(several.series, several.series[0]), true
	count.series[0].last, count.series[0].count = nil, &probe.CountNow{By: &probe.Rows{}}
	table.table = sink.NewFunctions()
	for _, c := range []struct {
		name string
		page *page
		want string
	}{
		{"measure", fed(), "q quit  p pause  ? help  b rows  sort: c count k key t sum m mean 9 p99"},
		{"several", several, "q quit  p pause  ? help  tab next  b histogram  sort: c k t m 9"},
		{"count", count, "q quit  p pause  ? help  sort: c count k key"},
		{"top", table, "q quit  p pause  ? help  sort: t total c calls m mean 9 p99"},
	} {
		c.page.width, c.page.height = 80, 20
		page := c.page.draw()
		if got := ansi.Strip(page[strings.LastIndexByte(page, '\n')+1:]); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// The last snapshot of a call has the lower half of the page.
func TestPageShowsTheLastSnapshot(t *testing.T) {
	p := fed()
	for i := range 3 {
		p.event(&probe.Moment{Probe: "p1", Seq: uint64(i + 1), Time: noon, Function: "main.handle", File: "/src/orders.go", Line: 42,
			Call: true, Duration: 52 * time.Millisecond, Frames: []probe.Frame{{Function: "main.handle", File: "/src/orders.go", Line: 42,
				Variables: []probe.Variable{{Name: "asked\x1b[2J", Role: probe.RoleArgument, Value: integer(int64(4710 + i))}}}}})
	}
	for _, size := range [][2]int{{20, 8}, {40, 10}, {70, 30}, {200, 60}} {
		p.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		page := ansi.Strip(p.draw())
		if n := strings.Count(page, "\n") + 1; n > size[1] {
			t.Errorf("%d lines in %d", n, size[1])
		}
		if size[1] < 30 {
			continue
		}
		for _, want := range []string{"count 500", "████", "snapshot 3, the last", "main.handle", "took 52.0 ms", "4712", "q quit"} {
			if !strings.Contains(page, want) {
				t.Errorf("no %q on the page:\n%s", want, page)
			}
		}
		if strings.Contains(p.draw(), "\x1b[2J") {
			t.Error("the target controls the terminal")
		}
	}
}

// called is a call at second i that took so long; of a root, the call within it comes first.
func called(i int, root bool, took time.Duration) *probe.Span {
	s := &probe.Span{Probe: "p1", ID: "in", Parent: "root", Root: "root", Goroutine: 7, Function: "shop.take\x1b[2J",
		Start: noon.Add(time.Duration(i) * time.Second), Duration: took, Outcome: probe.Returned, Depth: 1}
	if root {
		s.ID, s.Parent, s.Function, s.Depth = "root", "", "shop.place", 0
	}
	return s
}

// A trace's calls are added up by function, and the last tree stands below.
func TestPageOfATrace(t *testing.T) {
	p := newPage(Options{Title: "trace shop", Calls: sink.NewCalls()})
	for i := range 6 {
		for k := range 50 {
			in := called(i, false, time.Duration(100+k)*time.Microsecond)
			if k == 0 {
				in.Outcome = probe.Panicked
			}
			p.event(in)
			p.event(called(i, true, time.Duration(1+k)*time.Millisecond))
		}
	}
	for _, size := range [][2]int{{20, 8}, {40, 12}, {90, 24}} {
		p.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		page := p.draw()
		for _, l := range strings.Split(page, "\n") {
			if lipgloss.Width(l) > size[0] {
				t.Errorf("a line of %d columns in %d: %q", lipgloss.Width(l), size[0], l)
			}
		}
		if n := strings.Count(page, "\n") + 1; n > size[1] {
			t.Errorf("%d lines in %d", n, size[1])
		}
		if strings.Contains(page, "\x1b[2J") {
			t.Error("the target controls the terminal")
		}
	}
	page := ansi.Strip(p.draw())
	for _, want := range []string{"600 calls   ", "█", "shop.place", "300", "25.5 ms", "49.8 ms", "└─ shop.take", "sort: t total c calls m mean 9 p99"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q on the page:\n%s", want, page)
		}
	}
	p.key("p")
	p.Update(spans{called(7, true, time.Second)})
	if strings.Contains(p.draw(), "601 calls") {
		t.Error("the page moves while it is held still")
	}
	if p.key("p"); !strings.Contains(p.draw(), "601 calls") {
		t.Errorf("what came meanwhile is lost:\n%s", p.draw())
	}
}

func TestPauseLosesNothing(t *testing.T) {
	p := fed()
	p.key("p")
	before := p.draw()
	for i := 5; i < 9; i++ {
		p.Update(probe.Event(told(i)))
	}
	if p.draw() != before || !strings.Contains(before, "paused") {
		t.Error("the page moves while it is held still")
	}
	p.key("p")
	if !strings.Contains(p.draw(), "count 900") {
		t.Errorf("what came meanwhile is lost:\n%s", p.draw())
	}
	if cmd := p.key("q"); cmd == nil {
		t.Error("q does not end")
	}
}

// A page that is held still for too long goes on, with all that came.
func TestAPauseHoldsSoManyEvents(t *testing.T) {
	p := newPage(Options{Calls: sink.NewCalls()})
	p.key("p")
	many := make(spans, mostPending-1)
	for i := range many {
		many[i] = called(7, true, time.Second)
	}
	if p.Update(many); !p.paused || len(p.pending) != len(many) || p.opt.Calls.Len() != 0 {
		t.Errorf("paused is %v, %d wait, %d are shown", p.paused, len(p.pending), p.opt.Calls.Len())
	}
	if p.Update(many[:1]); p.paused || p.pending != nil || p.opt.Calls.Len() != mostPending {
		t.Errorf("paused is %v, %d wait, %d are shown", p.paused, len(p.pending), p.opt.Calls.Len())
	}
}

// Functions that are timed in turns stand where their time in the turns puts them, and
// one that is not called any more where all the time since puts it. What the marks mean
// has room on a terminal.
func TestTableOfFunctions(t *testing.T) {
	for by, rows := range map[string][]string{
		"total": {
			"shop.a ~      100  10.0 µs     10  1.00 µs  100 ns",
			"shop.d ~        5   750 ns     10  1.50 µs  150 ns",
			"shop.b          1   202 ns     10  2.00 µs  200 ns",
			"shop.e         10   180 ns     10  1.80 µs  180 ns",
		},
		"calls": {"shop.a ~ ", "shop.d ~ ", "shop.b ", "shop.e "},
	} {
		var out bytes.Buffer
		s := NewStill(Options{Title: "top shop", Top: by}, &out, 80, 20)
		_ = s.Event(&probe.Ready{PID: 7, Time: noon, Probes: []probe.Report{{Probe: "a", Sites: 1}, {Probe: "b", Sites: 1}, {Probe: "c"}, {Probe: "d", Sites: 1}, {Probe: "e", Sites: 1}}})
		measured := func(name string, after, timed time.Duration, total float64) {
			_ = s.Event(&probe.Measured{Kind: probe.Time, Probe: name, Location: "shop." + name, Time: noon.Add(after), Turns: true, Timed: timed,
				Dist: probe.Distribution{Count: 10, SumFloat: total, Min: integer(1), Max: integer(2000), Buckets: []probe.Bucket{{From: 90, To: 100, Count: 10}}}, Calls: &probe.Calls{}})
		}
		measured("e", time.Second, time.Second, 1800)
		measured("a", 10*time.Second, 100*time.Millisecond, 1000)
		measured("b", 10*time.Second, 9900*time.Millisecond, 2000)
		measured("d", 10*time.Second, 2*time.Second, 1500)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		last := 0
		for _, row := range rows {
			if i := strings.Index(text, row); i < last {
				t.Errorf("by %s: %q is not there, or not in its place:\n%s", by, row, text)
			} else {
				last = i
			}
		}
		for _, want := range []string{"4 functions timed", "1 take no timer", "~ 2 timed in turns (--budget): calls, total and p99 are of their turns\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q:\n%s", want, text)
			}
		}
	}
}
