package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/sidelight-dev/sidelight/internal/target"
)

// Executable is a file of this program that has debug information.
type Executable struct {
	Path  string
	Built bool   // it was built for the demo
	dir   string // to be removed
}

// NoSourceError says that this program has no debug information and that its
// source is not there to build it again.
type NoSourceError struct{ cause error }

func (e *NoSourceError) Error() string {
	msg := "this sidelight was linked without debug information, so its sample service would have none: " +
		"build it with \"go build ./cmd/sidelight\" (without -ldflags='-s -w') and run its demo"
	if e.cause != nil {
		msg += " (" + e.cause.Error() + ")"
	}
	return msg
}

func (e *NoSourceError) Unwrap() error { return e.cause }

// HasDebugInfo says whether the running program's own file has debug
// information. "go run" and "go test" link without.
func HasDebugInfo() bool {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := target.ReadBuild(f)
	return err == nil && b.DebugInfo
}

// Find returns the running program's own file, where it has debug information,
// or builds it anew with "go build".
func Find(ctx context.Context) (*Executable, error) {
	if HasDebugInfo() {
		path, err := os.Executable()
		return &Executable{Path: path}, err
	}
	module, err := moduleDir(ctx)
	if err != nil {
		return nil, &NoSourceError{err}
	}
	dir, err := os.MkdirTemp("", "sidelight-demo-")
	if err != nil {
		return nil, err
	}
	x := &Executable{Path: filepath.Join(dir, "sidelight"), Built: true, dir: dir}
	if err := build(ctx, module, x.Path); err != nil {
		x.Remove()
		return nil, err
	}
	return x, nil
}

// Remove removes the file, where it was built for the demo.
func (x *Executable) Remove() {
	if x.dir != "" {
		_ = os.RemoveAll(x.dir) // a temporary directory: leaving it harms nobody
	}
}

func build(ctx context.Context, module, output string) error {
	// An empty -ldflags overrides a -s or -w from GOFLAGS.
	cmd := exec.CommandContext(ctx, "go", "build", "-ldflags=", "-o", output, "./cmd/sidelight")
	cmd.Dir = module
	text, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return &NoSourceError{fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(text))}
	}
	return nil
}

// moduleDir finds the source of this program: where the compiler found it, or
// the module of the working directory.
func moduleDir(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Join(filepath.Dir(file), "..", "..")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", errors.New("it does not know its own module")
	}
	text, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", info.Main.Path).Output()
	dir := strings.TrimSpace(string(text))
	if err != nil || dir == "" {
		return "", fmt.Errorf("the source of %s is not here", info.Main.Path)
	}
	return dir, nil
}
