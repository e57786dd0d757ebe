package engine

import (
	"context"
	"errors"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// remove takes the sites out that no living probe uses, waits until no thread is
// inside a trampoline, so that the counters stand still, and gives the bay back
// with the last of them.
func (s *Session) remove(l *live, ended []int) error {
	for _, i := range ended {
		// Off at once, also where a neighbour keeps the window.
		if err := s.proc.WriteAt([]byte{0}, l.bay.Control()+uint64(ring.Control(i))+ring.ControlState); err != nil {
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
	err = s.restore(l, func(site *liveSite) bool {
		for _, pt := range site.w.points {
			if !l.machine.lives[pt.probe].ended {
				return false
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	s.settle(l)
	return nil
}

// lockPatience is how long a removal waits for another Sidelight's installation,
// which takes little more than readyWithin.
const lockPatience = 30 * time.Second

// restore puts back the file's bytes at the chosen sites. A target that keeps
// all its threads busy for the moment is asked again.
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
	var err error
	for range 20 {
		if err = l.bay.Patch(edits); !errors.Is(err, inject.ErrBusy) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
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
