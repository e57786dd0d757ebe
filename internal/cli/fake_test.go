package cli

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// fakeProber does as if it put probes into a process. The location says what
// becomes of a probe:
//
//	mistake.go:…   it does not type-check: Install fails
//	forbidden.go:… the target refuses: Install fails
//	missing.go:…   this build does not have it: no sites
//	taken.go:…     another Sidelight holds it: no sites
//	silent.go:…    it is never passed
//
// Anything else is hit three times. Three files tell a script what happened:
// $FAKE.pid, $FAKE.live and $FAKE.closed.
type fakeProber struct {
	pid    int
	events chan probe.Event
	once   sync.Once
	closed chan struct{}
	live   sync.WaitGroup
}

var fakeTime = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

const fakePause = 640 * time.Microsecond

// fakeRefusal is an error as the engine has it where a target must be left alone.
type fakeRefusal struct{}

func (fakeRefusal) Error() string { return "its text differs from its file; restart it" }
func (fakeRefusal) Refused() bool { return true }

func trace(what, text string) {
	if name := os.Getenv("FAKE"); name != "" {
		_ = os.WriteFile(name+"."+what+".tmp", []byte(text), 0o644)
		_ = os.Rename(name+"."+what+".tmp", name+"."+what)
	}
}

func openFake(_ context.Context, pid int, opt Options) (Prober, error) {
	if opt.Log == nil {
		return nil, errors.New("no logger")
	}
	opt.Log.Debug("open", "pid", pid, "budget", opt.Budget)
	trace("pid", fmt.Sprint(os.Getpid()))
	return &fakeProber{pid: pid, events: make(chan probe.Event), closed: make(chan struct{})}, nil
}

func (f *fakeProber) Events() <-chan probe.Event { return f.events }

func (f *fakeProber) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	ready := &probe.Ready{PID: f.pid, Pause: fakePause}
	for _, s := range specs {
		switch {
		case strings.HasPrefix(s.At, "mistake.go"):
			return nil, errors.New("order {o.Idd}\n       ^^^^^ Order has no field Idd; did you mean ID?")
		case strings.HasPrefix(s.At, "forbidden.go"):
			return nil, fmt.Errorf("install: %w", fakeRefusal{})
		case strings.HasPrefix(s.At, "slow.go"):
			trace("live", "")
			<-ctx.Done()
			return nil, ctx.Err()
		}
		ready.Probes = append(ready.Probes, fakeReport(s))
	}
	for i, s := range specs {
		if ready.Probes[i].Sites > 0 {
			f.live.Add(1)
			go f.run(s)
		}
	}
	go func() {
		f.live.Wait()
		f.Close()
	}()
	trace("live", "")
	return ready, nil
}

func fakeReport(s probe.Spec) probe.Report {
	r := probe.Report{Probe: s.ID, Location: s.At, Sites: 1, Jumps: 1}
	issue := func(code, message string) {
		r.Sites, r.Jumps = 0, 0
		r.Issues = []probe.Issue{{Code: code, Message: message}}
	}
	switch {
	case strings.HasPrefix(s.At, "missing.go"):
		issue(probe.IssueNoCode, "no such file; the nearest is orders.go")
	case strings.HasPrefix(s.At, "taken.go"):
		issue(probe.IssueTaken, "the sidelight with pid 99 holds this site; wait for its end")
	}
	return r
}

// run is the life of one probe.
func (f *fakeProber) run(s probe.Spec) {
	defer f.live.Done()
	end := &probe.End{Probe: s.ID, Location: s.At, Reason: probe.EndInterrupted, CostNS: 21.34, Pause: fakePause}
	if !strings.HasPrefix(s.At, "silent.go") {
		for i := range uint64(3) {
			if s.Calls {
				f.events <- fakeMoment(s, f.pid, i+1, fakeTime.Add(time.Duration(i+1)*time.Second))
			}
			f.events <- fakeEvent(s, f.pid, i+1)
			end.Hits++
			end.Emitted++
			if int64(end.Emitted) == s.Limit {
				end.Reason = probe.EndLimit
				if s.Kind.Aggregates() {
					f.events <- fakeMeasured(s, fakeTime, true)
				}
				f.events <- end
				return
			}
		}
	}
	select {
	case <-time.After(s.For):
		end.Reason = probe.EndExpired
	case <-f.closed:
	}
	f.events <- end
}

func fakeEvent(s probe.Spec, pid int, seq uint64) probe.Event {
	at := fakeTime.Add(time.Duration(seq) * time.Second)
	switch s.Kind {
	case probe.Count:
		return &probe.CountNow{Probe: s.ID, Location: s.At, Time: at, Count: 1000 * seq, By: fakeRows(s)}
	case probe.Measure, probe.Time:
		return fakeMeasured(s, at, false)
	case probe.Trace:
		return fakeSpan(s, pid, seq, at)
	}
	if s.Kind == probe.Snapshot {
		return fakeMoment(s, pid, seq, at)
	}
	return &probe.Hit{Probe: s.ID, Location: s.At, Seq: seq, Time: at, PID: pid, Goroutine: 17 + seq,
		Function: "main.handle", File: "/src/orders.go", Line: 42, Message: s.Message}
}

func fakeRows(s probe.Spec) *probe.Rows {
	if s.By == "" {
		return nil
	}
	key := probe.Value{Shape: probe.String, Type: "string", Data: []byte("alice"), Len: 5}
	return &probe.Rows{Expr: s.By, Rows: []probe.Row{{Key: key, Count: 10}}, Other: probe.Row{Count: 1}}
}

func fakeMeasured(s probe.Spec, at time.Time, final bool) *probe.Measured {
	number := func(v int64) probe.Value { return probe.Value{Shape: probe.Int, Type: "int", Int: v} }
	m := &probe.Measured{Kind: s.Kind, Probe: s.ID, Location: s.At, Time: at, Final: final, Expr: s.Value, Type: "int", By: fakeRows(s),
		Dist: probe.Distribution{Count: 10, Sum: big.NewInt(40), Min: number(2), Max: number(9), Last: number(4), Scale: 6,
			Buckets: []probe.Bucket{{From: 3.9, To: 4, Count: 10}}}}
	if s.Kind == probe.Time {
		m.Calls = &probe.Calls{Returned: 8, Recovered: 1, Panicked: 1}
	}
	if s.Calls {
		m.Snapshots = &probe.Snapshots{Taken: 2, Suppressed: 1500, Dropped: 3}
	}
	return m
}

func fakeSpan(s probe.Spec, pid int, seq uint64, at time.Time) *probe.Span {
	failed := probe.Value{Shape: probe.Interface, Type: "*errors.errorString", Elems: []probe.Value{
		{Shape: probe.String, Type: "string", Data: []byte("no such order"), Len: 13}}}
	span := &probe.Span{Probe: s.ID, Location: s.At, TraceID: fmt.Sprintf("%032d", seq), ID: fmt.Sprintf("%016d", seq), PID: pid,
		Goroutine: 17 + seq, Function: "main.handle", File: "/src/orders.go", Line: 42, Start: at, Duration: 1500 * time.Microsecond,
		Outcome: probe.Returned, Error: &failed, Creator: &probe.Creator{Goroutine: 1, Function: "main.main"}}
	for _, a := range s.Attrs {
		span.Attrs = append(span.Attrs, probe.NamedValue{Name: a.Name, Value: probe.Value{Shape: probe.Int, Type: "int", Int: 7}})
	}
	return span
}

// fakeMoment shows in its variables what was asked for.
func fakeMoment(s probe.Spec, pid int, seq uint64, at time.Time) *probe.Moment {
	text := func(s string) probe.Value {
		return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
	}
	m := &probe.Moment{Probe: s.ID, Location: s.At, Seq: seq, Time: at, PID: pid, Target: "shop", Build: "build/id", Goroutine: 17 + seq,
		Function: "main.handle", File: "/src/orders.go", Line: 42, Took: 12300 * time.Nanosecond,
		Frames: []probe.Frame{
			{Function: "main.handle", File: "/src/orders.go", Line: 42, Variables: []probe.Variable{
				{Name: "asked", Role: probe.RoleArgument, Value: text(fmt.Sprintf("%+v limit %d rate %d", s.Bounds, s.Limit, s.Rate))},
				{Name: "n", Role: probe.RoleLocal, Value: probe.Value{Shape: probe.Int, Type: "int", Int: int64(seq)}}}},
			{Function: "main.main", File: "/src/main.go", Line: 7}}}
	if s.Calls {
		m.Call, m.Duration = true, 52300*time.Microsecond
	}
	for _, w := range s.Watch {
		m.Watches = append(m.Watches, probe.NamedValue{Name: w, Value: text("watched")})
	}
	return m
}

func (f *fakeProber) Close() error {
	f.once.Do(func() {
		close(f.closed)
		f.live.Wait()
		trace("closed", "")
		close(f.events)
	})
	return nil
}
