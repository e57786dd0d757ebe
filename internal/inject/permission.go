package inject

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// permFacts is what can be seen of why the kernel refused an access.
type permFacts struct {
	pid, uid   int
	targetUIDs []string // real, effective, saved, file system
	owner      int      // owner of /proc/PID: root when the process is not dumpable
	otherNS    bool     // another user namespace
	yama       string   // kernel.yama.ptrace_scope, "" if there is no Yama
	lsm        string   // the security modules of the kernel
	err        error
}

// refuse names the most likely reason and its cure.
func (f permFacts) refuse() *RefusedError {
	e := &RefusedError{Code: CodePermission, Err: f.err}
	me := strconv.Itoa(f.uid)
	foreign := slices.ContainsFunc(f.targetUIDs, func(u string) bool { return u != me })
	switch {
	case f.uid != 0 && foreign:
		e.Message = fmt.Sprintf("process %d belongs to user %s and you are user %s", f.pid, f.targetUIDs[0], me)
		e.Cure = "run sidelight as that user or as root (CAP_SYS_PTRACE)"
	case f.uid != 0 && f.owner != f.uid:
		e.Message = fmt.Sprintf("process %d is not dumpable: it gained privileges or its file is not readable", f.pid)
		e.Cure = "run sidelight as root (CAP_SYS_PTRACE), or start the program without set-uid bits and file capabilities"
	case f.yama == "3":
		e.Message = "kernel.yama.ptrace_scope is 3: nobody may attach to a process until the next boot"
		e.Cure = "remove kernel.yama.ptrace_scope=3 from the sysctl settings and reboot"
	case f.yama == "2" && f.uid != 0:
		e.Message = "kernel.yama.ptrace_scope is 2: only an administrator may attach to a process"
		e.Cure = "run sidelight with CAP_SYS_PTRACE (sudo), or: sudo sysctl kernel.yama.ptrace_scope=0"
	case f.yama == "1" && f.uid != 0:
		e.Message = "kernel.yama.ptrace_scope is 1: a plain user may attach to his own children only"
		e.Cure = "sudo sysctl kernel.yama.ptrace_scope=0, or run sidelight with sudo, or start the program as a child of sidelight"
	case f.otherNS:
		e.Message = fmt.Sprintf("process %d lives in another user namespace", f.pid)
		e.Cure = "run sidelight inside that namespace (nsenter -U -t " + strconv.Itoa(f.pid) + "), or as root outside of all containers"
	case f.uid == 0:
		e.Message = "root without CAP_SYS_PTRACE: this looks like a container"
		e.Cure = "start the container with --cap-add=SYS_PTRACE, or run sidelight on the host" + lsmHint(f.lsm)
	default:
		e.Message = fmt.Sprintf("the kernel does not allow to attach to process %d", f.pid)
		e.Cure = "run sidelight as root (CAP_SYS_PTRACE)" + lsmHint(f.lsm)
	}
	return e
}

// lsmHint names the security modules that may have refused.
func lsmHint(lsm string) string {
	for _, name := range []string{"selinux", "apparmor", "smack", "tomoyo"} {
		if slices.Contains(strings.Split(lsm, ","), name) {
			return "; if that does not help, ask the " + name + " policy (deny_ptrace, profile without ptrace)"
		}
	}
	return ""
}
