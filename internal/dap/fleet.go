package dap

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Bounds of what one session puts into a process. A process has room for eight
// Probers, of all tools together.
const (
	maxCrews = 2   // Probers at once, as long as one can hold all probes
	crewSize = 400 // probes of one Prober
)

// outcome is what became of one probe at an installation.
type outcome struct {
	report probe.Report
	err    error // it is mistaken, or nothing could be installed
}

// fleet puts the probes of a session into its process, and takes them out, as
// breakpoints come and go. Probes that stay are left alone where that can be: a
// Prober takes all its probes at once, so a few Probers work side by side, and
// when they become many, or get into each other's way, one takes over all.
type fleet struct {
	s *session

	ctx    context.Context // ended by close
	cancel context.CancelFunc

	mu     sync.Mutex
	done   []func(map[string]outcome)
	busy   bool
	closed bool
	crews  []*crew // changed by the worker only

	idle       chan struct{} // closed when the worker has ended, after close
	whenClosed func()        // of the session's loop
}

// crew is one Prober at work.
type crew struct {
	prober Prober
	probes map[string]outcome
	told   chan struct{} // closed when the loop has had its last event
}

func newFleet(s *session) *fleet {
	f := &fleet{s: s, idle: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// update makes the probes of the process those that the session wants. done is
// called in the session's loop with what became of all of them; an earlier call
// that has not yet been worked on is answered together with a later one.
func (f *fleet) update(done func(map[string]outcome)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.done = append(f.done, done)
	if !f.busy {
		f.busy = true
		go f.work()
	}
}

// work installs what is wanted until nothing more is asked.
func (f *fleet) work() {
	for {
		f.mu.Lock()
		done := f.done
		f.done = nil
		if len(done) == 0 || f.closed {
			f.busy = false
			if f.closed {
				close(f.idle)
			}
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		got := f.apply()
		for _, call := range done {
			f.s.post(func() { call(got) })
		}
	}
}

// wanted asks the session what is to be in now.
func (f *fleet) wanted() []probe.Spec {
	specs := make(chan []probe.Spec, 1)
	if !f.s.post(func() { specs <- f.s.specs() }) {
		return nil
	}
	return <-specs
}

// close takes out everything. The session's loop must go on meanwhile.
func (f *fleet) close() {
	f.mu.Lock()
	f.closed = true
	busy := f.busy
	f.mu.Unlock()
	f.cancel()
	if busy {
		<-f.idle
	}
	f.closeCrews()
	if f.whenClosed != nil {
		f.s.post(f.whenClosed)
	}
}

func (f *fleet) closeCrews() {
	var all sync.WaitGroup
	for _, c := range f.takeCrews(nil) {
		all.Go(func() { f.closeCrew(c) })
	}
	all.Wait()
}

// closeCrew ends a Prober. When it returns, the session knows how its probes
// ended.
func (f *fleet) closeCrew(c *crew) {
	if err := c.prober.Close(); err != nil {
		f.s.log.Error("the probes could not be taken out", "error", err)
		f.s.post(func() { f.s.note("stderr", err.Error()) })
	}
	<-c.told
}

// takeCrews replaces the crews, which States reads beside the worker.
func (f *fleet) takeCrews(crews []*crew) []*crew {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.crews
	f.crews = crews
	return old
}

// apply makes the probes of the process those that are wanted.
func (f *fleet) apply() map[string]outcome {
	want := f.wanted()
	wanted := map[string]bool{}
	for _, spec := range want {
		wanted[spec.ID] = true
	}
	f.removeAllBut(wanted)
	got := f.have()
	var add []probe.Spec
	for _, spec := range want {
		if _, ok := got[spec.ID]; !ok {
			add = append(add, spec)
		}
	}
	if len(add) == 0 {
		return got
	}
	if len(f.crews) > 0 && len(f.crews)+chunks(len(add)) > max(maxCrews, chunks(len(want))) {
		return f.again()
	}
	alone := len(f.crews) == 0
	added := f.install(add)
	if !alone && slices.ContainsFunc(slices.Collect(maps.Values(added)), outcome.taken) {
		return f.again() // perhaps by a Prober of our own
	}
	maps.Copy(got, added)
	return got
}

// again lets new Probers take over all probes.
func (f *fleet) again() map[string]outcome {
	f.closeCrews()
	return f.install(f.wanted()) // less what they have done by now
}

func chunks(n int) int { return (n + crewSize - 1) / crewSize }

// taken tells whether another Prober holds a site.
func (o outcome) taken() bool {
	var holder interface{ HeldBy() int }
	if errors.As(o.err, &holder) {
		return true
	}
	return slices.ContainsFunc(o.report.Issues, func(i probe.Issue) bool { return i.Code == probe.IssueTaken })
}

// have is what became of the probes that are in.
func (f *fleet) have() map[string]outcome {
	got := map[string]outcome{}
	for _, c := range f.crews {
		maps.Copy(got, c.probes)
	}
	return got
}

// removeAllBut takes out what is not wanted any more.
func (f *fleet) removeAllBut(wanted map[string]bool) {
	var stay []*crew
	var leave []*crew
	for _, c := range f.crews {
		var ids []string
		for id := range c.probes {
			if !wanted[id] {
				ids = append(ids, id)
			}
		}
		if len(ids) == len(c.probes) {
			leave = append(leave, c)
			continue
		}
		stay = append(stay, c)
		if len(ids) == 0 {
			continue
		}
		if err := c.prober.Remove(ids...); err != nil {
			f.s.log.Error("probes could not be removed", "error", err)
		}
		for _, id := range ids {
			delete(c.probes, id)
		}
	}
	f.takeCrews(stay)
	for _, c := range leave {
		f.closeCrew(c)
	}
}

// install puts specs in by new Probers.
func (f *fleet) install(specs []probe.Spec) map[string]outcome {
	got := map[string]outcome{}
	for chunk := range slices.Chunk(specs, crewSize) {
		maps.Copy(got, f.installChunk(chunk))
	}
	return got
}

// mistaken is what the errors of a Prober implement that say which probes make
// no sense for the target's build.
type mistaken interface {
	error
	ProbeID() string
}

// installChunk puts specs in by one new Prober. Those that are mistaken are left
// out, one after another.
func (f *fleet) installChunk(specs []probe.Spec) map[string]outcome {
	got := map[string]outcome{}
	for len(specs) > 0 {
		ready, err := f.installOne(specs)
		var m mistaken
		if err != nil && errors.As(err, &m) && slices.ContainsFunc(specs, func(s probe.Spec) bool { return s.ID == m.ProbeID() }) {
			got[m.ProbeID()] = outcome{err: err}
			specs = slices.DeleteFunc(slices.Clone(specs), func(s probe.Spec) bool { return s.ID == m.ProbeID() })
			continue
		}
		for i, spec := range specs {
			o := outcome{err: err}
			if err == nil && i < len(ready.Probes) {
				o.report = ready.Probes[i]
			}
			got[spec.ID] = o
		}
		break
	}
	return got
}

// installOne opens a Prober and lets it put specs in.
func (f *fleet) installOne(specs []probe.Spec) (*probe.Ready, error) {
	p, err := f.s.a.Open(f.ctx, f.s.proc.PID, Options{Budget: f.s.config.budget / maxCrews, Log: f.s.log, Redact: f.s.config.redact,
		Target: f.s.proc.Name, Owner: f.s.editor(), Direct: f.s.a.Direct, Symbols: f.s.config.symbols})
	if err != nil {
		return nil, err
	}
	c := &crew{prober: p, probes: map[string]outcome{}, told: make(chan struct{})}
	go func() {
		defer close(c.told)
		for e := range p.Events() {
			f.s.post(func() { f.s.event(e) })
		}
	}()
	ready, err := p.Install(f.ctx, specs)
	if err != nil {
		f.closeCrew(c)
		return nil, err
	}
	for i, r := range ready.Probes {
		if r.Sites > 0 {
			c.probes[specs[i].ID] = outcome{report: r}
		}
	}
	if len(c.probes) == 0 {
		f.closeCrew(c)
		return ready, nil
	}
	f.takeCrews(append(slices.Clone(f.crews), c))
	return ready, nil
}

// ended forgets a probe that has ended by itself, so that it is no longer
// counted as in, and a later wish puts it in anew.
func (f *fleet) ended(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.busy {
		return // the worker owns the crews; removing an ended probe does no harm
	}
	for _, c := range f.crews {
		delete(c.probes, id)
	}
}

// states is how the living probes are doing.
func (f *fleet) states() []probe.State {
	f.mu.Lock()
	crews := f.crews
	f.mu.Unlock()
	var all []probe.State
	for _, c := range crews {
		all = append(all, c.prober.State()...)
	}
	return all
}
