package dap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	godap "github.com/google/go-dap"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

func TestAThousandBreakpoints(t *testing.T) {
	e := connect(t).attach()
	var list points
	for i := range 1000 {
		p := map[string]any{"line": 10 + i, "logMessage": "x"}
		if i%10 == 5 {
			p["line"] = 11 + i // what ends in 5 has no code
		}
		if i%100 == 0 {
			p["logMessage"] = "{mistake}"
		}
		list = append(list, p)
	}
	began := time.Now()
	good := 0
	for _, b := range e.set(list) {
		if b.Verified {
			good++
		}
	}
	if good != 990 {
		t.Errorf("%d of 990 are in", good)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	e.set(list[:3])
	e.in.Close()
	_ = e.ends()
}

// A client that goes away without a word, at any moment, leaves nothing.
func TestVanishingClients(t *testing.T) {
	for name, until := range map[string]func(e *editor){
		"at once":  func(*editor) {},
		"attached": func(e *editor) { e.attach() },
		"while installing": func(e *editor) {
			e.attach()
			e.w.slow = time.Minute
			e.send("setBreakpoints", map[string]any{"source": map[string]any{"path": e.file}, "breakpoints": points{{"line": 20}}})
			time.Sleep(50 * time.Millisecond)
		},
		"in the middle of an expansion": func(e *editor) {
			e.attach()
			e.set(points{{"line": 20}})
			from := e.mark()
			e.w.hit(":20")
			e.event("stopped", from)
			scopes := into[godap.ScopesResponseBody](e.t, e.ok("scopes", map[string]any{"frameId": 1<<frameBits | 1})).Scopes
			for range 100 {
				e.send("variables", map[string]any{"variablesReference": scopes[0].VariablesReference})
			}
			e.raw("Content-Length: 100\r\n\r\n{\"seq\":")
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := connect(t)
			until(e)
			e.in.Close()
			if err := e.ends(); err != nil {
				t.Error(err)
			}
		})
	}
}

// deaf is a client that sends and never reads.
type deaf struct{ stop chan struct{} }

func (d deaf) Write([]byte) (int, error) {
	<-d.stop
	return 0, io.ErrClosedPipe
}

// A client that does not read holds nobody: hits are counted instead of shown,
// and its probes go when it does.
func TestDeafClient(t *testing.T) {
	w := &world{t: t, in: map[string]bool{}}
	in, out := io.Pipe()
	d := deaf{make(chan struct{})}
	served := make(chan error, 1)
	a := &Adapter{Host: fakeHost{}, Open: w.open, Code: func(int, []string) (Code, error) { return fakeCode{"/x/main.go"}, nil }}
	go func() { served <- a.Serve(context.Background(), in, d) }()
	say := func(seq int, command, arguments string) {
		b := fmt.Sprintf(`{"seq":%d,"type":"request","command":%q,"arguments":%s}`, seq, command, arguments)
		fmt.Fprintf(out, "Content-Length: %d\r\n\r\n%s", len(b), b)
	}
	say(1, "attach", `{"target":"shop"}`)
	say(2, "setBreakpoints", `{"source":{"path":"/x/main.go"},"breakpoints":[{"line":20,"logMessage":"x"}]}`)
	for w.locations() == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	for range 3 * maxOutput {
		w.hit(":20")
	}
	say(3, "threads", `{}`)
	time.Sleep(100 * time.Millisecond)
	time.AfterFunc(time.Second, func() { close(d.stop) })
	out.Close()
	select {
	case <-served:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if w.locations() != 0 {
		t.Error("its probes are left")
	}
}

func TestGiantAndMalformedMessages(t *testing.T) {
	e := connect(t).attach()
	from := e.mark()
	giant := strings.Repeat("x", maxMessage+1)
	e.raw(fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(giant), giant))
	if out := into[godap.OutputEventBody](t, e.event("output", from)); !strings.Contains(out.Output, "skipped") {
		t.Errorf("%+v", out)
	}
	e.raw("Content-Length: 8\r\n\r\nnot JSON")
	e.raw("content-length: 4\r\nX-Other: y\r\n\r\nnull")
	if m := e.ask("nonsense", nil); m.Success || !strings.Contains(m.Message, "nonsense") {
		t.Errorf("%+v", m)
	}
	if m := e.ask("setBreakpoints", "text"); m.Success {
		t.Error("arguments that are none are accepted")
	}
	e.ok("threads", nil) // it goes on
	e.raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	var malformed *malformedError
	if err := e.ends(); !errors.As(err, &malformed) {
		t.Errorf("%v", err)
	}
}

func TestNothingCanBeInstalled(t *testing.T) {
	e := connect(t).attach()
	e.w.refuse = errors.New("somebody else traces it")
	if got := e.set(points{{"line": 20}}); got[0].Verified || got[0].Message != "somebody else traces it" {
		t.Errorf("%+v", got)
	}
	e.in.Close()
	_ = e.ends()
}

// However many snapshots come, those that are kept are bounded, and those that
// are looked at stay.
func TestSnapshotsAreBounded(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}})
	for range maxMoments + 50 {
		e.w.hit(":20")
	}
	last := maxMoments + 50
	e.await("the last", 0, func(m message) bool {
		return m.Event == eventMoment && strings.Contains(string(m.Body), fmt.Sprintf(`"id":%d,`, last))
	})
	list := e.ok(requestMoments, nil)
	if n := strings.Count(string(list.Body), `"title"`); n != maxMoments || !strings.Contains(string(list.Body), `"id":1,`) {
		t.Errorf("%d are kept", n)
	}
	if m := e.ask(requestOpen, map[string]any{"id": 30}); m.Success {
		t.Error("an old one is there")
	}
	e.in.Close()
	_ = e.ends()
}

func TestTheProcessEnds(t *testing.T) {
	e := connect(t).attach()
	e.set(points{{"line": 20}, {"line": 30, "logMessage": "x"}})
	from := e.mark()
	e.w.hit(":20")
	st := into[stopped](t, e.event("stopped", from))
	e.w.finish(":20", probe.EndExited)
	e.w.finish(":30", probe.EndExited)
	e.ok("stackTrace", map[string]any{"threadId": st.ThreadID}) // it can still be looked at
	from = e.mark()
	e.ok("continue", map[string]any{"threadId": st.ThreadID})
	e.event("terminated", from)
	e.in.Close()
	_ = e.ends()
}

// FuzzSession sends anything to a session that has a snapshot to show.
func FuzzSession(f *testing.F) {
	f.Add("threads", `{}`)
	f.Add("variables", `{"variablesReference":1,"start":-5,"count":99999999999}`)
	f.Add("stackTrace", `{"threadId":2,"startFrame":-1,"levels":1}`)
	f.Add("evaluate", `{"expression":"o.Items[-1].x[","frameId":4097}`)
	f.Add("evaluate", `{"expression":"count a.go:1 for 1s","context":"repl"}`)
	f.Add("setBreakpoints", `{"source":{"path":"/x/main.go"},"breakpoints":[{"line":-3},{"line":20,"hitCondition":"%% 2"}]}`)
	f.Add("completions", `{"text":"o","column":-7,"frameId":4097}`)
	f.Add("breakpointLocations", `{"source":{"path":"/x/main.go"},"line":-1,"endLine":2147483647}`)
	f.Add("source", `{"sourceReference":1,"source":{"path":"/etc/passwd"}}`)
	f.Fuzz(func(t *testing.T, command, arguments string) {
		w := &world{t: t, in: map[string]bool{}}
		a := &Adapter{Host: fakeHost{}, Open: w.open, Code: func(int, []string) (Code, error) { return fakeCode{"/x/main.go"}, nil }}
		var in bytes.Buffer
		say := func(command, arguments string) {
			b, _ := json.Marshal(map[string]any{"seq": 1, "type": "request", "command": command, "arguments": json.RawMessage(arguments)})
			fmt.Fprintf(&in, "Content-Length: %d\r\n\r\n%s", len(b), b)
		}
		say("attach", `{"target":"shop"}`)
		say("setBreakpoints", `{"source":{"path":"/x/main.go"},"breakpoints":[{"line":20}]}`)
		if json.Valid([]byte(arguments)) {
			say(command, arguments)
			say("disconnect", `{}`)
		} else {
			in.WriteString(command + arguments)
		}
		if err := a.Serve(context.Background(), &in, io.Discard); err != nil {
			var malformed *malformedError
			if !errors.As(err, &malformed) {
				t.Fatal(err)
			}
		}
		if w.locations() != 0 {
			t.Fatal("probes are left")
		}
	})
}

// FuzzWire reads any stream.
func FuzzWire(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}Content-Length: 9999999999999\r\n\r\n"))
	f.Add([]byte("Content-Length: -1\r\n\r\n"))
	f.Add(bytes.Repeat([]byte("a: b\r\n"), 2000))
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		for {
			content, err := readMessage(r)
			if err != nil && !errors.Is(err, errTooLarge) {
				return
			}
			if len(content) > len(stream) {
				t.Fatal("more came out than went in")
			}
		}
	})
}
