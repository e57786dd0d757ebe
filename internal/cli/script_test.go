package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/daemon"
	"github.com/sidelight-dev/sidelight/internal/engine"
)

// The command line is specified by the scripts below testdata/script. They run
// this program with a prober that does as if (fakeProber), against processes
// that are real.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: func(env *testscript.Env) error { return setup(env) },
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":   code,
			"await":  await,
			"signal": sendSignal,
			"gone":   gone,
		},
	})
}

func TestMain(m *testing.M) {
	// Commands of the scripts must hear a hangup also where the tests run under nohup:
	// what this process listens to, its children do not ignore.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	status := make(chan int, 1)
	testscript.Main(withCleanup{m, status}, map[string]func(){
		"sidelight": func() {
			app := New()
			app.Open = openFake
			app.Examine = examineEngine
			os.Exit(app.Main(context.Background(), os.Args[1:]))
		},
		"sidelight-real": func() {
			app := New()
			app.Open = openEngine
			app.Examine = examineEngine
			app.Guard = func(args []string) error { return engine.Guard(args, os.Stdin) }
			os.Exit(app.Main(context.Background(), os.Args[1:]))
		},
		"sidelight-owned": func() { os.Exit(owned().Main(context.Background(), os.Args[1:])) },
		"exe":             func() { os.Exit(owned().Main(context.Background(), os.Args[1:])) }, // by /proc/self/exe: its daemon
	})
}

// owned is the program with the real engine, and a daemon that does not outlive
// a test for long.
func owned() *App {
	client := &daemon.Client{Start: []string{"/proc/self/exe", "daemon"}}
	attach := func(ctx context.Context, pid int, opt daemon.Options) (daemon.Prober, error) {
		p, err := openEngine(ctx, pid, Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact})
		if err != nil {
			return nil, err
		}
		return p.(daemon.Prober), nil
	}
	app := New()
	app.Owner = client
	app.Guard = func(args []string) error { return engine.Guard(args, os.Stdin) }
	app.Daemon = func(ctx context.Context) error { return (&daemon.Daemon{Open: attach, Idle: 2 * time.Second}).Run(ctx) }
	app.Open = func(ctx context.Context, pid int, opt Options) (Prober, error) {
		return client.Open(ctx, pid, opt.Target, daemon.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Owner: opt.Owner})
	}
	return app
}

// openEngine is the prober that people have.
func openEngine(ctx context.Context, pid int, opt Options) (Prober, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return engine.Open(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Symbols: opt.Symbols, Guard: []string{self, guardCommand}})
}

// examineEngine examines builds as people's sidelight does.
func examineEngine(path string, symbols []string) (Examiner, error) {
	return engine.Examine(path, cache.Default(), symbols...)
}

// withCleanup removes the targets when all tests are done.
type withCleanup struct {
	m      *testing.M
	status chan int
}

func (w withCleanup) Run() int {
	defer func() {
		if targets.dir != "" {
			os.RemoveAll(targets.dir)
		}
	}()
	return w.m.Run()
}

// targets are small Go programs to look at, built when a script needs one.
var targets struct {
	sync.Mutex
	dir     string
	started atomic.Int64
}

const targetSource = `package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	tmp := os.Args[1] + ".tmp"
	if err := os.WriteFile(tmp, []byte(fmt.Sprint(os.Getpid())), 0o644); err != nil {
		panic(err)
	}
	if err := os.Rename(tmp, os.Args[1]); err != nil {
		panic(err)
	}
	for n := range 150_000 { // five minutes: nothing outlives a broken test for long
		work(n, "alice")
		time.Sleep(2 * time.Millisecond)
	}
}

var total int

//go:noinline
func work(n int, name string) {
	if n >= 0 {
		total += n * len(name)
	}
}
`

// buildTarget returns the program of a kind: "plain", "stripped", or "solo",
// whose module no other program on the machine has.
func buildTarget(kind string) (string, error) {
	targets.Lock()
	defer targets.Unlock()
	if targets.dir == "" {
		dir, err := os.MkdirTemp("", "sidelight-cli-")
		if err != nil {
			return "", err
		}
		targets.dir = dir
	}
	dir := filepath.Join(targets.dir, kind)
	program := filepath.Join(dir, "program")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	mod := fmt.Sprintf("module example.com/acme/%s/v2\n\ngo 1.22\n", moduleName(kind))
	for name, text := range map[string]string{"go.mod": mod, "main.go": targetSource} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	flags := "-ldflags="
	if kind == "stripped" {
		flags = "-ldflags=-s -w"
	}
	cmd := exec.Command("go", "build", flags, "-o", program, ".")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build of a target: %w\n%s", err, text)
	}
	return program, nil
}

func moduleName(kind string) string { return fmt.Sprintf("%s%d", kind, os.Getpid()) }

// setup gives a script programs under names that no other script has: TARGET,
// STRIPPED and SOLO, with SOLO's module in SOLOMODULE.
func setup(env *testscript.Env) error {
	n := targets.started.Add(1)
	bin := filepath.Join(env.WorkDir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	for variable, kind := range map[string]string{"TARGET": "plain", "STRIPPED": "stripped", "SOLO": "solo"} {
		program, err := buildTarget(kind)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s-%d-%d", kind, os.Getpid(), n)
		if err := os.Link(program, filepath.Join(bin, name)); err != nil {
			return err
		}
		env.Setenv(variable, name)
	}
	env.Setenv("SOLOMODULE", moduleName("solo"))
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("SIDELIGHT_CACHE", filepath.Join(env.WorkDir, "cache"))
	env.Setenv("FAKE", filepath.Join(env.WorkDir, "fake")) // where the fake prober leaves its traces
	for _, v := range []string{"HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS", "GOPROXY"} {
		if value, ok := os.LookupEnv(v); ok {
			env.Setenv(v, value) // for the demo, which builds itself
		}
	}
	return nil
}

// code runs a command that must end with an exit code: code N COMMAND...
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// await waits until a file is there, and contains a text if one is given.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: await FILE [TEXT]")
	}
	for range 3000 {
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && (len(args) == 1 || strings.Contains(string(b), args[1])) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s did not come", args)
}

// sendSignal sends a signal to the process whose pid is in a file: signal TERM
// FILE.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "TSTP": syscall.SIGTSTP}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal KILL|TERM|HUP|INT|TSTP FILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}

// gone waits until the process has ended whose pid the last standard output
// has: gone PATTERN.
func gone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: gone PATTERN")
	}
	match := regexp.MustCompile(args[0]).FindStringSubmatch(ts.ReadFile("stdout"))
	if match == nil {
		ts.Fatalf("no %s in standard output", args[0])
	}
	for range 3000 {
		if _, err := os.Stat("/proc/" + match[1]); err != nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("process %s is still there", match[1])
}
