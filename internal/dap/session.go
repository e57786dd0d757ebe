package dap

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/target"
)

// session is one client at work. Only the loop touches it: work beside the loop
// comes back through post.
type session struct {
	a   *Adapter
	log *slog.Logger
	out *writer

	posted chan func()   // from beside the loop
	gone   chan struct{} // closed when the loop has ended

	client   client
	config   config
	proc     target.Process
	code     Code
	fleet    *fleet
	attached bool
	ending   bool
	dead     bool // the process has ended

	points  []*point // as the client wants them, in order
	nextID  int
	waiting []func(final bool) bool // answers that wait for an installation

	moments moments
	handles handles
	sources sourceRefs
	counts  counts
}

// client is what the editor says of itself. Lines count from 1 unless it says
// otherwise.
type client struct {
	godap.InitializeRequestArguments
	LinesStartAt1 *bool `json:"linesStartAt1"`
}

func newSession(a *Adapter, log *slog.Logger) *session {
	s := &session{a: a, log: log, posted: make(chan func()), gone: make(chan struct{})}
	s.moments.session, s.sources.session = s, s
	s.handles.init()
	return s
}

// post lets the loop run f. It returns false when the loop has ended.
func (s *session) post(f func()) bool {
	select {
	case s.posted <- f:
		return true
	case <-s.gone:
		return false
	}
}

// serve runs the loop until the client has gone, and removes what it put in.
func (s *session) serve(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.out = newWriter(out)
	s.fleet = newFleet(s)
	requests := make(chan request)
	readErr := make(chan error, 1)
	go func() { readErr <- s.read(in, requests) }()
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	var err error
	for !s.ending {
		select {
		case r := <-requests:
			s.handle(ctx, r)
		case f := <-s.posted:
			f()
		case <-tick.C:
			s.tick()
		case err = <-readErr:
			s.ending = true
		case <-s.out.broken:
			err = s.out.err
			s.ending = true
		case <-ctx.Done():
			s.ending = true
		}
	}
	cancel()
	s.end()
	var malformed *malformedError
	if errors.As(err, &malformed) {
		return err
	}
	return nil // a client may go as it likes
}

// read passes on requests until the stream ends.
func (s *session) read(in io.Reader, requests chan<- request) error {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		content, err := readMessage(r)
		var q request
		switch {
		case errors.Is(err, errTooLarge):
			q.oversized = true
		case err != nil:
			return err
		default:
			if err := json.Unmarshal(content, &q); err != nil {
				q = request{Seq: q.Seq, Type: "request", Command: ""}
			}
		}
		select {
		case requests <- q:
		case <-s.gone:
			return nil
		}
	}
}

// end takes all probes out. Events are still received meanwhile, so that
// nothing waits for the loop; then the last messages are written.
func (s *session) end() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.fleet.close()
	}()
	limit := time.After(removeWithin)
wait:
	for {
		select {
		case f := <-s.posted:
			f()
		case <-done:
			break wait
		case <-limit:
			s.log.Error("the probes could not be removed in time; the guard does it")
			break wait
		}
	}
	close(s.gone)
	if s.code != nil {
		_ = s.code.Close()
	}
	s.out.close()
	select {
	case <-s.out.done:
	case <-s.out.broken:
	case <-time.After(lastWords):
	}
}

// handle answers one request. A mistake of ours in one answer ends neither the
// session nor the probes.
func (s *session) handle(ctx context.Context, r request) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a request failed", "command", r.Command, "error", p, "stack", string(debug.Stack()))
			s.refuse(r, fmt.Errorf("sidelight made a mistake in %s: %v", r.Command, p))
		}
	}()
	switch {
	case r.oversized:
		s.note("important", fmt.Sprintf("%v: it was skipped", errTooLarge))
		return
	case r.Type != "request":
		return // answers to requests that we never make, and noise
	}
	h, ok := handlers[r.Command]
	if !ok {
		s.refuse(r, fmt.Errorf("sidelight has no request %q", r.Command))
		return
	}
	h(s, ctx, r)
}

// handlers are the requests that are understood. Each answers exactly once.
var handlers map[string]func(*session, context.Context, request)

func init() {
	handlers = map[string]func(*session, context.Context, request){
		"initialize":              (*session).initialize,
		"attach":                  (*session).attach,
		"launch":                  (*session).launch,
		"configurationDone":       (*session).nothing,
		"setExceptionBreakpoints": (*session).nothing,
		"cancel":                  (*session).nothing,
		"setBreakpoints":          (*session).setBreakpoints,
		"setFunctionBreakpoints":  (*session).setFunctionBreakpoints,
		"breakpointLocations":     (*session).breakpointLocations,
		"threads":                 (*session).threads,
		"stackTrace":              (*session).stackTrace,
		"scopes":                  (*session).scopes,
		"variables":               (*session).variables,
		"evaluate":                (*session).evaluate,
		"completions":             (*session).completions,
		"source":                  (*session).source,
		"loadedSources":           (*session).loadedSources,
		"continue":                (*session).goOn,
		"reverseContinue":         (*session).first,
		"stepBack":                (*session).stepBack,
		"next":                    (*session).stepOn,
		"stepIn":                  (*session).stepOn,
		"stepOut":                 (*session).stepOn,
		"pause":                   (*session).pause,
		"terminateThreads":        (*session).terminateThreads,
		"disconnect":              (*session).disconnect,
		"terminate":               (*session).disconnect,
		requestOpen:               (*session).openMoment,
		requestMoments:            (*session).listMoments,
	}
}

// answer sends the answer to a request.
func (s *session) answer(r request, body any) {
	s.out.send(&reply{Response: godap.Response{RequestSeq: r.Seq, Command: r.Command, Success: true}, Body: body}, false)
}

// refuse answers a request by an error for people.
func (s *session) refuse(r request, err error) {
	s.out.send(&reply{
		Response: godap.Response{RequestSeq: r.Seq, Command: r.Command, Message: err.Error()},
		Body:     godap.ErrorResponseBody{Error: &godap.ErrorMessage{Id: 1, Format: plainFormat(err.Error()), ShowUser: r.Command == "attach" || r.Command == "launch"}},
	}, false)
}

// plainFormat keeps clients from taking braces for places of variables.
func plainFormat(text string) string {
	out := make([]rune, 0, len(text))
	for _, c := range text {
		switch c {
		case '{':
			c = '('
		case '}':
			c = ')'
		}
		out = append(out, c)
	}
	return string(out)
}

// arguments decodes the arguments of a request, or refuses it.
func (s *session) arguments(r request, into any) bool {
	if len(r.Arguments) == 0 {
		return true
	}
	if err := json.Unmarshal(r.Arguments, into); err != nil {
		s.refuse(r, fmt.Errorf("the arguments of %s are not understood: %v", r.Command, err))
		return false
	}
	return true
}

// tell sends an event.
func (s *session) tell(name string, body any) {
	s.out.send(&event{Event: godap.Event{Event: name}, Body: body}, false)
}

// note shows a line in the editor's console.
func (s *session) note(category, text string) {
	s.tell("output", godap.OutputEventBody{Category: category, Output: text + "\n"})
}

// editor is what the client calls itself.
func (s *session) editor() string {
	return cmp.Or(s.client.ClientName, s.client.ClientID, "an editor")
}

func (s *session) nothing(_ context.Context, r request) { s.answer(r, nil) }

func (s *session) initialize(_ context.Context, r request) {
	if !s.arguments(r, &s.client) {
		return
	}
	s.answer(r, godap.Capabilities{
		SupportsConfigurationDoneRequest:   true,
		SupportsFunctionBreakpoints:        true,
		SupportsConditionalBreakpoints:     true,
		SupportsHitConditionalBreakpoints:  true,
		SupportsLogPoints:                  true,
		SupportsEvaluateForHovers:          true,
		SupportsStepBack:                   true,
		SupportsCompletionsRequest:         true,
		SupportsClipboardContext:           true,
		SupportsBreakpointLocationsRequest: true,
		SupportsLoadedSourcesRequest:       true,
		SupportsTerminateThreadsRequest:    true,
	})
}

func (s *session) launch(_ context.Context, r request) {
	s.refuse(r, errors.New("sidelight looks into processes that run already: use \"request\": \"attach\" with \"target\": \"NAME or pid\""))
}

func (s *session) disconnect(_ context.Context, r request) {
	s.ending = true
	s.fleet.whenClosed = func() {
		s.answer(r, nil)
		s.tell("terminated", godap.TerminatedEventBody{})
	}
}

// tick shows how the breakpoints are doing, once a second.
func (s *session) tick() {
	if n := s.out.takeSkipped(); n > 0 {
		s.note("important", fmt.Sprintf("%d messages were not shown: they came faster than the editor takes them", n))
	}
	if s.attached {
		s.showStates()
	}
}
