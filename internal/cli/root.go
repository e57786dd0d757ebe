package cli

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/target"
)

const rootLong = `Sidelight puts logs, snapshots and counters into Go processes that are already
running, at any line or function, and takes them out again. The process is
not stopped, restarted, rebuilt or changed; a hit costs nanoseconds.

` + targetHelp + "\n\n" + locationHelp + "\n\n" + exitHelp

// What several commands say of the same words.
const (
	targetHelp = `TARGET is the process: its pid, its name, its module path or the last element
of that. When several match, the error lists them.`

	locationHelp = `LOCATION is where: file.go:LINE, with as much of the path as makes it
unambiguous, or a function: pkg.Func, pkg.(*Type).Method, pkg.Func.func1 for a
closure, pkg.Generic for all instantiations of a generic function.`

	outputHelp = `With --output json, standard output has one object a line and nothing else:
"ready" when the probes are live; what they tell, as it comes ("hit",
"snapshot", "count", "measure", "time" or "span"; docs/output.md has the
members); and "end" with the reason, the accounting
(hits = emitted + suppressed + dropped), the cost of a hit and the longest time
that a thread was held. Messages about the run are on standard error. NO_COLOR
turns colours off.`

	exitHelp = `Exit codes: 0 done (also by limit, expiry, budget, Ctrl-C, or because the
target ended), 1 error, 2 usage, 3 refused (permission or safety).`
)

const rootExample = `  # see it work, without any program of your own
  sidelight demo

  # which Go programs are running here?
  sidelight ps

  # what can be probed and read there?
  sidelight where shop orders.go:42

  # say something each time a line is passed
  sidelight log shop orders.go:42 'order {o.ID} x{o.Qty} for {name}'

  # keep a whole moment: variables, stack, goroutine
  sidelight snapshot shop orders.go:42

  # how often?
  sidelight count shop 'main.(*Cart).Add'`

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "sidelight",
		Short:         "Ask a running Go program new questions, without stopping it",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          rootArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Version:       version(),
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("sidelight {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	wrapFlags(root)
	root.AddGroup(&cobra.Group{ID: "probes", Title: "Commands:"}, &cobra.Group{ID: "other", Title: "Other commands:"})
	root.SetHelpCommandGroupID("other")
	root.SetCompletionCommandGroupID("other")
	for _, cmd := range []*cobra.Command{a.demoCmd(), a.psCmd(), a.logCmd(), a.countCmd(), a.measureCmd(), a.snapshotCmd(), a.showCmd(), a.applyCmd(),
		a.timeCmd(), a.traceCmd(), a.topCmd(), a.whereCmd(), a.functionsCmd(), a.filesCmd(), a.sourceCmd(), a.symbolsCmd()} {
		cmd.GroupID = "probes"
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{a.dapCmd(), a.probesCmd(), a.rmCmd()} {
		cmd.GroupID = "probes"
		root.AddCommand(cmd)
	}
	root.AddCommand(a.daemonCmd())
	ver := a.versionCmd()
	ver.GroupID = "other"
	root.AddCommand(ver, a.guardCmd(), demoServiceCmd())
	root.PersistentFlags().StringArrayVar(&a.Symbols, "symbols", nil, "take the debug information of a stripped program from `PATH`: a binary, .debug file, directory or store")
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	return root
}

// rootArgs explains a command that does not exist.
func rootArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	msg := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		msg += " (did you mean " + strings.Join(near, " or ") + "?)"
	}
	return usagef("%s", msg)
}

// args checks the number of arguments and names the missing one.
func args(names []string, more bool) cobra.PositionalArgs {
	return func(_ *cobra.Command, got []string) error {
		switch {
		case len(got) < len(names):
			return usagef("%s is missing", names[len(got)])
		case len(got) > len(names) && !more:
			return usagef("%q is one argument too many (a message or a condition with spaces needs quotes)", got[len(names)])
		}
		return nil
	}
}

func (a *App) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  args(nil, false),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(a.Stdout, "sidelight %s\n", version())
			return err
		},
	}
}

// version says what was built, by the module system's word or by version
// control's.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v == "" {
		v = "(devel)"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(v, s.Value[:min(12, len(s.Value))]) {
			v += " " + s.Value
		}
	}
	return v + " " + info.GoVersion
}

// guardCommand is the hidden subcommand that guards.
const guardCommand = "guard"

// guardName tells guards from tools in a list of processes.
const guardName = target.GuardName

// guardCmd is the small process that takes probes out where the tool that put
// them in was killed. People have no use for it.
func (a *App) guardCmd() *cobra.Command {
	return &cobra.Command{
		Use:                guardCommand,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if a.Guard == nil {
				return usagef("there is nothing to guard")
			}
			_ = os.WriteFile("/proc/self/comm", []byte(guardName), 0o644) // only a name
			return a.Guard(args)
		},
	}
}
