package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// contention is what two threads on one probe pay, against one, in nanoseconds
// a hit. The threads of a machine also slow each other without any probe, so
// the calls without one are shown as well.
type contention struct {
	Name       string  `json:"name"`
	One        float64 `json:"one_ns"`      // a hit of one thread alone
	Two        float64 `json:"two_ns"`      // a hit of each of two threads
	Ratio      float64 `json:"ratio"`       // two to one
	BareOne    float64 `json:"bare_one_ns"` // a call without the probe
	BareTwo    float64 `json:"bare_two_ns"` //
	Overlapped int     `json:"overlapped"`  // batches in which both threads ran
	Limit      float64 `json:"limit_ratio"` // what the project allows
	Note       string  `json:"note,omitempty"`
}

// contention lets one thread, and then two at once, come to the same probe.
func (b *bench) contention() error {
	c, err := b.start()
	if err != nil {
		return err
	}
	defer c.stop()
	for _, v := range []struct {
		name  string
		spec  probe.Spec
		calls int
	}{
		{"log", probe.Spec{Kind: probe.Log, At: "main.handle", Message: message}, callsOfLog},
		{"counter", probe.Spec{Kind: probe.Count, At: "main.handle"}, callsOfOther},
	} {
		say("contention: %s", v.name)
		row, err := b.contend(c, v.name, v.spec, v.calls)
		if err != nil {
			return err
		}
		b.report.Contention = append(b.report.Contention, row)
	}
	return nil
}

// contend measures one probe. Batches of all rounds are taken together: on a
// busy machine a round may have none in which both threads ran.
func (b *bench) contend(c *child, name string, spec probe.Spec, calls int) (contention, error) {
	var bare, with [2][]float64
	spoilt := 0
	for range b.plan.pairs {
		pause := restOfOther
		if spec.Kind.Records() {
			pause = 2 * look // caches get as cold as while the tool reads
		}
		rest := func() { time.Sleep(pause) }
		without, err1 := b.both(c, calls, rest)
		p, err2 := b.probe(c, spec)
		if err := errors.Join(err1, err2); err != nil {
			return contention{}, err
		}
		if spec.Kind.Records() {
			rest = p.settle
		}
		probed, err1 := b.both(c, calls, rest)
		end, err2 := p.close()
		if err := errors.Join(err1, err2); err != nil {
			return contention{}, err
		}
		if end.Dropped*100 > end.Hits {
			spoilt++ // dropping is cheaper than recording
			continue
		}
		for i := range bare {
			bare[i], with[i] = append(bare[i], without[i]...), append(with[i], probed[i]...)
		}
	}
	row := contended(bare, with)
	row.Name = name
	if spoilt > 0 {
		row.Note += fmt.Sprintf("%d of %d rounds are left out: more than one hit in a hundred was dropped", spoilt, b.plan.pairs)
	}
	return row, nil
}

// both times one thread alone and two at once, by turns. On two processors two
// threads that spin leave none to the tool: so the target waits after every batch,
// which fits into the rings, until a rest finds them empty.
func (b *bench) both(c *child, calls int, rest func()) (out [2][]float64, err error) {
	for n := range aroundRings + b.plan.batches {
		for i, how := range []string{"solo", "duo"} {
			for range i + 1 { // some batches of two threads will not overlap
				times, err := c.batches(load{how: how, scenario: "handle", calls: calls}, 1)
				if err != nil {
					return out, err
				}
				rest()
				if n >= aroundRings {
					out[i] = append(out[i], times...)
				}
			}
		}
	}
	return out, nil
}

// contended makes a row of the batches of one thread and of two.
func contended(bare, with [2][]float64) contention {
	row := contention{Limit: 1.2, Overlapped: len(with[1]) / 2, BareOne: number(median(bare[0])), BareTwo: number(median(bare[1])),
		One: number(median(with[0]) - median(bare[0])), Two: number(median(with[1]) - median(bare[1]))}
	row.Ratio = number(row.Two / row.One)
	if row.Two == 0 {
		row.Note = "two threads never ran at once: too few processors, or too much else to do. "
	}
	return row
}
