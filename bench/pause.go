package main

import (
	"errors"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Times of a run of the pause: how often probes come at most, how long they
// stay, and how much longer than all cycles the spinning lasts (a busy machine is
// late).
const (
	cycleTime = 110 * time.Millisecond
	stayTime  = 10 * time.Millisecond
	spare     = 1.15
)

// longGap is when a gap counts as long, in nanoseconds.
const longGap = 100e3

// pause is how a spinning goroutine stood still at one number of threads.
type pause struct {
	Threads   int     `json:"threads"`
	Cycles    int     `json:"cycles"` // installations and removals in a run
	Made      int     `json:"made"`   // of those, the fewest that a run had time for
	None      gaps    `json:"none"`
	Elsewhere gaps    `json:"elsewhere"` // the same probes in another process
	Probes    gaps    `json:"probes"`
	Ratio     float64 `json:"ratio"`       // Probes.Nth to None.Nth
	OwnRatio  float64 `json:"own_ratio"`   // Probes.OwnNth to None.OwnNth
	Limit     float64 `json:"limit_ratio"` // what the project allows
	Reported  float64 `json:"reported_us"` // longest pause that Sidelight reports
	Middle    float64 `json:"reported_median_us"`
}

// gaps is one kind of run: means over its repeats. A gap's own part is what was
// not spent waiting for a processor that some other thread of the machine held.
type gaps struct {
	Nth     float64 `json:"nth_ns"` // the nth largest gap, n being the number of cycles
	Long    float64 `json:"long"`   // gaps above 100 µs
	OwnNth  float64 `json:"own_nth_ns"`
	OwnLong float64 `json:"own_long"`
}

// add takes in one of several repeats: pairs of a gap and the waiting in it.
func (g *gaps) add(found []float64, n, repeats int) {
	var all, own []float64
	for i := 0; i+1 < len(found); i += 2 {
		all = append(all, found[i])
		own = append(own, max(0, found[i]-found[i+1]))
	}
	g.Nth += nth(all, n) / float64(repeats)
	g.Long += float64(above(all, longGap)) / float64(repeats)
	g.OwnNth += nth(own, n) / float64(repeats)
	g.OwnLong += float64(above(own, longGap)) / float64(repeats)
}

// pauses measures at several numbers of threads.
func (b *bench) pauses() error {
	for _, threads := range []int{10, 50, 300} {
		p, err := b.pause(threads)
		if err != nil {
			return err
		}
		b.report.Pauses = append(b.report.Pauses, p)
	}
	return nil
}

// pause interleaves runs without probes, with probes that come and go in a twin
// of the target, so that the machine has the same work, and with probes in the
// target itself.
func (b *bench) pause(threads int) (pause, error) {
	c, err := b.crowd(threads)
	if err != nil {
		return pause{}, err
	}
	defer c.stop()
	twin, err := b.crowd(threads)
	if err != nil {
		return pause{}, err
	}
	defer twin.stop()
	pace, err := b.pace(c)
	if err != nil {
		return pause{}, err
	}
	n := max(1, min(b.plan.cycles, int(b.plan.spin/pace)))
	row := pause{Threads: threads, Cycles: n, Made: n, Limit: 2}
	var reported []float64
	for r := range b.plan.repeats {
		say("pause: %d threads, run %d of %d", threads, r+1, b.plan.repeats)
		for _, kind := range []struct {
			into *gaps
			in   *child
		}{{&row.None, nil}, {&row.Elsewhere, twin}, {&row.Probes, c}} {
			found, pauses, err := b.spin(c, kind.in, n, pace)
			if err != nil {
				return pause{}, err
			}
			if kind.in == c {
				reported = append(reported, pauses...)
				row.Made = min(row.Made, len(pauses))
			}
			kind.into.add(found, n, b.plan.repeats)
		}
	}
	row.Ratio = number(row.Probes.Nth / row.None.Nth)
	row.OwnRatio = number(row.Probes.OwnNth / row.None.OwnNth)
	row.Reported, row.Middle = number(nth(reported, 1)), number(median(reported))
	return row, nil
}

// crowd starts a target with so many threads.
func (b *bench) crowd(threads int) (*child, error) {
	c, err := b.start()
	if err != nil {
		return nil, err
	}
	if _, err := c.ask("sleepers %d", threads); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// spin lets c spin for the time of all cycles, while probes come and go in a
// process: c itself, another one, or none. It gives the gaps, and the pauses
// in µs that Sidelight reports.
func (b *bench) spin(c, in *child, cycles int, pace time.Duration) (found, pauses []float64, err error) {
	long := time.Duration(spare * float64(cycles) * float64(pace))
	over := make(chan struct{})
	var errSpin error
	go func() {
		defer close(over)
		found, errSpin = c.ask("gaps %d", long.Milliseconds())
	}()
	if in != nil {
		pauses, err = b.comeAndGo(in, over, cycles, pace)
	}
	<-over
	return found, pauses, errors.Join(errSpin, err)
}

// comeAndGo puts a log and a counter in and out at a steady pace, until all
// cycles are done or the spinning is over.
func (b *bench) comeAndGo(in *child, over <-chan struct{}, cycles int, pace time.Duration) ([]float64, error) {
	var pauses []float64
	next := time.NewTicker(pace)
	defer next.Stop()
	for range cycles {
		select {
		case <-over:
			return pauses, nil
		case <-next.C:
		}
		p, err := b.probe(in,
			probe.Spec{Kind: probe.Log, At: "main.handle", Message: message, Rate: probe.DefaultRate},
			probe.Spec{Kind: probe.Count, At: "main.leaf"})
		if err != nil {
			return nil, err
		}
		time.Sleep(stayTime)
		end, err := p.close()
		if err != nil {
			return nil, err
		}
		pauses = append(pauses, float64(end.Pause)/1e3)
	}
	return pauses, nil
}

// pace is how often probes can come and go in a process that spins: with many
// threads an installation takes longer.
func (b *bench) pace(c *child) (time.Duration, error) {
	const tries, long = 3, 2 * time.Second
	spun := make(chan error, 1)
	go func() {
		_, err := c.ask("gaps %d", long.Milliseconds())
		spun <- err
	}()
	began := time.Now()
	_, err := b.comeAndGo(c, nil, tries, time.Millisecond)
	took := time.Since(began) / tries
	return max(cycleTime, took*6/5), errors.Join(err, <-spun)
}
