//go:build linux && amd64

package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// A build is kept for the next session on its file, unless the file was written to
// after it was read: a program that has ended may be replaced in place while the
// session on it is still open.
func TestABuildIsKeptForItsFileOnly(t *testing.T) {
	program, err := os.ReadFile(buildTarget(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		t.Fatal(err)
	}
	var k Builds
	again := func(change func()) bool {
		t.Helper()
		first, err := k.read(context.Background(), path, symbol.Options{})
		if err != nil {
			t.Fatal(err)
		}
		change()
		if err := k.close(first); err != nil {
			t.Fatal(err)
		}
		next, err := k.read(context.Background(), path, symbol.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = k.close(next) }()
		return next == first
	}
	if !again(func() {}) {
		t.Error("read anew, and nobody has touched the file")
	}
	rewrite := func() {
		if err := os.WriteFile(path, append(program, 0), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if again(rewrite) {
		t.Error("the build of before the file was written to")
	}
}
