package engine

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/symbol"
)

// Builds keeps the build that was read last, for the next session on a process that
// runs the same file: who asks a program one thing asks it another, and reading takes
// the processor from it. It keeps only what the file itself holds. The zero value
// keeps nothing yet; nil never does.
type Builds struct {
	mu   sync.Mutex
	kept *debuginfo.Build
	file fileState
}

// fileState is what changes whenever a file does.
type fileState struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// open is symbol.Open of the program that a process runs.
func (k *Builds) open(ctx context.Context, pid int, opt symbol.Options) (*debuginfo.Build, error) {
	path := fmt.Sprintf("/proc/%d/exe", pid)
	if b := k.take(path); b != nil {
		return b, nil
	}
	return symbol.Open(ctx, path, opt)
}

// take is the build that is kept, if it is that of the file.
func (k *Builds) take(path string) *debuginfo.Build {
	if k == nil {
		return nil
	}
	state, ok := stateOf(os.Stat(path))
	k.mu.Lock()
	defer k.mu.Unlock()
	if !ok || k.kept == nil || k.file != state {
		return nil
	}
	b := k.kept
	k.kept, b.Path = nil, path
	return b
}

// close keeps a build whose session has ended, or closes it: where debug information
// was looked for elsewhere, the next look may find another.
func (k *Builds) close(b *debuginfo.Build) error {
	if k == nil || !b.HasOwnDebug() {
		return b.Close()
	}
	state, ok := stateOf(b.Stat())
	if !ok {
		return b.Close()
	}
	k.mu.Lock()
	old := k.kept
	k.kept, k.file = b, state
	k.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

func stateOf(info os.FileInfo, err error) (fileState, bool) {
	if err != nil {
		return fileState{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileState{}, false
	}
	return fileState{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}, true
}
