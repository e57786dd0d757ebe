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
its letters in their order are listed instead: srvhttp finds
(*Server).ServeHTTP. The program's own module comes first, then what matches
best.`

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

// finding is what functions and files find, and how it is shown.
type finding[T any] struct {
	list     func(s *subject, pattern string, limit int) (list []T, total int)
	nearly   func(T) bool
	headings []string
	row      func(T) []string
	object   func(T) any // for JSON
	none     string      // what is said where the first %s has no %q
}

type functionObject struct {
	Type string `json:"type"`
	probe.FoundFunction
}

type fileObject struct {
	Type string `json:"type"`
	probe.FoundFile
}

func (a *App) functionsCmd() *cobra.Command {
	return findCmd(a, foundFunctions, &cobra.Command{
		Use:     "functions TARGET [PATTERN]",
		Short:   "Find functions of a program",
		Long:    functionsLong,
		Example: functionsExample,
	})
}

var foundFunctions = finding[probe.FoundFunction]{
	list: func(s *subject, pattern string, limit int) ([]probe.FoundFunction, int) {
		return s.Functions(pattern, limit)
	},
	nearly:   func(f probe.FoundFunction) bool { return f.Nearly },
	headings: []string{"function", "begins at", ""},
	row: func(f probe.FoundFunction) []string {
		at := ""
		if f.File != "" {
			at = fmt.Sprintf("%s:%d", base(f.File), f.Line)
		}
		return []string{f.Name, at, functionNote(f)}
	},
	object: func(f probe.FoundFunction) any { return functionObject{"function", f} },
	none:   "no function of %s has %q in its name, nor its letters in their order; a function that nothing calls, or that was inlined until nothing of it was left, is not in the build",
}

func (a *App) filesCmd() *cobra.Command {
	return findCmd(a, foundFiles, &cobra.Command{
		Use:     "files TARGET [PATTERN]",
		Short:   "Find source files of a program",
		Long:    filesLong,
		Example: filesExample,
	})
}

var foundFiles = finding[probe.FoundFile]{
	list:     func(s *subject, pattern string, limit int) ([]probe.FoundFile, int) { return s.Files(pattern, limit) },
	nearly:   func(f probe.FoundFile) bool { return f.Nearly },
	headings: []string{"file", "functions", "path in the build"},
	row:      func(f probe.FoundFile) []string { return []string{f.Name, fmt.Sprint(f.Functions), f.Path} },
	object:   func(f probe.FoundFile) any { return fileObject{"file", f} },
	none:     "no source file of %s has %q in its path, nor its letters in their order",
}

// findCmd completes the command that shows a finding.
func findCmd[T any](a *App, found finding[T], cmd *cobra.Command) *cobra.Command {
	var f findFlags
	cmd.Long += "\n\n" + subjectHelp + "\n\n" + patternHelp
	cmd.Args, cmd.ValidArgsFunction = a.findArgs, a.completeTarget
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		s, pattern, err := f.open(a, args)
		if err != nil {
			return err
		}
		defer s.Close()
		list, total := found.list(s, pattern, f.limit)
		switch {
		case f.output == outputJSON:
			return found.json(a, list)
		case total == 0:
			return fmt.Errorf(found.none, s.name(), pattern)
		}
		a.note(s, pattern, len(list), total, found.nearly(list[0]))
		return found.page(a, list)
	}
	f.add(cmd)
	return cmd
}

func (f finding[T]) json(a *App, list []T) error {
	out := sink.NewJSON(a.Stdout)
	for _, x := range list {
		if err := out.Write(f.object(x)); err != nil {
			return err
		}
	}
	return nil
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

func (f finding[T]) page(a *App, list []T) error {
	p := &page{Paint: a.paint(a.Stdout)}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, f.row(x))
	}
	p.table(f.headings, rows, func(_, col int, s string) string {
		switch col {
		case 0:
			return p.Bold(s)
		case 1:
			return p.Place(s)
		}
		return p.Dim(s)
	})
	return p.writeTo(a.Stdout)
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
