package cli

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

// The forms of output.
const (
	outputText = "text"
	outputJSON = "json"
)

// defaultBudget is the share of one core that the probes of a target may take
// together.
const defaultBudget = 0.01

// probeFlags are what log and count let a person say of a probe.
type probeFlags struct {
	condition string
	life      time.Duration
	limit     int64
	rate      int64
}

func (f *probeFlags) add(cmd *cobra.Command, kind probe.Kind) {
	flags := cmd.Flags()
	flags.StringVar(&f.condition, "if", "", "only where this `CONDITION` holds, a Go expression such as 'o.Qty > 10'")
	flags.DurationVar(&f.life, "for", probe.DefaultFor, "remove the probe after this `DURATION`")
	limit, what := int64(0), "hits"
	if kind == probe.Snapshot {
		limit, what = probe.DefaultLimit, "snapshots"
		flags.Int64Var(&f.rate, "rate", defaultSnapshotRate, "take at most `N` snapshots a second; the other hits are still counted; 0: no limit")
	}
	if kind == probe.Time {
		what = "calls, with --snapshot after N snapshots"
	}
	if kind == probe.Count || kind == probe.Measure {
		what = "hits; it counts on until it is out"
	}
	flags.Int64Var(&f.limit, "limit", limit, "remove the probe after `N` "+what+"; 0: no limit")
	if kind == probe.Log {
		flags.Int64Var(&f.rate, "rate", probe.DefaultRate, "emit at most `N` hits a second; the others are still counted; 0: no limit")
	}
	for _, name := range []string{"if", "for", "limit", "rate"} {
		if flags.Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
		}
	}
}

func (f *probeFlags) check() error {
	switch {
	case f.life <= 0:
		return usagef("--for %v: a probe lives for some time, such as 30s or 2h", f.life)
	case f.limit < 0:
		return usagef("--limit %d: give the number of hits after which the probe goes, or 0 for no limit", f.limit)
	case f.rate < 0:
		return usagef("--rate %d: give hits a second, or 0 for no limit", f.rate)
	}
	return nil
}

// sessionFlags are what all commands with probes have in common.
type sessionFlags struct {
	output  string
	budget  budget
	redact  string
	verbose bool
	direct  bool   // without the daemon
	some    bool   // some of the probes are enough
	command string // for the list of probes
}

func (f *sessionFlags) add(cmd *cobra.Command) {
	f.output, f.budget, f.command = outputText, defaultBudget, cmd.Name()
	addOutput(cmd, &f.output)
	cmd.Flags().Var(&f.budget, "budget", "what all probes of the target may take of one core, in `PERCENT`; 0: no limit")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "say on standard error what is done to the target")
	cmd.Flags().StringVar(&f.redact, "redact", "", "more rules for what is never shown, from this YAML `FILE` (docs/redaction.md)")
	_ = cmd.MarkFlagFilename("redact", "yaml", "yml")
	addDirect(cmd, &f.direct)
	_ = cmd.RegisterFlagCompletionFunc("budget", cobra.NoFileCompletions)
}

// noDaemon in the environment is --no-daemon for every command.
const noDaemon = "SIDELIGHT_NO_DAEMON"

func addDirect(cmd *cobra.Command, direct *bool) {
	cmd.Flags().BoolVar(direct, "no-daemon", os.Getenv(noDaemon) != "" && os.Getenv(noDaemon) != "0",
		"hold the probes in this process alone, unknown to \"sidelight probes\" (also by "+noDaemon+"=1)")
	if f := cmd.Flags().Lookup("no-daemon"); f != nil {
		f.DefValue = "false"
	}
}

func addOutput(cmd *cobra.Command, output *string) {
	cmd.Flags().VarP((*outputFlag)(output), "output", "o", "`FORM` of the output: text, or json (one object a line)")
	_ = cmd.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{outputText, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
}

type outputFlag string

func (o *outputFlag) String() string { return string(*o) }
func (o *outputFlag) Type() string   { return "FORM" }

func (o *outputFlag) Set(s string) error {
	if s != outputText && s != outputJSON {
		return fmt.Errorf("it is %s or %s", outputText, outputJSON)
	}
	*o = outputFlag(s)
	return nil
}

// budget is a share of one core, written in percent.
type budget float64

func (b *budget) String() string { return strconv.FormatFloat(float64(*b)*100, 'g', -1, 64) + "%" }
func (b *budget) Type() string   { return "PERCENT" }

func (b *budget) Set(s string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch {
	case err != nil || math.IsNaN(v) || v < 0 || v > 100:
		return fmt.Errorf("give a share of one core from 0%% to 100%%, such as 1%% or 0.5%%")
	case !percent && v != 0:
		return fmt.Errorf("write it in percent: %s%%", number)
	}
	*b = budget(v / 100)
	return nil
}

// logger is where the engine says what it does.
func (a *App) logger(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: noTime}))
}

func noTime(groups []string, at slog.Attr) slog.Attr {
	if len(groups) == 0 && at.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return at
}
