package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/probe"
	"github.com/sidelight-dev/sidelight/internal/sink"
)

const whereLong = `Say what a probe would find at a location, before there is any: each site (the
machine addresses that the compiler made of it), how a probe gets control there
and what that costs, and every variable in scope with its type and whether it
can be read. What cannot be read comes with the nearest lines above and below
where it can. Nothing is done to a process.

With --all FILE, each line of a source file comes with how it can be probed and
which variables cannot be read there.`

const whereExample = `  sidelight where shop orders.go:42
  sidelight where ./shop 'main.(*Cart).Add'
  sidelight where shop --all orders.go
  sidelight where ./shop orders.go:42 --output json |
      jq '.sites[].variables[] | select(.readable|not)'`

const whereOutputHelp = `With --output json, standard output has one object: "where" with sites, their
variables and issues; or with --all one "survey" with its lines. An address is
as linked: a position-independent program has it somewhere else when it runs.
NO_COLOR turns colours off.`

func (a *App) whereCmd() *cobra.Command {
	output, file := outputText, ""
	cmd := &cobra.Command{
		Use:               "where TARGET LOCATION",
		Short:             "Say what can be probed and read at a location",
		Long:              whereLong + "\n\n" + subjectHelp + "\n\n" + locationHelp + "\n\n" + whereOutputHelp + "\n\n" + exitHelp,
		Example:           whereExample,
		ValidArgsFunction: a.completeSubject,
		Args: func(cmd *cobra.Command, got []string) error {
			if cmd.Flags().Changed("all") {
				return args([]string{"TARGET"}, false)(cmd, got)
			}
			return args([]string{"TARGET", "LOCATION"}, false)(cmd, got)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.examine(args[0])
			if err != nil {
				return err
			}
			defer s.Close()
			if cmd.Flags().Changed("all") {
				return a.survey(s, file, output)
			}
			return a.where(s, args[1], output)
		},
	}
	cmd.Flags().StringVar(&file, "all", "", "print this source `FILE`, and beside each line what can be probed and read")
	_ = cmd.RegisterFlagCompletionFunc("all", a.completeFile)
	addOutput(cmd, &output)
	return cmd
}

func (a *App) where(s *subject, at, output string) error {
	if strings.HasSuffix(at, ".go") {
		return usagef("the line is missing: %s:LINE; or --all %s for every line of the file", at, at)
	}
	w, err := s.Where(at)
	if err != nil {
		return err
	}
	s.describe(&w.Build)
	if output == outputJSON {
		return sink.NewJSON(a.Stdout).Write(whereObject{"where", s.pid, w})
	}
	p := &page{Paint: a.paint(a.Stdout)}
	p.where(s, w)
	return p.writeTo(a.Stdout)
}

type whereObject struct {
	Type string `json:"type"`
	PID  int    `json:"pid,omitempty"`
	*probe.Where
}

// maxSites is how many sites a page shows: a person compares no more. JSON has
// them all.
const maxSites = 12

// where is the page about one location.
func (p *page) where(s *subject, w *probe.Where) {
	ways := map[probe.How]int{}
	for _, site := range w.Sites {
		ways[site.How]++
	}
	p.line(p.Bold(sink.Escape(w.Location)), "  ", p.Dim(sink.Escape(s.name())+", "+w.Build.GoVersion))
	p.line()
	p.sourceLines(s, w)
	p.sites(w, ways)
	p.line()
	p.variables(w)
	for _, i := range w.Issues {
		p.line()
		p.line("  ", p.Warn("note: "), sink.EscapeLines(i.Message))
	}
	if ways[probe.Refused] < len(w.Sites) {
		p.line()
		p.line("  ", p.Dim("next: "), sink.Escape(nextCommand(s.word, w)))
	}
}

// sourceLines shows the line that the sites are on, if its file is at hand.
func (p *page) sourceLines(s *subject, w *probe.Where) {
	shown := map[int]bool{}
	for _, site := range w.Sites {
		if shown[site.Line] || len(shown) == 3 || site.File != w.Sites[0].File {
			continue
		}
		shown[site.Line] = true
		lines, note := localSource(site.File, builtAt(s.file))
		if site.Line > len(lines) || site.Line < 1 {
			continue
		}
		if note != "" {
			note = "   " + p.Warn("("+note+")")
		}
		text := strings.TrimSpace(lines[site.Line-1])
		p.line("  ", p.Place(fmt.Sprintf("%s:%d", base(site.File), site.Line)), "  ", sink.Escape(text), note)
	}
	if len(shown) > 0 && strings.HasSuffix(p.b.String(), "\n\n") {
		return
	}
	p.line()
}

// sites is the table of sites.
func (p *page) sites(w *probe.Where, ways map[probe.How]int) {
	if len(w.Sites) > 1 {
		var parts []string
		for _, way := range []struct {
			how       probe.How
			one, many string
		}{{probe.ByJump, "by a jump", "by a jump"}, {probe.ByTrap, "by a trap", "by a trap"}, {probe.Refused, "takes no probe", "take no probe"}} {
			if n := ways[way.how]; n > 0 {
				parts = append(parts, number(n, way.one, way.many))
			}
		}
		p.line("  ", number(len(w.Sites), "site", "sites"), ": ", strings.Join(parts, ", "))
		p.line()
	}
	var rows [][]string
	for i, site := range w.Sites[:min(maxSites, len(w.Sites))] {
		count, log := site.How.Cost()
		cost := fmt.Sprintf("%s a count, %s a log", short(count), short(log))
		if count == log {
			cost = short(count) + " a hit"
		}
		if site.How == probe.Refused {
			cost = ""
		}
		rows = append(rows, []string{fmt.Sprint(i + 1), fmt.Sprintf("%#x", site.Address), string(site.How), cost,
			shortFunction(site.Function), fmt.Sprintf("%s:%d", base(site.File), site.Line), inlinedText(site.Inlined), because(site)})
	}
	p.table([]string{"site", "address", "by", "costs about", "in", "at", "inlined into"}, rows, func(row, col int, s string) string {
		switch {
		case col == 2 && s == string(probe.ByJump):
			return p.Good(s)
		case col == 2:
			return p.Warn(s)
		case col == 4:
			return p.Bold(s)
		case col == 5:
			return p.Place(s)
		case col == 1 || col == 7:
			return p.Dim(s)
		}
		return s
	})
	if n := len(w.Sites) - len(rows); n > 0 {
		p.line("  ", p.Dim(fmt.Sprintf("and %s (--output json has them all)", number(n, "more site", "more sites"))))
	}
}

// because says why a site takes no jump.
func because(site probe.WhereSite) string {
	switch {
	case site.Why == "":
		return ""
	case site.How == probe.Refused:
		return "no probe: " + site.Why
	}
	return "no jump: " + site.Why
}

// short is a time with a space before its unit.
func short(d time.Duration) string {
	s := d.String()
	i := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	return s[:i] + " " + s[i:]
}

func inlinedText(calls []probe.Call) string {
	var parts []string
	for _, c := range calls {
		parts = append(parts, fmt.Sprintf("%s (%s:%d)", shortFunction(c.Function), base(c.File), c.Line))
	}
	if len(parts) > 3 {
		parts = append(parts[:2], "…", parts[len(parts)-1])
	}
	return strings.Join(parts, " in ")
}

// shortFunction leaves the last element of the package's path.
func shortFunction(name string) string {
	short := paths.ReplaceAllString(name, "")
	from, to := strings.IndexByte(short, '['), strings.LastIndexByte(short, ']')
	if from >= 0 && to-from > maxArguments {
		short = short[:from] + "[…]" + short[to+1:]
	}
	return short
}

// paths are what stands before the last elements of packages' paths, in type
// arguments, too, whose shapes the compiler marks.
var paths = regexp.MustCompile(`(?:[^\s\[\](),*]+/)|go\.shape\.`)

// maxArguments is how long type arguments may be that are shown.
const maxArguments = 40

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// seen is one variable over all sites of a location.
type seen struct {
	probe.ScopeVar
	readable, lost []int // sites, from 1
	missing        int   // sites where it is not in scope
	types          int
	differ         bool // the lines where it can be read are not the same for all
}

// summary gathers the variables of all sites, in their first order.
func summary(sites []probe.WhereSite) []*seen {
	var list []*seen
	at := map[string]*seen{}
	for i, site := range sites {
		for _, v := range site.Variables {
			x := at[v.Name]
			if x == nil {
				x = &seen{ScopeVar: v, types: 1}
				at[v.Name] = x
				list = append(list, x)
			}
			if v.Type != x.Type && x.types == 1 {
				x.Type, x.types = x.Type+" or "+v.Type, 2
			}
			if v.Readable {
				x.readable = append(x.readable, i+1)
				continue
			}
			if len(x.lost) == 0 {
				x.Why, x.Up, x.Down = v.Why, v.Up, v.Down
			}
			x.differ = x.differ || x.Up != v.Up || x.Down != v.Down ||
				site.Function != sites[x.first(i)].Function || len(site.Inlined) != len(sites[x.first(i)].Inlined)
			x.lost = append(x.lost, i+1)
		}
	}
	for _, x := range list {
		x.missing = len(sites) - len(x.readable) - len(x.lost)
	}
	rank := map[probe.Role]int{probe.RoleReceiver: 0, probe.RoleArgument: 1, probe.RoleResult: 2, probe.RoleCaptured: 3, probe.RoleLocal: 4}
	slices.SortStableFunc(list, func(a, b *seen) int { return rank[a.Role] - rank[b.Role] })
	return list
}

// verdict says whether a variable can be read, in words and as a colour.
func (x *seen) verdict(sites int) string {
	switch {
	case len(x.lost) == 0 && x.missing == 0:
		if x.Why != "" {
			return "in parts: " + x.Why + "; ask for its fields or elements"
		}
		return "yes"
	case len(x.lost) == 0:
		return "yes, at " + someSites(x.readable, sites) + "; not in scope at the others"
	case len(x.readable) == 0:
		return "no: " + x.Why + x.elsewhere()
	}
	return "at " + someSites(x.readable, sites) + "; not at the others: " + x.Why + x.elsewhere()
}

// first is the first site where it is lost, as an index; i if that is the one at
// hand.
func (x *seen) first(i int) int {
	if len(x.lost) > 0 {
		return x.lost[0] - 1
	}
	return i
}

// someSites names a few of a location's sites.
func someSites(list []int, of int) string {
	if len(list) == 1 {
		return fmt.Sprintf("site %d", list[0])
	}
	if len(list) > 4 {
		return fmt.Sprintf("%d of %d sites", len(list), of)
	}
	return "sites " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(list)), ", "), "[]")
}

// elsewhere says on which lines it can be read. Copies in different functions
// have different ones, which a line of a table does not hold.
func (x *seen) elsewhere() string {
	up, down := x.Up, x.Down
	switch {
	case x.differ:
		return "; where it can differs by site (--output json)"
	case up > 0 && down > 0:
		return fmt.Sprintf("; it can on line %d above and %d below", up, down)
	case up > 0:
		return fmt.Sprintf("; it can on line %d above", up)
	case down > 0:
		return fmt.Sprintf("; it can on line %d below", down)
	}
	return "; nowhere in this function"
}

// variables is the table of variables.
func (p *page) variables(w *probe.Where) {
	list := summary(w.Sites)
	if len(list) == 0 {
		text := "no variable is in scope; variables of packages can be read anywhere"
		if slices.ContainsFunc(w.Issues, func(i probe.Issue) bool { return i.Code == probe.IssueNoDebug }) {
			text = "its variables are not known; lines, functions, goroutines and stacks are"
		}
		p.line("  ", text)
		return
	}
	var rows [][]string
	for _, x := range list {
		rows = append(rows, []string{x.Name, x.Type, string(x.Role), x.verdict(len(w.Sites))})
	}
	p.table([]string{"variable", "type", "", "can be read"}, rows, func(row, col int, s string) string {
		x := list[row]
		switch {
		case col == 0:
			return p.Bold(s)
		case col == 2:
			return p.Dim(s)
		case col == 3 && len(x.lost) == 0:
			return p.Good(s)
		case col == 3:
			return p.Warn(s)
		}
		return s
	})
}

// nextCommand is a log that works at the location.
func nextCommand(word string, w *probe.Where) string {
	var holes []string
	for _, x := range summary(w.Sites) {
		if len(x.lost) == 0 && x.missing == 0 && x.Why == "" && len(holes) < 3 {
			holes = append(holes, x.Name+"={"+x.Name+"}")
		}
	}
	message := strings.Join(holes, " ")
	if message == "" {
		message = "here, goroutine {$goroutine}"
	}
	if strings.Contains(word, "/") {
		word = "PID"
	}
	return fmt.Sprintf("sidelight log %s %s '%s'", quoted(word), quoted(w.Location), message)
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	plain := func(r rune) bool {
		return !strings.ContainsRune("/._-:%@+,=", r) && (r < '0' || r > '9' && r < 'A' || r > 'Z' && r < 'a' || r > 'z')
	}
	if s != "" && strings.IndexFunc(s, plain) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
