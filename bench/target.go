package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// targetSource is the program that is measured. It is built with debug
// information, which `go run` leaves out.
//
//go:embed testdata/target/main.go
var targetSource string

func buildTarget(ctx context.Context, dir string) (string, error) {
	return buildModule(ctx, dir, "target", map[string]string{"main.go": targetSource})
}

// buildModule builds a program of its own module from its sources.
func buildModule(ctx context.Context, dir, name string, files map[string]string) (string, error) {
	src := filepath.Join(dir, name)
	files["go.mod"] = "module " + name + "\n\ngo 1.22\n"
	for file, text := range files {
		path := filepath.Join(src, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, "bench-"+name)
	// Debug information is not compressed: it is read again for each of hundreds of
	// installations, and that work would take the processor from what is measured.
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=-compressdwarf=false", "-o", path, ".")
	cmd.Dir = src
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// buildTool builds Sidelight itself, from the directory that the benchmark is run in.
func buildTool(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "sidelight")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/sidelight-dev/sidelight/cmd/sidelight").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building sidelight: %w\n%s", err, out)
	}
	return path, nil
}

// mark is the location of a marked line of the target.
func mark(name string) string {
	for i, line := range strings.Split(targetSource, "\n") {
		if strings.HasSuffix(line, "// mark:"+name) {
			return fmt.Sprintf("main.go:%d", i+1)
		}
	}
	panic("the target has no line marked " + name)
}

// child is a running target.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader

	hello []float64 // what it said when it began
}

func (b *bench) start() (*child, error) { return b.startOf(b.target) }

func (b *bench) startOf(path string) (*child, error) {
	c := &child{cmd: exec.CommandContext(b.ctx, path)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if c.hello, err = c.answer(); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the target.
func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// ask gives a command and waits for the numbers that it is answered with.
func (c *child) ask(format string, args ...any) ([]float64, error) {
	if _, err := fmt.Fprintf(c.in, format+"\n", args...); err != nil {
		return nil, fmt.Errorf("the target is gone: %w", err)
	}
	return c.answer()
}

func (c *child) answer() ([]float64, error) {
	line, err := c.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the target is gone: %w", err)
	}
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "ok" {
		return nil, errors.New("the target says: " + strings.TrimSpace(line))
	}
	numbers := make([]float64, len(words)-1)
	for i, w := range words[1:] {
		if numbers[i], err = strconv.ParseFloat(w, 64); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// load is a series of batches of calls.
type load struct {
	how      string // solo or duo
	scenario string
	calls    int // in a batch
	batches  int
	rest     time.Duration // after each batch, for the tool to empty the rings
	warm     int           // batches before those that count
}

// time runs a load and gives the nanoseconds a call of each batch that counts.
func (c *child) time(l load) ([]float64, error) {
	if l.warm > 0 {
		if _, err := c.batches(l, l.warm); err != nil {
			return nil, err
		}
	}
	return c.batches(l, l.batches)
}

func (c *child) batches(l load, n int) ([]float64, error) {
	return c.ask("%s %s %d %d %d", l.how, l.scenario, l.calls, n, l.rest.Microseconds())
}

// made is how many calls a load makes, if one thread makes them.
func (l load) made() uint64 { return uint64(l.calls) * uint64(l.warm+l.batches) }
