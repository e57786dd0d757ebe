package view

import (
	"fmt"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"github.com/sidelight-dev/sidelight/internal/tree"
)

// search is a word that is looked for in the names, types and values of all
// frames of a moment.
type search struct {
	typing bool
	text   string
	says   string // what became of it
}

// enter takes a key while the word is written.
func (p *page) enter(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		p.search.typing = false
		if p.search.text != "" {
			p.find(0)
		}
	case "esc":
		p.search = search{}
	case "backspace":
		if r := []rune(p.search.text); len(r) > 0 {
			p.search.text = string(r[:len(r)-1])
		}
	case "ctrl+u":
		p.search.text = ""
	default:
		p.search.text += strings.Map(printable, k.Text)
	}
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return -1
}

// place is where a word was found.
type place struct {
	frame int
	item  *item
}

// find goes to the next place that has the word, or the one before; by 0 to
// the one at the cursor or the next.
func (p *page) find(by int) {
	if p.search.text == "" {
		return
	}
	here := place{p.state().frame, p.outline().chosen()}
	found, next := p.places(here, by)
	if len(found) == 0 {
		p.search.says = fmt.Sprintf("%q is nowhere in this snapshot", p.search.text)
		return
	}
	next = (next + len(found)) % len(found)
	to := found[next]
	p.state().frame = to.frame
	p.outline().reveal(to.item)
	p.focus = paneVariables
	p.search.says = fmt.Sprintf("%q: %d of %d; n next, N before", p.search.text, next+1, len(found))
}

// places finds all places in order, and the number of the one to go to.
func (p *page) places(here place, by int) (found []place, next int) {
	word := strings.ToLower(p.search.text)
	passed, before, at := false, 0, -1 // whether the cursor was passed, what came before it, and which it is on
	for f := range p.moment().Frames {
		if f == here.frame && here.item == nil {
			passed = true
		}
		p.outlineOf(f).each(func(i *item) {
			if f == here.frame && i == here.item {
				passed = true
				if i.has(word) {
					at = len(found)
				}
			}
			if i.has(word) {
				found = append(found, place{f, i})
			}
			if !passed {
				before = len(found)
			}
		})
	}
	switch {
	case at >= 0:
		return found, at + by
	case by < 0:
		return found, before - 1
	}
	return found, before
}

// each visits all items, folded ones, too.
func (o *outline) each(visit func(*item)) {
	var walk func([]*item)
	walk = func(list []*item) {
		for _, i := range list {
			if i.title == "" {
				visit(i)
				walk(i.children())
			}
		}
	}
	walk(o.roots)
}

func (i *item) has(word string) bool { return nodeHas(i.node, word) }

func nodeHas(n tree.Node, word string) bool {
	for _, s := range append([]string{n.Name, n.Type, n.Text}, n.Items...) {
		if strings.Contains(strings.ToLower(s), word) {
			return true
		}
	}
	return false
}
