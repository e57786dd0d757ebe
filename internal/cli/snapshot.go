package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const snapshotLong = `Keep one whole moment of a running process: the next time that a line is passed
or a function is called, its arguments, locals, receiver, results and captured
variables, as deep as asked, and the stack that led there with the variables of
the callers; which goroutine it was and who started it; the trace and span that
a context carries. The process runs on: what it does for a snapshot takes
microseconds.

What the snapshot took at the hit is exact. What had to be read from memory a
little later is marked with ~ ("late":true in JSON). What could not be read says
why. Each --watch is an expression as in a log, such as 'len(o.Items)'.

--depth, --max-items and --max-bytes bound what is taken; what they cut says so.
--max-time bounds how long the process works for it: what there was no time for
is read a little later.
--save keeps the snapshots in a file, readable for you alone, for sidelight
show.

The probe is removed after --limit snapshots (one, if nothing is said), after
--for, on Ctrl-C, or with the target.`

const snapshotExample = `  sidelight snapshot shop orders.go:42
  sidelight snapshot shop 'shop.(*Shop).take' --if 'qty > 10' \
      --watch 'len(s.stock)'
  sidelight snapshot shop orders.go:42 --depth 5 --frames 30 \
      --save order.moments
  sidelight snapshot shop orders.go:42 --limit 0 --for 1m --rate 1 \
      --save minute.moments
  sidelight snapshot shop orders.go:42 -o json |
      jq 'select(.type=="snapshot").frames[0].variables'`

// defaultSnapshotRate is how many snapshots a second a person can look at.
const defaultSnapshotRate = 10

func (a *App) snapshotCmd() *cobra.Command {
	var p probeFlags
	var b boundFlags
	var s sessionFlags
	var file string
	cmd := &cobra.Command{
		Use:               "snapshot TARGET LOCATION",
		Short:             "Keep a whole moment: variables, stack, goroutine",
		Long:              snapshotLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           snapshotExample,
		Args:              args([]string{"TARGET", "LOCATION"}, false),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			if err := b.check(); err != nil {
				return err
			}
			spec := probe.Spec{ID: "p1", Kind: probe.Snapshot, At: args[1], If: p.condition, For: p.life,
				Limit: p.limit, Rate: p.rate, Watch: b.watch, Bounds: b.bounds()}
			return a.snapshot(cmd.Context(), args[0], spec, file, &s)
		},
	}
	p.add(cmd, probe.Snapshot)
	b.add(cmd)
	cmd.Flags().StringVar(&file, "save", "", "keep the snapshots in this `FILE`, which sidelight show opens")
	s.add(cmd)
	return cmd
}

// boundFlags are what a person may say of a snapshot besides what it has in
// common with other probes.
type boundFlags struct {
	watch    []string
	depth    int
	frames   int
	maxItems int
	maxBytes byteSize
	maxTime  time.Duration
}

func (f *boundFlags) add(cmd *cobra.Command) {
	f.maxBytes = probe.DefaultMaxBytes
	flags := cmd.Flags()
	flags.StringArrayVar(&f.watch, "watch", nil, "show this `EXPR`, too; may be given several times")
	flags.IntVar(&f.depth, "depth", probe.DefaultDepth, "follow `N` pointers in a row")
	flags.IntVar(&f.frames, "frames", probe.DefaultFrames, "show `N` frames of the stack")
	flags.IntVar(&f.maxItems, "max-items", probe.DefaultMaxItems, "take at most `N` objects, and of a list or map so many elements")
	flags.Var(&f.maxBytes, "max-bytes", "take at most `SIZE` bytes, such as 32k or 1M")
	flags.DurationVar(&f.maxTime, "max-time", probe.DefaultMaxTime, "work at most this `TIME` in the target, such as 50us, and read the rest later; 0: no limit")
	for _, name := range boundNames {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// The most that may be asked for. Beyond it nothing could be shown, and the
// target would work for a time that a person notices.
const (
	maxDepth  = 64
	maxFrames = 1000
	maxItems  = 100_000
	maxBytes  = 64 << 20
	maxTime   = time.Second
)

func (f *boundFlags) check() error {
	for _, e := range f.watch {
		if strings.TrimSpace(e) == "" {
			return usagef("--watch %q: give an expression, such as 'len(o.Items)'", e)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
		most  int64
	}{
		{"depth", int64(f.depth), maxDepth},
		{"frames", int64(f.frames), maxFrames},
		{"max-items", int64(f.maxItems), maxItems},
		{"max-bytes", int64(f.maxBytes), maxBytes},
	} {
		if n.value < 1 || n.value > n.most {
			return usagef("--%s %d: give a number from 1 to %s", n.name, n.value, sink.Number(uint64(n.most)))
		}
	}
	if f.maxTime < 0 || f.maxTime > maxTime {
		return usagef("--max-time %s: give a time of at most %s, such as 50us, or 0 for no limit", f.maxTime, maxTime)
	}
	return nil
}

// boundNames are the flags that only a snapshot has.
var boundNames = []string{"watch", "depth", "frames", "max-items", "max-bytes", "max-time"}

func (f *boundFlags) bounds() probe.Bounds {
	return probe.Bounds{Depth: f.depth, MaxItems: f.maxItems, MaxBytes: int64(f.maxBytes), Frames: f.frames, MaxTime: timeBound(f.maxTime)}
}

// timeBound is a bound of time as a person says it: 0 is none.
func timeBound(d time.Duration) time.Duration {
	if d == 0 {
		return probe.NoMaxTime
	}
	return d
}

// byteSize is a number of bytes, written with or without a unit.
type byteSize int64

var units = []struct {
	suffix string
	bytes  int64
}{{"k", 1 << 10}, {"m", 1 << 20}}

func (b *byteSize) Type() string { return "SIZE" }

func (b *byteSize) String() string {
	for _, u := range []int{1, 0} {
		if n := int64(*b); n > 0 && n%units[u].bytes == 0 {
			return strconv.FormatInt(n/units[u].bytes, 10) + strings.ToUpper(units[u].suffix)
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

func (b *byteSize) Set(s string) error {
	text, unit := strings.ToLower(strings.TrimSpace(s)), int64(1)
	text = strings.TrimSuffix(strings.TrimSuffix(text, "b"), "i")
	for _, u := range units {
		if rest, ok := strings.CutSuffix(text, u.suffix); ok {
			text, unit = rest, u.bytes
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return fmt.Errorf("write a number of bytes, such as 4096, 32k or 1M")
	}
	*b = byteSize(n * unit)
	return nil
}

// snapshot puts one snapshot into a target, says that it waits, and keeps what
// comes where that was asked.
func (a *App) snapshot(ctx context.Context, target string, spec probe.Spec, file string, f *sessionFlags) error {
	w := &waiting{next: a.sink(f, false), notes: a.Stderr, paint: a.paint(a.Stderr), target: target, spec: spec}
	if isTerminal(a.Stderr) && os.Getenv("TERM") != "dumb" && !f.verbose {
		w.terminal = a.Stderr
	}
	defer w.stop()
	session := func(out sink.Sink) error { return a.observeTo(ctx, target, []probe.Spec{spec}, f, out) }
	if file == "" {
		return session(w)
	}
	return a.keep(file, w, session)
}
