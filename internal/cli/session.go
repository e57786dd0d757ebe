package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

// observe puts probes into a target and passes on what they tell until the
// last of them has ended. Whatever happens on this side, a signal, a reader
// that went away, an error, the probes are removed before it returns.
func (a *App) observe(ctx context.Context, name string, specs []probe.Spec, f *sessionFlags) error {
	return a.observeTo(ctx, name, specs, f, a.sink(f, len(specs) > 1))
}

// observeTo is observe with another place where the events go.
func (a *App) observeTo(ctx context.Context, name string, specs []probe.Spec, f *sessionFlags, out sink.Sink) error {
	stop := catchSignals(a.Stdout)
	defer stop.release()
	if _, err := f.rules(); err != nil {
		return err
	}
	p, err := a.Host.Resolve(name)
	if err != nil {
		return err
	}
	return a.session(ctx, p, specs, f, out, stop)
}

// sink is where the events of a session go.
func (a *App) sink(f *sessionFlags, named bool) sink.Sink {
	if f.output == outputJSON {
		return sink.NewJSON(a.Stdout)
	}
	return sink.NewText(a.Stdout, a.textOptions(named))
}

// textOptions is how text looks on these streams.
func (a *App) textOptions(named bool) sink.TextOptions {
	return sink.TextOptions{Color: bool(a.paint(a.Stdout)), Width: columns(a.Stdout), Named: named,
		Notes: a.Stderr, NotesColor: bool(a.paint(a.Stderr))}
}

// session is observe for a process that was found.
func (a *App) session(ctx context.Context, p target.Process, specs []probe.Spec, f *sessionFlags, out sink.Sink, stop *interruption) error {
	if p.Problem != nil {
		return fmt.Errorf("%s (pid %d) cannot be observed: %w", p.Name, p.PID, p.Problem)
	}
	if a.Open == nil {
		return errors.New("this sidelight was built without its engine")
	}
	rules, err := f.rules()
	if err != nil {
		return err
	}
	prober, err := a.Open(ctx, p.PID, Options{Budget: float64(f.budget), Log: a.logger(f.verbose), Redact: rules,
		Target: p.Name, Owner: "sidelight " + f.command, Direct: f.direct, Symbols: a.Symbols})
	if err != nil {
		return err
	}
	r := run{prober: prober, out: out, stop: stop, notes: a.Stderr, json: f.output == outputJSON, target: p.Name, some: f.some}
	return r.drive(ctx, specs)
}

// result is the error of the whole session. Its exit code says whether every
// probe was served; who holds a site or forbids it is a refusal.
func (r *run) result() error {
	if r.failed != nil {
		return r.failed
	}
	if r.ready == nil {
		return nil
	}
	refused, missing := 0, 0
	for _, p := range r.ready.Probes {
		if p.Sites > 0 {
			continue
		}
		missing++
		if refusedAll(p.Issues) {
			refused++
		}
	}
	switch {
	case missing == 0 || r.some && missing < len(r.ready.Probes):
		return nil
	case refused == len(r.ready.Probes):
		return &refusedError{r.explain("refused")}
	}
	return errors.New(r.explain("not served by this build"))
}

// explain names the probes without a site and why they have none.
func (r *run) explain(what string) string {
	var lines []string
	for _, p := range r.ready.Probes {
		if p.Sites > 0 {
			continue
		}
		if len(p.Issues) == 0 {
			lines = append(lines, p.Location+": "+what)
		}
		for _, i := range p.Issues {
			if !strings.HasPrefix(i.Message, p.Location) {
				i.Message = p.Location + ": " + i.Message
			}
			lines = append(lines, i.Message)
		}
	}
	return strings.Join(lines, "\n")
}

func refusedAll(issues []probe.Issue) bool {
	for _, i := range issues {
		if i.Code != probe.IssueTaken && i.Code != probe.IssueRefusedCode {
			return false
		}
	}
	return len(issues) > 0
}

// brokenPipe says that the reader of the output went away, as head(1) does.
func brokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
