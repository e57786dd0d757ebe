package engine

import (
	"sync"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// outbox passes events on without ever making the session wait: a reader that
// does not keep up must not delay a removal.
type outbox struct {
	events chan probe.Event

	mu     sync.Mutex
	more   *sync.Cond
	queue  []probe.Event
	behind int // events put and not yet received
	closed bool
}

// outboxFull is how many events may wait before the session leaves records in
// the rings, where what does not fit is counted as dropped.
const outboxFull = 1 << 16

func newOutbox() *outbox {
	o := &outbox{events: make(chan probe.Event)}
	o.more = sync.NewCond(&o.mu)
	go o.run()
	return o
}

// put adds an event. After close it does nothing.
func (o *outbox) put(e probe.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.queue = append(o.queue, e)
		o.behind++
		o.more.Signal()
	}
}

// full tells whether the reader is far behind.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.behind >= outboxFull
}

// close lets the events channel be closed when all that was put is received.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.more.Signal()
}

func (o *outbox) run() {
	defer close(o.events)
	for {
		batch, ok := o.take()
		if !ok {
			return
		}
		for _, e := range batch {
			o.events <- e
			o.received()
		}
	}
}

func (o *outbox) received() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.behind--
}

func (o *outbox) take() ([]probe.Event, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.queue) == 0 && !o.closed {
		o.more.Wait()
	}
	batch := o.queue
	o.queue = nil
	return batch, len(batch) > 0
}
