// Command bench measures, in one run, what a probe costs the program that it is
// put into, beside what others take for the same: kernel uprobes (bpftrace) and
// a debugger's tracepoints (dlv trace); what two threads on one probe cost each
// other; what timers on hundreds of functions cost a loaded server; and for how long
// a program stands still while probes come and go.
//
//	go run ./bench [--quick] [--only STEPS] [--output text|json] [--markdown FILE]
//
// It builds its target from testdata with the installed Go, starts it as a
// child, and lets it time its own calls, in small batches that alternate with
// batches without a probe, so that what else the machine does falls out of the
// medians. In come engine's sessions and the target's answers, out goes a
// table. It stands behind engine and probe; nothing stands behind it.
//
// It is a benchmark and no test: figures that miss the project's limits are
// shown, and the exit code is 0 all the same.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/sidelight-dev/sidelight/internal/engine"
)

// atMost ends a run in which something hangs.
const atMost = 20 * time.Minute

func main() {
	if len(os.Args) > 1 && os.Args[1] == "guard" {
		if err := engine.Guard(os.Args[2:], os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "guard:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, atMost)
	err := run(ctx, os.Args[1:], os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// plan is how much is measured.
type plan struct {
	rounds  int           // of all costs, one after the other
	batches int           // of each cost in a round
	cycles  int           // installations and removals in one run of the pause
	repeats int           // runs of the pause of each kind, interleaved
	pairs   int           // rounds of the contention, and of the rivals
	tops    int           // pairs of windows of the loaded server
	spin    time.Duration // for all cycles together: with many threads there are fewer

	only []string // steps; empty: all
}

func (p plan) has(step string) bool { return len(p.only) == 0 || slices.Contains(p.only, step) }

var (
	fullPlan  = plan{rounds: 6, batches: 12, cycles: 60, repeats: 2, pairs: 4, tops: 12, spin: 7 * time.Second}
	quickPlan = plan{rounds: 3, batches: 6, cycles: 15, repeats: 1, pairs: 2, tops: 3, spin: 1700 * time.Millisecond}
)

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	quick := flags.Bool("quick", false, "fewer rounds: under a minute, and noisier")
	output := flags.String("output", "text", "text or json")
	markdown := flags.String("markdown", "", "also write the tables to this `file`")
	only := flags.String("only", "", "measure only these, separated by commas: costs, rivals, contention, top, pauses")
	_ = flags.Parse(args)
	if flags.NArg() > 0 || (*output != "text" && *output != "json") {
		flags.Usage()
		os.Exit(2)
	}
	p := fullPlan
	if *quick {
		p = quickPlan
	}
	if *only != "" {
		p.only = strings.Split(*only, ",")
	}
	report, err := measure(ctx, p)
	if err != nil {
		return err
	}
	report.Quick = *quick
	if *markdown != "" {
		if err := os.WriteFile(*markdown, []byte(report.markdown()), 0o644); err != nil {
			return err
		}
	}
	if *output == "json" {
		return report.json(out)
	}
	_, err = io.WriteString(out, report.text())
	return err
}

// measure does everything, in a directory of its own that is removed after.
func measure(ctx context.Context, p plan) (*report, error) {
	dir, err := os.MkdirTemp("", "sidelight-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, plan: p, dir: dir, report: newReport()}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	say("building the target")
	if b.target, err = buildTarget(ctx, dir); err != nil {
		return nil, err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{{"costs", b.costs}, {"rivals", b.rivals}, {"contention", b.contention}, {"top", b.top}, {"pauses", b.pauses}} {
		if !p.has(step.name) {
			continue
		}
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	b.report.compare()
	return b.report, nil
}

// bench is one run.
type bench struct {
	ctx    context.Context
	plan   plan
	dir    string
	self   string // this program, which is also the guard
	target string // executable
	report *report
}

// say tells a person who waits what is being done.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
