package daemon

import (
	"bufio"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// protocol is the version of the two first lines.
const protocol = 1

// What a client may want, as it is written on the wire.
const (
	doOpen   = "open"   // a session; gob follows
	doList   = "list"   // the probes
	doRemove = "remove" // probes, by name
	doHold   = "hold"   // that its own probes are listed; lines of JSON follow
	doLeave  = "leave"  // that the daemon ends, if nobody needs it
)

// hello is the first line of a client.
type hello struct {
	Protocol int      `json:"sidelight"`
	Build    string   `json:"build"` // what the client is: see Identity
	Do       string   `json:"do"`
	Owner    string   `json:"owner,omitempty"`
	Remove   []string `json:"remove,omitempty"`
}

// welcome is the first line of the daemon.
type welcome struct {
	Protocol int     `json:"sidelight"`
	Build    string  `json:"build"`
	PID      int     `json:"pid"`
	Error    string  `json:"error,omitempty"` // why it does not what was asked
	Probes   []Entry `json:"probes,omitempty"`
	Removed  int     `json:"removed,omitempty"`
}

// Entry is a probe in the list of all.
type Entry struct {
	ID      string      `json:"id"`
	PID     int         `json:"pid"` // of the target
	Target  string      `json:"target"`
	Owner   string      `json:"owner"`
	Client  int         `json:"client"` // pid of the owner
	Message string      `json:"message,omitempty"`
	If      string      `json:"if,omitempty"`
	State   probe.State `json:"state"`
}

// maxLine bounds the first lines.
const maxLine = 8 << 20

func writeLine(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

func readLine(r *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return json.Unmarshal(line, v)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if len(line) > maxLine {
			return errors.New("the first line does not end")
		}
	}
}

// call is a message of a client in a session: one of its parts.
type call struct {
	Open    *openCall
	Install *installCall
	Cancel  bool // the installation
	Remove  []string
	Close   bool
}

type openCall struct {
	PID        int
	Name       string // of the target, for the list
	Budget     float64
	Symbols    []string
	RedactFile string // rules beside the default ones, as they were written
	RedactText []byte
	Debug      bool // log records of every level are wanted
}

type installCall struct{ Specs []probe.Spec }

// answer is a message of the daemon in a session: one of its parts.
type answer struct {
	Opened    bool
	Installed *probe.Ready
	Failed    *failure // of Open or Install
	Events    []probe.Event
	Done      bool // no event follows
	Closed    bool
	Broken    *failure // of Close
	State     []probe.State
	Stated    bool
	Log       *logLine
}

// The names of events on the wire.
func init() {
	gob.RegisterName("ready", &probe.Ready{})
	gob.RegisterName("hit", &probe.Hit{})
	gob.RegisterName("moment", &probe.Moment{})
	gob.RegisterName("count", &probe.CountNow{})
	gob.RegisterName("measured", &probe.Measured{})
	gob.RegisterName("span", &probe.Span{})
	gob.RegisterName("span", &probe.Span{})
	gob.RegisterName("end", &probe.End{})
}

// failure is an error on its way to the client.
type failure struct {
	Text     string
	Mistake  bool // it has a probe
	Probe    string
	Refused  bool
	Canceled bool
	Holder   int // who holds the place; 0: that is not why
}

// What errors of a Prober may say besides their text.
type (
	mistaken interface{ ProbeID() string }
	refusing interface{ Refused() bool }
	holding  interface{ HeldBy() int }
)

func failed(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error(), Canceled: errors.Is(err, context.Canceled)}
	var m mistaken
	if f.Mistake = errors.As(err, &m); f.Mistake {
		f.Probe = m.ProbeID()
	}
	var r refusing
	f.Refused = errors.As(err, &r) && r.Refused()
	var h holding
	if errors.As(err, &h) {
		f.Holder = h.HeldBy()
	}
	return f
}

// err is the failure as an error again.
func (f *failure) err() error {
	switch {
	case f == nil:
		return nil
	case f.Canceled:
		return fmt.Errorf("%w", context.Canceled)
	case f.Mistake:
		return &mistakeError{remoteError{f}}
	case f.Holder != 0:
		return &takenError{remoteError{f}}
	}
	return &remoteError{f}
}

// remoteError is an error that happened in the daemon.
type remoteError struct{ f *failure }

func (e *remoteError) Error() string { return e.f.Text }
func (e *remoteError) Refused() bool { return e.f.Refused }

type mistakeError struct{ remoteError }

func (e *mistakeError) ProbeID() string { return e.f.Probe }

type takenError struct{ remoteError }

func (e *takenError) HeldBy() int { return e.f.Holder }

// logLine is a record of the engine's log. Values are text: that is what a
// reader sees of them.
type logLine struct {
	Level   int // slog's own numbers
	Message string
	Names   []string
	Values  []string
}

// remoteLog is a log whose records go to the client.
type remoteLog struct {
	send  func(*answer)
	debug bool
	attrs []slog.Attr
}

func (h *remoteLog) Enabled(_ context.Context, l slog.Level) bool {
	return h.debug || l >= slog.LevelWarn
}

func (h *remoteLog) Handle(_ context.Context, r slog.Record) error {
	line := &logLine{Level: int(r.Level), Message: r.Message}
	add := func(a slog.Attr) bool {
		line.Names, line.Values = append(line.Names, a.Key), append(line.Values, a.Value.Resolve().String())
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	h.send(&answer{Log: line})
	return nil
}

func (h *remoteLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &remoteLog{h.send, h.debug, append(append([]slog.Attr{}, h.attrs...), attrs...)}
}

func (h *remoteLog) WithGroup(string) slog.Handler { return h } // the engine has none

func (l *logLine) tell(log *slog.Logger) {
	var args []any
	for i, name := range l.Names {
		args = append(args, slog.String(name, l.Values[i]))
	}
	log.Log(context.Background(), slog.Level(l.Level), l.Message, args...)
}
