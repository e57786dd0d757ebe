package locate

import (
	"os"
	"os/exec"
	"testing"
)

// build makes a program with debug information of the package in dir.
func build(t testing.TB, dir, out, gcflags string, env ...string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-gcflags="+gcflags, "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
}
