package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/demo"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const demoLong = `Show all of it on this machine, without any program of your own.

A sample service starts as a process of its own, with its own traffic. Sidelight
finds it as it finds any other, puts a log and a counter into it while it works,
shows what they tell, what each hit cost and how long the process was paused,
and takes them out again. Nothing is staged: it is a real process and a real
attach.

Without --for it goes on until Ctrl-C, and names four commands to try from a
second terminal.`

const demoExample = `  sidelight demo
  sidelight demo --for 5s`

func (a *App) demoCmd() *cobra.Command {
	var s sessionFlags
	var life time.Duration
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Show it on a sample service",
		Long:    demoLong,
		Example: demoExample,
		Args:    args(nil, false),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if life < 0 {
				return usagef("--for %v: give a time such as 5s", life)
			}
			return a.demo(cmd.Context(), life, &s)
		},
	}
	cmd.Flags().DurationVar(&life, "for", 0, "end after this `DURATION`; 0: on Ctrl-C")
	_ = cmd.RegisterFlagCompletionFunc("for", cobra.NoFileCompletions)
	s.add(cmd)
	return cmd
}

// demoServiceCmd makes this program the sample service.
func demoServiceCmd() *cobra.Command {
	return &cobra.Command{
		Use:    demo.Command,
		Hidden: true,
		Args:   args(nil, false),
		RunE:   func(*cobra.Command, []string) error { return demo.Serve(os.Stdin, os.Stdout) },
	}
}

func (a *App) demo(ctx context.Context, life time.Duration, f *sessionFlags) error {
	t := tour{w: a.Stdout, paint: a.paint(a.Stdout), life: life, program: a.program()}
	if f.output == outputJSON {
		t.w, t.paint, t.json = a.Stderr, a.paint(a.Stderr), true
	}
	service, cleanUp, err := a.startService(ctx, &t)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil // Ctrl-C, before there was a probe
		}
		return err
	}
	defer cleanUp()
	stop := catchSignals(a.Stdout)
	defer stop.release()
	p, err := a.Host.Resolve(fmt.Sprint(service.PID))
	if err != nil {
		return err
	}
	t.introduce(p.PID, p.RuntimeVersion)
	t.next = a.sink(f, true)
	if err := a.session(ctx, p, demo.Probes(life), f, &t, stop); err != nil {
		return err
	}
	return t.conclude()
}

// startService starts the sample service, from a copy with debug information
// where this program has none.
func (a *App) startService(ctx context.Context, t *tour) (*demo.Service, func(), error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if !demo.HasDebugInfo() {
		t.say("This sidelight was linked without debug information, as \"go run\" does: building a copy that has it …")
	}
	x, err := demo.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	service, err := demo.Start(ctx, x.Path, a.Stderr)
	if err != nil {
		x.Remove()
		return nil, nil, err
	}
	return service, func() {
		if err := service.Stop(); err != nil {
			fmt.Fprintln(a.Stderr, err)
		}
		x.Remove()
	}, nil
}

// program is how a person calls this program from here.
func (a *App) program() string {
	path, err := os.Executable()
	if err != nil || strings.Contains(path, string(filepath.Separator)+"go-build") {
		return "go run ./cmd/sidelight"
	}
	if strings.ContainsRune(os.Args[0], filepath.Separator) {
		return os.Args[0]
	}
	return "sidelight"
}

// tour tells the story of the demo around the events that pass through it.
type tour struct {
	w       io.Writer
	paint   sink.Paint
	next    sink.Sink
	life    time.Duration
	program string
	json    bool
	ends    []*probe.End
}

func (t *tour) say(format string, args ...any) {
	// Nothing is lost with the story; the reader's absence ends the session.
	_, _ = fmt.Fprintf(t.w, format+"\n", args...)
}

func (t *tour) introduce(pid int, version string) {
	t.say("%s is running as pid %d: a sample shop, built with %s, with customers of its own.",
		t.paint.Bold(demo.Name), pid, version)
	t.say("It knows nothing of Sidelight. Two probes go in while it works:\n")
	for _, s := range demo.Probes(t.life) {
		t.say("  %s", t.paint.Place(demo.CommandLine(t.program, s)))
	}
	t.say("")
	for _, line := range demo.Excerpt() {
		if strings.HasPrefix(line, ">") {
			t.say("  %s", t.paint.Bold(line))
		} else {
			t.say("  %s", t.paint.Dim(line))
		}
	}
	t.say("")
}

// Event passes an event on, and says what to do next once the probes are live.
// People read the last words of the probes together, in the conclusion.
func (t *tour) Event(e probe.Event) error {
	if end, ok := e.(*probe.End); ok {
		t.ends = append(t.ends, end)
		if !t.json {
			return nil
		}
	}
	if err := t.next.Event(e); err != nil {
		return err
	}
	if _, ok := e.(*probe.Ready); ok {
		t.suggest()
	}
	return nil
}

func (t *tour) suggest() {
	if t.life > 0 {
		t.say("")
		return
	}
	t.say("\nTry these from a second terminal; Ctrl-C here ends the demo:\n")
	for _, c := range demo.Next(t.program) {
		t.say("  %s", t.paint.Place(c))
	}
	t.say("")
}

// conclude says what it all cost.
func (t *tour) conclude() error {
	var pause time.Duration
	t.say("\n%s\n", t.paint.Bold("What it cost the shop:"))
	for _, e := range t.ends {
		pause = max(pause, e.Pause)
		if t.json {
			continue
		}
		if err := t.next.Event(e); err != nil {
			return err
		}
	}
	t.say("\nIt was never stopped: no thread of it was held longer than %s.", sink.Pause(pause))
	t.say("The probes are out again, and its code is as it was.")
	return nil
}
