package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/daemon"
	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

const probesLong = `List the probes that commands and editors of yours have put into processes of
this machine: in which process, whose they are, how old, how often they were hit
and what a hit costs. A probe goes with the command or the editor that put it
in; "sidelight rm" takes it out earlier.

They are held by a process of yours that the first command starts, and that ends
a minute after the last. Those of another user, or of commands with --no-daemon,
are not in the list.

With --output json, each probe is one line:
  {"type":"probe","id":"1.p1","pid":4711,"target":"shop","kind":"log", …}`

func (a *App) probesCmd() *cobra.Command {
	output := outputText
	cmd := &cobra.Command{
		Use:     "probes",
		Short:   "List the probes that are in, and whose they are",
		Long:    probesLong,
		Example: "  sidelight probes\n  sidelight probes --output json | jq .hits",
		Args:    args(nil, false),
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := a.listProbes(cmd.Context())
			if err != nil {
				return err
			}
			if output == outputJSON {
				return a.probesJSON(list)
			}
			return a.probesText(list)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

func (a *App) listProbes(ctx context.Context) ([]daemon.Entry, error) {
	if a.Owner == nil {
		return nil, errors.New("this sidelight was built without its daemon")
	}
	return a.Owner.List(ctx)
}

// probeObject is a probe in the form of the output contract.
type probeObject struct {
	Type       string  `json:"type"`
	ID         string  `json:"id"`
	PID        int     `json:"pid"`
	Target     string  `json:"target"`
	Kind       string  `json:"kind"`
	Location   string  `json:"location"`
	Message    string  `json:"message,omitempty"`
	If         string  `json:"if,omitempty"`
	Owner      string  `json:"owner"`
	OwnerPID   int     `json:"owner_pid"`
	Started    string  `json:"started"`
	Hits       uint64  `json:"hits"`
	Emitted    uint64  `json:"emitted"`
	Suppressed uint64  `json:"suppressed"`
	Dropped    uint64  `json:"dropped"`
	Cost       float64 `json:"cost_ns"`
	Throttled  bool    `json:"throttled"`
}

func (a *App) probesJSON(list []daemon.Entry) error {
	out := sink.NewJSON(a.Stdout)
	for _, e := range list {
		s := e.State
		err := out.Write(probeObject{Type: "probe", ID: e.ID, PID: e.PID, Target: e.Target, Kind: string(s.Kind), Location: s.Location,
			Message: e.Message, If: e.If, Owner: e.Owner, OwnerPID: e.Client, Started: s.Started.UTC().Format(time.RFC3339Nano),
			Hits: s.Hits, Emitted: s.Emitted, Suppressed: s.Suppressed, Dropped: s.Dropped, Cost: sink.Tenth(s.CostNS), Throttled: s.Throttled})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *App) probesText(list []daemon.Entry) error {
	if len(list) == 0 {
		fmt.Fprintln(a.Stderr, "no probe is in; \"sidelight log\" and \"sidelight snapshot\" put some in, and editors do (sidelight dap --help)")
		return nil
	}
	paint := a.paint(a.Stdout)
	rows := [][]string{{"ID", "TARGET", "KIND", "LOCATION", "OWNER", "AGE", "HITS", "COST"}}
	for _, e := range list {
		s := e.State
		cost := sink.Cost(s.CostNS)
		if s.Throttled {
			cost += ", over budget"
		}
		rows = append(rows, []string{e.ID, fmt.Sprintf("%s (%d)", e.Target, e.PID), string(s.Kind), s.Location,
			fmt.Sprintf("%s (%d)", e.Owner, e.Client), age(time.Since(s.Started)), sink.Number(s.Hits), cost})
	}
	return writeTable(a.Stdout, rows, nil, func(row, col int, s string) string {
		switch {
		case row == 0:
			return paint.Dim(s)
		case col == 0:
			return paint.Bold(s)
		}
		return s
	})
}

// age is a duration as people say it.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

const rmLong = `Take probes out before their time. ID is what "sidelight probes" shows: 2.p1 for
one probe, or 2 for all of that command or editor, which goes on or ends as if
they had ended by themselves.`

func (a *App) rmCmd() *cobra.Command {
	return &cobra.Command{
		Use:               "rm ID...",
		Short:             "Take probes out that a command or an editor put in",
		Long:              rmLong,
		Example:           "  sidelight probes\n  sidelight rm 2.p1",
		Args:              args([]string{"ID"}, true),
		ValidArgsFunction: a.completeProbe,
		RunE: func(cmd *cobra.Command, names []string) error {
			if a.Owner == nil {
				return errors.New("this sidelight was built without its daemon")
			}
			n, err := a.Owner.Remove(cmd.Context(), names)
			if n > 0 {
				fmt.Fprintf(a.Stderr, "removed %d\n", n)
			}
			return err
		},
	}
}

func (a *App) completeProbe(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	list, err := a.listProbes(cmd.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var offers []string
	for _, e := range list {
		offers = append(offers, cobra.CompletionWithDesc(e.ID, sink.Escape(fmt.Sprintf("%s %s in %s", e.State.Kind, e.State.Location, e.Target))))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// daemonCmd is the process that owns the probes of a user. Commands start it.
func (a *App) daemonCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "daemon",
		Hidden: true,
		Args:   args(nil, false),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.Daemon == nil {
				return errors.New("this sidelight was built without its daemon")
			}
			_ = os.WriteFile("/proc/self/comm", []byte(target.DaemonName), 0o644) // only a name
			ctx, stop := endBySignal(cmd.Context())
			defer stop()
			return a.Daemon(ctx)
		},
	}
}
