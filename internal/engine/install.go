package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sidelight-dev/sidelight/internal/inject"
	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/patch"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// readyWithin is when Ready is given even if goroutines still stand in windows;
// their sites then are traps.
const readyWithin = 2 * time.Second

// live is what is in the target: the bay, the windows, and what watches them.
type live struct {
	plan    *plan
	bay     *inject.Bay
	guard   *guard
	reader  *reader
	machine *machine
	sums    *sums // nil: no probe adds up
	sites   []*liveSite
	failed  error // what could not be put back
}

// liveSite is a window in the target.
type liveSite struct {
	w     *window
	addr  uint64
	orig  []byte // as the file has it: as long as what the site may change
	tramp uint64
	trap  inject.Entry // what a trap there leads to
	jump  bool         // the jump is written; otherwise a trap
	in    bool         // the text is changed
}

// install puts a plan into the target. On an error nothing is left there.
func (s *Session) install(ctx context.Context, p *plan) (*live, error) {
	l := &live{plan: p, machine: &machine{budget: s.opt.Budget}}
	if len(p.windows) == 0 {
		return l, nil
	}
	unlock, err := s.proc.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.tidy(); err != nil {
		return nil, err
	}
	if err := s.takeOnlyFree(p); err != nil || len(p.windows) == 0 {
		return l, err
	}
	if err := s.occupy(l); err != nil {
		s.abandon(l, err)
		return nil, err
	}
	if err := s.put(ctx, l); err != nil {
		s.abandon(l, err)
		return nil, err
	}
	return l, nil
}

// tidy clears what Sidelights that died have left, and says so.
func (s *Session) tidy() error {
	if err := s.proc.CleanCave(); err != nil {
		return err
	}
	bays, err := s.proc.Bays()
	if err != nil {
		return err
	}
	for _, info := range bays {
		if !info.Leftover() {
			continue
		}
		done, err := s.proc.Clear(info)
		if err != nil {
			return fmt.Errorf("clearing the leftovers of a Sidelight that died (pid %d): %w", info.PID, err)
		}
		s.opt.Log.Warn("cleared what a Sidelight that died had left", "its pid", info.PID, "sites", done.Sites,
			"sites that something else has changed", len(done.Foreign))
	}
	_, err = s.proc.CloseLeaked() // also where no bay came to be
	return err
}

// TakenError says that every site that was asked for is another Sidelight's.
type TakenError struct{ Holder int }

// HeldBy is the pid of the one that has it.
func (e *TakenError) HeldBy() int { return e.Holder }

func (e *TakenError) Error() string {
	return fmt.Sprintf("the code there is in use by another Sidelight (pid %d): end it, or wait until it has ended", e.Holder)
}

// takeOnlyFree checks that the text is the file's, and drops windows that another
// living Sidelight holds.
func (s *Session) takeOnlyFree(p *plan) error {
	diffs, err := s.proc.CompareText()
	if err != nil {
		return err
	}
	for _, d := range diffs {
		if d.Holder == 0 {
			return &inject.ChangedError{Addr: d.Addr, Want: d.File, Got: d.Memory}
		}
	}
	held, err := s.proc.Held()
	if err != nil {
		return err
	}
	holder, halves := 0, map[int]bool{}
	free := p.windows[:0]
	for _, w := range p.windows {
		h := overlapping(held, w.Addr+s.text.Slide, uint64(w.room()))
		if h == 0 {
			free = append(free, w)
			continue
		}
		holder = h
		for _, pt := range w.points {
			if p.quiet(w) {
				break // in the runtime; the probe can do without
			}
			pl := p.probes[pt.probe]
			pl.issue(probe.IssueTaken, (&TakenError{h}).Error())
			if pl.spec.Kind == probe.Time || pl.spec.Kind == probe.Trace {
				halves[pt.probe] = true
			}
		}
	}
	p.windows = withoutProbes(free, halves)
	if len(p.windows) == 0 && holder != 0 {
		return refusedError{&TakenError{holder}}
	}
	return nil
}

// withoutProbes takes probes out of a plan: of a call that is seen to begin and
// not to end, or the other way round, nothing true can be told.
func withoutProbes(windows []*window, probes map[int]bool) []*window {
	if len(probes) == 0 {
		return windows
	}
	for _, w := range windows {
		w.points = slices.DeleteFunc(w.points, func(pt point) bool { return probes[pt.probe] })
	}
	return slices.DeleteFunc(windows, func(w *window) bool { return len(w.points) == 0 })
}

func overlapping(held []inject.Held, lo, n uint64) int {
	for _, h := range held {
		if h.Overlaps(lo, lo+n) {
			return h.PID
		}
	}
	return 0
}

// room is how many bytes of text a window may change.
func (w *window) room() int {
	if w.Jump {
		return patch.JumpLen
	}
	return 1
}

// occupy takes a bay and writes everything there that the sites lead to.
func (s *Session) occupy(l *live) error {
	procs, err := s.processors()
	if err != nil {
		return err
	}
	layout, err := ring.NewLayout(procs, len(l.plan.probes), l.plan.extra()+s.timing.extra())
	if err != nil {
		return err
	}
	if len(l.plan.windows) > ring.TrapsMax {
		return fmt.Errorf("%d sites at once; at most %d: ask for fewer locations in one command", len(l.plan.windows), ring.TrapsMax)
	}
	if l.guard, err = startGuard(s.opt.Guard, s.proc.PID, s.proc.StartTime()); err != nil {
		return err
	}
	if err := s.proc.InstallHandlers(s.rt.GStackguard0); err != nil {
		return err
	}
	if l.bay, err = s.proc.NewBay(layout); err != nil {
		return err
	}
	if err := s.touch(l.bay); err != nil {
		return err
	}
	l.plan.fit(layout)
	if err := s.extend(l); err != nil {
		return err
	}
	l.reader = newReader(l.bay.Shared, layout, len(l.plan.probes))
	if err := s.writeTrampolines(l); err != nil {
		return err
	}
	return s.switchOn(l)
}

// touch lets every page of the shared memory be present in the target, so that no
// hit pays for the first look at one: a tenth of a microsecond a record.
func (s *Session) touch(bay *inject.Bay) error {
	const page = 4096
	for off := uint64(page) - 1; off < uint64(bay.Layout.SharedSize()); off += page {
		// The last byte of a page: on the first one the lifeline is in use.
		if err := s.proc.WriteAt([]byte{0}, bay.SharedAt()+off); err != nil {
			return err
		}
	}
	return nil
}

// processors is how many Ps the target has, or may get without asking.
func (s *Session) processors() (int, error) {
	var b [4]byte
	if err := s.proc.ReadAt(b[:], s.rt.Gomaxprocs+s.text.Slide); err != nil {
		return 0, err
	}
	n := int(int32(binary.LittleEndian.Uint32(b[:])))
	if n < 1 || n > 1<<16 {
		return 0, fmt.Errorf("the target says that it has %d processors: its runtime is not understood", n)
	}
	return max(n, min(runtime.NumCPU(), 64)), nil
}

// writeTrampolines makes the code of every window for its place in the bay.
func (s *Session) writeTrampolines(l *live) error {
	at, end := l.bay.Text(), l.bay.Text()+ring.TextSize
	where := &place{plan: l.plan, slide: s.text.Slide, env: jit.Env{
		Slide: s.text.Slide, Control: l.bay.Control(), Shared: l.bay.SharedAt(), Owner: l.bay.Owner, Layout: l.bay.Layout,
		RT: jit.Offsets{GM: s.rt.GM, GGoid: s.rt.GGoid, GStackLo: s.rt.GStackLo, GStackHi: s.rt.GStackHi, GStackguard0: s.rt.GStackguard0, MP: s.rt.MP, PID: s.rt.PID},
	}}
	where.env.Tick = s.ticks.Nanoseconds(1)
	text, err := s.clockRoutine(where, at)
	if err != nil {
		return err
	}
	tables, err := where.tables(at + uint64(len(text)))
	if err != nil {
		return err
	}
	text = append(text, tables...)
	at += uint64(len(text))
	if l.sums != nil {
		where.sumsAt, where.region, where.rate = l.bay.SumsAt(), l.sums.region, s.ticks.Nanoseconds(1)
	}
	var entries []inject.Entry
	for i, w := range l.plan.windows {
		t, err := where.trampoline(w, at, i)
		if err != nil {
			return err
		}
		for len(t.code)%align != 0 {
			t.code = append(t.code, 0xCC)
		}
		if at += uint64(len(t.code)); at > end {
			return errors.New("the probes need more code than a bay holds: ask for fewer locations in one command")
		}
		text = append(text, t.code...)
		entries = append(entries, t.entries...)
		orig, err := s.build.Bytes(w.Addr, w.room())
		if err != nil {
			return err
		}
		l.sites = append(l.sites, &liveSite{w: w, addr: w.Addr + s.text.Slide, orig: orig, tramp: t.at, trap: t.trap})
	}
	if err := s.proc.WriteAt(text, l.bay.Text()); err != nil {
		return err
	}
	return l.bay.Enter(entries)
}

// switchOn sets the controls of all probes: from now on whoever comes to a
// trampoline is counted, but for the calls of timers.
func (s *Session) switchOn(l *live) error {
	l.reader.sampleSoon()
	for i, pl := range l.plan.probes {
		b := make([]byte, ring.ControlSize)
		if pl.spec.Kind != probe.Time { // see admit
			b[ring.ControlState] = 1
		}
		binary.LittleEndian.PutUint64(b[ring.ControlRemaining:], uint64(pl.spec.Limit))
		binary.LittleEndian.PutUint64(b[ring.ControlTokens:], uint64(pl.spec.Rate))
		binary.LittleEndian.PutUint64(b[ring.ControlSeen:], uint64(pl.spec.Seen))
		binary.LittleEndian.PutUint64(b[ring.ControlStages:], uint64(firstStages(s.opt.Budget, len(l.plan.probes))))
		if err := s.proc.WriteAt(b, l.bay.Control()+uint64(ring.Control(i))); err != nil {
			return err
		}
	}
	return nil
}

// put changes the text: at once for all probes, or for those whose turn is the first.
func (s *Session) put(ctx context.Context, l *live) error {
	began := time.Now()
	for i, pl := range l.plan.probes {
		l.machine.add(pl.spec, began)
		l.machine.lives[i].ended = !l.serves(i)
	}
	if inTurns(l.plan.probes) {
		l.machine.takeTurns()
		l.machine.next()
	}
	if err := s.bring(ctx, l, began.Add(readyWithin)); err != nil {
		return err
	}
	var timers []int
	for i, pl := range l.plan.probes {
		if pl.spec.Kind == probe.Time {
			timers = append(timers, i)
		}
	}
	return s.admit(l, timers)
}

// serves tells whether a probe has any site.
func (l *live) serves(i int) bool {
	for _, site := range l.sites {
		if site.w.uses(i) > 0 {
			return true
		}
	}
	return false
}

// jumpNow writes the jumps of those sites that can have one and are chosen.
func (s *Session) jumpNow(l *live, chosen func(*liveSite) bool) error {
	var edits []inject.Edit
	var sites []*liveSite
	for _, site := range l.sites {
		if !site.w.Jump || site.jump || !site.in || !chosen(site) {
			continue
		}
		jump, err := patch.Jump(site.addr, site.tramp)
		if err != nil {
			return err
		}
		edits = append(edits, inject.Edit{Addr: site.addr, Orig: site.orig, New: jump[:]})
		sites = append(sites, site)
	}
	if len(edits) == 0 {
		return nil
	}
	if err := l.bay.Patch(edits); err != nil {
		return err
	}
	for _, site := range sites {
		site.jump = true
	}
	return nil
}

// abandon takes back an installation that failed half way, and why.
func (s *Session) abandon(l *live, why error) {
	if l.bay == nil && errors.Is(why, inject.ErrBusy) {
		l.guard.leave() // a call that was given up may have left a descriptor
		return
	}
	if l.bay != nil {
		if err := s.restore(l, func(*liveSite) bool { return true }); err != nil && !gone(err) {
			s.opt.Log.Error("the text could not be put back; run the command again to clear it", "error", err)
			return // the guard finds the journal
		}
		if err := l.bay.Close(); err != nil {
			s.opt.Log.Error("the bay could not be given back", "error", err)
		}
	}
	l.guard.done()
}

// ready says what became of each probe.
func (s *Session) ready(l *live) *probe.Ready {
	r := &probe.Ready{PID: s.proc.PID, Time: time.Now(), Pause: s.proc.LongestPause(), Clock: s.timing.name}
	if s.timing.vdso != 0 {
		r.ClockNote = s.timing.note()
	}
	for i, pl := range l.plan.probes {
		rep := probe.Report{Probe: pl.spec.ID, Location: pl.spec.At}
		for _, site := range l.sites {
			n := site.w.uses(i)
			rep.Sites += n
			if site.jump || !site.in && site.w.Jump { // of those whose turn is to come
				rep.Jumps += n
			} else {
				rep.Traps += n
			}
			if n > 0 && !site.jump && site.w.Jump && site.in {
				pl.issue(probe.IssueDraining, fmt.Sprintf(
					"goroutines are parked inside the site in %s: it stays a trap, at a few microseconds a hit", site.w.fn.Name))
			}
		}
		rep.Issues = append([]probe.Issue{}, pl.issues...)
		r.Probes = append(r.Probes, rep)
	}
	return r
}

// uses is how many points of the window are a probe's.
func (w *window) uses(probe int) int {
	n := 0
	for _, pt := range w.points {
		if pt.probe == probe {
			n++
		}
	}
	return n
}
