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
	used map[*debuginfo.Build]fileState // by sessions: their files, as they were before they were read
}

// fileState is what changes whenever a file does.
type fileState struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// open is symbol.Open of the program that a process runs.
func (k *Builds) open(ctx context.Context, pid int, opt symbol.Options) (*debuginfo.Build, error) {
	return k.read(ctx, fmt.Sprintf("/proc/%d/exe", pid), opt)
}

func (k *Builds) read(ctx context.Context, path string, opt symbol.Options) (b *debuginfo.Build, err error) {
	state, ok := stateOf(os.Stat(path))
	if k == nil || !ok {
		return symbol.Open(ctx, path, opt)
	}
	if b = k.take(state); b != nil {
		b.Path = path
	} else if b, err = symbol.Open(ctx, path, opt); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.used == nil {
		k.used = map[*debuginfo.Build]fileState{}
	}
	k.used[b] = state
	return b, nil
}

// take is the build that is kept, if it is that of such a file.
func (k *Builds) take(state fileState) *debuginfo.Build {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || k.file != state {
		return nil
	}
	b := k.kept
	k.kept = nil
	return b
}

// close keeps a build whose session has ended, or closes it: where debug information
// was looked for elsewhere, the next look may find another; and what was read of a file
// is not what it holds if somebody wrote there since.
func (k *Builds) close(b *debuginfo.Build) error {
	if k == nil {
		return b.Close()
	}
	now, ok := stateOf(b.Stat())
	k.mu.Lock()
	state, known := k.used[b]
	delete(k.used, b)
	if ok = ok && known && now == state && b.HasOwnDebug(); ok {
		b, k.kept, k.file = k.kept, b, state
	}
	k.mu.Unlock()
	if b != nil {
		return b.Close()
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
