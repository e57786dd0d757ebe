package engine

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/decode"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// Periods of the loop.
const (
	pollEvery  = 20 * time.Millisecond
	checkEvery = 500 * time.Millisecond // is it still the same program; what time is it
	drainEvery = 5 * time.Second        // sites that had to stay traps: may they jump now
	drainFor   = 100 * time.Millisecond
)

// run watches the installed probes until the last has ended.
func (s *Session) run(l *live) {
	defer close(s.stopped)
	defer s.tell(l, make([]Totals, len(l.machine.lives)))
	w := &watch{s: s, l: l, decoder: s.decoder(l.plan), sites: l.byProbe()}
	w.tracing = w.newTracing()
	poll, check := time.NewTimer(pollEvery), time.NewTicker(checkEvery)
	defer poll.Stop()
	defer check.Stop()
	drain, sweep := time.NewTicker(drainEvery), time.NewTicker(sweepEvery)
	defer drain.Stop()
	defer sweep.Stop()
	l.machine.begin(time.Now(), w.totals())
	for l.machine.alive() {
		select {
		case now := <-poll.C:
			if !s.out.full() { // else what does not fit into the rings is dropped, and counted
				w.hits()
			}
			totals := w.totals()
			w.lookAtSums()
			w.carryOut(l.machine.tick(now, totals))
			s.tell(l, totals)
			poll.Reset(l.machine.rest(time.Now()))
		case <-check.C:
			s.syncClocks()
			w.advanceSums()
			if err := s.proc.Alive(); gone(err) {
				w.exited()
			}
		case <-drain.C:
			w.upgrade()
		case <-sweep.C:
			w.sweep()
			w.sweepSpans()
		case <-s.proc.Exited():
			w.exited()
		case ids := <-s.asked:
			w.carryOut(l.machine.endNamed(ids))
		case <-s.stop:
			w.carryOut(l.machine.endAll(probe.EndInterrupted))
		}
	}
	w.finish()
}

// watch carries out what the machine decides.
type watch struct {
	s       *Session
	l       *live
	decoder *decode.Decoder
	lost    bool    // the target is gone
	sites   [][]int // of each probe
	traps   []uint64
	looks   uint64   // at the sums
	held    []record // records of traces that wait for older ones
	tracing *tracing
	missed  [2][]uint64 // records that probes had lost at the last looks at traces, the older first
}

// hits passes on what the rings hold.
func (w *watch) hits() {
	before := w.s.ticks.Now()
	for _, rec := range w.l.reader.records() {
		if w.traces(rec) {
			continue
		}
		event, err := w.decoder.Event(rec.data)
		if err != nil {
			index := int(binary.LittleEndian.Uint16(rec.data[ring.RecordProbe:]))
			w.l.reader.damaged(index)
			w.s.opt.Log.Error("a record makes no sense and is counted as dropped", "error", err)
			continue
		}
		w.s.out.put(event)
	}
	w.calls()
	w.spans(before)
}

// totals are the counters now, in nanoseconds, with the traps.
func (w *watch) totals() []Totals {
	totals := w.l.reader.totals()
	w.readTraps()
	var open []uint64
	if turns := w.l.machine.turns; turns != nil && turns.shut && w.l.sums != nil {
		w.l.sums.recount()
		open = w.l.sums.running()
	}
	for i := range totals {
		t := &totals[i]
		t.Cycles = w.s.clock.Nanoseconds(t.Cycles)
		switch w.l.plan.probes[i].spec.Kind {
		case probe.Trace:
			t.Cycles *= 2 // of the beginning and of the end
		case probe.Time:
			t.Cycles *= 2
			if w.l.sums != nil {
				w.l.sums.staging(i, t)
				t.StageCycles = w.s.ticks.Nanoseconds(t.StageCycles)
			}
			if open != nil {
				t.Open = open[i]
			}
		}
		for _, k := range w.sites[i] {
			if k < len(w.traps) {
				t.Traps += w.traps[k]
			}
		}
	}
	return totals
}

// byProbe lists the sites that each probe uses.
func (l *live) byProbe() [][]int {
	out := make([][]int, len(l.plan.probes))
	for k, site := range l.sites {
		for _, pt := range site.w.points {
			if list := out[pt.probe]; len(list) == 0 || list[len(list)-1] != k {
				out[pt.probe] = append(list, k)
			}
		}
	}
	return out
}

// readTraps reads how often each site trapped. The last reading stays when the
// target is gone.
func (w *watch) readTraps() {
	b := make([]byte, 8*len(w.l.sites))
	if w.lost || w.s.proc.ReadAt(b, w.l.bay.Control()+ring.TrapCountOff) != nil {
		return
	}
	w.traps = make([]uint64, len(w.l.sites))
	for i := range w.traps {
		if b[8*i+ring.TrapRefused] != 0 { // may ask again
			b[8*i+ring.TrapRefused] = 0
			_ = w.s.proc.WriteAt([]byte{0}, w.l.bay.Control()+uint64(ring.TrapCountOff+8*i+ring.TrapRefused))
		}
		w.traps[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
}

// upgrade gives sites their jumps that had to stay traps because goroutines were
// parked inside their windows.
func (w *watch) upgrade() {
	if !slices.ContainsFunc(w.l.sites, (*liveSite).waits) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	unlock, err := w.s.proc.Lock(ctx)
	if err != nil {
		return // another Sidelight is at work: next time
	}
	defer unlock()
	if err := w.s.drain(ctx, w.l, time.Now().Add(drainFor)); err != nil {
		w.s.opt.Log.Debug("sites stay traps for now", "error", err)
	}
}

// exited ends everything because the target is no more. Its last records lie in
// the shared memory.
func (w *watch) exited() {
	w.lost = true
	w.carryOut(w.l.machine.endAll(probe.EndExited))
}

// carryOut does what the machine decided: removals together, since each costs a
// few barriers in the target.
func (w *watch) carryOut(effects []effect) {
	var ended, come, leave []int
	var why []probe.Reason
	now := sync.OnceValue(w.l.reader.totals)
	for _, e := range effects {
		switch e.what {
		case doRemove:
			ended, why = append(ended, e.probe), append(why, e.reason)
		case doRefill:
			w.control(e.probe, ring.ControlTokens, binary.LittleEndian.AppendUint64(nil, uint64(e.tokens)))
		case doThrottle:
			on := byte(0)
			if e.on {
				on = 1
			}
			w.control(e.probe, ring.ControlThrottle, []byte{on})
			w.s.opt.Log.Warn("the probes' budget", "probe", w.l.plan.probes[e.probe].spec.ID, "throttled", e.on)
		case doSample:
			w.control(e.probe, ring.ControlThrottle, []byte{byte(e.tokens)})
			w.s.opt.Log.Debug("the probes' budget", "probe", w.l.plan.probes[e.probe].spec.ID, "sampled", e.tokens)
		case doAllow:
			w.control(e.probe, ring.ControlStages, binary.LittleEndian.AppendUint64(nil, uint64(e.tokens)))
		case doShut:
			w.control(e.probe, ring.ControlThrottle, []byte{shut})
		case doEnter:
			come = append(come, e.probe)
		case doLeave:
			leave = append(leave, e.probe)
		case doCount:
			w.say(e.probe, now(), false)
		}
	}
	if len(ended) > 0 {
		w.end(ended, why)
	}
	w.takeTurns(come, leave)
}

// takeTurns lets timers come and go. Where that fails, all probes end.
func (w *watch) takeTurns(come, leave []int) {
	if w.lost || len(come)+len(leave) == 0 {
		return
	}
	err := w.exchange(come, leave)
	if err == nil && len(come) > 0 {
		w.l.machine.entered(time.Now(), w.totals())
	}
	if err == nil || gone(err) {
		return
	}
	w.s.opt.Log.Error("timers could not take turns: all end", "error", err)
	w.l.failed = err
	w.carryOut(w.l.machine.endAll(probe.EndInterrupted))
}

// control writes a control word of a probe.
func (w *watch) control(i, off int, b []byte) {
	if w.lost {
		return
	}
	if err := w.s.proc.WriteAt(b, w.l.bay.Control()+uint64(ring.Control(i)+off)); err != nil && !gone(err) {
		w.s.opt.Log.Error("a control word could not be written", "error", err)
	}
}

// end takes probes out, passes on their last hits, and says how they ended.
func (w *watch) end(ended []int, why []probe.Reason) {
	stale := w.stale(ended)
	if !w.lost {
		if err := w.s.remove(w.l, ended); gone(err) {
			w.lost = true
		} else if err != nil {
			w.l.failed = err
			w.s.opt.Log.Error("the probes could not be taken out; they are off, and the next command clears them", "error", err)
		} else {
			w.s.settle(w.l)
		}
	}
	w.s.syncClocks()
	w.hits()
	if w.l.sums != nil {
		w.l.sums.leave(ended)
		w.l.sums.recount()
	}
	w.spans(math.MaxUint64)
	if !w.l.machine.alive() {
		w.tracing.leave(func(uint64) bool { return false })
	}
	for _, o := range stale {
		w.l.sums.drop(o)
	}
	totals := w.totals()
	for k, i := range ended {
		pl, t := w.l.plan.probes[i], totals[i]
		if pl.spec.Kind == probe.Count || pl.spec.Kind.Aggregates() {
			w.say(i, totals, true)
		}
		w.s.out.put(&probe.End{
			Probe: pl.spec.ID, Location: pl.spec.At, Reason: why[k],
			Hits: t.Hits(), Emitted: t.Emitted, Suppressed: t.Suppressed, Dropped: t.Dropped, Why: t.why(pl.spec.Kind), ConditionErrors: t.Errors,
			CostNS: t.Cost(), Samples: t.Samples, Pause: w.s.proc.LongestPause(),
		})
	}
}

// finish gives the bay back after the last end.
func (w *watch) finish() {
	if w.l.failed == nil {
		if err := w.l.bay.Close(); err != nil && !gone(err) {
			w.l.failed = err
		}
		w.l.guard.done()
	}
	w.s.out.close()
}
