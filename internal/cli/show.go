package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/saved"
	"github.com/sidelight-dev/sidelight/internal/view"
)

const showLong = `Open a file of snapshots, made by --save FILE of sidelight snapshot, time
--snapshot or apply.

On a terminal it is a page to walk through: the frames of the stack, and the
variables of the chosen one, to unfold and to search; ? there lists the keys.
With --output, or where standard output is no terminal, the snapshots are
printed as they were when they were taken.`

const showExample = `  sidelight show order.moments
  sidelight show order.moments --output text | less
  sidelight show order.moments --output json | jq '.frames[0].variables[].name'`

func (a *App) showCmd() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "show FILE",
		Short:   "Open saved snapshots",
		Long:    showLong,
		Example: showExample,
		Args:    args([]string{"FILE"}, false),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			all, damage := saved.Open(args[0])
			if len(all) == 0 && damage != nil {
				return damage
			}
			if err := a.show(args[0], all, output); err != nil && !brokenPipe(err) {
				return err
			}
			return damage // what was whole has been shown
		},
	}
	addOutput(cmd, &output)
	return cmd
}

// show shows moments on a page where there is a terminal, and else as lines.
func (a *App) show(name string, all []*probe.Moment, output string) error {
	if len(all) == 0 {
		return fmt.Errorf("%s holds no snapshot", name)
	}
	if output == "" && isTerminal(a.Stdout) && isTerminal(os.Stdin) && os.Getenv("TERM") != "dumb" {
		return view.Show(name, all)
	}
	stop := catchSignals(a.Stdout)
	defer stop.release()
	out := a.sink(&sessionFlags{output: output}, severalProbes(all))
	for _, m := range all {
		select {
		case <-stop.signals:
			return nil
		default:
		}
		if err := out.Event(m); err != nil {
			return err
		}
	}
	return nil
}

func severalProbes(all []*probe.Moment) bool {
	for _, m := range all {
		if m.Probe != all[0].Probe {
			return true
		}
	}
	return false
}
