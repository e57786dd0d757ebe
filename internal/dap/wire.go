package dap

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	godap "github.com/google/go-dap"
)

// Bounds of what a client may send, and of what may wait for it.
const (
	maxHeader  = 4 << 10
	maxMessage = 8 << 20  // larger messages are skipped, and answered by an error
	maxSkipped = 1 << 30  // beyond it the stream makes no sense
	maxWaiting = 64 << 20 // bytes that a client has not read: it is gone
	maxOutput  = 4000     // messages of probes that wait: further ones are counted instead
)

// errTooLarge says that a message was skipped.
var errTooLarge = fmt.Errorf("a message has more than %d bytes", maxMessage)

// malformedError is a stream that is not the protocol: nothing that follows can
// be understood.
type malformedError struct{ why string }

func (e *malformedError) Error() string {
	return "this is not the Debug Adapter Protocol: " + e.why + "; give sidelight dap to an editor as its debug adapter"
}

// readMessage reads the content of one message. errTooLarge leaves the stream
// behind the message.
func readMessage(r *bufio.Reader) ([]byte, error) {
	length, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	if length > maxMessage {
		if length > maxSkipped {
			return nil, &malformedError{fmt.Sprintf("a message of %d bytes", length)}
		}
		if _, err := io.CopyN(io.Discard, r, length); err != nil {
			return nil, err
		}
		return nil, errTooLarge
	}
	content := make([]byte, length)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, err
	}
	return content, nil
}

// readHeader reads up to the empty line and returns the content's length.
func readHeader(r *bufio.Reader) (int64, error) {
	length, size := int64(-1), 0
	for {
		line, err := readLine(r, maxHeader-size)
		if err != nil {
			return 0, err
		}
		size += len(line)
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			if length < 0 {
				return 0, &malformedError{"the header has no Content-Length"}
			}
			return length, nil
		}
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return 0, &malformedError{fmt.Sprintf("a header line is %.40q", text)}
		}
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < 0 {
			return 0, &malformedError{fmt.Sprintf("Content-Length is %.40q", value)}
		}
		length = n
	}
}

// readLine reads a line of at most max bytes.
func readLine(r *bufio.Reader, max int) ([]byte, error) {
	var line []byte
	for {
		b, err := r.ReadByte()
		if err != nil {
			if len(line) > 0 && errors.Is(err, io.EOF) {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
		line = append(line, b)
		if b == '\n' {
			return line, nil
		}
		if len(line) >= max {
			return nil, &malformedError{"the header does not end"}
		}
	}
}

// request is a message of the client. Arguments are decoded where they are used.
type request struct {
	Seq       int             `json:"seq"`
	Type      string          `json:"type"`
	Command   string          `json:"command"`
	Arguments json.RawMessage `json:"arguments"`
	oversized bool
}

// reply is an answer: go-dap's Response has no place for any body.
type reply struct {
	godap.Response
	Body any `json:"body,omitempty"`
}

// event is a message without a request. Its sequence number is given when it
// is written.
type event struct {
	godap.Event
	Body any `json:"body,omitempty"`
}

// writer puts messages in line for the client, and never makes the loop wait.
type writer struct {
	mu      sync.Mutex
	more    *sync.Cond
	queue   []queued
	bytes   int
	outputs int // messages of probes in the queue
	skipped int // messages of probes that found no place
	seq     int
	closed  bool
	err     error
	done    chan struct{}
	broken  chan struct{} // closed when the client cannot be written to
}

type queued struct {
	content []byte
	output  bool
}

func newWriter(w io.Writer) *writer {
	q := &writer{done: make(chan struct{}), broken: make(chan struct{})}
	q.more = sync.NewCond(&q.mu)
	go q.run(w)
	return q
}

// send queues a message. output marks those that may be left out, and counted,
// when the client does not read them in time; it says whether it was queued.
func (q *writer) send(m any, output bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.err != nil {
		return false
	}
	if output && q.outputs >= maxOutput {
		q.skipped++
		return false
	}
	q.seq++
	switch m := m.(type) {
	case *reply:
		m.Seq, m.Type = q.seq, "response"
	case *event:
		m.Seq, m.Type = q.seq, "event"
	}
	content, err := marshal(m)
	if err != nil {
		q.fail(err)
		return false
	}
	if q.bytes += len(content); q.bytes > maxWaiting {
		q.fail(errors.New("the editor does not read what it asked for"))
		return false
	}
	if output {
		q.outputs++
	}
	q.queue = append(q.queue, queued{content, output})
	q.more.Signal()
	return true
}

// fail marks the client as gone.
func (q *writer) fail(err error) {
	if q.err == nil {
		q.err = err
		close(q.broken)
	}
}

// marshal leaves < and > readable, as all output of Sidelight does.
func marshal(m any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(m)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// takeSkipped is how many messages of probes were left out since it was last
// asked, once there is room for saying so.
func (q *writer) takeSkipped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.outputs > maxOutput/2 {
		return 0
	}
	n := q.skipped
	q.skipped = 0
	return n
}

// close lets the writer end when all is written.
func (q *writer) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Signal()
}

func (q *writer) run(w io.Writer) {
	defer close(q.done)
	b := bufio.NewWriterSize(w, 64<<10)
	for {
		batch, ok := q.take()
		if !ok {
			return
		}
		for _, m := range batch {
			fmt.Fprintf(b, "Content-Length: %d\r\n\r\n", len(m.content))
			_, _ = b.Write(m.content)
			q.wrote(m)
		}
		if err := b.Flush(); err != nil {
			q.mu.Lock()
			q.fail(err)
			q.mu.Unlock()
			return
		}
	}
}

// take waits for messages. A hundred at a time, so that what waits is counted.
func (q *writer) take() ([]queued, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.queue) == 0 && !q.closed {
		q.more.Wait()
	}
	n := min(len(q.queue), 100)
	batch := q.queue[:n:n]
	q.queue = q.queue[n:]
	return batch, n > 0
}

func (q *writer) wrote(m queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= len(m.content)
	if m.output {
		q.outputs--
	}
}
