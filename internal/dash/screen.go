// Package dash is what probes that add up show on a terminal while they work:
// numbers, a sparkline of the rate, histograms and tables that a person sorts.
//
// Events of a session come in, from package cli, which stands before it; a page of
// the terminal goes out, and keys come back: one of them ends the session. Package
// sink, which stands after it, writes the numbers, and the last word on the plain
// terminal when the page is gone.
package dash

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// Options says what a screen shows.
type Options struct {
	Title string // the command, as the window is called
	Paint sink.Paint
	Top   string      // of a table of functions: the column that it is sorted by; "" for aggregates and spans
	Calls *sink.Calls // of a trace: what it adds its calls up in; else nil
	After sink.Sink   // takes what is said at the end, on the plain terminal
	Stop  func()      // ends the session
	Still func() bool // not nil: no terminal; the page is drawn once, at the end
}

// Screen is a sink.Sink on a terminal.
type Screen struct {
	opt     Options
	page    *page
	program *tea.Program
	gone    chan struct{}
	last    []probe.Event // for the plain terminal
	moments int           // of these

	mu    sync.Mutex
	spans spans // that the page has not seen yet
}

// spans go to a page together: there may be many thousand a second.
type spans []*probe.Span

// spanEvery is how often they do.
const spanEvery = 100 * time.Millisecond

// mostMoments are shown again on the plain terminal; a person keeps more by --save.
const mostMoments = 20

// New starts a page on the terminal.
func New(opt Options) *Screen {
	s := &Screen{opt: opt, page: newPage(opt), gone: make(chan struct{})}
	s.program = tea.NewProgram(s.page, tea.WithOutput(os.Stdout))
	go func() {
		defer close(s.gone)
		_, _ = s.program.Run() // it ends by a key, or by Close
		opt.Stop()
	}()
	if opt.Calls != nil {
		go s.bring()
	}
	return s
}

// bring takes spans to the page until it is gone, and wakes it where there are none:
// time goes on.
func (s *Screen) bring() {
	tick := time.NewTicker(spanEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.gone:
			return
		case <-tick.C:
			s.program.Send(s.take())
		}
	}
}

func (s *Screen) take() spans {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.spans
	s.spans = nil
	return out
}

// NewStill draws a page of a size once, when it is closed: for pictures.
func NewStill(opt Options, w io.Writer, width, height int) *Still {
	p := newPage(opt)
	p.width, p.height = width, height
	return &Still{page: p, w: w}
}

// Still is a page that is drawn once.
type Still struct {
	page *page
	w    io.Writer
}

// Event takes one event.
func (s *Still) Event(e probe.Event) error {
	s.page.event(e)
	return nil
}

// Close draws the page.
func (s *Still) Close() error {
	_, err := io.WriteString(s.w, s.page.draw()+"\n")
	return err
}

// Event takes one event. What is said at the end waits for the plain terminal.
func (s *Screen) Event(e probe.Event) error {
	switch x := e.(type) {
	case *probe.Span:
		s.mu.Lock()
		s.spans = append(s.spans, x)
		s.mu.Unlock()
		return nil
	case *probe.Ready, *probe.End:
		s.last = append(s.last, e)
	case *probe.Measured:
		if x.Final {
			s.last = append(s.last, e)
		}
	case *probe.Moment:
		if s.moments < mostMoments {
			s.moments++
			s.last = append(s.last, e)
		}
	case *probe.CountNow:
		if x.Final {
			s.last = append(s.last, e)
		}
	}
	select {
	case <-s.gone:
	default:
		s.program.Send(e)
	}
	return nil
}

// Close leaves the page, and says on the plain terminal what there is to say.
func (s *Screen) Close() error {
	s.program.Quit()
	<-s.gone
	s.page.release()
	for _, x := range s.take() {
		s.page.event(x)
	}
	for _, e := range s.last {
		if err := s.opt.After.Event(e); err != nil {
			return err
		}
	}
	return nil
}

// page is what is seen.
type page struct {
	opt           Options
	width, height int
	paused, help  bool
	pending       []probe.Event // while paused
	ready         *probe.Ready

	series []*series // aggregates, in the order of their probes
	at     int       // the one that is shown
	rows   bool      // its rows, not its histogram
	by     string    // what rows are sorted by

	table  *sink.Functions // of a top
	forest *sink.Forest    // of a trace,
	tree   *sink.Tree      // and the last call that none of the others made, with those in it
	ended  int
}

func newPage(opt Options) *page {
	p := &page{opt: opt, by: opt.Top, width: 80, height: 24}
	if opt.Top != "" {
		p.table = sink.NewFunctions()
	}
	if opt.Calls != nil {
		p.forest, p.by = sink.NewForest(), sink.TopTotal
	}
	return p
}

// Init asks for nothing.
func (p *page) Init() tea.Cmd { return nil }

// View is the page for the terminal.
func (p *page) View() tea.View {
	v := tea.NewView(p.draw())
	v.AltScreen = true
	v.WindowTitle = "sidelight " + sink.Escape(p.opt.Title)
	return v
}

// Update takes an event, a key or the size of the terminal.
func (p *page) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.width, p.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return p, p.key(msg.String())
	case spans:
		for _, s := range msg {
			p.take(s)
		}
		if !p.paused {
			p.opt.Calls.Now(time.Now())
		}
	case probe.Event:
		p.take(msg)
	}
	return p, nil
}

// mostPending bounds the events that wait for a page that is held still: a trace has
// thousands a second, and whoever paused may be gone for lunch.
const mostPending = 1 << 17

// take takes an event in, now or when the page is not held still any more; where too
// many wait, it goes on by itself.
func (p *page) take(e probe.Event) {
	if !p.paused {
		p.event(e)
		return
	}
	if p.pending = append(p.pending, e); len(p.pending) == mostPending {
		p.release()
	}
}

// release lets the page go on.
func (p *page) release() {
	p.paused = false
	for _, e := range p.pending {
		p.event(e)
	}
	p.pending = nil
}

// key does what a key stands for.
func (p *page) key(key string) tea.Cmd {
	switch key {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "?":
		p.help = !p.help
	case "p", "space":
		if p.paused {
			p.release()
		} else {
			p.paused = true
		}
	case "tab", "n":
		p.at = (p.at + 1) % max(1, len(p.series))
	case "shift+tab", "N":
		p.at = (p.at + len(p.series) - 1 + max(0, 1-len(p.series))) % max(1, len(p.series))
	case "h", "b":
		p.rows = !p.rows
	default:
		p.sort(key)
	}
	return nil
}

// The columns by their keys.
var columns = map[string]string{"t": "total", "c": "calls", "m": "mean", "9": "p99", "k": "key"}

func (p *page) sort(key string) {
	if c, ok := columns[key]; ok {
		p.by = c
		p.rows = p.rows || p.table == nil && p.current() != nil && p.current().by() != nil
	}
}

// event takes in what probes tell.
func (p *page) event(e probe.Event) {
	if p.table != nil {
		p.table.Event(e)
	}
	switch e := e.(type) {
	case *probe.Ready:
		p.ready = e
	case *probe.Measured:
		if p.table == nil {
			p.seriesOf(e.Probe).measured(e)
		}
	case *probe.CountNow:
		p.seriesOf(e.Probe).counted(e)
	case *probe.Moment:
		p.seriesOf(e.Probe).moment = e
	case *probe.Span:
		if p.forest == nil {
			return
		}
		p.opt.Calls.Add(e)
		if t := p.forest.Add(e); t != nil {
			p.tree = t
		}
	case *probe.End:
		p.ended++
	}
}

func (p *page) seriesOf(id string) *series {
	for _, s := range p.series {
		if s.probe == id {
			return s
		}
	}
	s := &series{probe: id}
	p.series = append(p.series, s)
	return s
}

// current is the aggregate that is shown; nil if there is none.
func (p *page) current() *series {
	if p.at >= len(p.series) {
		return nil
	}
	return p.series[p.at]
}

// keys is the last line of the page: what leads to all the others first, and
// where it has no room for what the keys sort by, the keys alone.
func (p *page) keys() string {
	list := []string{"q quit", "p pause", "? help"}
	if len(p.series) > 1 {
		list = append(list, "tab next")
	}
	sort, short := "", ""
	switch s := p.current(); {
	case p.table != nil, p.forest != nil:
		sort, short = "sort: t total c calls m mean 9 p99", "sort: t c m 9"
	case s == nil || s.by() == nil:
	case s.last == nil: // a count
		sort, short = "sort: c count k key", "sort: c k"
	default:
		list = append(list, "b rows")
		if p.rows {
			list[len(list)-1] = "b histogram"
		}
		sort, short = "sort: c count k key t sum m mean 9 p99", "sort: c k t m 9"
	}
	if sort == "" {
		return strings.Join(list, "  ")
	}
	line := strings.Join(append(list, sort), "  ")
	if len(line) > p.width {
		return strings.Join(append(list, short), "  ")
	}
	return line
}
