package otlp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const appTrace, appSpan = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

func call() *probe.Span {
	return &probe.Span{Probe: "p1", Location: "main.handle", TraceID: appTrace, ID: "a1a2a3a4a5a6a7a8", Above: appSpan, PID: 7, Goroutine: 17,
		Function: "example.com/shop.(*Shop).Place", File: "/src/shop.go", Line: 42, Start: time.Unix(1700000000, 123456789), Duration: 1500,
		Outcome: probe.Returned, Joined: &probe.Joined{TraceID: probe.TraceID{Trace: appTrace, Span: appSpan}, Flags: 1}}
}

func str(s string) probe.Value {
	return probe.Value{Shape: probe.String, Type: "string", Data: []byte(s), Len: int64(len(s))}
}

// encoded is the first span of a request, and its resource.
func encoded(t *testing.T, r Resource, s *probe.Span) (span, res map[string]any) {
	t.Helper()
	line, err := Encode(r, []*probe.Span{s})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.IndexByte(line, '\n') >= 0 {
		t.Errorf("more than a line: %s", line)
	}
	var all map[string]any
	if err := json.Unmarshal(line, &all); err != nil {
		t.Fatal(err)
	}
	of := all["resourceSpans"].([]any)[0].(map[string]any)
	return of["scopeSpans"].([]any)[0].(map[string]any)["spans"].([]any)[0].(map[string]any), of["resource"].(map[string]any)
}

// attributes are those of a span or resource, by their keys.
func attributes(of map[string]any) map[string]any {
	out := map[string]any{}
	for _, a := range of["attributes"].([]any) {
		kv := a.(map[string]any)
		out[kv["key"].(string)] = kv["value"]
	}
	return out
}

func TestSpansHaveTheFormOfTheProtocol(t *testing.T) {
	s, r := encoded(t, Resource{{"service.name", "shop"}, {"process.pid", int64(7)}}, call())
	for key, want := range map[string]any{"traceId": appTrace, "spanId": "a1a2a3a4a5a6a7a8", "parentSpanId": appSpan, "flags": float64(0x101),
		"name": "shop.(*Shop).Place", "kind": float64(1), "startTimeUnixNano": "1700000000123456789", "endTimeUnixNano": "1700000000123458289",
		"status": map[string]any{}} {
		if !reflect.DeepEqual(s[key], want) {
			t.Errorf("%s is %v, want %v", key, s[key], want)
		}
	}
	if got := attributes(r); !reflect.DeepEqual(got, map[string]any{"service.name": map[string]any{"stringValue": "shop"},
		"process.pid": map[string]any{"intValue": "7"}}) {
		t.Errorf("resource %v", got)
	}
	if got := attributes(s); !reflect.DeepEqual(got["code.function.name"], map[string]any{"stringValue": "example.com/shop.(*Shop).Place"}) ||
		!reflect.DeepEqual(got["code.line.number"], map[string]any{"intValue": "42"}) || got["sidelight.end_unknown"] != nil {
		t.Errorf("attributes %v", got)
	}
}

func TestFlagsAreThoseOfTheTrace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *probe.Span)
		want   uint32
	}{
		"sampled":   {func(*probe.Span) {}, 0x101},
		"unsampled": {func(s *probe.Span) { s.Joined.Flags = 0 }, 0x100},
		"remote":    {func(s *probe.Span) { s.Joined.Remote = true }, 0x301},
		"below a call that has a remote span above": {func(s *probe.Span) { s.Joined.Remote, s.Above = true, "b1b2b3b4b5b6b7b8" }, 0x101},
		"alone": {func(s *probe.Span) { s.Joined, s.Above = nil, "" }, 0x101},
	} {
		s := call()
		c.change(s)
		if got := flags(s); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
}

func TestErrorsAndEndsThatAreNotKnown(t *testing.T) {
	s := call()
	s.Error = &probe.Value{Shape: probe.Interface, Type: "*errors.errorString", Elems: []probe.Value{str("no such order")}}
	got, _ := encoded(t, nil, s)
	if want := map[string]any{"code": float64(2), "message": "no such order"}; !reflect.DeepEqual(got["status"], want) {
		t.Errorf("%v", got["status"])
	}
	for _, o := range []probe.Outcome{probe.Panicked, probe.Goexited, probe.Unfinished, probe.Lost} {
		s := call()
		s.Outcome, s.Duration, s.Above, s.Joined = o, 0, "", nil
		got, _ := encoded(t, nil, s)
		a := attributes(got)
		if got["endTimeUnixNano"] != got["startTimeUnixNano"] || a["sidelight.end_unknown"] == nil || got["parentSpanId"] != nil {
			t.Errorf("%s: %v", o, got)
		}
		if failed := got["status"].(map[string]any)["code"] == float64(2); failed != (o == probe.Panicked) {
			t.Errorf("%s: status %v", o, got["status"])
		}
	}
}

func TestAttributesKeepTheirTypes(t *testing.T) {
	for want, v := range map[string]probe.Value{
		`{"boolValue":false}`:                    {Shape: probe.Bool},
		`{"intValue":"-9223372036854775808"}`:    {Shape: probe.Int, Int: math.MinInt64},
		`{"intValue":"9223372036854775807"}`:     {Shape: probe.Uint, Uint: math.MaxInt64},
		`{"stringValue":"18446744073709551615"}`: {Shape: probe.Uint, Uint: math.MaxUint64},
		`{"doubleValue":0}`:                      {Shape: probe.Float, Bits: 64},
		`{"doubleValue":"NaN"}`:                  {Shape: probe.Float, Bits: 64, Float: math.NaN()},
		`{"doubleValue":"-Infinity"}`:            {Shape: probe.Float, Bits: 64, Float: math.Inf(-1)},
		`{"stringValue":""}`:                     str(""),
		`{"stringValue":"größe"}`:                str("größe"),
		`{"bytesValue":"/wA="}`:                  str("\xff\x00"),
		`{}`:                                     {Shape: probe.Nil},
		`{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"2"}]}}`: {Shape: probe.List, Len: 2, Elems: []probe.Value{{Shape: probe.Int, Int: 1}, {Shape: probe.Int, Int: 2}}},
		`{"arrayValue":{"values":[]}}`:                                  {Shape: probe.List},
		`{"intValue":"5"}`:                                              {Shape: probe.Interface, Type: "int", Elems: []probe.Value{{Shape: probe.Int, Int: 5}}},
		`{"stringValue":"\u003coptimised out\u003e"}`:                   probe.Why("optimised out"),
	} {
		if got, err := json.Marshal(value(v, 4)); err != nil || string(got) != want {
			t.Errorf("%+v: %s, want %s (%v)", v, got, want, err)
		}
	}
	secret := probe.Value{Shape: probe.Redacted, Text: "name", Data: []byte("hunter2")}
	if got, _ := json.Marshal(value(secret, 4)); strings.Contains(string(got), "hunter2") || !strings.Contains(string(got), "redacted") {
		t.Errorf("a secret: %s", got)
	}
}

func TestAFileHasARequestALine(t *testing.T) {
	var b bytes.Buffer
	e := New(ToWriter(&b), Resource{{"service.name", "shop"}})
	for range maxBatch + 3 {
		e.Add(call())
	}
	if got := e.Close(time.Minute); got != (Tally{Sent: maxBatch + 3}) {
		t.Errorf("%+v", got)
	}
	spans := 0
	for _, line := range strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n") {
		if !json.Valid([]byte(line)) {
			t.Fatalf("%s", line)
		}
		spans += strings.Count(line, `"spanId"`)
	}
	if spans != maxBatch+3 {
		t.Errorf("%d spans in the file", spans)
	}
}

func TestLossesAreCounted(t *testing.T) {
	full := errors.New("no space left on device")
	e := New(func(context.Context, []byte) (int, string, error) { return 0, "", full }, nil)
	e.Add(call())
	if got := e.Close(time.Minute); got.Sent != 0 || got.Lost != 1 || got.Reason != full {
		t.Errorf("%+v", got)
	}
	// A receiver that takes nothing holds up nobody: what the queue has no room for
	// is lost, and what waits when patience ends.
	stuck := func(ctx context.Context, _ []byte) (int, string, error) {
		<-ctx.Done()
		return 0, "", ctx.Err()
	}
	e = New(stuck, nil)
	const n = maxQueue + 2*maxBatch + 10
	for range n {
		e.Add(call())
	}
	if got := e.Close(time.Millisecond); got.Sent != 0 || got.Lost != n || got.Reason == nil {
		t.Errorf("%+v of %d", got, n)
	}
}

// receiver is a collector that answers as it is told.
func receiver(t *testing.T, answer func(n int, w http.ResponseWriter)) (url string, got *[]*http.Request, bodies *[]string) {
	t.Helper()
	got, bodies = &[]*http.Request{}, &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*got, *bodies = append(*got, r), append(*bodies, string(body))
		answer(len(*got), w)
	}))
	t.Cleanup(s.Close)
	return s.URL, got, bodies
}

func TestACollectorIsPostedTo(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(n int, w http.ResponseWriter)
		tries  int
		want   Tally
		reason string
	}{
		"takes all": {func(_ int, w http.ResponseWriter) { _, _ = io.WriteString(w, "{}") }, 1, Tally{Sent: 2}, ""},
		"takes some": {func(_ int, w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too old"}}`)
		}, 1, Tally{Sent: 1, Lost: 1}, "too old"},
		"refuses": {func(_ int, w http.ResponseWriter) {
			http.Error(w, `{"message":"who are you?"}`, http.StatusUnauthorized)
		}, 1, Tally{Lost: 2}, "who are you?"},
		"elsewhere": {func(_ int, w http.ResponseWriter) { http.Error(w, "", 404) }, 1, Tally{Lost: 2}, "4318"},
		"sends on": {func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", "http://user:word@elsewhere.invalid/v1/traces")
			w.WriteHeader(307)
		}, 1, Tally{Lost: 2}, "if http://user:xxxxx@elsewhere.invalid/v1/traces is meant"},
		"busy once": {func(n int, w http.ResponseWriter) {
			if n == 1 {
				w.WriteHeader(503)
			}
		}, 2, Tally{Sent: 2}, ""},
	} {
		url, got, bodies := receiver(t, c.answer)
		endpoint, err := Endpoint(url)
		if err != nil {
			t.Fatal(err)
		}
		headers, err := Headers("api-key=a%2Cb , x=y")
		if err != nil {
			t.Fatal(err)
		}
		e := New(ToHTTP(endpoint, headers), nil)
		e.Add(call())
		e.Add(call())
		tally := e.Close(time.Minute)
		reason := tally.Reason
		if tally.Reason = nil; tally != c.want || reason != nil && !strings.Contains(reason.Error(), c.reason) || len(*got) != c.tries {
			t.Errorf("%s: %+v after %d tries, %v", name, tally, len(*got), reason)
		}
		r := (*got)[0]
		if r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Api-Key") != "a,b" ||
			r.Header.Get("X") != "y" || strings.Count((*bodies)[0], `"spanId"`) != 2 {
			t.Errorf("%s: %s %s %v %s", name, r.Method, r.URL, r.Header, (*bodies)[0])
		}
	}
}

func TestEndpoints(t *testing.T) {
	for in, want := range map[string]string{"http://h:4318": "http://h:4318/v1/traces", "http://h:4318/": "http://h:4318/v1/traces",
		"https://h/otlp": "https://h/otlp/v1/traces", "https://h/otlp/v1/traces": "https://h/otlp/v1/traces", "http://": ""} {
		if got, err := Endpoint(in); got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", in, got, err)
		}
	}
	for _, bad := range []string{"secret", "=x", "a=%zz"} {
		if _, err := Headers(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
