package cli

import (
	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
)

const logLong = `Say something each time a running process passes a line or calls a function.

TEMPLATE is text with expressions in braces; {{ and }} are braces themselves.
An expression is Go's own: variables in scope at the line, package variables
(pkg.Var), fields through pointers, indexing, maps m[k], slicing of strings, *p,
len, cap, x.(T), arithmetic, comparison, && || !, conversion between numbers;
and contains, startsWith, endsWith, matches, is(x, T), $goroutine, $function,
$line. No calls: nothing of the program is ever run or changed. Secrets are not
shown (--redact adds rules).

A mistake is explained before anything is installed. The log is removed after
--for, after --limit emitted hits, on Ctrl-C, or with the target. What is over
--rate is counted, not emitted: the closing line tells where every hit went.`

const logExample = `  sidelight log shop orders.go:42 'order {o.ID} x{o.Qty} for {name}'
  sidelight log shop orders.go:42 'big one: {o}' \
      --if 'o.Qty > 10 && name != "test"' --limit 5
  sidelight log 4711 'main.(*Cart).Add' 'add {item.Name} to {len(c.items)}' \
      --for 10m --rate 20
  sidelight log shop orders.go:42 '{o.ID}' --output json | jq .values`

func (a *App) logCmd() *cobra.Command {
	var p probeFlags
	var s sessionFlags
	cmd := &cobra.Command{
		Use:               "log TARGET LOCATION TEMPLATE",
		Short:             "Put a log line into a running process",
		Long:              logLong + "\n\n" + targetHelp + "\n\n" + locationHelp + "\n\n" + outputHelp + "\n\n" + exitHelp,
		Example:           logExample,
		Args:              args([]string{"TARGET", "LOCATION", "TEMPLATE"}, false),
		ValidArgsFunction: a.completeArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(); err != nil {
				return err
			}
			spec := probe.Spec{ID: "p1", Kind: probe.Log, At: args[1], Message: args[2],
				If: p.condition, For: p.life, Limit: p.limit, Rate: p.rate}
			return a.observe(cmd.Context(), args[0], []probe.Spec{spec}, &s)
		},
	}
	p.add(cmd, probe.Log)
	s.add(cmd)
	return cmd
}
