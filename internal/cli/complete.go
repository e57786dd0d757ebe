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

// completeArgs offers targets, then functions of the target that was named.
// Files and lines are not offered: a person has them from the editor.
func (a *App) completeArgs(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	const done = cobra.ShellCompDirectiveNoFileComp
	if len(args) == 0 {
		return a.completeTarget(cmd, args, typed)
	}
	if cmd.Name() == "log" && len(args) > 1 {
		return nil, done
	}
	p, err := a.Host.Resolve(args[0])
	if err != nil || !p.Observable() {
		return nil, done
	}
	names, err := a.Host.Functions(p.PID, typed, maxOffers)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, done
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
