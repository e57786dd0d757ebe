package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

const symbolsLong = `Keep the debug information of builds, so that programs which were stripped can
be observed like any other.

A production binary is often linked with -ldflags='-s -w': it has no debug
information, and Sidelight then knows its functions, lines and stacks, but not
its variables. Build it once without these flags (same source, same toolchain,
same other flags), and let the store remember what it says:

  go build -trimpath -o shop.full ./cmd/shop
  go build -trimpath -ldflags='-s -w' -o shop ./cmd/shop
  sidelight symbols add shop.full

From then on every command finds it, by the build ID or by comparing the code.
Debug information is only used where the code is proven to be the same.

Where it is looked for, in this order: what --symbols names (and then nothing
else); the store; /usr/lib/debug/.build-id, .gnu_debuglink and PROGRAM.debug
beside the program; the servers of DEBUGINFOD_URLS. --verbose says what was
found where.

The store is $SIDELIGHT_SYMBOLS, or $XDG_DATA_HOME/sidelight/symbols, or
~/.local/share/sidelight/symbols.`

const symbolsExample = `  sidelight symbols add ./shop.full
  sidelight symbols add ./dist
  sidelight symbols list
  sidelight log shop orders.go:42 '{o.ID}' --symbols ./shop.full`

func (a *App) store() *symbol.Store { return &symbol.Store{Dir: symbol.DefaultDir(os.Getenv)} }

func (a *App) symbolsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "symbols",
		Short:   "Keep debug information for programs that were stripped",
		Long:    symbolsLong,
		Example: symbolsExample,
		Args: func(_ *cobra.Command, got []string) error {
			if len(got) == 0 {
				return nil
			}
			return usagef("there is no command \"symbols %s\": it is add, list, rm, export or import", got[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.symbolsAdd(), a.symbolsList(), a.symbolsRemove(), a.symbolsExport(), a.symbolsImport())
	return cmd
}

// symbolsObject is an entry of the store in the form of the output contract.
type symbolsObject struct {
	Type string `json:"type"` // "symbols"
	*symbol.Entry
	Key   string `json:"key"`
	State string `json:"state"` // "added", "known", "kept", "removed", "imported", "damaged"
}

// tell prints what was done with an entry.
func (a *App) tell(output, state string, e *symbol.Entry) error {
	if output == outputJSON {
		return sink.NewJSON(a.Stdout).Write(symbolsObject{"symbols", e, e.Key(), state})
	}
	text := fmt.Sprintf("%-8s  %s  %s", state, e.Key()[:12], sink.Escape(e.Main))
	if state == "added" {
		text += fmt.Sprintf("  %s, %.0f %% of the binary", size(e.Size), 100*float64(e.Size)/float64(max(e.Binary, 1)))
	}
	_, err := fmt.Fprintln(a.Stdout, text)
	return err
}

func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

func (a *App) symbolsAdd() *cobra.Command {
	output := outputText
	cmd := &cobra.Command{
		Use:     "add BINARY|DIR...",
		Short:   "Keep the debug information of Go binaries",
		Long:    "Keep the debug information of Go binaries, or of all that are in a directory and\nbelow it: compressed, a fraction of the binary. One that is there already costs\nnothing.",
		Example: "  sidelight symbols add ./shop.full\n  sidelight symbols add ./dist --output json",
		Args:    args([]string{"BINARY or DIR"}, true),
		RunE: func(_ *cobra.Command, args []string) error {
			var failed []error
			for _, path := range args {
				if err := a.addSymbols(path, output); err != nil {
					failed = append(failed, err)
				}
			}
			return errors.Join(failed...)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

// addSymbols adds a binary, or those below a directory.
func (a *App) addSymbols(path, output string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return a.addBinary(path, output)
	}
	var passed []string
	added := 0
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !executable(d) {
			return err
		}
		if err := a.addBinary(file, output); err != nil {
			passed = append(passed, err.Error())
		} else {
			added++
		}
		return nil
	})
	for _, p := range passed {
		fmt.Fprintf(a.Stderr, "passed over: %s\n", escapeLines(p))
	}
	if err == nil && added == 0 {
		err = fmt.Errorf("%s: no Go binary with debug information is in it", path)
	}
	return err
}

// executable tells a program from the other files of a directory.
func executable(d fs.DirEntry) bool {
	info, err := d.Info()
	return err == nil && info.Mode()&0o111 != 0
}

func (a *App) addBinary(path, output string) error {
	e, known, err := a.store().Add(path)
	if err != nil {
		return err
	}
	state := "added"
	if known {
		state = "known"
	}
	return a.tell(output, state, e)
}

func (a *App) symbolsList() *cobra.Command {
	output := outputText
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"},
		Short:   "List the builds whose debug information is kept",
		Long:    "List the builds whose debug information is kept, the newest first.",
		Example: "  sidelight symbols list\n  sidelight symbols list --output json | jq -r 'select(.state==\"damaged\").key'",
		Args:    args(nil, false),
		RunE: func(*cobra.Command, []string) error {
			s := a.store()
			list, err := s.List()
			if err != nil {
				return err
			}
			return a.listSymbols(s, list, output)
		},
	}
	addOutput(cmd, &output)
	return cmd
}

func (a *App) listSymbols(s *symbol.Store, list []*symbol.Entry, output string) error {
	rows := [][]string{{"KEY", "MAIN PACKAGE", "VERSION", "REVISION", "GO", "BUILD ID", "SIZE", "ADDED", ""}}
	for _, e := range list {
		state := "kept"
		if _, err := s.Object(e); err != nil {
			state = "damaged"
		}
		if output == outputJSON {
			if err := a.tell(output, state, e); err != nil {
				return err
			}
			continue
		}
		rev := cut(e.Revision, 12)
		if e.Modified && rev != "" {
			rev += "+"
		}
		note := ""
		if state == "damaged" {
			note = "damaged: add it again"
		}
		rows = append(rows, []string{e.Key()[:12], e.Main, e.ModuleVersion, rev, e.GoVersion, cut(e.GoID, 12), size(e.Size), e.Added.Local().Format(time.DateTime), note})
	}
	if output == outputJSON {
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintf(a.Stderr, "nothing is kept in %s yet: \"sidelight symbols add BINARY\" keeps the debug information of a build\n", s.Dir)
		return nil
	}
	paint := a.paint(a.Stdout)
	return writeTable(a.Stdout, rows, []int{5, 3, 2}, func(row, col int, text string) string {
		switch {
		case row == 0:
			return paint.Dim(text)
		case col == 1:
			return paint.Bold(text)
		case col == 8:
			return paint.Warn(text)
		}
		return text
	})
}

func (a *App) symbolsRemove() *cobra.Command {
	output, all := outputText, false
	cmd := &cobra.Command{
		Use: "rm KEY...", Aliases: []string{"remove"},
		Short:   "Forget the debug information of builds",
		Long:    "Forget the debug information of builds. KEY is the beginning of a key or of a\nbuild ID as \"symbols list\" shows them, or the path or name of a main package,\nwhich means all its builds.",
		Example: "  sidelight symbols rm 3f2a9c\n  sidelight symbols rm example.com/acme/shop\n  sidelight symbols rm --all",
		Args: func(cmd *cobra.Command, got []string) error {
			if all {
				return args(nil, false)(cmd, got)
			}
			return args([]string{"KEY"}, true)(cmd, got)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			s := a.store()
			list, err := a.pickSymbols(s, args, all)
			if err != nil {
				return err
			}
			if err := s.Remove(list...); err != nil {
				return err
			}
			for _, e := range list {
				if err := a.tell(output, "removed", e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "forget all builds")
	addOutput(cmd, &output)
	return cmd
}

// pickSymbols are the entries that a person named.
func (a *App) pickSymbols(s *symbol.Store, names []string, all bool) ([]*symbol.Entry, error) {
	if all {
		return s.List()
	}
	var out []*symbol.Entry
	for _, name := range names {
		list, err := s.Match(name)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("nothing in %s answers to %q: \"sidelight symbols list\" shows what is there", s.Dir, name)
		}
		for _, e := range list {
			if !slices.ContainsFunc(out, func(o *symbol.Entry) bool { return o.Key() == e.Key() }) {
				out = append(out, e)
			}
		}
	}
	return out, nil
}

func (a *App) symbolsExport() *cobra.Command {
	return &cobra.Command{
		Use:     "export FILE [KEY...]",
		Short:   "Write debug information to a file for another machine",
		Long:    "Write the debug information of all builds, or of those named, to one file (- is\nstandard output). \"symbols import\" on another machine takes it in.",
		Example: "  sidelight symbols export shop.symbols example.com/acme/shop\n  sidelight symbols export - | ssh prod sidelight symbols import -",
		Args:    args([]string{"FILE"}, true),
		RunE: func(_ *cobra.Command, args []string) (err error) {
			s := a.store()
			list, err := a.pickSymbols(s, args[1:], len(args) == 1)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return fmt.Errorf("nothing is kept in %s: \"sidelight symbols add BINARY\" comes first", s.Dir)
			}
			if args[0] == "-" {
				return s.Export(a.Stdout, list)
			}
			if err := writeExport(s, args[0], list); err != nil {
				return err
			}
			fmt.Fprintf(a.Stderr, "wrote the debug information of %d %s to %s\n", len(list), plural(len(list), "build"), args[0])
			return nil
		},
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// writeExport writes a file that is there as a whole or not at all.
func writeExport(s *symbol.Store, path string, list []*symbol.Entry) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".symbols-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	w := bufio.NewWriterSize(f, 1<<20)
	err = s.Export(w, list)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (a *App) symbolsImport() *cobra.Command {
	output := outputText
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Take in what export wrote",
		Long:    "Take in what \"symbols export\" wrote (- is standard input).",
		Example: "  sidelight symbols import shop.symbols",
		Args:    args([]string{"FILE"}, false),
		RunE: func(_ *cobra.Command, args []string) error {
			var r io.Reader = a.Stdin
			if args[0] != "-" {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				r = bufio.NewReaderSize(f, 1<<20)
			}
			list, err := a.store().Import(r)
			for _, e := range list {
				if err := a.tell(output, "imported", e); err != nil {
					return err
				}
			}
			if err != nil {
				return fmt.Errorf("%s: %w", strings.TrimPrefix(args[0], "./"), err)
			}
			return nil
		},
	}
	addOutput(cmd, &output)
	return cmd
}
