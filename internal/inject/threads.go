//go:build linux && amd64

package inject

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// tids lists the threads of the target.
func (p *Proc) tids() ([]int, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), "task", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, p.fileError("task", err)
	}
	f := os.NewFile(uintptr(fd), "task")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, p.fileError("task", err)
	}
	out := make([]int, 0, len(names))
	for _, n := range names {
		if tid, err := strconv.Atoi(n); err == nil {
			out = append(out, tid)
		}
	}
	slices.Sort(out)
	return out, nil
}

// where is what /proc says of a thread without stopping it.
type where struct {
	running bool
	nr      int64 // system call in which it sleeps; -1: sleeps in none
	sp, pc  uint64
}

func (p *Proc) where(tid int) (where, error) {
	text, err := p.readFile(fmt.Sprintf("task/%d/syscall", tid))
	if err != nil {
		return where{}, err
	}
	return parseWhere(string(text))
}

// parseWhere reads "running", "-1 SP PC" or "NR A1 … A6 SP PC".
func parseWhere(text string) (where, error) {
	f := strings.Fields(text)
	if len(f) == 1 && f[0] == "running" {
		return where{running: true}, nil
	}
	if len(f) != 3 && len(f) != 9 {
		return where{}, fmt.Errorf("syscall not understood: %q", text)
	}
	nr, err0 := strconv.ParseInt(f[0], 10, 64)
	sp, err1 := strconv.ParseUint(f[len(f)-2], 0, 64)
	pc, err2 := strconv.ParseUint(f[len(f)-1], 0, 64)
	if err0 != nil || err1 != nil || err2 != nil {
		return where{}, fmt.Errorf("syscall not understood: %q", text)
	}
	return where{nr: nr, sp: sp, pc: pc}, nil
}

// rank says how gladly a thread is borrowed; below 0 never. Sleepers whose
// system call restarts without the program seeing it come first.
func rank(w where) int {
	if w.running {
		return 4
	}
	switch w.nr {
	case unix.SYS_CLONE, unix.SYS_VFORK, unix.SYS_CLONE3, unix.SYS_FORK:
		return -1 // waits for its vfork child and would not stop
	case unix.SYS_FUTEX:
		return 0
	case unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP:
		return 1
	case unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_WAIT:
		return 2
	}
	return 3
}

// A process with hundreds of threads need not be listed whole: enough of the best
// candidates end the search, or any good one among many.
const (
	enough = 4
	many   = 32
)

// candidates lists threads to borrow, best first; running ones only if asked for.
func (p *Proc) candidates(running bool) ([]int, error) {
	all, err := p.tids()
	if err != nil {
		return nil, err
	}
	type cand struct{ tid, rank int }
	var list []cand
	good := 0
	first := rand.IntN(max(len(all), 1)) // not always the same thread
	for i := range all {
		tid := all[(first+i)%len(all)]
		w, err := p.where(tid)
		if err != nil {
			continue
		}
		r := rank(w)
		if r < 0 || w.running && !running {
			continue
		}
		if tid == p.PID {
			if p.waitedFor() {
				continue
			}
			r += 10
		}
		list = append(list, cand{tid, r})
		if r == 0 {
			good++
		}
		if good == enough || good > 0 && len(list) >= many {
			break
		}
	}
	slices.SortStableFunc(list, func(a, b cand) int { return a.rank - b.rank })
	out := make([]int, len(list))
	for i, c := range list {
		out[i] = c.tid
	}
	return out, nil
}

// waitedFor tells whether the target is our own child and one of our threads
// waits for it just now. A stop of its first thread would then wake that wait,
// as if the child had ended.
func (p *Proc) waitedFor() bool {
	st, err := p.status()
	if err != nil || st["PPid"] != strconv.Itoa(os.Getpid()) {
		return false
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return true
	}
	for _, t := range tasks {
		text, err := os.ReadFile("/proc/self/task/" + t.Name() + "/syscall")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		}
		if err != nil {
			return true
		}
		w, err := parseWhere(string(text))
		if err == nil && (w.nr == unix.SYS_WAIT4 || w.nr == unix.SYS_WAITID) && !w.running {
			return true
		}
	}
	return false
}
