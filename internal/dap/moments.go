package dap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Bounds of the snapshots that a session keeps.
const (
	maxMoments = 300
	maxOpen    = 16
)

// Words of our own beside the protocol's.
const (
	eventMoment    = "sidelight/snapshot"  // a snapshot was taken
	eventDropped   = "sidelight/dropped"   // an old one is kept no longer
	requestOpen    = "sidelight/open"      // show a snapshot as a stopped thread
	requestMoments = "sidelight/snapshots" // list those that are kept
)

// liveThread is the process itself, which always runs.
const liveThread = 1

// moment is a snapshot that is kept.
type moment struct {
	n     int // 1, 2, 3 … in the order of arrival
	point int // breakpoint
	*probe.Moment
}

// view is a thread that shows a moment, as if it had stopped there.
type view struct {
	thread int
	point  int // the breakpoint that is armed again when the view is dismissed
	shows  *moment
}

// moments are the snapshots of a session. Only those that are opened are
// threads; the others wait, to be walked to or opened by name.
type moments struct {
	session *session
	list    []*moment
	last    int // number of the latest
	open    []*view
	threads int
}

// title names a moment in the list of threads.
func (m *moment) title() string {
	return fmt.Sprintf("snapshot %d · goroutine %d · %s", m.n, m.Goroutine, m.Time.Local().Format("15:04:05"))
}

// take keeps a snapshot. The first of a breakpoint that is armed is opened.
func (ms *moments) take(e *probe.Moment) {
	s := ms.session
	p := s.point(e.Probe)
	if p == nil {
		return // cleared meanwhile
	}
	ms.last++
	m := &moment{n: ms.last, point: p.id, Moment: e}
	ms.list = append(ms.list, m)
	ms.trim()
	opens := p.armed && len(ms.open) < maxOpen
	s.tell(eventMoment, ms.about(m, opens))
	if !opens {
		return
	}
	p.armed = false
	ms.show(m, "breakpoint", p.id)
}

// trim drops the oldest snapshots that nobody looks at.
func (ms *moments) trim() {
	for len(ms.list) > maxMoments {
		i := slices.IndexFunc(ms.list, func(m *moment) bool {
			return !slices.ContainsFunc(ms.open, func(v *view) bool { return v.shows == m })
		})
		if i < 0 {
			return
		}
		old := ms.list[i]
		ms.list = slices.Delete(ms.list, i, i+1)
		ms.session.handles.forget(old.n)
		ms.session.tell(eventDropped, map[string]int{"id": old.n})
	}
}

// momentBody is a snapshot as our own events and answers have it.
type momentBody struct {
	ID         int           `json:"id"`
	Breakpoint int           `json:"breakpoint"`
	Title      string        `json:"title"`
	Function   string        `json:"function"`
	Source     *godap.Source `json:"source,omitempty"`
	Line       int           `json:"line"`
	Goroutine  uint64        `json:"goroutine"`
	Time       string        `json:"time"`
	Opened     bool          `json:"opened"`
	ThreadID   int           `json:"threadId,omitempty"`
}

func (ms *moments) about(m *moment, opened bool) momentBody {
	s := ms.session
	b := momentBody{ID: m.n, Breakpoint: m.point, Title: m.title(), Function: m.Function, Goroutine: m.Goroutine, Time: m.Time.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), Opened: opened}
	b.Source, b.Line = s.sources.at(m.File, m.Line)
	for _, v := range ms.open {
		if v.shows == m {
			b.ThreadID, b.Opened = v.thread, true
		}
	}
	return b
}

// show opens a snapshot as a thread of its own.
func (ms *moments) show(m *moment, reason string, arms int) *view {
	ms.threads++
	v := &view{thread: liveThread + ms.threads, point: arms, shows: m}
	ms.open = append(ms.open, v)
	ms.session.tell("thread", godap.ThreadEventBody{Reason: "started", ThreadId: v.thread})
	ms.stopped(v, reason)
	return v
}

func (ms *moments) stopped(v *view, reason string) {
	body := godap.StoppedEventBody{Reason: reason, Description: "SNAPSHOT · LIVE", Text: v.shows.title(),
		ThreadId: v.thread, PreserveFocusHint: len(ms.open) > 1 && reason == "breakpoint"}
	if reason == "breakpoint" {
		body.HitBreakpointIds = []int{v.shows.point}
	}
	ms.session.tell("stopped", stoppedBody{body, false})
}

// stoppedBody says aloud that the other threads run on: go-dap leaves a false out.
type stoppedBody struct {
	godap.StoppedEventBody
	AllThreadsStopped bool `json:"allThreadsStopped"`
}

// dismiss closes a view, and arms its breakpoint for the next snapshot.
func (ms *moments) dismiss(v *view) {
	ms.open = slices.DeleteFunc(ms.open, func(o *view) bool { return o == v })
	ms.session.tell("thread", godap.ThreadEventBody{Reason: "exited", ThreadId: v.thread})
	for _, p := range ms.session.points {
		if p.id == v.point {
			p.armed = true
		}
	}
	if ms.session.dead && len(ms.open) == 0 {
		ms.session.tell("terminated", godap.TerminatedEventBody{})
	}
}

// view is the opened snapshot of a thread, or nil.
func (ms *moments) view(thread int) *view {
	i := slices.IndexFunc(ms.open, func(v *view) bool { return v.thread == thread })
	if i < 0 {
		return nil
	}
	return ms.open[i]
}

// number is the moment of that number, or nil.
func (ms *moments) number(n int) *moment {
	i, ok := slices.BinarySearchFunc(ms.list, n, func(m *moment, n int) int { return m.n - n })
	if !ok {
		return nil
	}
	return ms.list[i]
}

func (s *session) threads(_ context.Context, r request) {
	body := godap.ThreadsResponseBody{Threads: []godap.Thread{}}
	if s.attached {
		name := fmt.Sprintf("%s (pid %d)", s.proc.Name, s.proc.PID)
		if s.dead {
			name += " has ended"
		}
		body.Threads = append(body.Threads, godap.Thread{Id: liveThread, Name: name})
	}
	for _, v := range s.moments.open {
		body.Threads = append(body.Threads, godap.Thread{Id: v.thread, Name: v.shows.title()})
	}
	s.answer(r, body)
}

// goOn dismisses a snapshot. The process never stopped.
func (s *session) goOn(_ context.Context, r request) {
	var a godap.ContinueArguments
	if !s.arguments(r, &a) {
		return
	}
	s.answer(r, godap.ContinueResponseBody{AllThreadsContinued: false})
	if v := s.moments.view(a.ThreadId); v != nil {
		s.moments.dismiss(v)
	}
}

func (s *session) terminateThreads(_ context.Context, r request) {
	var a godap.TerminateThreadsArguments
	if !s.arguments(r, &a) {
		return
	}
	s.answer(r, nil)
	for _, id := range a.ThreadIds {
		if v := s.moments.view(id); v != nil {
			s.moments.dismiss(v)
		}
	}
}

func (s *session) stepBack(_ context.Context, r request) { s.walk(r, -1) }
func (s *session) stepOn(_ context.Context, r request)   { s.walk(r, 1) }
func (s *session) first(_ context.Context, r request)    { s.walk(r, -maxMoments-maxOpen) }

// walk lets a thread show the snapshot that was taken before or after.
func (s *session) walk(r request, by int) {
	var a struct {
		ThreadID int `json:"threadId"`
	}
	if !s.arguments(r, &a) {
		return
	}
	v := s.moments.view(a.ThreadID)
	if v == nil {
		s.refuse(r, errors.New("the process runs on and takes no steps: step from snapshot to snapshot, in an opened one"))
		return
	}
	s.answer(r, nil)
	list := s.moments.list
	at := slices.Index(list, v.shows)
	to := min(max(at+by, 0), len(list)-1)
	switch {
	case to == at && by > 0:
		s.note("console", "This is the latest snapshot. The process runs on; \"continue\" dismisses this one, and the next hit is shown.")
	case to == at:
		s.note("console", "This is the earliest snapshot that is kept.")
	}
	v.shows = list[to]
	s.moments.stopped(v, "step")
}

// pause arms all breakpoints: the next pass through any of them is shown. There
// is nothing to pause.
func (s *session) pause(_ context.Context, r request) {
	s.answer(r, nil)
	n := 0
	for _, p := range s.points {
		if p.stage == live && p.spec.Kind == probe.Snapshot {
			p.armed = true
			n++
		}
	}
	if n == 0 {
		s.note("important", "Sidelight never pauses a process. Set a breakpoint: the next pass through it is captured and shown, while the process runs on.")
		return
	}
	s.note("important", fmt.Sprintf("Sidelight never pauses a process. The next pass through %s will be shown.", map[bool]string{true: "the breakpoint", false: "any breakpoint"}[n == 1]))
}

// openMoment shows a snapshot that waits.
func (s *session) openMoment(_ context.Context, r request) {
	var a struct {
		ID int `json:"id"`
	}
	if !s.arguments(r, &a) {
		return
	}
	v, err := s.moments.reopen(a.ID)
	if err != nil {
		s.refuse(r, err)
		return
	}
	s.answer(r, map[string]int{"threadId": v.thread})
}

// reopen opens a snapshot by its number, or brings it to the front.
func (ms *moments) reopen(n int) (*view, error) {
	m := ms.number(n)
	if m == nil {
		return nil, fmt.Errorf("there is no snapshot %d, or it is kept no longer: the last %d are", n, maxMoments)
	}
	for _, v := range ms.open {
		if v.shows == m {
			ms.stopped(v, "snapshot")
			return v, nil
		}
	}
	if len(ms.open) >= maxOpen {
		ms.dismiss(ms.open[0])
	}
	return ms.show(m, "snapshot", 0), nil
}

func (s *session) listMoments(_ context.Context, r request) {
	list := []momentBody{}
	for _, m := range s.moments.list {
		list = append(list, s.moments.about(m, false))
	}
	s.answer(r, map[string]any{"snapshots": list})
}
