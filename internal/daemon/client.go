package daemon

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Client reaches this user's daemon.
type Client struct {
	Start []string // command that runs the daemon; nil: it is not started
}

// UnavailableError says why the daemon cannot be had. Work goes on without it.
type UnavailableError struct{ why error }

func (e *UnavailableError) Error() string { return "the daemon cannot be had: " + e.why.Error() }
func (e *UnavailableError) Unwrap() error { return e.why }

// dial connects to the daemon, and starts it where it does not run.
func (c *Client) dial(ctx context.Context) (*net.UnixConn, error) {
	dir, err := Dir()
	if err != nil {
		return nil, err
	}
	address := &net.UnixAddr{Name: filepath.Join(dir, socketFile), Net: "unix"}
	conn, err := net.DialUnix("unix", nil, address)
	if err == nil || len(c.Start) == 0 {
		return conn, err
	}
	starting, err := lock(filepath.Join(dir, startFile), startWithin)
	if err != nil {
		return nil, err
	}
	defer starting.Close()
	if conn, err := net.DialUnix("unix", nil, address); err == nil {
		return conn, nil // another client was faster
	}
	if err := c.start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(startWithin); ; time.Sleep(5 * time.Millisecond) {
		if conn, err = net.DialUnix("unix", nil, address); err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("it does not start: %w", err)
		}
	}
}

// start runs the daemon in a session of its own, with nothing of ours that
// somebody may wait for.
func (c *Client) start() error {
	cmd := exec.Command(c.Start[0], c.Start[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return nil
}

// ask connects and introduces itself. The connection is open if the answer has
// no error.
func (c *Client) ask(ctx context.Context, h hello) (*net.UnixConn, *bufio.Reader, welcome, error) {
	var w welcome
	build, err := Identity()
	if err != nil {
		return nil, nil, w, err
	}
	h.Protocol, h.Build = protocol, build
	for try := 0; ; try++ {
		conn, err := c.dial(ctx)
		if err != nil {
			return nil, nil, w, err
		}
		r := bufio.NewReaderSize(conn, 64<<10)
		if err = writeLine(conn, h); err == nil {
			_ = conn.SetReadDeadline(time.Now().Add(helloWithin))
			err = readLine(r, &w)
			_ = conn.SetReadDeadline(time.Time{})
		}
		if err == nil && w.Error == "" {
			return conn, r, w, nil
		}
		conn.Close()
		if err == nil {
			return nil, nil, w, errors.New(w.Error)
		}
		if try == 2 { // it may just have ended
			return nil, nil, w, err
		}
	}
}

// Open opens a process by the daemon. An *UnavailableError says that this is not
// to be had; any other error is the engine's.
func (c *Client) Open(ctx context.Context, pid int, name string, opt Options) (*Session, error) {
	conn, r, w, err := c.ask(ctx, hello{Do: doOpen, Owner: opt.Owner})
	if err != nil && w.Build != "" {
		if c.leave(ctx) == nil { // an idle one of another build makes room
			conn, r, _, err = c.ask(ctx, hello{Do: doOpen, Owner: opt.Owner})
		}
	}
	if err != nil {
		return nil, &UnavailableError{err}
	}
	s := &Session{conn: conn, enc: gob.NewEncoder(conn), log: opt.Log, events: make(chan probe.Event),
		installed: make(chan answer, 1), closed: make(chan error, 1), over: make(chan struct{}), gone: make(chan struct{})}
	open := &openCall{PID: pid, Name: name, Budget: opt.Budget, Symbols: opt.Symbols, Debug: opt.Log.Enabled(ctx, slog.LevelDebug)}
	open.RedactFile, open.RedactText = opt.Redact.Written()
	if err := s.enc.Encode(call{Open: open}); err != nil {
		conn.Close()
		return nil, &UnavailableError{err}
	}
	if err := s.opened(gob.NewDecoder(r)); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// leave asks the daemon to end, and waits until it has.
func (c *Client) leave(ctx context.Context) error {
	quiet := &Client{}
	conn, _, _, err := quiet.ask(ctx, hello{Do: doLeave})
	if err != nil {
		return err
	}
	conn.Close()
	dir, err := Dir()
	if err != nil {
		return err
	}
	alive, err := lock(filepath.Join(dir, aliveFile), startWithin)
	if err == nil {
		alive.Close()
	}
	return err
}

// List is all probes that the daemon owns; none where none runs.
func (c *Client) List(ctx context.Context) ([]Entry, error) {
	conn, _, w, err := (&Client{}).ask(ctx, hello{Do: doList})
	if err != nil {
		return nil, notRunning(err)
	}
	conn.Close()
	return w.Probes, nil
}

// Remove takes out probes by the names that the list gives them.
func (c *Client) Remove(ctx context.Context, names []string) (int, error) {
	conn, _, w, err := (&Client{}).ask(ctx, hello{Do: doRemove, Remove: names})
	if err != nil {
		if notRunning(err) == nil {
			err = fmt.Errorf("there is no probe %s: none is in", names[0])
		}
		return w.Removed, err
	}
	conn.Close()
	return w.Removed, nil
}

func notRunning(err error) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil
	}
	return err
}

// Session is the client's side of a session: a Prober.
type Session struct {
	conn net.Conn
	log  *slog.Logger

	mu  sync.Mutex // held while a message is written
	enc *gob.Encoder

	events    chan probe.Event
	installed chan answer
	closed    chan error
	over      chan struct{} // closed with events
	gone      chan struct{} // closed when no answer comes any more

	stateMu sync.Mutex
	state   []probe.State
}

// errLost says that the daemon ended while it held probes.
var errLost = errors.New("the sidelight daemon has ended; its guard takes the probes out")

// opened waits for the answer to Open, then goes on reading beside.
func (s *Session) opened(dec *gob.Decoder) error {
	for {
		var a answer
		if err := dec.Decode(&a); err != nil {
			return &UnavailableError{err}
		}
		switch {
		case a.Log != nil:
			a.Log.tell(s.log)
		case a.Failed != nil:
			return a.Failed.err()
		case a.Opened:
			go s.read(dec)
			return nil
		}
	}
}

// read takes the daemon's messages until the connection ends.
func (s *Session) read(dec *gob.Decoder) {
	defer close(s.gone)
	var once sync.Once
	end := func() {
		once.Do(func() {
			close(s.events)
			close(s.over)
		})
	}
	defer end()
	for {
		var a answer
		if err := dec.Decode(&a); err != nil {
			return
		}
		switch {
		case a.Log != nil:
			a.Log.tell(s.log)
		case a.Events != nil:
			for _, e := range a.Events {
				s.events <- e
			}
		case a.Stated:
			s.stateMu.Lock()
			s.state = a.State
			s.stateMu.Unlock()
		case a.Done:
			end()
		case a.Installed != nil, a.Failed != nil:
			s.installed <- a
		case a.Closed:
			s.closed <- a.Broken.err()
		}
	}
}

func (s *Session) send(c call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enc.Encode(c)
}

// Install puts the probes in, as the engine does.
func (s *Session) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	if err := s.send(call{Install: &installCall{specs}}); err != nil {
		return nil, errLost
	}
	done := ctx.Done()
	for {
		select {
		case a := <-s.installed:
			return a.Installed, a.Failed.err()
		case <-s.gone:
			return nil, errLost
		case <-done:
			done = nil
			if err := s.send(call{Cancel: true}); err != nil {
				return nil, errLost
			}
		}
	}
}

// Events is what the probes tell.
func (s *Session) Events() <-chan probe.Event { return s.events }

// Remove takes some probes out.
func (s *Session) Remove(ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	return s.send(call{Remove: ids})
}

// State is how the living probes were doing half a second ago at most.
func (s *Session) State() []probe.State {
	s.stateMu.Lock()
	defer s.stateMu.Unlock()
	return s.state
}

// Close takes the probes out.
func (s *Session) Close() error {
	defer s.conn.Close()
	if err := s.send(call{Close: true}); err != nil {
		return errLost
	}
	select {
	case err := <-s.closed:
		<-s.over // the last words come beside the answer
		return err
	case <-s.gone:
		select {
		case err := <-s.closed:
			return err
		default:
			return errLost
		}
	}
}
