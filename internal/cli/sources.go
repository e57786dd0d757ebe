package cli

import (
	"os"
	"strings"
	"time"
)

// maxSource bounds what is read as a source file: the path comes from a binary
// that anybody may have made.
const maxSource = 8 << 20

// localSource reads a source file by the path that the build has for it. lines
// is nil where there is none to be read; note says what to know of it.
func localSource(path string, built time.Time) (lines []string, note string) {
	if !strings.HasSuffix(path, ".go") || !strings.HasPrefix(path, "/") {
		return nil, "the source is not on this machine under the path that the build has for it"
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return nil, "the source is not on this machine under the path that the build has for it"
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, "the source cannot be read: " + err.Error()
	}
	if info.ModTime().After(built) {
		note = "the source was changed after the build: its lines may have moved"
	}
	return strings.Split(strings.ReplaceAll(string(text), "\t", "    "), "\n"), note
}

// builtAt is when a binary was written.
func builtAt(file string) time.Time {
	if info, err := os.Stat(file); err == nil {
		return info.ModTime()
	}
	return time.Time{}
}
