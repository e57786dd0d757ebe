package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const timeLong = `Show how long functions of a running process take, or the way from one line to
another in the same goroutine.

Every call is counted and timed inside the process, in 35 nanoseconds or less for
both ends; where that would cost more than the budget, only some of the calls are
timed, and it says so. Recursion, instantiations and inlined copies are told
apart, a stack that grows and moves does not matter, and calls that a panic or
Goexit ended are counted apart from those that returned.

--if decides by the arguments, when a call begins, and by $duration, when it
ends: 'o.Qty > 10 && $duration > 50ms'. --by tells rows apart by the arguments.

With --to, a way begins at the first location and ends at the second, wherever
that is. Passing the first again before the second begins anew.`

const timeExample = `  sidelight time shop 'shop.(*Shop).Place'
  sidelight time shop main.handle --by r.Method --for 1m
  sidelight time shop main.handle --if '$duration > 50ms'
  sidelight time shop orders.go:42 --to orders.go:61`

func (a *App) timeCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	var by byFlags
	var to string
	cmd := &cobra.Command{
		Use:               "time TARGET FUNCTION... | TARGET LOCATION --to LOCATION",
		Short:             "Show how long functions of a running process take",
		Long:              timeLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           timeExample,
		Args:              args([]string{"TARGET", "FUNCTION"}, true),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), by.check(), checkTo(args[1:], to)); err != nil {
				return err
			}
			var specs []probe.Spec
			for i, at := range args[1:] {
				specs = append(specs, probe.Spec{ID: fmt.Sprintf("p%d", i+1), Kind: probe.Time, At: at, To: to, By: by.by, Period: by.every,
					If: p.condition, For: p.life, Limit: p.limit})
			}
			return a.watch(cmd.Context(), args[0], specs, &s, &by.screen)
		},
	}
	p.add(cmd, probe.Time)
	by.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "time the way from the first location to this `LOCATION`")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions)
	s.add(cmd)
	return cmd
}

// checkTo wants one location before --to, and functions without it.
func checkTo(at []string, to string) error {
	if to != "" && len(at) > 1 {
		return usagef("--to %s: one location comes before it, not %d", to, len(at))
	}
	for _, l := range at {
		if i := strings.LastIndex(l, ".go:"); to == "" && i >= 0 {
			return usagef("%s is a line, which has no duration: name a function, or say where the way ends with --to", l)
		}
	}
	return nil
}
