package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
)

// Exit codes. They are part of the output contract.
const (
	exitDone    = 0
	exitError   = 1
	exitUsage   = 2
	exitRefused = 3
)

// usageError says that the command line is not understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// refusal is what errors of other packages implement where permission or
// safety forbids to go on.
type refusal interface {
	error
	Refused() bool
}

// refusedError is a refusal of this package.
type refusedError struct{ msg string }

func (e *refusedError) Error() string { return e.msg }
func (e *refusedError) Refused() bool { return true }

func exitCode(err error) int {
	var usage *usageError
	var refused refusal
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &refused) && refused.Refused():
		return exitRefused
	}
	return exitError
}

// report says on standard error what went wrong and what to do next.
func (a *App) report(cmd *cobra.Command, err error) {
	paint := a.paint(a.Stderr)
	fmt.Fprintf(a.Stderr, "%s %s\n", paint.Bad("sidelight:"), escapeLines(err.Error()))
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(a.Stderr, "usage: %s\n%s\n", cmd.UseLine(),
			paint.Dim(fmt.Sprintf("see %q", cmd.CommandPath()+" --help")))
	}
}

// escapeLines makes a message harmless for a terminal and keeps its lines: it
// may quote what a process calls itself.
func escapeLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i := range lines {
		lines[i] = sink.Escape(strings.ReplaceAll(lines[i], "\t", "    "))
	}
	return strings.Join(lines, "\n")
}
