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

const topLong = `Show which functions of a package are called most in a running process, and
where the time goes: calls a second, total, mean, 99th percentile.

Every function of the package that has code of its own gets a timer, and loses
it again at the end. PATTERN is a package, by its path or the last element of
that; PACKAGE/... is all below it, too; with * it is a pattern of functions.

Timers must stay within the budget (--budget), so they come in turns: at most 64
at a time, for 30 ms. Those that cost next to nothing stay, the others come
again as the budget allows, and their rows are marked ~: calls, total, mean and
p99 are of their turns, calls/s and time/s are rates over them. With a larger
budget more of them stay.

Times are from the call to the return, with everything called meanwhile. A call
that is under way 100 ms after its turn has none.`

const topExample = `  sidelight top shop shop
  sidelight top shop example.com/shop/... --by mean
  sidelight top shop 'main.(*Server).*' --for 10s --output json
  sidelight top api encoding/json --budget 5%`

// topFlags are what only top has.
type topFlags struct {
	every  time.Duration
	life   time.Duration
	by     string
	rows   int
	screen screenFlags
}

// topMost is how many functions are timed at once.
const topMost = 400

func (a *App) topCmd() *cobra.Command {
	var s sessionFlags
	var f topFlags
	cmd := &cobra.Command{
		Use:               "top TARGET PATTERN",
		Short:             "Show which functions of a package take the time",
		Long:              topLong + "\n\n" + targetHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           topExample,
		Args:              args([]string{"TARGET", "PATTERN"}, false),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.top(cmd, args[0], args[1], &s, &f)
		},
	}
	cmd.Flags().DurationVar(&f.every, "every", 2*time.Second, "write the table after each `DURATION`")
	cmd.Flags().DurationVar(&f.life, "for", probe.DefaultFor, "end after this `DURATION`")
	cmd.Flags().StringVar(&f.by, "by", sink.TopTotal, "sort by this `COLUMN`: "+strings.Join(sink.TopColumns, ", "))
	cmd.Flags().IntVar(&f.rows, "rows", 20, "show the first `N` functions; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(sink.TopColumns, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"every", "for", "rows"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	f.screen.add(cmd)
	s.add(cmd)
	return cmd
}

func (f *topFlags) check() error {
	known := false
	for _, c := range sink.TopColumns {
		known = known || c == f.by
	}
	switch {
	case f.every < 100*time.Millisecond:
		return usagef("--every %v: a tenth of a second is the least", f.every)
	case f.life <= 0:
		return usagef("--for %v: give a time such as 30s", f.life)
	case !known:
		return usagef("--by %s: the table can be sorted by %s", f.by, strings.Join(sink.TopColumns, ", "))
	case f.rows < 0:
		return usagef("--rows %d: give how many functions to show, or 0 for all", f.rows)
	}
	return nil
}

func (a *App) top(cmd *cobra.Command, target, pattern string, s *sessionFlags, f *topFlags) error {
	stop := catchSignals(a.Stdout)
	defer stop.release()
	p, err := a.Host.Resolve(target)
	if err != nil {
		return err
	}
	s.some = true
	specs, err := a.timers(fmt.Sprint(p.PID), pattern, f)
	if err != nil {
		return err
	}
	var out sink.Sink = sink.NewJSON(a.Stdout)
	if s.output != outputJSON {
		out = sink.NewTop(a.Stdout, sink.TopOptions{TextOptions: a.textOptions(false), Every: f.every, By: f.by, Rows: f.rows, Pattern: pattern})
	}
	live, err := a.page(&f.screen, s, dash.Options{Title: "top " + pattern, Top: f.by, After: out}, stop)
	if err != nil {
		return err
	}
	if live == nil {
		return a.session(cmd.Context(), p, specs, s, out, stop)
	}
	err = a.session(cmd.Context(), p, specs, s, live, stop)
	return errors.Join(live.Close(), err)
}

// timers are a time for each function that a pattern means.
func (a *App) timers(pid, pattern string, f *topFlags) ([]probe.Spec, error) {
	s, err := a.examine(pid)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	glob := pattern
	switch below, all := strings.CutSuffix(pattern, "/..."); {
	case all:
		glob = below + "*"
	case !strings.ContainsAny(strings.ReplaceAll(pattern, "(*", ""), "*?"):
		glob = pattern + ".*"
	}
	list, _ := s.Functions(glob, 0)
	var specs []probe.Spec
	for _, x := range list {
		if x.Refused != "" || x.Own == 0 || x.Nearly {
			continue
		}
		specs = append(specs, probe.Spec{ID: x.Name, Kind: probe.Time, At: x.Full, Own: true, Turns: true, For: f.life, Period: time.Second})
	}
	switch {
	case len(specs) == 0 && len(list) > 0:
		return nil, fmt.Errorf("no function of %q takes a probe: sidelight functions %s %q says why", pattern, pid, glob)
	case len(specs) == 0:
		return nil, fmt.Errorf("no function of this build answers to %q: name a package, as shop or example.com/shop/..., or a pattern, as 'main.(*Server).*'", pattern)
	case len(specs) > topMost:
		return nil, fmt.Errorf("%q means %d functions; at most %d are timed at once: name a smaller package, or a pattern", pattern, len(specs), topMost)
	}
	return specs, nil
}
