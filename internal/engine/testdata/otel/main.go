// A program that is traced with OpenTelemetry's own SDK. For each line "run" of
// its input it makes the calls below, and says of each, as a line of JSON, the
// span that its context carried; then, of each of its spans, what it exported.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// said is what the program says of a call.
type said struct {
	Case, Trace, Span string
	Sampled, Remote   bool
	Exported          bool `json:",omitempty"`
}

var (
	out      = json.NewEncoder(os.Stdout)
	exporter = tracetest.NewInMemoryExporter()
	on       = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)).Tracer("on")
	off      = sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithSampler(sdktrace.NeverSample())).Tracer("off")
	sink     int
)

// tell says what a call of a case carries.
func tell(name string, ctx context.Context) {
	s := said{Case: name}
	if ctx != nil {
		if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
			s.Trace, s.Span, s.Sampled, s.Remote = sc.TraceID().String(), sc.SpanID().String(), sc.IsSampled(), sc.IsRemote()
		}
	}
	_ = out.Encode(s)
}

//go:noinline
func handle(ctx context.Context, name string) {
	sink += len(name)
}

//go:noinline
func serve(w http.ResponseWriter, r *http.Request, name string) {
	sink += len(name) + len(r.Method)
}

//go:noinline
func third(n int, name string, ctx context.Context) {
	sink += len(name) + n
}

//go:noinline
func generic[T any](ctx context.Context, name string, v T) {
	sink += len(name) + len(fmt.Sprint(v))
}

func copied(ctx context.Context, name string) {
	if ctx.Err() == nil {
		sink += len(name)
	}
}

// nameless has a context that the compiler may keep nowhere.
//
//go:noinline
func nameless(_ context.Context, name string) { sink += len(name) }

type service struct {
	n   int
	ctx context.Context
}

//go:noinline
func (s *service) do(name string) { sink += len(name) + s.n }

// web is like the context of a web framework.
type web struct {
	n       int
	Request *http.Request
}

//go:noinline
func page(c *web, name string) { sink += len(name) + c.n }

// outer makes inner calls: one in its own span, one in a new one, one in its own
// again, one without.
//
//go:noinline
func outer(ctx context.Context, name string) {
	handle(ctx, "outer: the same")
	child, span := on.Start(ctx, "child")
	tell("outer: a child", child)
	inner(child, ctx, "outer: a child")
	handle(context.Background(), "outer: none")
	span.End()
}

//go:noinline
func inner(ctx, old context.Context, name string) {
	handle(old, "inner: the older")
	handle(ctx, "inner: the same")
}

// mine is a context of the program's own that another one lies in; alien one that
// has none.
type mine struct {
	n int
	context.Context
}

type alien struct{}

func (alien) Deadline() (time.Time, bool) { return time.Time{}, false }
func (alien) Done() <-chan struct{}       { return nil }
func (alien) Err() error                  { return nil }
func (alien) Value(any) any               { return nil }

// wrapped is a span of a kind that nobody knows.
type wrapped struct{ trace.Span }

type key int

func deep(ctx context.Context, n int) context.Context {
	for i := range n {
		ctx = context.WithValue(ctx, key(i), i)
	}
	return ctx
}

func run() {
	sampled, span := on.Start(context.Background(), "sampled")
	unsampled, span2 := off.Start(context.Background(), "unsampled")
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 2, 3, 15: 4}, SpanID: trace.SpanID{5, 7: 6},
		TraceFlags: trace.FlagsSampled, Remote: true})
	remote := trace.ContextWithRemoteSpanContext(context.Background(), sc)
	continued, span3 := on.Start(remote, "continued")

	canceled, cancel := context.WithCancel(sampled)
	timed, cancel2 := context.WithTimeout(context.WithoutCancel(canceled), time.Hour)
	decoy := context.WithValue(sampled, key(1), sc)
	for name, ctx := range map[string]context.Context{
		"sampled": sampled, "unsampled": unsampled, "remote": remote, "continued": continued, "none": context.Background(), "todo": context.TODO(),
		"nil": nil, "forty values": deep(sampled, 40), "canceled": canceled, "timed": timed, "mine": &mine{1, timed}, "mine by value": mine{1, timed},
		"decoy": decoy, "noop": trace.ContextWithSpan(sampled, trace.SpanFromContext(context.Background())), "no span": trace.ContextWithSpan(sampled, nil),
		"replaced": trace.ContextWithSpan(sampled, span3),
	} {
		tell(name, ctx)
		handle(ctx, name)
	}
	handle(deep(sampled, 100), "a hundred values")
	handle(alien{}, "alien")
	handle(trace.ContextWithSpan(sampled, wrapped{span}), "wrapped")

	tell("third", sampled)
	third(1, "third", sampled)
	tell("receiver", timed)
	(&service{1, timed}).do("receiver")
	plain, _ := http.NewRequest("GET", "/", nil)
	tell("request", plain.WithContext(canceled).Context())
	serve(nil, plain.WithContext(canceled), "request")
	tell("plain request", plain.Context())
	serve(nil, plain, "plain request")
	serve(nil, &http.Request{}, "empty request")
	tell("page", sampled)
	page(&web{1, plain.WithContext(sampled)}, "page")
	page(&web{}, "empty page")

	tell("generic", sampled)
	generic(sampled, "generic", 7)
	tell("copied", timed)
	copied(timed, "copied")
	nameless(sampled, "nameless")

	tell("outer", sampled)
	outer(sampled, "outer")
	done := make(chan bool)
	tell("goroutine", sampled)
	go func() {
		handle(sampled, "goroutine")
		close(done)
	}()
	<-done
	cancel()
	cancel2()
	span3.End()
	span2.End()
	span.End()
	for _, s := range exporter.GetSpans() {
		_ = out.Encode(said{Case: s.Name, Trace: s.SpanContext.TraceID().String(), Span: s.SpanContext.SpanID().String(), Exported: true})
	}
	exporter.Reset()
}

func main() {
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		run()
		fmt.Println("done")
	}
}
