package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const countLong = `Count how often a running process passes lines or calls functions.

The count is exact: every pass from other code counts once, and a return from
a call or the inside of a loop over the line's own blocks counts nothing. All
copies that the compiler made of a line, inlined or instantiated, count
together. The running count is shown once a second (--every).

With --by, each value of an expression, an integer, a boolean or a string, has a
row of its own: up to 1,024 rows, and one for all others.`

const countExample = `  sidelight count shop orders.go:42
  sidelight count shop 'main.(*Cart).Add' 'main.(*Cart).Remove' --for 1m
  sidelight count shop orders.go:42 --if 'o.Qty > 10'
  sidelight count shop orders.go:42 --by o.Customer --output json`

func (a *App) countCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	var by byFlags
	cmd := &cobra.Command{
		Use:               "count TARGET LOCATION...",
		Short:             "Count passes through lines and functions of a running process",
		Long:              countLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           countExample,
		Args:              args([]string{"TARGET", "LOCATION"}, true),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), by.check()); err != nil {
				return err
			}
			var specs []probe.Spec
			for i, at := range args[1:] {
				specs = append(specs, probe.Spec{ID: fmt.Sprintf("p%d", i+1), Kind: probe.Count, At: at,
					If: p.condition, For: p.life, Limit: p.limit, By: by.by, Period: by.every})
			}
			return a.watch(cmd.Context(), args[0], specs, &s, &by.screen)
		},
	}
	p.add(cmd, probe.Count)
	by.add(cmd)
	s.add(cmd)
	return cmd
}
