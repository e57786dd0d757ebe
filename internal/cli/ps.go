package cli

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

const psLong = `List the Go processes of this machine: which program and version each of them
runs, and whether Sidelight can look inside. Where it cannot, the last column
says why; "sidelight log" or "sidelight count" on that process says what cures
it. On a narrow terminal long cells are shortened, and build IDs, revisions and
versions are left out where they have no room.

With --output json, each process is one line:
  {"type":"process","pid":4711,"name":"shop","observable":true,"reason":"", …}`

const psExample = `  sidelight ps
  sidelight ps --all
  sidelight ps --output json | jq 'select(.observable) | .name'`

func (a *App) psCmd() *cobra.Command {
	var all bool
	output := outputText
	cmd := &cobra.Command{
		Use:     "ps",
		Short:   "List the Go processes of this machine",
		Long:    psLong,
		Example: psExample,
		Args:    args(nil, false),
		RunE: func(*cobra.Command, []string) error {
			list, err := a.Host.List(all)
			if err != nil {
				return err
			}
			if output == outputJSON {
				return a.psJSON(list)
			}
			return a.psText(list)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "list every process, not only Go programs")
	addOutput(cmd, &output)
	return cmd
}

// processObject is a process in the form of the output contract.
type processObject struct {
	Type           string `json:"type"`
	PID            int    `json:"pid"`
	Name           string `json:"name"`
	Observable     bool   `json:"observable"`
	Reason         string `json:"reason"`
	ReasonCode     string `json:"reason_code"`
	Cure           string `json:"cure"`
	Runtime        string `json:"runtime"`
	RuntimeVersion string `json:"runtime_version"`
	Main           string `json:"main"`
	Module         string `json:"module"`
	ModuleVersion  string `json:"module_version"`
	Revision       string `json:"revision"`
	Modified       bool   `json:"modified"`
	BuildID        string `json:"build_id"`
	DebugInfo      bool   `json:"debug_info"`
}

func (a *App) psJSON(list []target.Process) error {
	out := sink.NewJSON(a.Stdout)
	for _, p := range list {
		o := processObject{Type: "process", PID: p.PID, Name: p.Name, Observable: p.Observable(),
			Reason: p.Reason(), Runtime: p.Runtime, RuntimeVersion: p.RuntimeVersion, Main: p.Main,
			Module: p.Module, ModuleVersion: p.ModuleVersion, Revision: p.Revision,
			Modified: p.Modified, BuildID: p.BuildID, DebugInfo: p.DebugInfo}
		if p.Problem != nil {
			o.ReasonCode, o.Cure = string(p.Problem.Code), p.Problem.Cure()
		}
		if err := out.Write(o); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) psText(list []target.Process) error {
	if len(list) == 0 {
		fmt.Fprintln(a.Stderr, "no Go program is running here; try \"sidelight demo\", or \"sidelight ps --all\"")
		return nil
	}
	paint := a.paint(a.Stdout)
	rows := [][]string{{"PID", "NAME", "RUNTIME", "MODULE", "VERSION", "REVISION", "BUILD ID", "DEBUG INFO", "OBSERVABLE"}}
	for _, p := range list {
		rows = append(rows, psRow(&p))
	}
	return writeTable(a.Stdout, rows, []int{6, 5, 4}, func(row, col int, s string) string {
		switch {
		case row == 0:
			return paint.Dim(s)
		case col == 1:
			return paint.Bold(s)
		case col == 8 && list[row-1].Observable():
			return paint.Good(s)
		case col == 8:
			return paint.Warn(s)
		}
		return s
	})
}

func psRow(p *target.Process) []string {
	debug := ""
	if p.IsGo() {
		debug = "no"
		if p.DebugInfo {
			debug = "yes"
		}
	}
	observable := "yes"
	if !p.Observable() {
		observable = p.Reason()
	}
	return []string{fmt.Sprint(p.PID), p.Name, p.RuntimeVersion, cmp.Or(p.Module, p.Main), p.ModuleVersion,
		revision(p), cut(p.BuildID, 12), debug, observable}
}

// revision is what version control people type: short, with a mark for a work
// tree that differed from it.
func revision(p *target.Process) string {
	r := cut(p.Revision, 12)
	if r != "" && p.Modified {
		r += "+"
	}
	return r
}

func cut(s string, n int) string { return s[:min(n, len(s))] }
