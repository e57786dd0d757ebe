package debuginfo

import (
	"debug/buildinfo"
	"runtime/debug"
	"strings"
	"testing"
)

// TestMissing holds what is said of a build without debug information to what
// the build records of itself.
func TestMissing(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings string // one a line
		main     string
		want     []string
		not      string
	}{
		{"go run", "-buildmode=exe\n-compiler=gc\nCGO_ENABLED=1\nGOAMD64=v1", "example.com/acme/shop",
			[]string{"go run -gcflags=-dwarf=true -ldflags=-w=0", "sidelight symbols add shop.full"}, "go build"},
		{"trimpath", "-buildmode=exe\n-trimpath=true", "example.com/acme/shop",
			[]string{"\n    go build -trimpath -o shop.full example.com/acme/shop\n    sidelight symbols add shop.full"}, "go run"},
		{"flags", "-ldflags=-s -w -X main.v=1\n-tags=a,b\nCGO_ENABLED=0\nGOAMD64=v3", "example.com/acme/shop",
			[]string{"\n    CGO_ENABLED=0 GOAMD64=v3 go build '-ldflags=-X main.v=1' -tags=a,b -o shop.full example.com/acme/shop\n"}, "go run"},
		{"two dashes", "-buildmode=pie\n-ldflags=--s -w=true", "command-line-arguments",
			[]string{"\n    go build -buildmode=pie -o program.full FILES\n", "add program.full"}, "ldflags"},
	} {
		info := &buildinfo.BuildInfo{}
		for line := range strings.SplitSeq(c.settings, "\n") {
			key, value, _ := strings.Cut(line, "=")
			info.Settings = append(info.Settings, debug.BuildSetting{Key: key, Value: value})
		}
		b := &Build{GoVersion: "go1.26.8", Main: c.main, settings: settingsOf(info), Tried: []string{"/a: nothing", "/b: nothing"}}
		got := b.Missing()
		for _, w := range append(c.want, "looked in\n    /a: nothing\n    /b: nothing") {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %q is not in\n%s", c.name, w, got)
			}
		}
		if strings.Contains(got, c.not) {
			t.Errorf("%s: %q is in\n%s", c.name, c.not, got)
		}
	}
}
