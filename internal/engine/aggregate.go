package engine

import (
	"fmt"
	"time"

	"github.com/sidelight-dev/sidelight/internal/jit"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/program"
	"github.com/sidelight-dev/sidelight/internal/ring"
)

// extend gives a bay the region in which the plan's probes add up, if any does.
func (s *Session) extend(l *live) error {
	needs := l.plan.needs()
	if needs == nil {
		return nil
	}
	region, err := ring.NewAggregates(l.bay.Layout.Ps, needs)
	if err != nil {
		return err
	}
	if err := l.bay.Extend(region.Size()); err != nil {
		return err
	}
	region.Prepare(l.bay.Sums)
	l.sums = newSums(l.bay.Sums, region, l.plan)
	return s.touchSums(l.bay.SumsAt(), region)
}

// touchSums lets the pages be present in the target that its first hits need, as
// touch does; those of rows come when they are used, and of very many probes all.
func (s *Session) touchSums(at uint64, region *ring.Aggregates) error {
	pages := map[uint64]bool{}
	span := func(from, n uint64) {
		for p := from / pageSize; p <= (from+n-1)/pageSize; p++ {
			pages[p] = true
		}
	}
	span(0, pageSize)
	if region.Pairs != 0 {
		span(region.Pairs, ring.PairKeys)
	}
	if region.Stages > 0 {
		span(region.StateAt, pageSize)
		span(region.StageAt, region.StageSize)
	}
	for i, p := range region.Probes[:min(len(region.Probes), touchedProbes)] {
		if p.By {
			span(p.Keys, ring.KeyRecords)
		}
		for ps := 0; p.Hist && ps < min(region.Ps, touchedPs); ps++ {
			span(region.AreaOf(i, ps), ring.AreaPositive+8*ring.MainBuckets)
		}
	}
	for p := range pages {
		// The last byte of a page: only the boundaries hold anything yet, and they end
		// before it.
		if err := s.proc.WriteAt([]byte{0}, at+p*pageSize+pageSize-1); err != nil {
			return err
		}
	}
	return nil
}

// Whose pages are touched.
const (
	pageSize      = 4096
	touchedProbes = 16
	touchedPs     = 16
)

// aggregation is what the bodies of a probe need to know of the region.
func (p *place) aggregation(pl *planned) *jit.Aggregation {
	if pl.program.Aggregate == nil {
		return nil
	}
	return &jit.Aggregation{At: p.sumsAt, Region: p.region, What: pl.program.Aggregate, Rate: p.rate}
}

// secret refuses a probe that would tell what the rules of redaction keep.
func (p *planner) secret(pl *planned, prog *program.Program) bool {
	a := prog.Aggregate
	if a == nil {
		return false
	}
	for _, reads := range []program.Reads{a.Reads, a.ByReads} {
		if rule, refused := p.redact.Refuses(reads.Names, reads.Types); refused {
			pl.issue(probe.IssueRefusedCode, fmt.Sprintf("%s: the rules of --redact block the %s: its values are not added up", pl.spec.At, rule))
			return true
		}
	}
	if v := p.redact.Read(a.Reads, probe.Value{Shape: probe.Int}); v.Shape == probe.Redacted {
		pl.issue(probe.IssueRefusedCode, fmt.Sprintf("%s: the rules of --redact keep %s (%s): its values are not added up", pl.spec.At, pl.spec.Value, v.Text))
		return true
	}
	return false
}

// say passes on what a counting or aggregating probe has by now.
func (w *watch) say(i int, totals []Totals, final bool) {
	pl := w.l.plan.probes[i]
	now := time.Now()
	if !pl.spec.Kind.Aggregates() {
		c := &probe.CountNow{Probe: pl.spec.ID, Location: pl.spec.At, Time: now, Count: totals[i].Hits(), Final: final}
		if pl.program != nil && pl.program.Aggregate != nil && w.l.sums != nil {
			c.By, _ = w.l.sums.byKey(i)
		}
		w.s.out.put(c)
		return
	}
	if w.l.sums == nil || pl.program == nil || pl.program.Aggregate == nil {
		return
	}
	m := &probe.Measured{Kind: pl.spec.Kind, Probe: pl.spec.ID, Location: pl.spec.At, Time: now, Final: final, Expr: pl.spec.Value}
	a := pl.program.Aggregate
	if a.Type != nil {
		m.Type = a.Type.Name
	}
	m.Timed, m.Turns = w.l.machine.lives[i].turned(now)
	if a.Pair {
		m.Calls = w.l.sums.calls(i)
		m.Snapshots = w.l.sums.snapshots(i)
		if m.Calls.Untimed = totals[i].Suppressed; m.Calls.Untimed > 0 {
			m.Calls.Unmatched = 0 // calls that were left out end, too
		}
	}
	if a.By != nil {
		m.By, m.Dist = w.l.sums.byKey(i)
	} else {
		m.Dist = w.l.sums.distribution(i)
	}
	w.s.out.put(m)
}

// lookAtSums sees which processors have added anything since the last look.
func (w *watch) lookAtSums() {
	if w.looks++; w.l.sums != nil {
		w.l.sums.look(w.looks)
	}
}

// advanceSums follows the counters that wrap.
func (w *watch) advanceSums() {
	if w.l.sums != nil {
		w.l.sums.advance()
	}
}
