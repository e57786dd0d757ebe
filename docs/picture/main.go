// Command picture turns the output of a terminal program into an SVG picture
// that shows each line when it came. It reads standard input, ANSI colours
// included, and writes the picture to standard output:
//
//	go build -o /tmp/sidelight ./cmd/sidelight
//	CLICOLOR_FORCE=1 /tmp/sidelight demo --for 5s 2>&1 | go run ./docs/picture -command 'sidelight demo --for 5s' > docs/demo.svg
//
// and, while the demo runs in another terminal, in as many columns as it has room for:
//
//	CLICOLOR_FORCE=1 COLUMNS=96 /tmp/sidelight snapshot shop 'shop.(*Shop).bill' 2>&1 | go run ./docs/picture -command '…' > docs/snapshot.svg
//
// It stands alone: the README's pictures are made with it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

func main() {
	command := flag.String("command", "", "the command line shown above the output")
	flag.Parse()
	if err := run(os.Stdin, os.Stdout, *command); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, command string) error {
	p := picture{title: command}
	if command != "" {
		p.add("\x1b[32m$\x1b[0m \x1b[1m"+command+"\x1b[0m", 0)
		p.add("", 0)
	}
	start := time.Now()
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		p.add(lines.Text(), time.Since(start))
	}
	if err := lines.Err(); err != nil {
		return err
	}
	_, err := io.WriteString(out, p.svg())
	return err
}
