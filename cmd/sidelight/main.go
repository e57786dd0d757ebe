// Command sidelight asks running Go programs new questions, without stopping
// them: see package cli, which it joins to the engine.
package main

import (
	"context"
	"os"

	"github.com/sidelight-dev/sidelight/internal/cli"
)

func main() {
	app := cli.New()
	os.Exit(app.Main(context.Background(), os.Args[1:]))
}
