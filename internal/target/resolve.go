package target

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// NotFoundError says that no process answers to a TARGET.
type NotFoundError struct {
	Text string
	PID  int      // where the TARGET was a pid
	Main int      // the process whose thread it is
	Near []string // names that it may have meant
}

func (e *NotFoundError) Error() string {
	if e.Main != 0 {
		return fmt.Sprintf("%d is a thread of process %d: use that pid", e.PID, e.Main)
	}
	if e.PID != 0 {
		return fmt.Sprintf("no process has the pid %d: sidelight ps lists the Go programs of this machine", e.PID)
	}
	msg := fmt.Sprintf("no running Go program is called %q", e.Text)
	if len(e.Near) > 0 {
		msg += " (did you mean " + strings.Join(e.Near, " or ") + "?)"
	}
	return msg + ": sidelight ps lists them; TARGET is a pid, a name, a module path or its last element"
}

// AmbiguousError says that several processes answer to a TARGET.
type AmbiguousError struct {
	Text    string
	Matches []Process
}

func (e *AmbiguousError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processes are called %q; name one by its pid:", len(e.Matches), e.Text)
	var name, module int
	for _, p := range e.Matches {
		name, module = max(name, utf8.RuneCountInString(p.Name)), max(module, utf8.RuneCountInString(p.Module))
	}
	for _, p := range e.Matches {
		args := ""
		if len(p.Args) > 1 {
			args = shorten(strings.Join(p.Args[1:], " "), 60)
		}
		line := fmt.Sprintf("  %7d  %-*s  %-*s  %s", p.PID, name, p.Name, module, p.Module, args)
		b.WriteString("\n" + strings.TrimRight(line, " "))
	}
	return b.String()
}

// Resolve finds the one process that a TARGET means: a pid, a process name, a
// module path or its last element. It does not judge whether the process can
// be observed: that is its Problem. The error is a *NotFoundError or an
// *AmbiguousError.
func (h *Host) Resolve(text string) (Process, error) {
	pid, err := strconv.Atoi(text)
	if err != nil {
		list, err := h.List(true)
		if err != nil {
			return Process{}, err
		}
		p, err := pick(list, text)
		if err != nil {
			return Process{}, err
		}
		pid = p.PID
	}
	return h.inspectPatiently(pid)
}

// Another Sidelight holds a thread of its target for less than a millisecond
// at a time; a debugger stays. tracerLooks × tracerPause tells them apart.
const (
	tracerLooks = 20
	tracerPause = 5 * time.Millisecond
)

// inspectPatiently is Inspect for a process that is to be used now.
func (h *Host) inspectPatiently(pid int) (Process, error) {
	for look := 1; ; look++ {
		p, err := h.Inspect(pid)
		if err != nil || p.Problem == nil || p.Problem.Code != CodeTraced || look == tracerLooks {
			return p, err
		}
		time.Sleep(tracerPause)
	}
}

// pick finds the process that a name means among all of a machine. Go programs
// come first: a shell script of the same name is hardly ever meant. Among them,
// the one that is called so comes before those of a module that is.
func pick(list []Process, text string) (Process, error) {
	var golang, others []Process
	for _, p := range list {
		switch {
		case !p.matches(text):
		case p.IsGo():
			golang = append(golang, p)
		default:
			others = append(others, p)
		}
	}
	found := golang
	if len(found) == 0 {
		found = others
	}
	if named := slices.DeleteFunc(slices.Clone(found), func(p Process) bool { return p.Name != text }); len(named) > 0 {
		found = named
	}
	switch len(found) {
	case 0:
		return Process{}, &NotFoundError{Text: text, Near: near(list, text)}
	case 1:
		return found[0], nil
	}
	return Process{}, &AmbiguousError{Text: text, Matches: found}
}

// Names returns what a process can be called on the command line besides its
// pid, the best first.
func (p *Process) Names() []string {
	names := []string{p.Name}
	add := func(s string) {
		if s != "" && s != "command-line-arguments" && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	add(p.Module)
	add(lastElement(p.Module))
	add(p.Main)
	for _, a := range p.aliases {
		add(a)
	}
	return names
}

func (p *Process) matches(text string) bool {
	return text != "" && slices.Contains(p.Names(), text)
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// lastElement is the last element of a module path that says something: the
// major version behind it does not (go.dev/ref/mod#major-version-suffixes).
func lastElement(module string) string {
	if module == "" {
		return ""
	}
	if dir, last := path.Split(module); majorVersion.MatchString(last) && dir != "" {
		module = strings.TrimSuffix(dir, "/")
	}
	return path.Base(module)
}

// near returns names of Go programs that contain the text or are contained in it.
func near(list []Process, text string) []string {
	var names []string
	low := strings.ToLower(text)
	for _, p := range list {
		name := strings.ToLower(p.Name)
		if !p.IsGo() || slices.Contains(names, p.Name) || len(names) == 3 {
			continue
		}
		if strings.Contains(name, low) || strings.Contains(low, name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// shorten cuts a text for a list, at a rune.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}
