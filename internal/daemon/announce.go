package daemon

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Probes that a client holds itself, because the daemon is of another build, are in
// the daemon's list all the same. The client tells it of them as long as they live,
// in lines of JSON, which all builds speak; the daemon answers with those that
// "sidelight rm" names.

// heldLine is a line of a client that holds probes itself.
type heldLine struct {
	Probes []Entry `json:"probes"`
}

// removeLine is a line of the daemon to such a client.
type removeLine struct {
	Remove []string `json:"remove"`
}

// announced is a Prober whose probes are in the daemon's list.
type announced struct {
	Prober
	stop context.CancelFunc
	name string
	pid  int
	own  string

	mu    sync.Mutex
	specs map[string]probe.Spec
}

// Announce lets the daemon list the probes that p has in a process. Where there is
// no daemon, or one that cannot do it, nothing is listed, and all else is as it was.
func (c *Client) Announce(p Prober, pid int, name, owner string) Prober {
	ctx, stop := context.WithCancel(context.Background())
	a := &announced{Prober: p, stop: stop, name: name, pid: pid, own: owner, specs: map[string]probe.Spec{}}
	go func() {
		for ctx.Err() == nil {
			_ = a.tell(ctx) // a daemon that ended may be followed by another
			select {
			case <-ctx.Done():
			case <-time.After(announceAgain):
			}
		}
	}()
	return a
}

// tell is one connection's worth of announcing.
func (a *announced) tell(ctx context.Context) error {
	conn, r, _, err := (&Client{}).ask(ctx, hello{Do: doHold, Owner: a.own})
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	go func() {
		defer conn.Close()
		for {
			var line removeLine
			if readLine(r, &line) != nil || a.Remove(line.Remove...) != nil {
				return
			}
		}
	}()
	for ; ; time.Sleep(stateEvery) {
		if err := writeLine(conn, heldLine{a.entries()}); err != nil {
			return err
		}
	}
}

func (a *announced) entries() []Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return entriesOf(a.Prober, a.specs, Entry{PID: a.pid, Target: a.name})
}

// Install remembers what the list shows of the probes.
func (a *announced) Install(ctx context.Context, specs []probe.Spec) (*probe.Ready, error) {
	a.mu.Lock()
	for _, s := range specs {
		a.specs[s.ID] = s
	}
	a.mu.Unlock()
	return a.Prober.Install(ctx, specs)
}

// Close ends the announcing, too.
func (a *announced) Close() error {
	a.stop()
	return a.Prober.Close()
}

// entriesOf are the living probes of a Prober as the list has them.
func entriesOf(p Prober, specs map[string]probe.Spec, like Entry) []Entry {
	list := []Entry{}
	for _, st := range p.State() {
		e, spec := like, specs[st.Probe]
		e.ID, e.Message, e.If, e.State = st.Probe, spec.Message, spec.If, st
		list = append(list, e)
	}
	return list
}

// held is a client that holds its probes itself, on the daemon's side.
type held struct {
	conn   net.Conn
	owner  string
	client int

	mu   sync.Mutex
	list []Entry
}

// hold lists what a client says of its probes, until it is gone or the daemon wants
// to leave.
func (d *Daemon) hold(ctx context.Context, c net.Conn, r *bufio.Reader, owner string, client int) error {
	h := &held{conn: c, owner: owner, client: client}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	defer d.exit(d.enter(h))
	for !d.leaves() {
		var line heldLine
		if err := readLine(r, &line); err != nil {
			return err
		}
		h.mu.Lock()
		h.list = line.Probes
		h.mu.Unlock()
	}
	return nil
}

func (h *held) entries() []Entry {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := append([]Entry(nil), h.list...)
	for i := range list {
		list[i].Owner, list[i].Client = h.owner, h.client
	}
	return list
}

// remove asks the client; its next line says what it has left.
func (h *held) remove(ids []string) error { return writeLine(h.conn, removeLine{ids}) }
