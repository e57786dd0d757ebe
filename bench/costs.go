package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// message is the log that all are compared by: two ints through a pointer, a
// string of 20 bytes and an int argument.
const message = "order {o.ID} x{o.Qty} for {name} at {price}"

// Loads of one batch. Two batches of logs fit into a ring; the tool looks every
// 20 ms, and the target rests until it has.
const (
	callsOfLog   = 2000
	restOfLog    = 30 * time.Millisecond
	restOfImage  = 120 * time.Millisecond // the tool reads a thousand objects of each, and prints them
	callsOfOther = 10_000
	restOfOther  = 200 * time.Microsecond
	callsOfTrap  = 500
	callsOfImage = 2 // the images of 1,000 objects: two batches fit into a ring
	aroundRings  = 8 // batches of logs, after which the rings of two processors were once used
)

// variant is a row of the table of costs.
type variant struct {
	name  string
	spec  probe.Spec
	load  load
	most  float64 // nanoseconds that the project allows a hit; 0: no limit
	trap  bool    // its site must be a trap: else there is none to measure
	clock string  // SIDELIGHT_CLOCK: what times are read from
	ended bool    // the limit takes the probe out, and only rounds before that count
}

func variants(batches int) []variant {
	many := load{how: "solo", scenario: "handle", calls: callsOfOther, batches: batches, rest: restOfOther, warm: 1}
	once := load{how: "solo", scenario: "handle", calls: callsOfOther, batches: batches, warm: 1}
	logs := load{how: "solo", scenario: "handle", calls: callsOfLog, batches: batches, rest: restOfLog, warm: aroundRings}
	first := load{how: "solo", scenario: "handle", calls: callsOfLog, batches: 2, rest: restOfLog}
	traps := load{how: "solo", scenario: "leave", calls: callsOfTrap, batches: batches, rest: restOfOther, warm: 1}
	images := func(scenario string) load {
		return load{how: "solo", scenario: scenario, calls: callsOfImage, batches: 2 * batches, rest: restOfImage, warm: aroundRings}
	}
	image := probe.Spec{Kind: probe.Snapshot, At: "main.visit", Bounds: probe.Bounds{Depth: 20, MaxItems: 1100, MaxBytes: 128 << 10, MaxTime: probe.NoMaxTime}}
	leaf := logs
	leaf.scenario = "leaf"
	serve := many
	serve.scenario = "serve"
	never := "o.Qty > 1000"
	log := func(s probe.Spec) probe.Spec {
		s.Kind, s.Message = probe.Log, message
		if s.At == "" {
			s.At = "main.handle"
		}
		return s
	}
	return []variant{
		{name: "counter", load: many, most: 3, spec: probe.Spec{Kind: probe.Count, At: "main.handle"}},
		{name: "counter, condition false", load: many, most: 5, spec: probe.Spec{Kind: probe.Count, At: "main.handle", If: never}},
		{name: "counter, condition with a look-up in a map of 100,000 strings", load: serve, spec: probe.Spec{Kind: probe.Count, At: "main.serve", If: `sessions[id].User == "alice"`}},
		{name: "log, condition false", load: many, most: 5, spec: log(probe.Spec{If: never})},
		{name: "log, rate exhausted", load: many, most: 5, spec: log(probe.Spec{Rate: 1})},
		{name: "log, limit reached", load: once, most: 5, ended: true, spec: log(probe.Spec{Limit: 1000})},
		{name: "log", load: logs, most: 25, spec: log(probe.Spec{})},
		{name: "log, its first 4000 records", load: first, spec: log(probe.Spec{})},
		{name: "log, in a function without a stack check", load: leaf, spec: log(probe.Spec{At: "main.leaf"})},
		{name: "snapshot of 10 objects", load: images("visit10"), most: 20_000, spec: image},
		{name: "snapshot of 100 objects", load: images("visit100"), most: 20_000, spec: image},
		{name: "snapshot of 1,000 objects", load: images("visit1000"), spec: image},
		{name: "measure an int", load: many, most: 10, spec: probe.Spec{Kind: probe.Measure, At: "main.handle", Value: "o.Qty"}},
		{name: "count by an int", load: many, most: 15, spec: probe.Spec{Kind: probe.Count, At: "main.handle", By: "o.Qty"}},
		{name: "count by a string of 16 bytes", load: many, most: 30, spec: probe.Spec{Kind: probe.Count, At: "main.handle", By: "name[:16]"}},
		{name: "measure an int by an int", load: many, spec: probe.Spec{Kind: probe.Measure, At: "main.handle", Value: "o.Qty", By: "o.ID"}},
		{name: "time, both ends", load: many, most: 35, spec: probe.Spec{Kind: probe.Time, At: "main.handle"}},
		{name: "time, both ends, by the kernel's clock", load: many, clock: probe.ClockVDSO, spec: probe.Spec{Kind: probe.Time, At: "main.handle"}},
		{name: "time, with a snapshot of 10 objects at each beginning", load: images("visit10"), spec: probe.Spec{Kind: probe.Time, At: "main.visit",
			If: "$duration > 1h", Calls: true, Bounds: image.Bounds}},
		{name: "counter at a trap site", load: traps, trap: true, spec: probe.Spec{Kind: probe.Count, At: mark("trap")}},
	}
}

// rowLog is the row that others are compared with.
const rowLog = "log"

// costs measures every variant in each of several rounds, always beside the
// same calls without a probe.
func (b *bench) costs() error {
	c, err := b.start()
	if err != nil {
		return err
	}
	defer c.stop()
	all := variants(b.plan.batches)
	found := make([]series, len(all))
	notes := make([]string, len(all))
	for r := range b.plan.rounds {
		say("costs: round %d of %d", r+1, b.plan.rounds)
		for i, v := range all {
			if notes[i], err = b.round(c, v, &found[i]); err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
		}
	}
	b.report.Costs = append(b.report.Costs, unprobed(&found[0]))
	for i, v := range all {
		row := costOf(v.name, "Sidelight", &found[i])
		row.Limit, row.Note = v.most, notes[i]
		if after := median(found[i].after); number(after) > 0 {
			row.Note = strings.TrimPrefix(row.Note+"; "+fmt.Sprintf("the tool takes %.2g ms of processor time to read it afterwards", after/1e6), "; ")
		}
		b.report.Costs = append(b.report.Costs, row)
	}
	return nil
}

// round measures a variant once. A note says what was not as it should be.
func (b *bench) round(c *child, v variant, s *series) (string, error) {
	without, err := c.time(v.load)
	if err != nil {
		return "", err
	}
	if err := os.Setenv("SIDELIGHT_CLOCK", v.clock); err != nil {
		return "", err
	}
	p, err := b.probe(c, v.spec)
	if err != nil {
		return "", err
	}
	spent := cpuTime(os.Getpid())
	with, err := c.time(v.load)
	if v.spec.Kind == probe.Snapshot && err == nil {
		p.settle()
		s.after = append(s.after, (cpuTime(os.Getpid())-spent)*1e9/float64(p.seen.Load()))
	}
	end, errClose := p.close()
	if err := errors.Join(err, errClose); err != nil {
		return "", err
	}
	traps := p.ready.Probes[0].Traps > 0
	made := v.load.made()
	switch {
	case traps != v.trap && v.trap:
		return "no trap site was found: every site of the target takes a jump", nil
	case traps != v.trap:
		return fmt.Sprintf("goroutines stood in the window: a trap, and not counted here (%v)", p.ready.Probes[0].Issues), nil
	case v.ended && end.Hits != made:
		return "", nil // the limit took the probe out before the end
	}
	s.add(without, with)
	return accounts(v, end, made), nil
}

// accounts holds the probe's own account against the calls that were made.
func accounts(v variant, end *probe.End, made uint64) string {
	switch {
	case v.spec.If == "" && end.Hits != made:
		return fmt.Sprintf("counted %d of %d calls", end.Hits, made)
	case v.spec.If != "" && end.Hits != 0:
		return fmt.Sprintf("counted %d hits of a condition that is never true", end.Hits)
	case end.Dropped*100 > made:
		return fmt.Sprintf("%d of %d hits found the ring full or the scheduler waiting", end.Dropped, made)
	case v.trap:
		return "forced: the line's only instruction is one byte long, and a branch leads behind it"
	}
	return ""
}
