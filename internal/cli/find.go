package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const patternHelp = `PATTERN is a part of the name. Lower case letters find upper case ones, too; an
upper case letter means itself. With * (anything) or ? (one letter) it has to
match the whole name, or its end from a slash on: 'http.*Handler*'. The star of
(*T) is Go's own and means itself. Where no name has the text, names that have
its letters in their order are listed instead: srvhttp finds (*Server).ServeHTTP.
The program's own module comes first, then what matches best.`

const functionsLong = `List the functions of a program that answer to a pattern, as a LOCATION names
them: with the place where they begin, and why one takes no probe.`

const functionsExample = `  sidelight functions shop take
  sidelight functions ./shop '*.(*Cart).*'
  sidelight functions shop ServeHTTP --output json | jq -r .name`

const filesLong = `List the source files of a program that answer to a pattern, by the shortest
name that a LOCATION can have for them.`

const filesExample = `  sidelight files shop orders
  sidelight files ./shop 'handlers/*.go'`

// defaultLimit is how many answers are shown: more are not read.
const defaultLimit = 50

// findFlags are what functions and files have in common.
type findFlags struct {
	output string
	limit  int
}

func (f *findFlags) add(cmd *cobra.Command) {
	f.output = outputText
	cmd.Flags().IntVar(&f.limit, "limit", defaultLimit, "show at most `N`; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("limit", cobra.NoFileCompletions)
	addOutput(cmd, &f.output)
}

// open examines the target of functions and files; the pattern may be missing,
// which means everything.
func (f *findFlags) open(a *App, args []string) (*subject, string, error) {
	if f.limit < 0 {
		return nil, "", usagef("--limit %d: give how many to show, or 0 for all", f.limit)
	}
	pattern := ""
	if len(args) > 1 {
		pattern = args[1]
	}
	s, err := a.examine(args[0])
	return s, pattern, err
}

func (a *App) findArgs(cmd *cobra.Command, got []string) error {
	if len(got) > 2 {
		return usagef("%q is one argument too many (a pattern with stars needs quotes)", got[2])
	}
	return args([]string{"TARGET"}, true)(cmd, got)
}

func (a *App) functionsCmd() *cobra.Command {
	var f findFlags
	cmd := &cobra.Command{
		Use:               "functions TARGET [PATTERN]",
		Short:             "Find functions of a program",
		Long:              functionsLong + "\n\n" + subjectHelp + "\n\n" + patternHelp,
		Example:           functionsExample,
		Args:              a.findArgs,
		ValidArgsFunction: a.completeTarget,
		RunE: func(_ *cobra.Command, args []string) error {
			s, pattern, err := f.open(a, args)
			if err != nil {
				return err
			}
			defer s.Close()
			list, total := s.Functions(pattern, f.limit)
			if f.output == outputJSON {
				return writeObjects(a, list, func(x probe.FoundFunction) any { return functionObject{"function", x} })
			}
			return a.functionsPage(s, pattern, list, total)
		},
	}
	f.add(cmd)
	return cmd
}

type functionObject struct {
	Type string `json:"type"`
	probe.FoundFunction
}

type fileObject struct {
	Type string `json:"type"`
	probe.FoundFile
}

func writeObjects[T any](a *App, list []T, object func(T) any) error {
	out := sink.NewJSON(a.Stdout)
	for _, x := range list {
		if err := out.Write(object(x)); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) functionsPage(s *subject, pattern string, list []probe.FoundFunction, total int) error {
	if total == 0 {
		return fmt.Errorf("no function of %s has %q in its name, nor its letters in their order; a function that nothing calls, or that was inlined until nothing of it was left, is not in the build", s.name(), pattern)
	}
	p := &page{Paint: a.paint(a.Stdout)}
	var rows [][]string
	for _, f := range list {
		at := ""
		if f.File != "" {
			at = fmt.Sprintf("%s:%d", base(f.File), f.Line)
		}
		rows = append(rows, []string{f.Name, at, functionNote(f)})
	}
	p.findTable([]string{"function", "begins at", ""}, rows)
	a.note(s, pattern, len(list), total, list[0].Nearly)
	return p.writeTo(a.Stdout)
}

// functionNote says what a person should know of a function.
func functionNote(f probe.FoundFunction) string {
	switch {
	case f.Refused != "":
		why, _, _ := strings.Cut(f.Refused, ", ") // where --output json has it in full
		return "takes no probe: " + why
	case f.Own == 0:
		return "inlined everywhere"
	case f.Own > 1 && f.Inlined:
		return fmt.Sprintf("%d instantiations, and inlined", f.Own)
	case f.Own > 1:
		return fmt.Sprintf("%d instantiations", f.Own)
	case f.Inlined:
		return "also inlined"
	}
	return ""
}

func (a *App) filesCmd() *cobra.Command {
	var f findFlags
	cmd := &cobra.Command{
		Use:               "files TARGET [PATTERN]",
		Short:             "Find source files of a program",
		Long:              filesLong + "\n\n" + subjectHelp + "\n\n" + patternHelp,
		Example:           filesExample,
		Args:              a.findArgs,
		ValidArgsFunction: a.completeTarget,
		RunE: func(_ *cobra.Command, args []string) error {
			s, pattern, err := f.open(a, args)
			if err != nil {
				return err
			}
			defer s.Close()
			list, total := s.Files(pattern, f.limit)
			if f.output == outputJSON {
				return writeObjects(a, list, func(x probe.FoundFile) any { return fileObject{"file", x} })
			}
			return a.filesPage(s, pattern, list, total)
		},
	}
	f.add(cmd)
	return cmd
}

func (a *App) filesPage(s *subject, pattern string, list []probe.FoundFile, total int) error {
	if total == 0 {
		return fmt.Errorf("no source file of %s has %q in its path, nor its letters in their order", s.name(), pattern)
	}
	p := &page{Paint: a.paint(a.Stdout)}
	var rows [][]string
	for _, f := range list {
		rows = append(rows, []string{f.Name, fmt.Sprint(f.Functions), f.Path})
	}
	p.findTable([]string{"file", "functions", "path in the build"}, rows)
	a.note(s, pattern, len(list), total, list[0].Nearly)
	return p.writeTo(a.Stdout)
}

func (p *page) findTable(headings []string, rows [][]string) {
	p.table(headings, rows, func(_, col int, s string) string {
		switch col {
		case 0:
			return p.Bold(s)
		case 1:
			return p.Place(s)
		}
		return p.Dim(s)
	})
}

// note says on standard error what a list leaves out or is.
func (a *App) note(s *subject, pattern string, shown, total int, fuzzy bool) {
	paint := a.paint(a.Stderr)
	if fuzzy {
		fmt.Fprintln(a.Stderr, paint.Dim(sink.Escape(fmt.Sprintf("nothing in %s has %q; these have its letters in their order:", s.name(), pattern))))
	}
	if shown < total {
		fmt.Fprintln(a.Stderr, paint.Dim(fmt.Sprintf("%s of %s; --limit 0 shows all", thousands(shown), thousands(total))))
	}
}
