// Package view is the page of a terminal on which a person walks through
// snapshots: the stack, the variables of the chosen frame, folded and searched.
//
// Moments come in (package probe, read by package saved); a screen goes out,
// keys come back. Package cli stands before it; packages tree and sink lay out
// what it shows. Nothing that it does changes a moment.
package view

import (
	"errors"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Show runs the page until its reader leaves it.
func Show(name string, moments []*probe.Moment) error {
	_, err := tea.NewProgram(newPage(name, moments)).Run()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil // by a signal: as good as q
	}
	return err
}

// pane is a part of the page that has the keys.
type pane int

const (
	paneVariables pane = iota
	paneFrames
)

// page is what a reader sees, and where in it.
type page struct {
	name          string
	moments       []*probe.Moment
	states        map[int]*state // of the moments that were looked at
	at            int            // the moment
	width, height int
	focus         pane
	help          bool
	detail        *detail
	search        search
}

// state is where a reader is in one moment.
type state struct {
	frame  int
	first  int              // the first frame that is shown
	frames map[int]*outline // of the frames that were looked at
}

func newPage(name string, moments []*probe.Moment) *page {
	return &page{name: name, moments: moments, states: map[int]*state{}}
}

func (p *page) moment() *probe.Moment { return p.moments[p.at] }

func (p *page) state() *state {
	s := p.states[p.at]
	if s == nil {
		s = &state{frames: map[int]*outline{}}
		p.states[p.at] = s
	}
	return s
}

// outline is what stands below the chosen frame.
func (p *page) outline() *outline { return p.outlineOf(p.state().frame) }

func (p *page) outlineOf(frame int) *outline {
	s := p.state()
	o := s.frames[frame]
	if o == nil {
		o = newOutline(p.moment(), frame)
		s.frames[frame] = o
	}
	return o
}

// Init asks for nothing.
func (p *page) Init() tea.Cmd { return nil }

// Update takes a key or the size of the terminal.
func (p *page) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		p.width, p.height = msg.Width, msg.Height
	case tea.PasteMsg:
		if p.search.typing {
			p.search.text += strings.Map(printable, msg.Content)
		}
	case tea.KeyPressMsg:
		return p, p.key(msg)
	}
	return p, nil
}

// key gives a key to whatever has them at the moment.
func (p *page) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case p.search.typing:
		p.enter(k)
	case p.help:
		p.help = false
	case p.detail != nil:
		p.read(name)
	default:
		return p.command(name)
	}
	return nil
}

// command does what a key stands for on the page itself.
func (p *page) command(key string) tea.Cmd {
	switch key {
	case "q", "esc":
		return tea.Quit
	case "?", "f1":
		p.help = true
	case "tab", "shift+tab":
		p.focus = 1 - p.focus
	case "/":
		p.search = search{typing: true}
	case "n":
		p.find(1)
	case "N", "shift+n":
		p.find(-1)
	case "]", ">":
		p.turn(1)
	case "[", "<":
		p.turn(-1)
	case "}", "f":
		p.step(1)
	case "{", "b":
		p.step(-1)
	default:
		if p.focus == paneFrames {
			p.walkFrames(key)
		} else {
			p.walkVariables(key)
		}
	}
	return nil
}

// turn goes to another moment.
func (p *page) turn(by int) {
	p.at = clamp(p.at+by, len(p.moments))
	p.search.says = ""
}

// step goes to another frame.
func (p *page) step(by int) {
	s := p.state()
	s.frame = clamp(s.frame+by, len(p.moment().Frames))
	p.search.says = ""
}

func (p *page) walkFrames(key string) {
	many := len(p.moment().Frames)
	switch key {
	case "up", "k":
		p.step(-1)
	case "down", "j":
		p.step(1)
	case "pgup":
		p.step(-p.height / 3)
	case "pgdown":
		p.step(p.height / 3)
	case "home", "g":
		p.step(-many)
	case "end", "G", "shift+g":
		p.step(many)
	case "enter", "right", "l", "space":
		p.focus = paneVariables
	}
}

func (p *page) walkVariables(key string) {
	o := p.outline()
	switch key {
	case "up", "k":
		o.move(-1)
	case "down", "j":
		o.move(1)
	case "pgup", "ctrl+b":
		o.move(-max(1, p.height/2))
	case "pgdown", "ctrl+f":
		o.move(max(1, p.height/2))
	case "home", "g":
		o.move(-len(o.rows))
	case "end", "G", "shift+g":
		o.move(len(o.rows))
	case "right", "l":
		o.unfold()
	case "left", "h":
		o.fold()
	case "enter", "space":
		if i := o.chosen(); i != nil && !o.toggle() {
			p.detail = newDetail(i.node)
		}
	case "v":
		if i := o.chosen(); i != nil {
			p.detail = newDetail(i.node)
		}
	case "e":
		o.foldAll(true)
	case "c":
		o.foldAll(false)
	}
}

func clamp(i, n int) int { return max(0, min(i, n-1)) }
