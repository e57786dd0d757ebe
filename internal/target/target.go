// Package target knows which processes are there, which build each of them
// runs, and whether Sidelight may look inside.
//
// What a person typed as TARGET (or nothing, for a list) comes in; Processes
// go out, each with a Problem where it cannot be observed. It reads /proc and
// executable files and changes nothing: packages inject and debuginfo, which
// come after it, do the work itself. Package cli stands before it.
package target

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"syscall"
)

// Process is one process as a person wants to know it.
type Process struct {
	PID     int
	Name    string   // the executable's name, or the name that the process gave itself
	Args    []string // its command line; empty for kernel threads
	Build            // the program that it runs; zero where unknown
	Problem *Problem // why it cannot be observed; nil: it can
	aliases []string // other names that find it
}

// Observable says whether probes can be put into the process.
func (p *Process) Observable() bool { return p.Problem == nil }

// IsGo says whether the process is known to run a Go program.
func (p *Process) IsGo() bool { return p.Runtime == "go" }

// Reason is the Problem in one short line; empty where there is none.
func (p *Process) Reason() string {
	if p.Problem == nil {
		return ""
	}
	return p.Problem.Short
}

// Host is a machine whose processes are looked at.
type Host struct {
	proc   string              // where procfs is mounted
	self   self                // who is asking
	attach func(pid int) error // asks the kernel whether the process may be opened for writing
	builds *buildCache
}

// Local is the machine that this program runs on.
func Local() *Host {
	h := &Host{proc: "/proc", builds: newBuildCache()}
	h.self = readSelf(h.proc)
	h.attach = h.openMemory
	return h
}

// List returns the processes of the machine by pid: Go programs only, or all.
// This process is left out, and so are those that end while they are read.
func (h *Host) List(all bool) ([]Process, error) {
	entries, err := os.ReadDir(h.proc)
	if err != nil {
		return nil, err
	}
	var list []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == h.self.pid {
			continue
		}
		p, err := h.Inspect(pid)
		if err != nil || (!all && (!p.IsGo() || p.helper())) {
			continue
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Process) int { return a.PID - b.PID })
	return list, nil
}

// Names that this program's helpers give themselves.
const (
	GuardName  = "sidelight-guard" // takes probes out when a tool was killed
	DaemonName = "sidelight-owner" // holds the probes of a user
)

// helper says whether a process only serves other commands of this program.
func (p *Process) helper() bool {
	return slices.Contains(p.aliases, GuardName) || slices.Contains(p.aliases, DaemonName)
}

// Inspect returns what can be known of one process. The error is a
// *NotFoundError where there is no such process.
func (h *Host) Inspect(pid int) (Process, error) {
	st, err := h.readStatus(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errGone) || errors.Is(err, syscall.ESRCH) {
		return Process{}, &NotFoundError{Text: strconv.Itoa(pid), PID: pid}
	}
	if err != nil {
		return Process{}, err
	}
	if st.tgid != 0 && st.tgid != pid {
		return Process{}, &NotFoundError{Text: strconv.Itoa(pid), PID: pid, Main: st.tgid}
	}
	exe := h.readExe(pid)
	args := h.readArgs(pid)
	p := Process{PID: pid, Args: args, Name: displayName(st.name, exe.base(), args)}
	p.aliases = aliases(st.name, exe.base(), args)
	if st.zombie() {
		p.Problem = problemZombie(pid, st.ppid)
		return p, nil
	}
	build, problem := h.readBuild(pid, exe, args)
	p.Build = build
	p.Problem = h.diagnose(pid, st, build, problem)
	return p, nil
}
