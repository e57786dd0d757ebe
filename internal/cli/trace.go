package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const traceLong = `Show calls of functions in a running process as spans: when each began, how long
it took, how it ended, and which calls it was made by, within its goroutine.

The first span of another goroutine names the goroutine and the function that
started it. --attr adds what an expression is when the call begins; of several
functions, those that do not have it go without. A call whose
last error result is not nil has the status error, with its text; so has one
that a panic ended.

Spans come as they end. --tree waits for the root of each trace and draws it;
--pprof FILE adds all of them up, for go tool pprof.`

const traceExample = `  sidelight trace shop 'shop.(*Shop).Place' 'shop.(*Shop).take' --tree
  sidelight trace shop main.handle main.load --attr user=req.User.ID --for 10s --output json
  sidelight trace shop main.handle main.load --pprof calls.pb.gz --for 30s`

// traceFlags are what only traces have.
type traceFlags struct {
	attrs []string
	tree  bool
	pprof string
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
	out := a.sink(s, false)
	if f.tree {
		out = sink.NewTrees(a.Stdout, a.textOptions(false))
	}
	if f.pprof == "" {
		return a.session(cmd.Context(), p, specs, s, out, stop)
	}
	file, err := os.Create(f.pprof)
	if err != nil {
		return fmt.Errorf("--pprof: %w", err)
	}
	defer file.Close()
	both := &profiled{Sink: out, prof: sink.NewPprof()}
	began := time.Now()
	if err := a.session(cmd.Context(), p, specs, s, both, stop); err != nil {
		return err
	}
	if err := errors.Join(both.prof.Write(file, time.Since(began)), file.Close()); err != nil {
		return fmt.Errorf("--pprof %s: %w", f.pprof, err)
	}
	fmt.Fprintf(a.Stderr, "wrote %s: go tool pprof -http=localhost: %s\n", f.pprof, f.pprof)
	return nil
}

// profiled passes events on and adds the spans among them up.
type profiled struct {
	sink.Sink
	prof *sink.Pprof
}

// Event takes one event.
func (p *profiled) Event(e probe.Event) error {
	if s, ok := e.(*probe.Span); ok {
		p.prof.Add(s)
	}
	return p.Sink.Event(e)
}
