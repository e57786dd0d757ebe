package main

import (
	"errors"
	"fmt"

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

func (b *bench) contend(c *child, name string, spec probe.Spec, calls int) (contention, error) {
	one := load{how: "solo", scenario: "handle", calls: calls, batches: b.plan.batches, rest: restOfLog, warm: aroundRings}
	two := one
	two.batches *= 2 // some will not overlap
	two.how = "duo"
	var alone, both series
	var overlapped, spoilt int
	for range b.plan.pairs {
		bare1, err1 := c.time(one)
		bare2, err2 := c.time(two)
		p, err := b.probe(c, spec)
		if err := errors.Join(err1, err2, err); err != nil {
			return contention{}, err
		}
		with1, err1 := c.time(one)
		with2, err2 := c.time(two)
		end, err := p.close()
		if err := errors.Join(err1, err2, err); err != nil {
			return contention{}, err
		}
		if end.Dropped*100 > end.Hits {
			spoilt++ // dropping is cheaper than recording
			continue
		}
		alone.add(bare1, with1)
		both.add(bare2, with2)
		overlapped += len(with2) / 2
	}
	hit1, _ := alone.hit()
	hit2, _ := both.hit()
	row := contention{Name: name, One: number(hit1), Two: number(hit2), Ratio: number(hit2 / hit1), Overlapped: overlapped,
		BareOne: number(median(alone.without)), BareTwo: number(median(both.without)), Limit: 1.2}
	if spoilt > 0 {
		row.Note = fmt.Sprintf("%d of %d rounds are left out: the tool had no time to empty the rings", spoilt, b.plan.pairs)
	}
	if overlapped == 0 {
		row.Note += "two threads never ran at once: too few processors, or too much else to do"
	}
	return row, nil
}
