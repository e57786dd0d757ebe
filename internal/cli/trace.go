package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/dash"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const traceLong = `Show calls of functions in a running process as spans: when each began, how long
it took, how it ended, and which calls it was made by, within its goroutine.

The first span of another goroutine names the goroutine and the function that
started it. --attr adds what an expression is when the call begins; of several
functions, those that do not have it go without. A call whose last error result
is not nil has the status error, with its text; so has one that a panic ended.

A call that is given a context.Context, or an *http.Request, joins the
OpenTelemetry trace in it: its span has that trace's id, and the application's
span above it. --otlp sends the spans to where the application's own go: to a
collector (http://HOST:PORT, OTLP as JSON, headers by
OTEL_EXPORTER_OTLP_HEADERS), or into a FILE, a request a line. OTEL_SERVICE_NAME
and OTEL_RESOURCE_ATTRIBUTES say more of the resource, whose service.name is
else the program's name.

On a terminal, a live page adds the calls up by function and shows the last tree
of them. In a pipe, or with --plain, spans come as they end. --tree waits for
the root of each trace and draws it; --pprof FILE adds all of them up, for go
tool pprof.`

const traceExample = `  sidelight trace shop 'shop.(*Shop).take' 'shop.(*Shop).bill' --tree
  sidelight trace shop main.handle main.load --attr user=req.User.ID \
      --for 10s --output json
  sidelight trace shop main.handle --otlp http://localhost:4318 --for 10m
  sidelight trace shop main.handle main.load --pprof calls.pb.gz --for 30s`

// traceFlags are what only traces have.
type traceFlags struct {
	attrs []string
	tree  bool
	pprof string
	otlp  string

	screen screenFlags
}

func (a *App) traceCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	var f traceFlags
	cmd := &cobra.Command{
		Use:               "trace TARGET FUNCTION...",
		Short:             "Show calls in a running process as spans",
		Long:              traceLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           traceExample,
		Args:              args([]string{"TARGET", "FUNCTION"}, true),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			attrs, err := parseAttrs(f.attrs, len(args) > 2)
			if err := errors.Join(err, p.check(), checkTo(args[1:], ""), f.check(&s)); err != nil {
				return err
			}
			var specs []probe.Spec
			for i, at := range args[1:] {
				specs = append(specs, probe.Spec{ID: fmt.Sprintf("p%d", i+1), Kind: probe.Trace, At: at, Attrs: attrs,
					If: p.condition, For: p.life, Limit: p.limit})
			}
			return a.traced(cmd, args[0], specs, &s, &f)
		},
	}
	p.add(cmd, probe.Trace)
	cmd.Flags().StringArrayVar(&f.attrs, "attr", nil, "give each span an attribute, `NAME=EXPRESSION`, of the arguments")
	cmd.Flags().BoolVar(&f.tree, "tree", false, "draw each trace as a tree, once its root has ended")
	cmd.Flags().StringVar(&f.pprof, "pprof", "", "write a profile of all calls to this `FILE` at the end")
	_ = cmd.MarkFlagFilename("pprof", "pb.gz")
	cmd.Flags().StringVar(&f.otlp, "otlp", "", "send all spans to this collector, or into this file, as OTLP/JSON: `URL|FILE`")
	f.screen.add(cmd)
	s.add(cmd)
	return cmd
}

func (f *traceFlags) check(s *sessionFlags) error {
	if f.tree && s.output == outputJSON {
		return usagef("--tree is for people: with --output json, parent_id says which span is above")
	}
	return nil
}

// parseAttrs reads attributes; of several functions, only some may have one.
func parseAttrs(list []string, loose bool) ([]probe.Attr, error) {
	var out []probe.Attr
	for _, text := range list {
		name, x, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.TrimSpace(x) == "" {
			return nil, usagef("--attr %s: write NAME=EXPRESSION, such as user=req.User.ID", text)
		}
		out = append(out, probe.Attr{Name: name, Expr: x, Loose: loose})
	}
	return out, nil
}

// traced is observe with the outputs that only traces have.
func (a *App) traced(cmd *cobra.Command, name string, specs []probe.Spec, s *sessionFlags, f *traceFlags) error {
	stop := catchSignals(a.Stdout)
	defer stop.release()
	p, err := a.Host.Resolve(name)
	if err != nil {
		return err
	}
	out := &spread{Sink: a.sink(s, false)}
	if f.tree {
		out.Sink = sink.NewTrees(a.Stdout, a.textOptions(false))
		f.screen.plain = true
	}
	leave, err := a.callsPage(p.Name, s, f, out, stop)
	if err != nil {
		return err
	}
	// What is done with the spans at the end, last begun first.
	var ends []func() error
	if f.pprof != "" {
		end, err := a.profile(f.pprof, out)
		if err != nil {
			return err
		}
		ends = append(ends, end)
	}
	if f.otlp != "" {
		end, err := a.export(f.otlp, p, out)
		if err != nil {
			return err
		}
		ends = append(ends, end)
	}
	err = a.session(cmd.Context(), p, specs, s, out, stop)
	err = errors.Join(leave(), err)
	for _, end := range ends {
		err = errors.Join(err, end())
	}
	return err
}

// callsPage shows the calls on a page where there is a terminal. What leave leaves on
// the plain terminal is the table of the functions.
func (a *App) callsPage(name string, s *sessionFlags, f *traceFlags, out *spread, stop *interruption) (leave func() error, err error) {
	calls := sink.NewCalls()
	live, err := a.page(&f.screen, s, dash.Options{Title: "trace " + name, Calls: calls, After: out.Sink}, stop)
	if err != nil || live == nil {
		return func() error { return nil }, err
	}
	out.Sink = live
	return func() error {
		err := live.Close()
		if f.screen.still == "" && calls.Len() > 0 {
			_, wrong := fmt.Fprintln(a.Stdout, strings.Join(calls.Lines(sink.TopTotal, 0, columns(a.Stdout), a.paint(a.Stdout)), "\n"))
			err = errors.Join(err, wrong)
		}
		return err
	}, nil
}

// spread passes events on, and the spans among them to others.
type spread struct {
	sink.Sink
	to   []func(*probe.Span)
	live bool // there was a session
}

// Event takes one event.
func (s *spread) Event(e probe.Event) error {
	switch e := e.(type) {
	case *probe.Ready:
		s.live = true
	case *probe.Span:
		for _, to := range s.to {
			to(e)
		}
	}
	return s.Sink.Event(e)
}

// profile adds spans up for go tool pprof; end writes the file.
func (a *App) profile(path string, out *spread) (end func() error, err error) {
	file, err := createFresh(path, 0o666)
	if err != nil {
		return nil, fmt.Errorf("--pprof: %w", err)
	}
	prof, began := sink.NewPprof(), time.Now()
	out.to = append(out.to, prof.Add)
	return func() error {
		if !out.live {
			return file.Close()
		}
		if err := errors.Join(prof.Write(file, time.Since(began)), file.Close()); err != nil {
			return fmt.Errorf("--pprof %s: %w", path, err)
		}
		fmt.Fprintf(a.Stderr, "wrote %s: go tool pprof -http=localhost: %s\n", path, path)
		return nil
	}, nil
}
