// Command sidelight asks running Go programs new questions, without stopping
// them: see package cli, which is joined to the engine here.
package main

import (
	"context"
	"os"

	"github.com/sidelight-dev/sidelight/internal/cache"
	"github.com/sidelight-dev/sidelight/internal/cli"
	"github.com/sidelight-dev/sidelight/internal/engine"
)

func main() {
	app := cli.New()
	app.Open = open
	app.Examine = func(path string) (cli.Examiner, error) { return engine.Examine(path, cache.Default()) }
	app.Guard = func(args []string) error { return engine.Guard(args, os.Stdin) }
	os.Exit(app.Main(context.Background(), os.Args[1:]))
}

// open attaches to a process. Its guard is this program again.
func open(ctx context.Context, pid int, opt cli.Options) (cli.Prober, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, err := engine.Open(ctx, pid, engine.Options{Budget: opt.Budget, Log: opt.Log, Redact: opt.Redact, Guard: []string{self, "guard"}})
	if err != nil {
		return nil, err
	}
	return s, nil
}
