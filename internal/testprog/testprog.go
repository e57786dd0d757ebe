// Package testprog builds the programs that tests look at and attach to. In
// comes Go source and how to build it; out goes the path of an executable with
// debug information (which `go test` and `go run` leave out). Programs are
// built once for each way of building and kept until the test process ends.
//
// It stands before the tests of debuginfo, locate, engine and bench, and
// imports nothing of the project.
package testprog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

// Toolchains are the Go versions that Sidelight supports, oldest first. "" is
// the one that runs the tests.
var Toolchains = []string{"go1.22.12", "go1.23.12", "go1.24.11", "go1.25.5", ""}

// Options say how to build.
type Options struct {
	Toolchain string // GOTOOLCHAIN, as go1.24.11; empty: the one of the tests
	GOAMD64   string // v1 … v4; empty: v1
	PIE       bool
	Trimpath  bool
	Race      bool
	CGO       bool   // CGO_ENABLED=1
	External  bool   // link with the system's linker; implies CGO
	Strip     bool   // no debug information (-s -w)
	GCFlags   string // as "-N -l"
	LDFlags   string
}

// String names the way of building, for subtests.
func (o Options) String() string {
	parts := []string{strings.TrimPrefix(o.Toolchain, "go")}
	if o.Toolchain == "" {
		parts[0] = "local"
	}
	for _, p := range []struct {
		on   bool
		name string
	}{{o.GOAMD64 != "", o.GOAMD64}, {o.PIE, "pie"}, {o.Trimpath, "trimpath"}, {o.Race, "race"},
		{o.CGO, "cgo"}, {o.External, "external"}, {o.Strip, "strip"}, {o.GCFlags != "", o.GCFlags}, {o.LDFlags != "", o.LDFlags}} {
		if p.on {
			parts = append(parts, p.name)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, ","), " ", "_")
}

var (
	mu    sync.Mutex
	built = map[string]*result{}
	root  string
)

type result struct {
	once sync.Once
	path string
	err  error
	skip string
}

// Main runs the tests of a package and removes what was built for them. Use it
// in TestMain: os.Exit(testprog.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if root != "" {
		os.RemoveAll(root)
	}
	return code
}

// Dir builds the main package in a directory (a testdata folder: one module of
// its own, or files that go without one).
func Dir(t testing.TB, dir string, o Options) string {
	t.Helper()
	src := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		src[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatalf("reading the program in %s: %v", dir, err)
	}
	return Build(t, src, o)
}

// Build builds a program from its files (name to text; go.mod is made where
// there is none, for module example.com/prog) and returns the path of the
// executable. A toolchain that cannot be had skips the test.
func Build(t testing.TB, src map[string]string, o Options) string {
	t.Helper()
	key := keyOf(src, o)
	mu.Lock()
	r := built[key]
	if r == nil {
		r = &result{}
		built[key] = r
	}
	mu.Unlock()
	r.once.Do(func() { r.build(key, src, o) })
	if r.skip != "" {
		t.Skip(r.skip)
	}
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.path
}

func keyOf(src map[string]string, o Options) string {
	h := sha256.New()
	fmt.Fprintf(h, "%+v\n", o)
	names := make([]string, 0, len(src))
	for name := range src {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(h, "%q %q\n", name, src[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func tempRoot() (string, error) {
	mu.Lock()
	defer mu.Unlock()
	var err error
	if root == "" {
		root, err = os.MkdirTemp("", "testprog-")
	}
	return root, err
}

func (r *result) build(key string, src map[string]string, o Options) {
	base, err := tempRoot()
	if err != nil {
		r.err = err
		return
	}
	dir := filepath.Join(base, key, "prog")
	if r.err = write(dir, src); r.err != nil {
		return
	}
	if o.Toolchain != "" {
		if out, err := command(dir, o, "version").CombinedOutput(); err != nil {
			r.skip = fmt.Sprintf("toolchain %s cannot be had: %s", o.Toolchain, out)
			return
		}
	}
	r.path = filepath.Join(base, key, "prog.exe")
	if out, err := command(dir, o, buildArgs(o, r.path)...).CombinedOutput(); err != nil {
		r.err = fmt.Errorf("building a test program (%s): %w\n%s", o, err, out)
	}
}

func write(dir string, src map[string]string) error {
	if _, ok := src["go.mod"]; !ok {
		if err := writeFile(dir, "go.mod", "module example.com/prog\n\ngo 1.22\n"); err != nil {
			return err
		}
	}
	for name, text := range src {
		if err := writeFile(dir, name, text); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(dir, name, text string) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

func buildArgs(o Options, out string) []string {
	args := []string{"build", "-o", out}
	ldflags := o.LDFlags
	if o.Strip {
		ldflags += " -s -w"
	}
	if o.External {
		ldflags += " -linkmode=external"
	}
	if o.PIE {
		args = append(args, "-buildmode=pie")
	}
	if o.Trimpath {
		args = append(args, "-trimpath")
	}
	if o.Race {
		args = append(args, "-race")
	}
	if o.GCFlags != "" {
		args = append(args, "-gcflags="+o.GCFlags)
	}
	if ldflags != "" {
		args = append(args, "-ldflags="+strings.TrimSpace(ldflags))
	}
	return append(args, ".")
}

func command(dir string, o Options, args ...string) *exec.Cmd {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cgo := "0"
	if o.CGO || o.External || o.Race {
		cgo = "1"
	}
	goamd64, toolchain := o.GOAMD64, o.Toolchain
	if goamd64 == "" {
		goamd64 = "v1"
	}
	if toolchain == "" {
		toolchain = "local"
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo, "GOAMD64="+goamd64, "GOTOOLCHAIN="+toolchain,
		"GOWORK=off", "GOFLAGS=-buildvcs=false")
	return cmd
}
