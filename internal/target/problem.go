package target

import "fmt"

// Code names a kind of Problem. The texts are part of the output.
type Code string

// Why a process cannot be observed.
const (
	CodeZombie       Code = "zombie"
	CodeNotGo        Code = "not-go"
	CodeOldGo        Code = "old-go"
	CodeStripped     Code = "stripped"
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
	Short string // one short line, as a list shows it
	Cure  string // what to do about it
}

func (p *Problem) Error() string {
	if p.Cure == "" {
		return p.Short
	}
	return p.Short + ": " + p.Cure
}

// Refused says whether the process could be observed by somebody who is
// allowed to, or at another time. Otherwise the process itself is the obstacle.
func (p *Problem) Refused() bool {
	switch p.Code {
	case CodeZombie, CodeNotGo, CodeOldGo, CodeStripped, Code32Bit, CodeArch:
		return false
	}
	return true
}

const (
	cureRoot = "run sidelight with sudo, or give it the capability once: " +
		"sudo setcap cap_sys_ptrace=ep \"$(command -v sidelight)\""
	cureContainer = "; in a container add SYS_PTRACE (docker run --cap-add=SYS_PTRACE; " +
		"Kubernetes: securityContext.capabilities.add: [SYS_PTRACE])"
)

func problemZombie(pid, parent int) *Problem {
	return &Problem{CodeZombie, "has ended (zombie)",
		fmt.Sprintf("process %d has ended and waits for its parent %d to collect it; there is nothing left to observe", pid, parent)}
}

func problemNotGo() *Problem {
	return &Problem{CodeNotGo, "not a Go program", "sidelight ps lists the Go programs of this machine"}
}

func problemOldGo(version string) *Problem {
	return &Problem{CodeOldGo, "built with " + version,
		"this version of Sidelight serves Go 1.22 and later; build the program with a newer Go"}
}

func problemStripped() *Problem {
	return &Problem{CodeStripped, "stripped: no debug information",
		"the program was linked with -s or -w (go run and go test do that, too); build it with go build and without -ldflags='-s -w'"}
}

func problem32Bit() *Problem {
	return &Problem{Code32Bit, "a 32-bit program", "this version of Sidelight serves linux/amd64; build it with GOARCH=amd64"}
}

func problemArch(machine string) *Problem {
	return &Problem{CodeArch, "built for " + machine, "this version of Sidelight serves linux/amd64 only"}
}

func problemTraced(tracer int, name string) *Problem {
	by := fmt.Sprintf("traced by pid %d", tracer)
	if name != "" {
		by += " (" + name + ")"
	}
	return &Problem{CodeTraced, by, "a process has one tracer at a time; end that debugger or strace, then try again"}
}

func problemOtherUser(owner string) *Problem {
	return &Problem{CodeOtherUser, "belongs to " + owner, "run sidelight as that user; or " + cureRoot + cureContainer}
}

func problemCapabilities() *Problem {
	return &Problem{CodeCapabilities, "has capabilities that you lack", cureRoot + cureContainer}
}

func problemNotDumpable() *Problem {
	return &Problem{CodeNotDumpable, "not dumpable",
		"the process has set PR_SET_DUMPABLE to 0, changed its user, or runs a file that is set-uid, has capabilities or cannot be read; " + cureRoot}
}

func problemNamespace() *Problem {
	return &Problem{CodeNamespace, "in another user namespace",
		"run sidelight inside that namespace (docker exec, podman unshare, nsenter --user), or as root outside of it"}
}

func problemYama(scope int) *Problem {
	short := fmt.Sprintf("kernel.yama.ptrace_scope=%d", scope)
	switch scope {
	case 1:
		return &Problem{CodeYama, short, "the kernel lets a plain user trace only own children; " +
			cureRoot + "; or allow it until the next boot: sudo sysctl kernel.yama.ptrace_scope=0" + cureContainer}
	case 2:
		return &Problem{CodeYama, short, "the kernel lets only CAP_SYS_PTRACE trace; " + cureRoot + cureContainer}
	}
	return &Problem{CodeYama, short, "the kernel lets nobody trace until the next boot; " +
		"remove the setting from /etc/sysctl.d and boot"}
}

func problemLSM(label string) *Problem {
	p := &Problem{CodeLSM, "refused by a security module",
		"a security module (SELinux, AppArmor, a container's policy) forbids to trace it; " + cureRoot + cureContainer}
	if label != "" {
		p.Short += " (" + label + ")"
	}
	return p
}
