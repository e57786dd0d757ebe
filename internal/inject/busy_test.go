//go:build linux && amd64

package inject

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// builds of the busy target, made once in a run of the tests.
var (
	buildDir  string
	buildOnce = map[string]*sync.Once{"static": {}, "pie": {}, "external": {}}
)

func TestMain(m *testing.M) {
	if runHelper() {
		return
	}
	var err error
	if buildDir, err = os.MkdirTemp("", "inject"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(buildDir)
	os.Exit(code)
}

// busyBuild builds the busy target in one way: static, pie, external.
func busyBuild(t testing.TB, kind string) string {
	t.Helper()
	exe := filepath.Join(buildDir, "busy-"+kind)
	buildOnce[kind].Do(func() {
		args := []string{"build", "-o", exe}
		env := append(os.Environ(), "CGO_ENABLED=0")
		switch kind {
		case "pie":
			args = append(args, "-buildmode=pie")
		case "external":
			env = append(os.Environ(), "CGO_ENABLED=1")
			args = append(args, "-ldflags=-linkmode=external")
		}
		cmd := exec.Command("go", append(args, "./testdata/busy")...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Logf("build %s: %v\n%s", kind, err, out)
		}
	})
	if _, err := os.Stat(exe); err != nil {
		t.Skipf("the %s target cannot be built here", kind)
	}
	return exe
}

func goBuild(t testing.TB, exe, dir string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-o", exe, dir)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", dir, err, out)
	}
}

// target is a child of the test.
type target struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

func start(t testing.TB, exe string, args ...string) *target {
	t.Helper()
	cmd := exec.Command(exe, args...)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tg := &target{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		if tg.cmd.ProcessState == nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	})
	if line, err := tg.out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("target said %q, %v", line, err)
	}
	return tg
}

// end lets the target finish and fails the test if it found anything wrong.
func (tg *target) end() {
	tg.t.Helper()
	tg.in.Close()
	rest, _ := io.ReadAll(tg.out)
	err := tg.cmd.Wait()
	if err != nil || !strings.HasPrefix(string(rest), "done") {
		tg.t.Fatalf("target ended with %v, saying %q", err, rest)
	}
}

func open(t testing.TB, tg *target) *Proc {
	t.Helper()
	p, err := Open(tg.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}
