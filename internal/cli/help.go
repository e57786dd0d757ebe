package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpWidth is what help is written for: terminals that nobody has widened.
const helpWidth = 80

// wrapFlags lets the flags of a help text keep to the width that its other lines
// keep to.
func wrapFlags(root *cobra.Command) {
	cobra.AddTemplateFunc("flags", func(f *pflag.FlagSet) string { return strings.TrimRight(f.FlagUsagesWrapped(helpWidth), "\n") })
	text := strings.NewReplacer(
		".LocalFlags.FlagUsages | trimTrailingWhitespaces", ".LocalFlags | flags",
		".InheritedFlags.FlagUsages | trimTrailingWhitespaces", ".InheritedFlags | flags",
	).Replace(root.UsageTemplate())
	root.SetUsageTemplate(text)
}

// flagError explains a flag that is not understood in the words of people.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		err = fmt.Errorf("%w (what begins with - and is no flag comes last, after --)", err)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		if near := nearFlags(cmd, unknown.GetSpecifiedName()); len(near) > 0 {
			err = fmt.Errorf("%w (did you mean --%s?)", err, strings.Join(near, " or --"))
		}
	case errors.As(err, &invalid):
		form := ""
		switch invalid.GetFlag().Value.Type() {
		case "duration":
			form = "give a duration, such as 30s, 5m or 2h"
		case "int", "int64":
			form = "give a whole number"
		default:
			return &usageError{err}
		}
		err = fmt.Errorf("--%s %s: %s", invalid.GetFlag().Name, invalid.GetValue(), form)
	}
	return &usageError{err}
}

// nearFlags suggests flags as commands are suggested.
func nearFlags(cmd *cobra.Command, name string) []string {
	all := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	return all.SuggestionsFor(name)
}
