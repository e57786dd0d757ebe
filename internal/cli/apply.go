package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const applyLong = `Put many probes into a running process at once, from a YAML file:

  probes:
    - id: orders            # optional; names the probe in the output
      kind: log             # log, snapshot, count, measure, time or trace
      at: orders.go:42
      message: 'order {o.ID} x{o.Qty} for {name}'
      if: o.Qty > 10        # optional, as the others below
      for: 10m
      limit: 100
      rate: 20
    - kind: snapshot
      at: orders.go:61
      watch: [len(o.Items), o.Customer.Name]
      depth: 3              # and frames, max-items, max-bytes, max-time
    - kind: count
      at: main.(*Cart).Add
    - kind: measure
      at: orders.go:61
      expression: o.Total   # by and every, as the flags of these names
    - kind: time            # to: the second of two locations
      at: main.handle
      if: $duration > 50ms
      snapshot: true        # with rate, watch, depth … as of a snapshot
    - kind: trace
      at: main.handle
      attributes:
        user: r.User.ID

They are installed together. A mistake in the file installs none. A probe that
this build cannot serve is reported with no sites; the others go on, and the
exit code at the end is 1.

--save keeps what the file's snapshots take, readable for you alone, for
sidelight show.`

const applyExample = `  sidelight apply shop -f probes.yaml
  sidelight apply shop -f probes.yaml --save orders.moments
  generate-probes | sidelight apply shop -f - --output json`

// maxProbeFile bounds what is read of a probe file, in bytes.
const maxProbeFile = 1 << 20

func (a *App) applyCmd() *cobra.Command {
	var s sessionFlags
	var file, save string
	cmd := &cobra.Command{
		Use:               "apply TARGET -f FILE",
		Short:             "Put the probes of a file into a running process",
		Long:              applyLong + "\n\n" + targetHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           applyExample,
		Args:              args([]string{"TARGET"}, false),
		ValidArgsFunction: a.completeTarget,
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usagef("the probe file is missing: -f probes.yaml, or -f - for standard input")
			}
			text, err := readProbeFile(file)
			if err != nil {
				return err
			}
			specs, lines, err := parseProbes(file, text)
			if err != nil {
				return err
			}
			if save != "" && !slices.ContainsFunc(specs, probe.Spec.Snapshots) {
				return usagef("--save %s: no probe of %s takes snapshots; write kind: snapshot, or snapshot: true beside kind: time", save, file)
			}
			err = a.apply(cmd.Context(), args[0], specs, save, &s)
			var m mistake
			if errors.As(err, &m) {
				return &fileError{file, lines[m.ProbeID()], m.Error()}
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "read the probes from this YAML `FILE`; - is standard input")
	cmd.Flags().StringVar(&save, "save", "", "keep the snapshots in this `FILE`, which sidelight show opens")
	_ = cmd.MarkFlagFilename("file", "yaml", "yml")
	s.add(cmd)
	return cmd
}

// apply puts probes into a target, and keeps their snapshots where that was asked.
func (a *App) apply(ctx context.Context, target string, specs []probe.Spec, save string, f *sessionFlags) error {
	out := a.sink(f, len(specs) > 1)
	session := func(out sink.Sink) error { return a.observeTo(ctx, target, specs, f, out) }
	if save == "" {
		return session(out)
	}
	return a.keep(save, out, session)
}

// mistake is what the errors of a Prober implement that say which probe makes
// no sense for the target's build.
type mistake interface {
	error
	ProbeID() string
}

func readProbeFile(name string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxProbeFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxProbeFile {
		return nil, fmt.Errorf("%s: a probe file has at most %d bytes", name, maxProbeFile)
	}
	return text, nil
}
