package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// resident tells whether any of the probes that want a site shall be in the text.
func (l *live) resident(site *liveSite) bool {
	return slices.ContainsFunc(site.w.points, func(pt point) bool {
		life := l.machine.lives[pt.probe]
		return !life.ended && !life.out
	})
}

// bring makes the text what it shall be, by one change: the file's bytes at the sites
// that nobody wants any more, and probes at those that are wanted and not there. Where
// nobody can stand inside the window, these jump at once; others trap until nobody
// does, or the deadline has come. The caller holds the target's lock.
func (s *Session) bring(ctx context.Context, l *live, deadline time.Time) error {
	var edits []inject.Edit
	var entries []inject.Entry
	var sites []*liveSite
	for _, site := range l.sites {
		wanted := l.resident(site)
		if site.in == wanted {
			continue
		}
		e := inject.Edit{Addr: site.addr, Orig: site.orig, New: site.orig}
		if wanted {
			e.New = append([]byte{0xCC}, site.orig[1:]...)
			entries = append(entries, site.trap)
		}
		if wanted && site.w.Jump && len(site.w.Interior) == 0 {
			jump, err := patch.Jump(site.addr, site.tramp)
			if err != nil {
				return err
			}
			e.New = jump[:]
		}
		edits, sites = append(edits, e), append(sites, site)
	}
	if err := l.bay.Enter(entries); err != nil {
		return err
	}
	for _, site := range sites {
		site.in = true // if it fails half way, all are put back
	}
	err := s.patch(l, edits)
	var changed *inject.ChangedError
	if errors.As(err, &changed) { // nothing was written
		for _, site := range sites {
			site.in = !l.resident(site)
		}
		return err
	}
	var foreign *inject.ForeignError // the others are out
	if err != nil && !errors.As(err, &foreign) {
		return err
	}
	for i, site := range sites {
		if foreign != nil && foreign.Foreign(site.addr) {
			continue
		}
		site.in = l.resident(site)
		site.jump = site.in && edits[i].New[0] != 0xCC
	}
	if err != nil {
		return err
	}
	return s.drain(ctx, l, deadline)
}

// patch makes edits. A target that keeps all its threads busy for the moment is asked
// again.
func (s *Session) patch(l *live, edits []inject.Edit) (err error) {
	if len(edits) == 0 {
		return nil
	}
	for range 20 {
		if err = l.bay.Patch(edits); !errors.Is(err, inject.ErrBusy) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// enterFor is how long a turn waits for goroutines that stand in its windows.
const enterFor = 20 * time.Millisecond

// exchange lets timers come and go, whose turn it is and whose turn has ended. A call
// that is still under way of one that goes will end unseen.
func (w *watch) exchange(come, leave []int) error {
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	unlock, err := w.s.proc.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	stale := w.stale(leave)
	for _, i := range leave {
		if err := w.s.switchOff(w.l, i); err != nil {
			return err
		}
	}
	if err := w.bring(ctx); err != nil {
		return err
	}
	for _, o := range stale {
		w.l.sums.drop(o)
	}
	// Of those that come, too: a thread may have been held up in a trampoline when they left.
	cut := slices.DeleteFunc(w.l.sums.opens(), func(o underway) bool {
		return !slices.Contains(leave, o.probe) && !slices.Contains(come, o.probe)
	})
	if len(cut) > 0 {
		w.s.settle(w.l)
	}
	for _, o := range cut {
		w.l.sums.cut(o)
	}
	return w.s.admit(w.l, come)
}

// bring makes the text what it shall be, but for those timers whose sites somebody else
// has by now: another Sidelight, or a debugger. They wait for their next turn.
func (w *watch) bring(ctx context.Context) error {
	for {
		err := w.s.bring(ctx, w.l, time.Now().Add(enterFor))
		var changed *inject.ChangedError
		if !errors.As(err, &changed) {
			return err
		}
		var late []int
		for _, i := range w.l.machine.turns.in {
			if w.l.uses(i, changed.Addr) {
				late = append(late, i)
			}
		}
		if len(late) == 0 {
			return err
		}
		w.s.opt.Log.Debug("timers wait for their next turn", "n", len(late), "why", err)
		w.l.machine.putOff(late, time.Now())
	}
}

// uses tells whether a probe wants the site at addr.
func (l *live) uses(i int, addr uint64) bool {
	return slices.ContainsFunc(l.sites, func(site *liveSite) bool { return site.addr == addr && site.w.uses(i) > 0 })
}

// admit switches timers on, all of whose sites are in: a call that is seen to begin
// where its end is not there yet would be taken for one that a panic ended. Those that
// come in turns time nothing as long as their sites trap: a call that came by two traps
// takes a hundred times what it takes else.
func (s *Session) admit(l *live, timers []int) error {
	for _, i := range timers {
		if l.machine.lives[i].out { // its site was taken
			continue
		}
		if err := s.proc.WriteAt([]byte{ring.ControlState: 1, ring.ControlThrottle: 0}, l.bay.Control()+uint64(ring.Control(i))); err != nil {
			return err
		}
	}
	return nil
}

// switchOff lets a probe do nothing more where its sites are still in.
func (s *Session) switchOff(l *live, i int) error {
	return s.proc.WriteAt([]byte{0}, l.bay.Control()+uint64(ring.Control(i))+ring.ControlState)
}

// shut is the throttle that no pass gets by: see jit, sample.
const shut = 1

// cut takes a call out that nobody will see end.
func (s *sums) cut(o underway) {
	if atomic.CompareAndSwapUint64(s.pointer(o.word), o.key, 0) {
		s.recount()
		s.gone[o.probe].Running++
	}
}
