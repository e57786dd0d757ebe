// Package otlp sends spans to where an application's own traces go: in the JSON
// form of OpenTelemetry's protocol, to a file or to a collector.
//
// Spans of a session come in, redacted; requests go out, an
// ExportTraceServiceRequest each: a line of the file, or a POST. Package cli
// stands before it; nothing of the project stands after it.
//
// The encoding is its own: of the protocol's messages a few fields are needed,
// the generated ones come with gRPC and protobuf, and OTLP/JSON differs from
// protobuf's JSON in its identifiers. The forms are those of the OTLP
// specification 1.7 and of opentelemetry-proto trace/v1/trace.proto; names of
// attributes are those of the semantic conventions 1.37.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// Bounds of an export.
const (
	maxQueue = 8192 // spans that wait; more are lost, and counted
	maxBatch = 512  // spans of one request
	latency  = time.Second
)

// Sender takes one request. Of what it sent, rejected spans were refused by the
// receiver with a reason, told; err says that nothing was taken.
type Sender func(ctx context.Context, request []byte) (rejected int, told string, err error)

// Exporter sends spans in batches, in its own time: who adds one never waits.
type Exporter struct {
	send     Sender
	resource Resource
	queue    chan *probe.Span
	done     chan struct{}
	stop     context.CancelFunc

	mu    sync.Mutex
	tally Tally
}

// Tally is what became of the spans that were added: Sent + Lost.
type Tally struct {
	Sent   int
	Lost   int
	Reason error // of the last loss; nil: none
}

// New starts an exporter; Close ends it.
func New(send Sender, r Resource) *Exporter {
	ctx, stop := context.WithCancel(context.Background())
	e := &Exporter{send: send, resource: r, queue: make(chan *probe.Span, maxQueue), done: make(chan struct{}), stop: stop}
	go e.run(ctx)
	return e
}

var errFull = errors.New("they came faster than they could be sent")

// Add takes a span. It is for one goroutine at a time, and not for after Close.
func (e *Exporter) Add(s *probe.Span) {
	select {
	case e.queue <- s:
	default:
		e.count(0, 1, errFull)
	}
}

// Close sends what waits, for as long as patience lasts, and tells what became of
// all spans.
func (e *Exporter) Close(patience time.Duration) Tally {
	close(e.queue)
	timer := time.AfterFunc(patience, e.stop)
	<-e.done
	timer.Stop()
	e.stop()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.tally
}

func (e *Exporter) count(sent, lost int, why error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tally.Sent += sent
	if e.tally.Lost += lost; lost > 0 {
		e.tally.Reason = why
	}
}

// run sends batches until the queue is closed and empty.
func (e *Exporter) run(ctx context.Context) {
	defer close(e.done)
	tick := time.NewTicker(latency)
	defer tick.Stop()
	var batch []*probe.Span
	for {
		select {
		case s, more := <-e.queue:
			if !more {
				e.flush(ctx, batch)
				return
			}
			if batch = append(batch, s); len(batch) == maxBatch {
				e.flush(ctx, batch)
				batch = nil
			}
		case <-tick.C:
			e.flush(ctx, batch)
			batch = nil
		}
	}
}

func (e *Exporter) flush(ctx context.Context, batch []*probe.Span) {
	if len(batch) == 0 {
		return
	}
	request, err := Encode(e.resource, batch)
	if err != nil {
		e.count(0, len(batch), err)
		return
	}
	rejected, told, err := e.send(ctx, request)
	if err != nil {
		e.count(0, len(batch), err)
		return
	}
	rejected = min(max(rejected, 0), len(batch))
	e.count(len(batch)-rejected, rejected, fmt.Errorf("the receiver refused them: %s", told))
}
