package target

import (
	"debug/buildinfo"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Build is what an executable file says about itself.
type Build struct {
	Runtime        string // "go", or empty
	RuntimeVersion string // such as go1.26.8
	Main           string // path of the main package
	Module         string // path of the main module
	ModuleVersion  string // such as v1.2.3 or (devel)
	Revision       string // of version control, where the build recorded it
	Modified       bool   // the work tree differed from Revision
	BuildID        string // Go's own
	DebugInfo      bool   // DWARF is there
	machine        elf.Machine
	class          elf.Class
}

// buildCache remembers builds by file, as many processes run the same one.
type buildCache struct {
	mu   sync.Mutex
	seen map[fileKey]buildResult
}

type fileKey struct {
	path  string
	size  int64
	mtime int64
}

type buildResult struct {
	build Build
	err   error
}

func newBuildCache() *buildCache { return &buildCache{seen: map[fileKey]buildResult{}} }

// errNoELF says that a process runs no executable file that can be read, as
// kernel threads.
var errNoELF = errors.New("no ELF file")

// readBuild reads the build of a process through /proc, where a replaced or
// deleted file is still the one that runs. Where that is forbidden, the file
// named on the command line is looked at instead, only to tell Go programs
// from others; the error then says what was forbidden.
func (h *Host) readBuild(pid int, e exe, args []string) (Build, error) {
	b, err := h.builds.read(h.path(pid, "exe"), string(e))
	if err == nil || !errors.Is(err, fs.ErrPermission) {
		return b, err
	}
	if len(args) > 0 && filepath.IsAbs(args[0]) {
		if guess, err := h.builds.read(args[0], args[0]); err == nil {
			return guess, fs.ErrPermission
		}
	}
	return Build{}, err
}

func (c *buildCache) read(file, name string) (Build, error) {
	f, err := os.Open(file)
	if err != nil {
		return Build{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Build{}, err
	}
	if !info.Mode().IsRegular() {
		return Build{}, errNoELF
	}
	key := fileKey{name, info.Size(), info.ModTime().UnixNano()}
	c.mu.Lock()
	r, ok := c.seen[key]
	c.mu.Unlock()
	if !ok {
		r.build, r.err = ReadBuild(f)
		c.mu.Lock()
		c.seen[key] = r
		c.mu.Unlock()
	}
	return r.build, r.err
}

// ReadBuild reads what an executable file says about itself. A file that is no
// Go program gives a Build whose Runtime is empty.
func ReadBuild(r io.ReaderAt) (b Build, err error) {
	// debug/elf was written for files that can be trusted; these need not be.
	defer func() {
		if p := recover(); p != nil {
			b, err = Build{}, fmt.Errorf("damaged ELF file: %v", p)
		}
	}()
	f, err := elf.NewFile(r)
	if err != nil {
		return Build{}, errNoELF
	}
	b = Build{machine: f.Machine, class: f.Class}
	if f.Section(".note.go.buildid") == nil && f.Section(".go.buildinfo") == nil {
		return b, nil
	}
	b.Runtime = "go"
	b.DebugInfo = f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil
	b.BuildID = goBuildID(f)
	if info, err := buildinfo.Read(r); err == nil {
		b.fill(info)
	}
	return b, nil
}

func (b *Build) fill(info *buildinfo.BuildInfo) {
	// The version may have experiments behind it: "go1.26.8 X:nogreenteagc".
	b.RuntimeVersion, _, _ = strings.Cut(info.GoVersion, " ")
	b.Main = info.Path
	b.Module = info.Main.Path
	b.ModuleVersion = info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
}

// goBuildID reads the note that Go's linker writes: three 32-bit words (name
// size, description size, type), the name "Go\0\0", the description
// (cmd/internal/buildid, ELF notes).
func goBuildID(f *elf.File) string {
	s := f.Section(".note.go.buildid")
	if s == nil || s.Size > 4096 {
		return ""
	}
	data, err := s.Data()
	if err != nil || len(data) < 16 {
		return ""
	}
	size := f.ByteOrder.Uint32(data[4:])
	if uint64(size) > uint64(len(data)-16) {
		return ""
	}
	return string(data[16 : 16+size])
}
