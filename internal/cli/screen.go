package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/dash"
	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

// screenFlags say whether a page of the terminal shows what probes add up.
type screenFlags struct {
	plain bool
	still string
	save  string // keeps snapshots in this file, too
}

func (f *screenFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.plain, "plain", false, "write lines, also on a terminal, instead of a live page")
	cmd.Flags().StringVar(&f.still, "still", "", "draw the page once, at the end, in so many `COLUMNSxROWS`: for pictures")
	_ = cmd.Flags().MarkHidden("still")
}

// shown is a sink that has a last word.
type shown interface {
	sink.Sink
	Close() error
}

// page is the page of the terminal, where there is one and nobody asked for lines;
// else nil.
func (a *App) page(f *screenFlags, s *sessionFlags, opt dash.Options, stop *interruption) (shown, error) {
	opt.Paint, opt.Stop = a.paint(a.Stdout), func() {
		select {
		case stop.signals <- os.Interrupt:
		default: // it ends already
		}
	}
	if f.still != "" {
		var width, height int
		if _, err := fmt.Sscanf(f.still, "%dx%d", &width, &height); err != nil || width < 20 || height < 8 {
			return nil, usagef("--still %s: write COLUMNSxROWS, such as 100x30", f.still)
		}
		return dash.NewStill(opt, a.Stdout, width, height), nil
	}
	if f.plain || s.output == outputJSON || !isTerminal(a.Stdout) || !isTerminal(os.Stdin) || os.Getenv("TERM") == "dumb" {
		return nil, nil
	}
	return dash.New(opt), nil
}

// watch is observe with a live page where there is a terminal.
func (a *App) watch(ctx context.Context, name string, specs []probe.Spec, s *sessionFlags, f *screenFlags) error {
	stop := catchSignals(a.Stdout)
	defer stop.release()
	p, err := a.Host.Resolve(name)
	if err != nil {
		return err
	}
	out := a.sink(s, len(specs) > 1)
	live, err := a.page(f, s, dash.Options{Title: string(specs[0].Kind) + " " + p.Name, After: out}, stop)
	if err != nil {
		return err
	}
	to, ended := out, live == nil
	if live != nil {
		to = live
	}
	// What is said at the end comes when the page is gone.
	end := func() error {
		if ended {
			return nil
		}
		ended = true
		return live.Close()
	}
	session := func(to sink.Sink) error {
		err := a.session(ctx, p, specs, s, to, stop)
		return errors.Join(end(), err)
	}
	if f.save == "" {
		return session(to)
	}
	return errors.Join(a.keep(f.save, to, session), end())
}
