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

Every call is counted and timed inside the process, in some tens of nanoseconds
for both ends; where that would cost more than the budget, only some of the
calls are timed, and it says so. Recursion, instantiations and inlined copies
are told apart, a stack that grows and moves does not matter, and calls that a
panic or Goexit ended are counted apart from those that returned.

--if decides by the arguments, when a call begins, and by $duration, when it
ends: 'o.Qty > 10 && $duration > 50ms'. --by tells rows apart by the arguments.

With --to, a way begins at the first location and ends at the second, wherever
that is. Passing the first again before the second begins anew.

--snapshot also shows with which arguments the calls were made for which the
condition held: a snapshot is taken when such a call begins, so that its values
are what they were then, and shown when it ends and its duration is known. Each
call pays for it, a microsecond and more, for which the condition holds as far
as it asks for arguments; so let these choose: 'o.Qty > 10 && $duration > 50ms'.
At most --rate snapshots are shown in a second, and no more are taken than the
budget allows; the summary counts the others. --depth, --max-items, --max-bytes,
--max-time, --frames and --watch are those of sidelight snapshot; nothing is
read later.`

const timeExample = `  sidelight time shop 'shop.(*Shop).take'
  sidelight time shop main.handle --by r.Method --for 1m
  sidelight time shop main.handle --if '$duration > 50ms'
  sidelight time shop main.handle --if '$duration > 50ms' --snapshot --limit 5
  sidelight time shop orders.go:42 --to orders.go:61`

func (a *App) timeCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	var by byFlags
	var calls callFlags
	var to string
	cmd := &cobra.Command{
		Use:               "time TARGET FUNCTION... | TARGET LOCATION --to LOCATION",
		Short:             "Show how long functions of a running process take",
		Long:              timeLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           timeExample,
		Args:              args([]string{"TARGET", "FUNCTION"}, true),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(p.check(), by.check(), checkTo(args[1:], to), calls.check(cmd)); err != nil {
				return err
			}
			by.screen.save = calls.save
			var specs []probe.Spec
			for i, at := range args[1:] {
				spec := probe.Spec{ID: fmt.Sprintf("p%d", i+1), Kind: probe.Time, At: at, To: to, By: by.by, Period: by.every,
					If: p.condition, For: p.life, Limit: p.limit}
				calls.into(&spec)
				specs = append(specs, spec)
			}
			return a.watch(cmd.Context(), args[0], specs, &s, &by.screen)
		},
	}
	p.add(cmd, probe.Time)
	by.add(cmd)
	calls.add(cmd)
	cmd.Flags().StringVar(&to, "to", "", "time the way from the first location to this `LOCATION`")
	_ = cmd.RegisterFlagCompletionFunc("to", cobra.NoFileCompletions)
	s.add(cmd)
	return cmd
}

// callFlags are what a person may say of the snapshots of calls.
type callFlags struct {
	on     bool
	rate   int64
	save   string
	bounds boundFlags
}

func (f *callFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.on, "snapshot", false, "show with which arguments the calls were made for which the condition held")
	flags.Int64Var(&f.rate, "rate", defaultSnapshotRate, "with --snapshot: show at most `N` snapshots a second; 0: no limit")
	flags.StringVar(&f.save, "save", "", "with --snapshot: keep the snapshots in this `FILE`, which sidelight show opens")
	_ = cmd.RegisterFlagCompletionFunc("rate", cobra.NoFileCompletions)
	f.bounds.add(cmd)
	for _, name := range boundNames {
		flags.Lookup(name).Usage = "with --snapshot: " + flags.Lookup(name).Usage
	}
}

// check wants --snapshot where something is said of snapshots.
func (f *callFlags) check(cmd *cobra.Command) error {
	for _, name := range append([]string{"rate", "save"}, boundNames...) {
		if !f.on && cmd.Flags().Changed(name) {
			return usagef("--%s is about snapshots: add --snapshot, or leave it out", name)
		}
	}
	if f.rate < 0 {
		return usagef("--rate %d: give snapshots a second, or 0 for no limit", f.rate)
	}
	return f.bounds.check()
}

func (f *callFlags) into(spec *probe.Spec) {
	if f.on {
		spec.Calls, spec.Rate, spec.Watch, spec.Bounds = true, f.rate, f.bounds.watch, f.bounds.bounds()
	}
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
