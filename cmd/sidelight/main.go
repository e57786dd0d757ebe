// Command sidelight asks running Go programs new questions, without stopping
// them: see package cli, which is joined to the engine here.
package main

import (
	"context"
	"os"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/cli"
	"github.com/sidelight-dev/sidelight/internal/dap"
	"github.com/sidelight-dev/sidelight/internal/engine"
)

func main() {
	app := cli.New()
	app.Open = open
	app.Examine = func(path string) (cli.Examiner, error) { return engine.Examine(path, cache.Default()) }
	app.DAP = &dap.Adapter{
		Open: func(ctx context.Context, pid int, opt dap.Options) (dap.Prober, error) {
			return attach(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact})
		},
		Code: func(pid int) (dap.Code, error) { return engine.OpenCode(pid) },
	}
	app.Guard = func(args []string) error { return engine.Guard(args, os.Stdin) }
	os.Exit(app.Main(context.Background(), os.Args[1:]))
}

// open attaches to a process.
func open(ctx context.Context, pid int, opt cli.Options) (cli.Prober, error) {
	return attach(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact})
}

// attach opens a session of the engine. Its guard is this program again.
func attach(ctx context.Context, pid int, opt engine.Options) (*engine.Session, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	opt.Guard = []string{self, "guard"}
	return engine.Open(ctx, pid, opt)
}
