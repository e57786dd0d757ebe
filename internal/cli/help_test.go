package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// What is written for the help of every command keeps to the width of a terminal.
func TestHelpKeepsToItsWidth(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" {
			return // cobra's own words
		}
		for _, line := range strings.Split(cmd.Short+"\n"+cmd.Long+"\n"+cmd.Example, "\n") {
			if n := utf8.RuneCountInString(line); n > helpWidth {
				t.Errorf("%s: %d columns, %d are the most: %s", cmd.CommandPath(), n, helpWidth, line)
			}
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	look(New().root())
}
