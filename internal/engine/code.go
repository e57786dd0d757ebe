package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/locate"
	"github.com/sidelight-dev/sidelight/internal/source"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// Code knows where the source of a running program has code, for editors.
// Nothing of the process itself is touched.
type Code struct {
	build *debuginfo.Build

	mu    sync.Mutex
	lines map[string]*locate.Extents
}

// OpenCode reads the build of a process.
func OpenCode(pid int, symbols ...string) (*Code, error) {
	b, err := symbol.Open(context.Background(), fmt.Sprintf("/proc/%d/exe", pid), symbol.Options{Given: symbols})
	if err != nil {
		return nil, err
	}
	return &Code{build: b, lines: map[string]*locate.Extents{}}, nil
}

// File is the build's name of the file that an editor knows by path.
func (c *Code) File(path string) (string, error) { return locate.FindFile(c.build, path) }

// Files are all files of the build that have code.
func (c *Code) Files() []string { return c.build.Files() }

// NextLine is the line itself where it has code, or the next one that has within
// the same function; 0 where there is none. file is one of Files.
func (c *Code) NextLine(file string, line int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[file]
	if l == nil {
		l = locate.ReadExtents(c.build, file)
		c.lines[file] = l
	}
	return l.Next(line)
}

// Source finds the text that a file was built from, with the tree of the program
// at dir or above it.
func (c *Code) Source(file, dir string) *source.Source { return source.New(c.build, dir).Find(file) }

// Close closes the build's file.
func (c *Code) Close() error { return c.build.Close() }
