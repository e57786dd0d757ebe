package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Daemon serves the clients of one user.
type Daemon struct {
	Open Open
	Idle time.Duration // DefaultIdle where 0
	Log  *slog.Logger

	build string

	mu       sync.Mutex
	clients  int
	used     time.Time // when the last client left
	sessions map[int]holder
	last     int
	leaving  bool
}

// holder is a client that has probes.
type holder interface {
	entries() []Entry // their IDs are those of the client
	remove(ids []string) error
}

// ErrRuns says that this user's daemon runs already.
var ErrRuns = errors.New("the daemon of this user runs already")

// garbage may pile up before the collector begins, in bytes: reading a build makes tens
// of megabytes, and collecting them would take the processor from the target. So much
// memory is asked for and never touched, which is none; the collector reckons with it.
const garbage = 48 << 20

// Run serves clients until nobody has used it for a while, or ctx ends: then all
// probes are removed.
func (d *Daemon) Run(ctx context.Context) error {
	ballast := make([]byte, garbage)
	defer runtime.KeepAlive(ballast)
	dir, err := Dir()
	if err != nil {
		return err
	}
	if d.build, err = Identity(); err != nil {
		return err
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	alive, err := lock(filepath.Join(dir, aliveFile), 0)
	if err != nil {
		return ErrRuns
	}
	defer alive.Close()
	name := filepath.Join(dir, socketFile)
	_ = os.Remove(name) // of one that was killed
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return err
	}
	if err := os.Chmod(name, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d.sessions, d.used = map[int]holder{}, time.Now()
	go d.watch(ctx, dir, cancel)
	context.AfterFunc(ctx, func() { l.Close() })
	var all sync.WaitGroup
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			break
		}
		d.count(1)
		all.Go(func() {
			defer d.count(-1)
			defer c.Close()
			if err := d.serve(ctx, c); err != nil {
				d.Log.Debug("a client was given up", "error", err)
			}
		})
	}
	cancel()
	all.Wait()
	return nil
}

func (d *Daemon) count(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clients += n
	d.used = time.Now()
}

// watch ends the daemon when it was idle for long enough, or asked to leave. A
// client that is about to start one holds a lock, and finds us.
func (d *Daemon) watch(ctx context.Context, dir string, end func()) {
	idle := d.Idle
	if idle == 0 {
		idle = DefaultIdle
	}
	tick := time.NewTicker(min(idle/10+time.Millisecond, 500*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		d.mu.Lock()
		leaving := d.leaving
		over := d.clients == 0 && (leaving || time.Since(d.used) >= idle)
		d.mu.Unlock()
		if !over {
			continue
		}
		starting, err := lock(filepath.Join(dir, startFile), 0)
		if err != nil && !leaving {
			continue
		}
		_ = os.Remove(filepath.Join(dir, socketFile))
		end()
		if starting != nil {
			starting.Close()
		}
		return
	}
}

// serve answers one client.
func (d *Daemon) serve(ctx context.Context, c *net.UnixConn) (err error) {
	defer func() {
		if p := recover(); p != nil { // what a client sends must not end the others' probes
			err = fmt.Errorf("a client made it fail: %v", p)
		}
	}()
	peer, err := peerOf(c)
	if err != nil {
		return err
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("a client of user %d was refused", peer.Uid)
	}
	r := bufio.NewReader(c)
	_ = c.SetReadDeadline(time.Now().Add(helloWithin))
	var h hello
	if err := readLine(r, &h); err != nil {
		return err
	}
	_ = c.SetReadDeadline(time.Time{})
	w := welcome{Protocol: protocol, Build: d.build, PID: os.Getpid()}
	switch {
	case h.Do == doLeave:
		w.Error = d.leave()
		return writeLine(c, w)
	case h.Protocol != protocol:
		w.Error = fmt.Sprintf("the daemon speaks version %d", protocol)
		return writeLine(c, w)
	case h.Do == doList:
		w.Probes = d.list()
		return writeLine(c, w)
	case h.Do == doRemove:
		w.Removed, w.Error = d.remove(h.Remove)
		return writeLine(c, w)
	case h.Do == doHold:
		if err := writeLine(c, w); err != nil {
			return err
		}
		return d.hold(ctx, c, r, h.Owner, int(peer.Pid))
	case h.Do != doOpen:
		w.Error = fmt.Sprintf("the daemon does not know %q", h.Do)
		return writeLine(c, w)
	case h.Build != d.build:
		w.Error = "the daemon is of another build"
		return writeLine(c, w)
	}
	if err := writeLine(c, w); err != nil {
		return err
	}
	return d.session(ctx, c, r, h.Owner, int(peer.Pid))
}

// peerOf is who connected, by the kernel's word.
func peerOf(c *net.UnixConn) (*unix.Ucred, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return nil, err
	}
	return cred, credErr
}

// leave lets the daemon end as soon as nobody is connected. It says why it
// stays.
func (d *Daemon) leave() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := 0
	for _, h := range d.sessions {
		if _, ok := h.(*session); ok {
			own++
		}
	}
	if own > 0 {
		return fmt.Sprintf("%d sessions have probes", own)
	}
	d.leaving = true
	return ""
}

// leaves tells whether the daemon is about to leave.
func (d *Daemon) leaves() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.leaving
}

// list is all probes, in the order in which they came.
func (d *Daemon) list() []Entry { return d.listBut(nil) }

// beside is the probes that others have in the process of a session.
func (d *Daemon) beside(s *session) []Entry {
	return slices.DeleteFunc(d.listBut(s), func(e Entry) bool { return e.PID != s.open.PID })
}

func (d *Daemon) listBut(but *session) []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []int
	for id, s := range d.sessions {
		if s != holder(but) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	list := []Entry{}
	for _, id := range ids {
		for _, e := range d.sessions[id].entries() {
			e.ID = fmt.Sprintf("%d.%s", id, e.ID)
			list = append(list, e)
		}
	}
	return list
}

// remove takes out probes by the names that the list gives them: SESSION.PROBE,
// or SESSION for all of one client.
func (d *Daemon) remove(names []string) (int, string) {
	removed := 0
	for _, name := range names {
		number, id, single := strings.Cut(name, ".")
		n, err := strconv.Atoi(number)
		d.mu.Lock()
		s := d.sessions[n]
		d.mu.Unlock()
		if err != nil || s == nil {
			return removed, fmt.Sprintf("there is no probe %s: sidelight probes lists them", name)
		}
		var ids []string
		for _, e := range s.entries() {
			if !single || e.ID == id {
				ids = append(ids, e.ID)
			}
		}
		if len(ids) == 0 {
			return removed, fmt.Sprintf("there is no probe %s: sidelight probes lists them", name)
		}
		if err := s.remove(ids); err != nil {
			return removed, err.Error()
		}
		removed += len(ids)
	}
	return removed, ""
}
