package target

import (
	"fmt"
	"strings"
)

// Code names a kind of Problem. The texts are part of the output.
type Code string

// Why a process cannot be observed.
const (
	CodeZombie       Code = "zombie"
	CodeNotGo        Code = "not-go"
	CodeOldGo        Code = "old-go"
	Code32Bit        Code = "32-bit"
	CodeArch         Code = "architecture"
	CodeTraced       Code = "traced"
	CodeOtherUser    Code = "other-user"
	CodeCapabilities Code = "capabilities"
	CodeNotDumpable  Code = "not-dumpable"
	CodeNamespace    Code = "user-namespace"
	CodeYama         Code = "yama"
	CodeLSM          Code = "security-module"
)

// Problem is a reason why a process cannot be observed, with its cure.
type Problem struct {
	Code  Code
	Short string   // one short line, as a list shows it
	Cures []string // what to do about it, each a way of its own
}

// Cure is what to do about it, in one line.
func (p *Problem) Cure() string { return strings.Join(p.Cures, "; or ") }

func (p *Problem) Error() string {
	if len(p.Cures) == 1 {
		return p.Short + ": " + p.Cures[0]
	}
	return p.Short + ". Any of these helps:\n  - " + strings.Join(p.Cures, "\n  - ")
}

// Refused says whether the process could be observed by somebody who is
// allowed to, or at another time. Otherwise the process itself is the obstacle.
func (p *Problem) Refused() bool {
	switch p.Code {
	case CodeZombie, CodeNotGo, CodeOldGo, Code32Bit, CodeArch:
		return false
	}
	return true
}

// privilege is what helps wherever a privilege is missing.
var privilege = []string{
	"run sidelight with sudo",
	"give it the capability once: sudo setcap cap_sys_ptrace=ep \"$(command -v sidelight)\"",
	"in a container, add the capability SYS_PTRACE: docker run --cap-add=SYS_PTRACE, " +
		"or in Kubernetes securityContext.capabilities.add: [SYS_PTRACE]",
}

func problem(code Code, short string, cures ...string) *Problem {
	return &Problem{Code: code, Short: short, Cures: cures}
}

// forbidden is a problem that a privilege cures, after what cures it without.
func forbidden(code Code, short string, cures ...string) *Problem {
	return problem(code, short, append(cures, privilege...)...)
}

func problemZombie(pid, parent int) *Problem {
	return problem(CodeZombie, "has ended (zombie)",
		fmt.Sprintf("process %d has ended and waits for its parent %d to collect it; there is nothing left to observe", pid, parent))
}

func problemNotGo() *Problem {
	return problem(CodeNotGo, "not a Go program", "sidelight ps lists the Go programs of this machine")
}

func problemOldGo(version string) *Problem {
	return problem(CodeOldGo, "built with "+version,
		"this version of Sidelight serves Go 1.22 and later; build the program with a newer Go")
}

func problem32Bit() *Problem {
	return problem(Code32Bit, "a 32-bit program", "this version of Sidelight serves linux/amd64; build it with GOARCH=amd64")
}

func problemArch(machine string) *Problem {
	return problem(CodeArch, "built for "+machine, "this version of Sidelight serves linux/amd64 only")
}

func problemTraced(tracer int, name string) *Problem {
	by := fmt.Sprintf("traced by pid %d", tracer)
	if name != "" {
		by += " (" + name + ")"
	}
	return problem(CodeTraced, by, "a process has one tracer at a time; end that debugger or strace, then try again")
}

func problemOtherUser(owner string) *Problem {
	return forbidden(CodeOtherUser, "belongs to "+owner, "run sidelight as that user")
}

func problemCapabilities(root bool) *Problem {
	if root {
		return forbidden(CodeCapabilities, "you are root without CAP_SYS_PTRACE")
	}
	return forbidden(CodeCapabilities, "has capabilities that you lack")
}

func problemNotDumpable() *Problem {
	return forbidden(CodeNotDumpable, "not dumpable",
		"start it without PR_SET_DUMPABLE=0, set-uid bits and file capabilities, from a file that you may read")
}

func problemNamespace() *Problem {
	return problem(CodeNamespace, "in another user namespace",
		"run sidelight inside that namespace (docker exec, podman unshare, nsenter --user)",
		"run it as root outside of all containers")
}

func problemYama(scope int) *Problem {
	short := fmt.Sprintf("kernel.yama.ptrace_scope=%d", scope)
	switch scope {
	case 1:
		return forbidden(CodeYama, short+" lets you trace only your own children",
			"allow it until the next boot: sudo sysctl kernel.yama.ptrace_scope=0")
	case 2:
		return forbidden(CodeYama, short+" lets only CAP_SYS_PTRACE trace")
	}
	return problem(CodeYama, short+" lets nobody trace until the next boot",
		"remove the setting from /etc/sysctl.conf and /etc/sysctl.d, and boot")
}

func problemLSM(label string) *Problem {
	short := "refused by a security module (SELinux, AppArmor) or a container's policy"
	if label != "" {
		short = "refused by a security module: " + label
	}
	return forbidden(CodeLSM, short, "allow ptrace in its policy")
}
