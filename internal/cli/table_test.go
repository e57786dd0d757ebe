package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTablesFit writes the same table for terminals of several widths.
func TestTablesFit(t *testing.T) {
	rows := func() [][]string {
		return [][]string{
			{"PID", "NAME", "MODULE", "REVISION", "OBSERVABLE"},
			{"4711", "shop", "example.com/a/very/long/path/to/the/module/of/a/shop", "0123456789ab+", "yes"},
			{"123456", "cart", "", "", "it was built without debug information, and none is kept"},
		}
	}
	t.Setenv("CLICOLOR_FORCE", "1")
	for _, test := range []struct {
		width string
		want  []string // in the lines in turn
	}{
		{"", []string{"MODULE", "/path/to/the/module/", "none is kept"}},
		{"200", []string{"MODULE", "/path/to/the/module/", "none is kept"}},
		{"80", []string{"REVISION", "  example…module/of/a/shop  0123456789ab+  yes", "  it was built without deb…"}},
		{"50", []string{"  OBSERVABLE", "  examp…e/of/a/shop  yes", "  -                  it was built wit…"}},
		{"20", []string{"   PID  NAME  MODULE    OBSERVABLE", "ex…/shop", "  it was bu…"}},
	} {
		t.Setenv("COLUMNS", test.width)
		var out bytes.Buffer
		if err := writeTable(&out, rows(), []int{3}, func(_, _ int, s string) string { return s }); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		for i, want := range test.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s columns: no %q in\n%s", test.width, want, out.String())
			}
			if n := utf8.RuneCountInString(lines[i]); test.width == "80" && n > 80 || test.width == "50" && n > 50 {
				t.Errorf("%s columns: a line of %d", test.width, n)
			}
		}
		if wide := test.width == "" || test.width == "200" || test.width == "80"; strings.Contains(out.String(), "REVISION") != wide {
			t.Errorf("%s columns: the spare column\n%s", test.width, out.String())
		}
	}
}
