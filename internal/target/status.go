package target

import (
	"bytes"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// errGone says that a process ended while it was being read.
var errGone = errors.New("the process is gone")

// status is the part of /proc/PID/status that matters here (proc(5)).
type status struct {
	name   string
	state  byte // R, S, D, T, t, Z, X
	tgid   int  // differs from the pid where that is a thread's
	ppid   int
	tracer int
	uid    [4]int // real, effective, saved, file system
	gid    [4]int
	capPrm uint64
	capEff uint64
	owner  int // of the directory /proc/PID; not the process's own where it is not dumpable
}

func (s *status) zombie() bool { return s.state == 'Z' || s.state == 'X' }

// self is who is asking.
type self struct {
	pid      int
	uid, gid int
	caps     uint64
	userMap  string // /proc/self/uid_map: tells user namespaces apart
}

// capSysPtrace is the bit of CAP_SYS_PTRACE (linux/capability.h).
const capSysPtrace = 1 << 19

func (s *self) mayTraceAll() bool { return s.caps&capSysPtrace != 0 }

func readSelf(proc string) self {
	s := self{pid: os.Getpid(), uid: os.Geteuid(), gid: os.Getegid()}
	if b, err := os.ReadFile(filepath.Join(proc, "self/status")); err == nil {
		if st, err := parseStatus(b); err == nil {
			s.caps = st.capEff
		}
	}
	if b, err := os.ReadFile(filepath.Join(proc, "self/uid_map")); err == nil {
		s.userMap = string(b)
	}
	return s
}

func (h *Host) path(pid int, name string) string {
	return filepath.Join(h.proc, strconv.Itoa(pid), name)
}

func (h *Host) readStatus(pid int) (*status, error) {
	b, err := os.ReadFile(h.path(pid, "status"))
	if err != nil {
		return nil, err
	}
	st, err := parseStatus(b)
	if err != nil {
		return nil, err
	}
	st.owner = fileOwner(h.path(pid, ""))
	return st, nil
}

// parseStatus reads the text of /proc/PID/status. Unknown lines are skipped:
// kernels add some.
func parseStatus(b []byte) (*status, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, errGone
	}
	st := &status{owner: -1}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			st.name = value
		case "State":
			if value != "" {
				st.state = value[0]
			}
		case "Tgid":
			st.tgid, _ = strconv.Atoi(value)
		case "PPid":
			st.ppid, _ = strconv.Atoi(value)
		case "TracerPid":
			st.tracer, _ = strconv.Atoi(value)
		case "Uid":
			st.uid = four(value)
		case "Gid":
			st.gid = four(value)
		case "CapPrm":
			st.capPrm, _ = strconv.ParseUint(value, 16, 64)
		case "CapEff":
			st.capEff, _ = strconv.ParseUint(value, 16, 64)
		}
	}
	return st, nil
}

func four(s string) (ids [4]int) {
	for i, f := range strings.Fields(s) {
		if i < len(ids) {
			ids[i], _ = strconv.Atoi(f)
		}
	}
	return ids
}

// exe is what /proc/PID/exe says: the path of the file, or of the one that it
// was before it was replaced or removed; empty where it cannot be read.
type exe string

// deletedMark is what the kernel appends to the path of a removed file
// (fs/d_path.c).
const deletedMark = " (deleted)"

func (h *Host) readExe(pid int) exe {
	link, err := os.Readlink(h.path(pid, "exe"))
	if err != nil {
		return ""
	}
	return exe(strings.TrimSuffix(link, deletedMark))
}

func (e exe) base() string {
	if e == "" {
		return ""
	}
	return path.Base(string(e))
}

func (h *Host) readArgs(pid int) []string {
	b, err := os.ReadFile(h.path(pid, "cmdline"))
	b = bytes.TrimRight(b, "\x00")
	if err != nil || len(b) == 0 {
		return nil
	}
	return strings.Split(string(b), "\x00")
}

// displayName prefers the executable's full name to the kernel's copy of it,
// which is cut at 15 bytes, but a name that the process gave itself to both.
func displayName(comm, base string, args []string) string {
	if base == "" && len(args) > 0 {
		base = path.Base(args[0])
	}
	if base == "" || !strings.HasPrefix(base, comm) {
		return comm
	}
	return base
}

func aliases(comm, base string, args []string) []string {
	names := []string{comm, base}
	if len(args) > 0 {
		names = append(names, path.Base(args[0]))
	}
	return names
}
