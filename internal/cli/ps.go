package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/target"
)

const psLong = `List the Go processes of this machine: which program and version each of them
runs, and whether Sidelight can look inside. Where it cannot, the last column
says why; "sidelight log" or "sidelight count" on that process says what cures
it.

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
	return writeTable(a.Stdout, rows, func(row, col int, s string) string {
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

// writeTable writes rows in aligned columns; empty cells are shown as a dash.
// style is given each padded cell. Columns that are empty in all rows but the
// first are left out.
func writeTable(w io.Writer, rows [][]string, style func(row, col int, s string) string) error {
	width := columnWidths(rows)
	var b strings.Builder
	for i, row := range rows {
		line := ""
		for j, cell := range row {
			if width[j] == 0 {
				continue
			}
			cell = sink.Escape(cmp.Or(cell, "-"))
			space := strings.Repeat(" ", max(0, width[j]-utf8.RuneCountInString(cell)))
			switch {
			case j == 0:
				line += space + style(i, j, cell)
			case j == len(row)-1:
				line += "  " + style(i, j, cell)
			default:
				line += "  " + style(i, j, cell) + space
			}
		}
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func columnWidths(rows [][]string) []int {
	width := make([]int, len(rows[0]))
	for j := range width {
		empty := true
		for i, row := range rows {
			empty = empty && (i == 0 || row[j] == "")
			width[j] = max(width[j], utf8.RuneCountInString(sink.Escape(row[j])))
		}
		if empty {
			width[j] = 0
		}
	}
	return width
}
