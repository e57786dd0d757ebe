package cli

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/source"
)

const sourceLong = `Print the source that a program was built from, around a location.

The program's own files come from version control at the revision that the build
records, or from the tree of its module at or above the working directory; those
of dependencies from the module cache or a vendor directory at the version of
the build; the standard library from a toolchain of its Go version. Every text
is held to the build's line table: one whose lines with code are blank, comments
or beyond its end is another text, and is shown with a warning that says how it
differs.`

const sourceExample = `  sidelight source shop orders.go:42
  sidelight source ./shop 'main.(*Cart).Add' --context 20
  sidelight source shop net/http.HandlerFunc.ServeHTTP`

const sourceOutputHelp = `With --output json, standard output has one object: "source" with file, path,
origin, verdict (same, likely, differs, missing), why, line and lines.`

// sourcer is an Examiner that finds sources.
type sourcer interface {
	Source(at, dir string) (s *source.Source, line int, err error)
}

func (a *App) sourceCmd() *cobra.Command {
	output, context := outputText, 10
	cmd := &cobra.Command{
		Use:               "source TARGET LOCATION",
		Short:             "Print the source that a program was built from",
		Long:              sourceLong + "\n\n" + subjectHelp + "\n\n" + locationHelp + "\n\n" + sourceOutputHelp,
		Example:           sourceExample,
		Args:              args([]string{"TARGET", "LOCATION"}, false),
		ValidArgsFunction: a.completeSubject,
		RunE: func(_ *cobra.Command, args []string) error {
			if context < 0 {
				return usagef("--context %d: give the number of lines before and after the line, or 0", context)
			}
			s, err := a.examine(args[0])
			if err != nil {
				return err
			}
			defer s.Close()
			x, ok := s.Examiner.(sourcer)
			if !ok {
				return errors.New("this sidelight was built without its engine")
			}
			found, line, err := x.Source(args[1], "")
			if err != nil {
				return err
			}
			return a.printSource(found, line, context, output)
		},
	}
	cmd.Flags().IntVarP(&context, "context", "C", context, "print `N` lines before the line and after it")
	_ = cmd.RegisterFlagCompletionFunc("context", cobra.NoFileCompletions)
	addOutput(cmd, &output)
	return cmd
}

// sourceObject is a source in the form of the output contract.
type sourceObject struct {
	Type string `json:"type"` // "source"
	*source.Source
	Line  int          `json:"line"` // that was asked for; 0: none
	Lines []sourceLine `json:"lines"`
}

type sourceLine struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

func (a *App) printSource(s *source.Source, line, context int, output string) error {
	lines := around(s.Text, line, context)
	if output == outputJSON {
		return sink.NewJSON(a.Stdout).Write(sourceObject{"source", s, line, lines})
	}
	if s.Verdict == source.Missing {
		text := "the source of " + s.File + " was not found"
		for _, w := range s.Why {
			text += "\n  " + w
		}
		return errors.New(text + "\nrun it in the tree of the program's module, or get the module or toolchain (go mod download, GOTOOLCHAIN)")
	}
	p := &page{Paint: a.paint(a.Stdout)}
	p.line(p.Bold(sink.Escape(s.Path)), p.Dim("  "+sink.Escape(s.Origin)))
	switch s.Verdict {
	case source.Differs:
		p.line(p.Bad("warning: "), "this is not the text that the program was built from")
	case source.Likely:
		p.line(p.Warn("note: "), "nothing vouches for this text, and no line speaks against it")
	}
	for _, w := range s.Why {
		p.line("  ", sink.Escape(w))
	}
	p.line()
	for _, l := range lines {
		number := fmt.Sprintf("%6d  ", l.Number)
		text := sink.Escape(strings.ReplaceAll(l.Text, "\t", "    "))
		if l.Number == line {
			p.line(p.Bold(">"+number[1:]), p.Bold(text))
			continue
		}
		p.line(p.Dim(number), text)
	}
	if len(lines) == 0 {
		p.line("  ", fmt.Sprintf("it has no line %d", line))
	}
	return p.writeTo(a.Stdout)
}

// around are the lines about one, or all where none is asked for.
func around(text []byte, line, context int) []sourceLine {
	out := []sourceLine{}
	for i, l := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if n := i + 1; line == 0 || n >= line-context && n <= line+context {
			out = append(out, sourceLine{n, string(bytes.TrimSuffix(l, []byte("\r")))})
		}
	}
	return out
}
