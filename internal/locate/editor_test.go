package locate

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindFile(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	app := filepath.Join(dir, "app")
	if err := os.MkdirAll(filepath.Join(app, "shop"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "go.mod"), []byte("// mine\nmodule example.com/app // it is\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(app, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	here := map[string]bool{"/src/other/main.go": true}
	for _, c := range []struct {
		name  string
		files []string
		path  string
		want  string // "": an error
	}{
		{"the same", []string{app + "/main.go"}, app + "/main.go", app + "/main.go"},
		{"by a symbolic link", []string{app + "/main.go"}, dir + "/link/main.go", app + "/main.go"},
		{"trimmed", []string{"example.com/app/main.go", "example.com/app/shop/a.go"}, app + "/shop/a.go", "example.com/app/shop/a.go"},
		{"trimmed, main", []string{"example.com/app/main.go", "example.com/dep/main.go"}, app + "/main.go", "example.com/app/main.go"},
		{"another program's main.go", []string{"/src/other/main.go"}, app + "/main.go", ""},
		{"another module's main.go", []string{"example.com/other/main.go"}, app + "/main.go", ""},
		{"built elsewhere", []string{"/builds/7/shop/a.go", "/builds/7/main.go"}, app + "/shop/a.go", "/builds/7/shop/a.go"},
		{"built elsewhere, only the name", []string{"/builds/7/a.go"}, app + "/shop/a.go", ""},
		{"built elsewhere, the longest", []string{"/b/x/shop/a.go", "/b/app/shop/a.go"}, app + "/shop/a.go", "/b/app/shop/a.go"},
		{"built elsewhere, two", []string{"/b/1/shop/a.go", "/b/2/shop/a.go"}, app + "/shop/a.go", ""},
		{"standard library", []string{"fmt/print.go", "log/print.go"}, "/usr/local/go/src/fmt/print.go", "fmt/print.go"},
		{"dependency", []string{"github.com/a/b@v1.2.3/c.go"}, "/root/go/pkg/mod/github.com/a/b@v1.2.3/c.go", "github.com/a/b@v1.2.3/c.go"},
		{"nothing alike", []string{"/b/1/shop/a.go"}, app + "/shop/b.go", ""},
	} {
		got, err := findFile(c.files, c.path, func(f string) bool { return here[f] })
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
}

func TestNextLine(t *testing.T) {
	l := &Extents{list: []int{10, 11, 14, 20, 21, 30}, spans: []span{{9, 15}, {18, 22}, {30, 30}}}
	for line, want := range map[int]int{9: 10, 10: 10, 12: 14, 13: 14, 15: 0, 16: 0, 18: 20, 19: 20, 22: 0, 29: 0, 30: 30, 31: 0} {
		if got := l.Next(line); got != want {
			t.Errorf("line %d: %d, want %d", line, got, want)
		}
	}
}
