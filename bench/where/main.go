// Command where measures how long a person waits for what Sidelight says of a
// large build, before any probe: where, functions, files and completion, with an
// empty cache and with a full one; and takes a census of what can be probed and
// read in it.
//
//	go install github.com/caddyserver/caddy/v2/cmd/caddy@v2.11.9
//	go run ./bench/where --binary ~/go/bin/caddy [--census] [FILE...]
//
// In comes a binary with debug information; the command builds Sidelight, runs
// it as a person does, and lets the kernel tell what it took. Out goes a table, to
// standard output and into each file named, in place of the part between two
// comments that name this command. It stands behind engine and probe; nothing
// stands behind it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sidelight-dev/sidelight/internal/engine"
	"github.com/sidelight-dev/sidelight/internal/probe"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench/where:", err)
		os.Exit(1)
	}
}

// question is one command line that is measured.
type question struct {
	what string
	args []string
	most time.Duration // that the project allows; 0: nothing said
}

// taken is what a command took, over several runs.
type taken struct {
	wall, cpu []time.Duration
	memory    int64 // the most, in bytes
}

func run() error {
	binary := flag.String("binary", "", "the `path` of a Go binary with debug information")
	function := flag.String("function", "caddyhttp.(*Server).ServeHTTP", "a function of it")
	line := flag.String("line", "caddyhttp/server.go:560", "a line of it")
	pattern := flag.String("pattern", "ServeHTTP", "a pattern for its functions")
	runs := flag.Int("runs", 20, "how often each command is run")
	census := flag.Bool("census", false, "ask for every function, line and variable, too: minutes")
	flag.Parse()
	info, err := os.Stat(*binary)
	if err != nil {
		return fmt.Errorf("%w; give a binary by --binary", err)
	}
	dir, err := os.MkdirTemp("", "sidelight-where-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tool := filepath.Join(dir, "sidelight")
	if out, err := exec.Command("go", "build", "-o", tool, "./cmd/sidelight").CombinedOutput(); err != nil {
		return fmt.Errorf("building sidelight: %w\n%s", err, out)
	}
	file, _, _ := strings.Cut(*line, ":")
	m := meter{tool: tool, cache: filepath.Join(dir, "cache")}
	const quick = 50 * time.Millisecond
	var text strings.Builder
	head(&text, *binary, info.Size())
	relax := hurry()
	row, err := m.first(question{"`where`, first use", []string{"where", *binary, *function}, 2 * time.Second}, max(3, *runs/5))
	if err != nil {
		return err
	}
	text.WriteString(row)
	for _, q := range []question{
		{"`where` of a function", []string{"where", *binary, *function}, quick},
		{"`where` of a line", []string{"where", *binary, *line}, quick},
		{"`functions`", []string{"functions", *binary, *pattern}, quick},
		{"`files`", []string{"files", *binary, "server"}, quick},
		{"completion of a location", []string{"__complete", "where", *binary, (*function)[:len(*function)/2]}, quick},
		{"`where --all`", []string{"where", *binary, "--all", file}, 0},
	} {
		row, err := m.row(q, *runs)
		if err != nil {
			return err
		}
		text.WriteString(row)
	}
	text.WriteString("\nWait: from start to end of the command, median of the runs, and the best. Processor: user and system time, median. Memory: the most that was resident in any run, with the pages of the cache's file that were mapped.")
	relax(&text)
	if *census { // last: a process that has grown lends its size to its children
		table, err := takeCensus(*binary)
		if err != nil {
			return err
		}
		text.WriteString(table)
	}
	fmt.Print(text.String())
	for _, name := range flag.Args() {
		if err := replace(name, text.String()); err != nil {
			return err
		}
	}
	return nil
}

func head(text *strings.Builder, binary string, size int64) {
	load, _ := os.ReadFile("/proc/loadavg")
	about, _, _ := strings.Cut(string(load), " ")
	fmt.Fprintf(text, "A binary of %d MB (%s), %s, %s with %d processors, load before %s.\n\n", size/1_000_000, filepath.Base(binary),
		time.Now().Format("2006-01-02"), runtime.Version(), runtime.NumCPU(), about)
	text.WriteString("| command | wait | best | processor | memory | allowed |\n|---|---|---|---|---|---|\n")
}

// hurry gives this thread, and the commands that it starts, priority over what
// else the machine does, where that is permitted. The function that it returns
// ends that, and says so.
func hurry() (relax func(text *strings.Builder)) {
	runtime.LockOSThread()
	ahead := syscall.Setpriority(syscall.PRIO_PROCESS, 0, -15) == nil
	return func(text *strings.Builder) {
		if ahead {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 0) // less is always permitted
			text.WriteString(" The commands had priority over what else the machine did.")
		}
		text.WriteString("\n")
		runtime.UnlockOSThread()
	}
}

// meter runs sidelight.
type meter struct {
	tool, cache string
}

// once runs a command.
func (m *meter) once(t *taken, args []string) error {
	cmd := exec.Command(m.tool, args...)
	cmd.Env = append(os.Environ(), "SIDELIGHT_CACHE="+m.cache)
	began := time.Now()
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		return fmt.Errorf("sidelight %s: %w (%d bytes)", strings.Join(args, " "), err, len(out))
	}
	t.wall = append(t.wall, time.Since(began))
	t.cpu = append(t.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
	if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		t.memory = max(t.memory, use.Maxrss*1024)
	}
	return nil
}

// first measures a command with an empty cache each time.
func (m *meter) first(q question, runs int) (string, error) {
	var t taken
	for range runs {
		if err := os.RemoveAll(m.cache); err != nil {
			return "", err
		}
		if err := m.once(&t, q.args); err != nil {
			return "", err
		}
	}
	return t.row(q), nil
}

// row measures a command with a full cache.
func (m *meter) row(q question, runs int) (string, error) {
	var t taken
	for range runs {
		if err := m.once(&t, q.args); err != nil {
			return "", err
		}
	}
	return t.row(q), nil
}

// maxMemory is what any of the commands may take.
const maxMemory = 150 << 20

func (t *taken) row(q question) string {
	slices.Sort(t.wall)
	slices.Sort(t.cpu)
	wall, cpu := t.wall[len(t.wall)/2], t.cpu[len(t.cpu)/2]
	allowed := ""
	if q.most > 0 {
		allowed = fmt.Sprintf("%v: held", q.most)
		if wall > q.most {
			allowed = fmt.Sprintf("%v: missed", q.most)
		}
	}
	if t.memory > maxMemory {
		allowed += ", 150 MB: missed"
	}
	return fmt.Sprintf("| %s | %d ms | %d ms | %d ms | %d MB | %s |\n", q.what, wall.Milliseconds(), t.wall[0].Milliseconds(),
		cpu.Milliseconds(), t.memory>>20, allowed)
}

// takeCensus asks for everything that there is.
func takeCensus(binary string) (string, error) {
	x, err := engine.Examine(binary, nil)
	if err != nil {
		return "", err
	}
	defer x.Close()
	fmt.Fprintln(os.Stderr, "taking the census: this takes minutes")
	return censusTable(x.Census(1)), nil
}

func censusTable(c probe.Census) string {
	percent := func(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(1, of))) }
	var b strings.Builder
	b.WriteString("\n| of this binary | how many | share |\n|---|---|---|\n")
	row := func(what string, n int, share string) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", what, thousands(n), share)
	}
	row("functions with code of their own", c.Functions, "")
	row("… that take a probe", c.FunctionsProbed, percent(c.FunctionsProbed, c.Functions))
	row("lines with code", c.Lines, "")
	row("… that take a probe", c.LinesProbed, percent(c.LinesProbed, c.Lines))
	row("sites of all lines, in all copies", c.Sites, "")
	row("… reached by a jump", c.Jumps, percent(c.Jumps, c.Sites))
	row("… reached by a trap", c.Traps, percent(c.Traps, c.Sites))
	row("… that take no probe", c.Sites-c.Jumps-c.Traps, percent(c.Sites-c.Jumps-c.Traps, c.Sites))
	row("variables in scope at the sites", c.Variables, "")
	row("… that can be read there", c.Readable, percent(c.Readable, c.Variables))
	row("… optimised out there, wholly or in part", c.OptimisedOut, percent(c.OptimisedOut, c.Variables))
	row("… not set yet there", c.Unset, percent(c.Unset, c.Variables))
	b.WriteString("\nFunctions and lines that take no probe belong to the runtime, are assembly, or were made by the compiler.\n")
	return b.String()
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// The comments between which a file has the table.
const (
	begin = "<!-- written by go run ./bench/where -->\n"
	end   = "<!-- end of what it wrote -->\n"
)

// replace puts the table into a file: between the comments, or behind all else.
func replace(name, text string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(old), begin)
	after := ""
	if ok {
		if _, after, ok = strings.Cut(rest, end); !ok {
			return fmt.Errorf("%s has a beginning and no end", name)
		}
	} else {
		before = strings.TrimRight(before, "\n") + "\n\n## What can be probed and read, before any probe\n\n"
	}
	return os.WriteFile(name, []byte(before+begin+text+end+after), 0o644)
}
