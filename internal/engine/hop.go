package engine

import (
	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// hop is the long jump in padding to which a site's short jump leads. It is
// written before the site and taken out after it.
type hop struct {
	addr uint64
	in   bool
}

// padded is the padding that a hop replaces.
var padded = []byte{0xCC, 0xCC, 0xCC, 0xCC, 0xCC}

// avoid moves the hops that lie where another living Sidelight changed the text.
// Held ranges are as running.
func (p *plan) avoid(held []inject.Held, slide uint64) {
	if p.padding == nil {
		return
	}
	for _, h := range held {
		p.padding.Take(h.Lo-slide, h.Hi-slide)
	}
	for _, w := range p.windows {
		if w.Hop == 0 || overlapping(held, w.Hop+slide, patch.JumpLen) == 0 {
			continue
		}
		p.padding.Give(w.Hop, w.Hop+patch.JumpLen)
		if !w.Rehop(p.padding.Hop) {
			p.stayTrap(w, "another Sidelight uses the room that a jump needs")
		}
	}
}

// fewer makes traps of as many hops as the journal has no room for.
func (p *plan) fewer() {
	entries := len(p.windows)
	for _, w := range p.windows {
		if w.Hop == 0 {
			continue
		}
		if entries++; entries > ring.JournalMax {
			p.stayTrap(w, "too many sites at once")
		}
	}
}

// noHops makes traps of all windows that need hops.
func (p *plan) noHops(why string) {
	for _, w := range p.windows {
		if w.Hop != 0 {
			p.stayTrap(w, why)
		}
	}
}

// hops tells whether any window needs one.
func (p *plan) hops() bool {
	for _, w := range p.windows {
		if w.Hop != 0 {
			return true
		}
	}
	return false
}

// stayTrap takes the hop from a window, which becomes a trap. Its instructions
// stay together: nothing leads to the second of them but the first.
func (p *plan) stayTrap(w *window, why string) {
	w.Hop, w.Jump, w.Why, w.Interior = 0, false, why, nil
	for _, pt := range w.points {
		p.probes[pt.probe].issueTrap(w)
	}
}

// coverHops sees to it that the runtime never finds a thread at a hop, or does
// without hops.
func (s *Session) coverHops(p *plan) error {
	if !p.hops() {
		return nil
	}
	ok, err := s.proc.CoverHops()
	if err == nil && !ok {
		p.noHops("the program's handlers of SIGURG and SIGPROF are not the Go runtime's")
	}
	return err
}

// jumpCode is what a site gets in the end: the long jump, or the short one to
// its hop.
func (site *liveSite) jumpCode() ([]byte, error) {
	if site.hop != nil {
		code, err := patch.Short(site.addr, site.hop.addr)
		return code[:], err
	}
	code, err := patch.Jump(site.addr, site.tramp)
	return code[:], err
}

// putHops writes the hops of sites that are about to jump.
func (l *live) putHops(sites []*liveSite) error {
	var edits []inject.Edit
	var hops []*hop
	for _, site := range sites {
		if site.hop == nil || site.hop.in {
			continue
		}
		code, err := patch.Jump(site.hop.addr, site.tramp)
		if err != nil {
			return err
		}
		edits = append(edits, inject.Edit{Addr: site.hop.addr, Orig: padded, New: code[:]})
		hops = append(hops, site.hop)
	}
	return l.patchHops(edits, hops, true)
}

// takeHops puts the padding back where the site of a hop is as the file has it.
func (l *live) takeHops() error {
	var edits []inject.Edit
	var hops []*hop
	for _, site := range l.sites {
		if site.hop != nil && site.hop.in && !site.in {
			edits = append(edits, inject.Edit{Addr: site.hop.addr, Orig: padded, New: padded})
			hops = append(hops, site.hop)
		}
	}
	return l.patchHops(edits, hops, false)
}

func (l *live) patchHops(edits []inject.Edit, hops []*hop, in bool) error {
	if len(edits) == 0 {
		return nil
	}
	for _, h := range hops {
		h.in = true // in part, if what follows fails
	}
	if err := l.patchPatiently(edits); err != nil {
		return err
	}
	for _, h := range hops {
		h.in = in
	}
	return nil
}
