package daemon

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Files of the daemon's directory.
const (
	socketFile = "socket"
	startFile  = "starting" // locked by a client that starts the daemon
	aliveFile  = "alive"    // locked by the daemon
)

// Dir is the directory of this user's daemon: below XDG_RUNTIME_DIR where there
// is one, else in the directory for temporary files. It is made where it is not
// there, and must belong to this user alone.
func Dir() (string, error) {
	uid := os.Geteuid()
	parent := os.Getenv("XDG_RUNTIME_DIR")
	dir := filepath.Join(parent, "sidelight")
	if parent == "" || private(parent, uid) != nil {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("sidelight-%d", uid))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return dir, private(dir, uid)
}

// private says why a directory does not belong to a user alone.
func private(dir string, uid int) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != uid || info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is not a directory of yours alone (mode 0700): remove it", dir)
	}
	return nil
}

// lock takes a lock file; wait says how long it tries.
func lock(name string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return f, nil
		}
		if !time.Now().Before(end) {
			f.Close()
			return nil, err
		}
	}
}

// surroundings are the parts of the environment that may change what the engine
// finds.
var surroundings = []string{"HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DEBUGINFOD_URLS", "GOMODCACHE", "GOROOT"}

// Identity says whether two programs are the same, in the same surroundings:
// build, view of the processes, and environment. Only then does one work for the
// other.
var Identity = sync.OnceValues(func() (string, error) {
	h := sha256.New()
	build, err := buildID("/proc/self/exe")
	if err != nil {
		return "", err
	}
	fmt.Fprintln(h, build)
	for _, ns := range []string{"pid", "mnt", "user"} {
		link, err := os.Readlink("/proc/self/ns/" + ns)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(h, link)
	}
	for _, name := range surroundings {
		fmt.Fprintln(h, name, os.Getenv(name))
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "SIDELIGHT_") {
			fmt.Fprintln(h, kv)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
})

// buildID is Go's own name of a program: a hash of all that went into it.
func buildID(file string) (string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s := f.Section(".note.go.buildid")
	if s == nil {
		return "", errors.New("this program has no build ID")
	}
	b, err := s.Data()
	return string(b), err
}
