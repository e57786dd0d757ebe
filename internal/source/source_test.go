package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
)

const text = `package main

import "fmt"

// add adds.
//
//go:noinline
func add(a, b int) int {
	s := a
	// and the other
	s += b

	return s
}

func main() {
	fmt.Println(add(1, 2))
}
`

// program builds the text in a directory of its own, under version control.
func program(t *testing.T, flags ...string) (dir string, b *debuginfo.Build) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module example.com/acme\n\ngo 1.22\n")
	write(t, filepath.Join(dir, "main.go"), text)
	git(t, dir, "init", "-q")
	git(t, dir, "add", "main.go", "go.mod")
	git(t, dir, "commit", "-qm", "first")
	return dir, compile(t, dir, flags...)
}

func compile(t *testing.T, dir string, flags ...string) *debuginfo.Build {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "acme")
	cmd := exec.Command("go", append(append([]string{"build", "-o", exe}, flags...), ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=true", "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	b, err := debuginfo.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// file is the build's name of a file of another package.
func file(t *testing.T, b *debuginfo.Build, end string) string {
	t.Helper()
	for _, f := range b.Files() {
		if f == end || strings.HasSuffix(f, "/"+end) {
			return f
		}
	}
	t.Fatalf("no file ends in %s", end)
	return ""
}

// ownFile is the build's name of the file that has main.main.
func ownFile(t *testing.T, b *debuginfo.Build) string {
	t.Helper()
	row, ok := b.LineAt(b.FuncNamed("main.add").Entry)
	if !ok {
		t.Fatal("main.add has no line")
	}
	return row.File
}

func check(t *testing.T, what string, s *Source, v Verdict, why string) {
	t.Helper()
	if s.Verdict != v || !strings.Contains(strings.Join(s.Why, "; "), why) {
		t.Errorf("%s: %s from %s (%s): %v; want %s, %q", what, s.Verdict, s.Path, s.Origin, s.Why, v, why)
	}
}

func TestOwnSource(t *testing.T) {
	for _, flags := range [][]string{nil, {"-trimpath"}, {"-trimpath", "-ldflags=-s -w"}, {"-ldflags=-s -w"}} {
		t.Run(strings.Join(flags, ","), func(t *testing.T) {
			dir, b := program(t, flags...)
			main := filepath.Join(dir, "main.go")
			name := ownFile(t, b)
			s := New(b, dir).Find(name)
			check(t, "unchanged", s, Same, "")
			if s.Path != main || string(s.Text) != text {
				t.Errorf("found at %s", s.Path)
			}
			write(t, main, "// A new first line.\n"+text)
			s = New(b, dir).Find(name)
			check(t, "changed since", s, Same, "another text by now")
			if string(s.Text) != text || !strings.HasPrefix(s.Path, "git ") {
				t.Errorf("%s: %.20q", s.Path, s.Text)
			}
			if err := os.RemoveAll(filepath.Join(dir, ".git")); err != nil {
				t.Fatal(err)
			}
			check(t, "changed, without git", New(b, dir).Find(name), Differs, "where the text has none")
			write(t, main, text)
			check(t, "without git", New(b, dir).Find(name), Likely, "not to be had here")
			write(t, main, text[:strings.Index(text, "return")])
			check(t, "cut short", New(b, dir).Find(name), Differs, "ends with line")
			write(t, main, strings.Replace(text, "//go:noinline\nfunc add(a, b int) int {", "func add(\n\ta, b int) int {", 1))
			check(t, "a function a line up", New(b, dir).Find(name), Differs, "no function begins there")
			if err := os.Remove(main); err != nil {
				t.Fatal(err)
			}
			check(t, "gone", New(b, t.TempDir()).Find(name), Missing, "")
		})
	}
}

func TestModifiedTree(t *testing.T) {
	dir, _ := program(t)
	changed := strings.Replace(text, "add(1, 2)", "add(1, 3)", 1)
	write(t, filepath.Join(dir, "main.go"), changed)
	b := compile(t, dir)
	if !b.Modified {
		t.Fatal("the build does not record that the tree was modified")
	}
	s := New(b, dir).Find(ownFile(t, b))
	check(t, "modified", s, Likely, "not committed")
	if string(s.Text) != changed {
		t.Errorf("%s: not the text of the tree", s.Path)
	}
}

func TestLibrary(t *testing.T) {
	for _, flags := range [][]string{nil, {"-trimpath", "-ldflags=-s -w"}} {
		dir, b := program(t, flags...)
		f := New(b, dir)
		s := f.Find(file(t, b, "fmt/print.go"))
		check(t, "fmt", s, Same, "")
		if !strings.Contains(s.Origin, b.GoVersion) {
			t.Errorf("origin %q", s.Origin)
		}
		b.GoVersion = "go1.22.99"
		check(t, "another toolchain", New(b, dir).Find(file(t, b, "fmt/print.go")), Likely, "made by go1.22.99")
	}
}

func TestModulePaths(t *testing.T) {
	cache, tree := t.TempDir(), t.TempDir()
	write(t, filepath.Join(tree, "go.mod"), "module example.com/acme\n")
	write(t, filepath.Join(tree, "vendor", "modules.txt"), "# example.com/Dep v1.2.3\n## explicit\n")
	f := New(&debuginfo.Build{ModulePath: "example.com/acme"}, tree)
	f.tools.once.Do(func() {})
	f.tools.modules = cache
	for _, name := range []string{"example.com/Dep@v1.2.3/a/b.go", "/ci/pkg/mod/example.com/!dep@v1.2.3/a/b.go"} {
		list := f.candidates(name)
		if len(list) < 2 || list[0].path != filepath.Join(cache, "example.com/!dep@v1.2.3/a/b.go") || !list[0].sure {
			t.Errorf("%s: %+v", name, list)
		}
		if last := list[len(list)-1]; last.path != filepath.Join(tree, "vendor/example.com/Dep/a/b.go") || !last.sure {
			t.Errorf("%s: %+v", name, last)
		}
	}
	list := f.candidates("example.com/Dep@v1.3.0/a/b.go")
	if last := list[len(list)-1]; last.sure || !strings.Contains(last.doubt, "v1.2.3") {
		t.Errorf("another version in vendor: %+v", last)
	}
}
