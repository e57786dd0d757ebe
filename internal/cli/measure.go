package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// byFlags are what commands whose probes add up have in common.
type byFlags struct {
	by     string
	every  time.Duration
	screen screenFlags
}

func (f *byFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.by, "by", "", "a row for each value of this `EXPRESSION`, an integer, a boolean or a string")
	cmd.Flags().DurationVar(&f.every, "every", probe.DefaultPeriod, "say what there is after each `DURATION`")
	f.screen.add(cmd)
	for _, name := range []string{"by", "every"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

func (f *byFlags) check() error {
	if f.every < 100*time.Millisecond {
		return usagef("--every %v: a tenth of a second is the least", f.every)
	}
	return nil
}

const measureLong = `Show the distribution of a number in a running process: count, sum, least and
greatest, median and other quantiles, and a histogram.

EXPRESSION is a number at the line: an integer, a float, a duration, len(x), or
arithmetic of them. Every pass is added up inside the process, in ten
nanoseconds or less, so that nothing is sampled and nothing is lost. Quantiles
are exact to half a percent (scale 6 of OpenTelemetry's and Prometheus's
exponential histograms), those of --by rows to five.`

const measureExample = `  sidelight measure shop orders.go:42 o.Total
  sidelight measure shop orders.go:42 'len(o.Items)' --by o.Customer
  sidelight measure shop orders.go:42 'o.Total / float64(o.Qty)' \
      --if 'o.Qty > 0' --for 1m --output json`

func (a *App) measureCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	var by byFlags
	cmd := &cobra.Command{
		Use:               "measure TARGET LOCATION EXPRESSION",
		Short:             "Show the distribution of a number in a running process",
		Long:              measureLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           measureExample,
		Args:              args([]string{"TARGET", "LOCATION", "EXPRESSION"}, false),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), by.check()); err != nil {
				return err
			}
			spec := probe.Spec{ID: "p1", Kind: probe.Measure, At: args[1], Value: args[2], By: by.by, Period: by.every,
				If: p.condition, For: p.life, Limit: p.limit}
			return a.watch(cmd.Context(), args[0], []probe.Spec{spec}, &s, &by.screen)
		},
	}
	p.add(cmd, probe.Measure)
	by.add(cmd)
	s.add(cmd)
	return cmd
}
