package engine

import (
	"context"
	"errors"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// remove takes the sites out that no probe uses any more, or until its next turn.
func (s *Session) remove(l *live, ended []int) error {
	for _, i := range ended {
		if err := s.switchOff(l, i); err != nil { // at once, also where a neighbour keeps the window
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	unlock, err := s.proc.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return s.restore(l, func(site *liveSite) bool { return !l.resident(site) })
}

// lockPatience is how long a removal waits for another Sidelight's installation,
// which takes little more than readyWithin.
const lockPatience = 30 * time.Second

// restore puts back the file's bytes at the chosen sites.
func (s *Session) restore(l *live, chosen func(*liveSite) bool) error {
	var edits []inject.Edit
	var sites []*liveSite
	for _, site := range l.sites {
		if site.in && chosen(site) {
			edits = append(edits, inject.Edit{Addr: site.addr, Orig: site.orig, New: site.orig})
			sites = append(sites, site)
		}
	}
	if len(edits) == 0 {
		return nil
	}
	err := s.patch(l, edits)
	var foreign *inject.ForeignError // the others are out
	if err != nil && !errors.As(err, &foreign) {
		return err
	}
	for _, site := range sites {
		if foreign == nil || !foreign.Foreign(site.addr) {
			site.in, site.jump = false, false
		}
	}
	return err
}

// settle waits until no thread is inside a trampoline. What a thread that is
// held up longer still counts is not lost, only not told.
func (s *Session) settle(l *live) {
	for range 50 {
		if idle, err := s.proc.Idle(l.bay.Text(), l.bay.SharedAt()+ring.SharedMax); idle || err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
