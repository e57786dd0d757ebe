package cli

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/sink"
)

// plainWord is what no shell reads as anything but itself.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)

// maxOffers bounds the functions that are offered: a terminal shows no more.
const maxOffers = 200

// completeArgs offers targets, then locations of the target that was named: one,
// or several where the command's usage says LOCATION... . It serves every command
// whose first arguments are TARGET LOCATION.
func (a *App) completeArgs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return a.completeTarget(cmd, args, typed)
	}
	if len(args) > 1 && !strings.HasSuffix(cmd.Use, "LOCATION...") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeLocation(args[0], typed)
}

// completeSubject offers what completeArgs does for commands with one location
// whose target may be a file.
func (a *App) completeSubject(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		offers, _ := a.completeTarget(cmd, args, typed)
		return offers, cobra.ShellCompDirectiveDefault // a path will do
	case len(args) > 1 || cmd.Flags().Changed("all"):
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeLocation(args[0], typed)
}

// completeLocation offers the locations of a target that begin with what was
// typed: functions and files, the program's own before a letter is typed, and
// behind a file's colon its lines with code. Every command with a LOCATION
// completes it by this.
func (a *App) completeLocation(word, typed string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	s, err := a.examine(word)
	if err != nil {
		return nil, done
	}
	defer s.Close()
	var offers []string
	open := false
	for _, o := range s.Complete(typed, maxOffers) {
		open = open || o.Open
		text := sink.Escape(o.Text)
		if o.About != "" {
			text = cobra.CompletionWithDesc(text, sink.Escape(o.About))
		}
		offers = append(offers, text)
	}
	if open {
		return offers, done | cobra.ShellCompDirectiveNoSpace
	}
	return offers, done
}

// completeFile offers the source files of the target that was named.
func (a *App) completeFile(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return nil, done
	}
	s, err := a.examine(args[0])
	if err != nil {
		return nil, done
	}
	defer s.Close()
	var offers []string
	for _, o := range s.Complete(typed, maxOffers) {
		if name, file := strings.CutSuffix(o.Text, ".go:"); file {
			offers = append(offers, cobra.CompletionWithDesc(sink.Escape(name+".go"), sink.Escape(o.About)))
		}
	}
	return offers, done
}

// completeTarget offers the processes that can be observed: by name, or by pid
// where several have the same name or a digit was typed.
func (a *App) completeTarget(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		return nil, done
	}
	list, err := a.Host.List(false)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	same := map[string]int{}
	for _, p := range list {
		same[p.Name]++
	}
	var offers []string
	for _, p := range list {
		if !p.Observable() {
			continue
		}
		word, about := p.Name, fmt.Sprintf("pid %d, %s", p.PID, p.RuntimeVersion)
		if _, err := strconv.Atoi(typed); err == nil || same[p.Name] > 1 || !plainWord.MatchString(p.Name) {
			word, about = strconv.Itoa(p.PID), sink.Escape(p.Name)+", "+p.RuntimeVersion
		}
		if strings.HasPrefix(word, typed) {
			offers = append(offers, cobra.CompletionWithDesc(word, about))
		}
	}
	return offers, done
}
