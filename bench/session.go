package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

// session is Sidelight's work on a child, its events collected.
type session struct {
	s     *engine.Session
	ready *probe.Ready
	ends  map[string]*probe.End
	told  atomic.Uint64 // records that came out of the rings, moments among them
	seen  atomic.Uint64 // moments
	done  chan struct{}
}

// probe puts probes into a child, with no budget that would throttle them.
func (b *bench) probe(c *child, specs ...probe.Spec) (*session, error) {
	s, err := engine.Open(b.ctx, c.pid(), engine.Options{Guard: []string{b.self, "guard"}})
	if err != nil {
		return nil, err
	}
	p := &session{s: s, ends: map[string]*probe.End{}, done: make(chan struct{})}
	go p.collect()
	for i := range specs {
		specs[i].ID = fmt.Sprintf("p%d", i+1)
	}
	if p.ready, err = s.Install(b.ctx, specs); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, r := range p.ready.Probes {
		if r.Sites == 0 {
			return nil, errors.Join(fmt.Errorf("no site for %s: %v", r.Location, r.Issues), s.Close())
		}
	}
	return p, nil
}

func (p *session) collect() {
	defer close(p.done)
	for e := range p.s.Events() {
		switch e := e.(type) {
		case *probe.Hit:
			p.told.Add(1)
		case *probe.Moment:
			p.told.Add(1)
			p.seen.Add(1)
		case *probe.End:
			p.ends[e.Probe] = e
		}
	}
}

// settle waits until nothing more comes out of the rings. The tool looks into them
// every 20 ms, if it gets a processor.
func (p *session) settle() {
	for before := p.told.Load() - 1; before != p.told.Load(); {
		before = p.told.Load()
		time.Sleep(2 * look)
	}
}

// look is how often the tool looks into the rings.
const look = 20 * time.Millisecond

// close takes the probes out and returns how the first one ended.
func (p *session) close() (*probe.End, error) {
	if err := p.s.Close(); err != nil {
		return nil, err
	}
	<-p.done
	end := p.ends["p1"]
	if end == nil {
		return nil, errors.New("the probe has not said how it ended")
	}
	return end, nil
}
