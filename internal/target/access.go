package target

import (
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// oldestGo is the first minor version of Go 1 that the engine serves.
const oldestGo = 22

// diagnose says why a process cannot be observed, or nil. What the program
// itself rules out comes before what a person may not do: the cure of the
// second would not help against the first.
func (h *Host) diagnose(pid int, st *status, b Build, readErr error) *Problem {
	denied := errors.Is(readErr, fs.ErrPermission)
	if p := buildProblem(b, denied); p != nil {
		return p
	}
	if st.tracer != 0 {
		name := ""
		if t, err := h.readStatus(st.tracer); err == nil {
			name = t.name
		}
		return problemTraced(st.tracer, name)
	}
	if !denied {
		err := h.attach(pid)
		denied = errors.Is(err, fs.ErrPermission)
	}
	if denied {
		return h.explainDenied(pid, st)
	}
	return nil
}

// buildProblem says what the program itself rules out. denied: the file could
// not be read, so that an unknown build proves nothing.
func buildProblem(b Build, denied bool) *Problem {
	switch {
	case b.class == elf.ELFCLASS32:
		return problem32Bit()
	case b.class != elf.ELFCLASSNONE && b.machine != elf.EM_X86_64:
		return problemArch(strings.ToLower(strings.TrimPrefix(b.machine.String(), "EM_")))
	case b.Runtime != "go" && denied:
		return nil
	case b.Runtime != "go":
		return problemNotGo()
	case tooOld(b.RuntimeVersion):
		return problemOldGo(b.RuntimeVersion)
	}
	return nil
}

// tooOld says whether a version such as go1.21.3 is older than what is served.
// Development versions ("devel go1.27-abcdef") and unknown ones are let pass.
func tooOld(version string) bool {
	rest, ok := strings.CutPrefix(version, "go1.")
	if !ok {
		return false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		rest = rest[:end]
	}
	minor, err := strconv.Atoi(rest)
	return err == nil && minor < oldestGo
}

// openMemory asks the kernel for the access that a probe needs, by opening the
// process's memory read-only and closing it again; nothing is read. The kernel
// makes the same checks as for ptrace(2), PTRACE_MODE_ATTACH (fs/proc/base.c,
// mem_open), permissions that a process gave by PR_SET_PTRACER included, which
// can be seen nowhere else.
func (h *Host) openMemory(pid int) error {
	f, err := os.Open(h.path(pid, "mem"))
	if err != nil {
		return err
	}
	return f.Close()
}

// explainDenied finds which of the kernel's rules refused, in the order in
// which ptrace(2), "Ptrace access mode checking", has them.
func (h *Host) explainDenied(pid int, st *status) *Problem {
	me := &h.self
	scope := h.yamaScope()
	otherNamespace := h.otherNamespace(pid)
	switch {
	case scope == 3:
		return problemYama(scope)
	case otherNamespace:
		return problemNamespace()
	case me.mayTraceAll():
		return problemLSM(h.securityLabel(pid))
	case !allEqual(me.uid, st.uid[:3]) || !allEqual(me.gid, st.gid[:3]):
		return problemOtherUser(userName(st.uid[0]))
	case st.owner >= 0 && st.owner != st.uid[1]:
		return problemNotDumpable()
	case st.capPrm&^me.caps != 0:
		return problemCapabilities(me.uid == 0)
	case scope > 0:
		return problemYama(scope)
	}
	return problemLSM(h.securityLabel(pid))
}

func allEqual(id int, ids []int) bool {
	for _, other := range ids {
		if other != id {
			return false
		}
	}
	return true
}

// yamaScope reads kernel.yama.ptrace_scope; 0 where the kernel has no Yama.
func (h *Host) yamaScope() int {
	b, err := os.ReadFile(filepath.Join(h.proc, "sys/kernel/yama/ptrace_scope"))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

// otherNamespace compares the user-id maps, which anybody may read; the
// namespace links themselves may be read only by those who may trace.
func (h *Host) otherNamespace(pid int) bool {
	b, err := os.ReadFile(h.path(pid, "uid_map"))
	return err == nil && h.self.userMap != "" && string(b) != h.self.userMap
}

func (h *Host) securityLabel(pid int) string {
	b, err := os.ReadFile(h.path(pid, "attr/current"))
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), "\x00\n ")
}

func userName(uid int) string {
	id := strconv.Itoa(uid)
	u, err := user.LookupId(id)
	if err != nil {
		return "uid " + id
	}
	return "user " + u.Username
}
