//go:build linux && amd64

package inject

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// status reads /proc/PID/status as a map.
func (p *Proc) status() (map[string]string, error) {
	return p.statusOf("status")
}

func (p *Proc) statusOf(name string) (map[string]string, error) {
	text, err := p.readFile(name)
	if err != nil {
		return nil, err
	}
	return parseStatus(text), nil
}

func parseStatus(text []byte) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		k, v, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if ok {
			m[k] = strings.TrimSpace(v)
		}
	}
	return m
}

// readStart reads the start time, field 22 of /proc/PID/stat. The name in field
// 2 may hold anything, so fields are counted from the last parenthesis.
func (p *Proc) readStart() (uint64, error) {
	text, err := p.readFile("stat")
	if err != nil {
		return 0, err
	}
	return parseStart(text)
}

func parseStart(text []byte) (uint64, error) {
	i := bytes.LastIndexByte(text, ')')
	if i < 0 {
		return 0, fmt.Errorf("stat not understood: %q", text)
	}
	f := strings.Fields(string(text[i+1:]))
	if len(f) < 20 {
		return 0, fmt.Errorf("stat not understood: %q", text)
	}
	return strconv.ParseUint(f[19], 10, 64)
}

func refuseOpen(pid int, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return &RefusedError{Code: CodeNoProcess, Message: fmt.Sprintf("there is no process %d", pid), Cure: "see: sidelight ps"}
	}
	return &RefusedError{Code: CodePermission, Message: fmt.Sprintf("process %d cannot be seen", pid), Cure: "run as its user or as root", Err: bare(err)}
}

func (p *Proc) checkStatus() error {
	st, err := p.status()
	if err != nil {
		return err
	}
	if s := st["State"]; s != "" && (s[0] == 'Z' || s[0] == 'X') {
		return &RefusedError{Code: CodeZombie, Message: fmt.Sprintf("process %d has ended and waits for its parent (a zombie)", p.PID), Cure: "name a running process"}
	}
	if tgid := st["Tgid"]; tgid != strconv.Itoa(p.PID) {
		return &RefusedError{Code: CodeNoProcess, Message: fmt.Sprintf("%d is a thread of process %s", p.PID, tgid), Cure: "use pid " + tgid}
	}
	if st["Kthread"] == "1" {
		return &RefusedError{Code: CodeArch, Message: fmt.Sprintf("process %d is a kernel thread", p.PID)}
	}
	return nil
}

// checkTracer refuses a process that a debugger holds. Another Sidelight holds
// a thread for less than a millisecond, so it looks a few times.
func (p *Proc) checkTracer() error {
	for try := 0; ; try++ {
		st, err := p.status()
		if err != nil {
			return err
		}
		tracer, _ := strconv.Atoi(st["TracerPid"])
		if tracer == 0 {
			return nil
		}
		if try == 20 {
			return refuseTraced(p.PID, tracer)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func refuseTraced(pid, tracer int) error {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tracer)); err == nil {
		if tgid, err := strconv.Atoi(parseStatus(text)["Tgid"]); err == nil {
			tracer = tgid // the kernel names the thread
		}
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", tracer))
	who := strings.TrimSpace(string(name))
	if who == "" {
		who = "another program"
	}
	return &RefusedError{Code: CodeTraced,
		Message: fmt.Sprintf("process %d is already traced by %s (pid %d)", pid, who, tracer),
		Cure:    "end that debugger first"}
}

// checkExe refuses programs of another word size or machine.
func (p *Proc) checkExe() error {
	f, err := p.OpenExe()
	if err != nil {
		return p.refusePermission(err)
	}
	defer f.Close()
	var h [20]byte
	if _, err := io.ReadFull(f, h[:]); err != nil || string(h[:4]) != "\x7fELF" {
		return &RefusedError{Code: CodeArch, Message: fmt.Sprintf("process %d does not run an ELF program", p.PID)}
	}
	const elfClass64, machineAMD64 = 2, 62
	if h[4] != elfClass64 {
		return &RefusedError{Code: CodeArch, Message: fmt.Sprintf("process %d runs a 32-bit program", p.PID), Cure: "only linux/amd64 is supported"}
	}
	if m := binary.LittleEndian.Uint16(h[18:]); m != machineAMD64 {
		return &RefusedError{Code: CodeArch, Message: fmt.Sprintf("process %d runs a program for another machine (ELF machine %d)", p.PID, m), Cure: "only linux/amd64 is supported"}
	}
	return nil
}

// refusePermission finds out why the kernel said no, in the order in which the
// kernel asks: credentials, dumpable, Yama, other security modules.
func (p *Proc) refusePermission(err error) error {
	if errors.Is(err, ErrExited) || errors.Is(err, unix.ESRCH) {
		return ErrExited
	}
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
		return &RefusedError{Code: CodePermission, Message: fmt.Sprintf("process %d cannot be opened", p.PID), Err: bare(err)}
	}
	facts := permFacts{pid: p.PID, uid: os.Getuid(), err: bare(err)}
	if st, err := p.status(); err == nil {
		facts.targetUIDs = strings.Fields(st["Uid"])
	}
	var stat unix.Stat_t
	if unix.Fstat(int(p.dir.Fd()), &stat) == nil {
		facts.owner = int(stat.Uid)
	}
	facts.yama = readWord("/proc/sys/kernel/yama/ptrace_scope")
	facts.lsm = readWord("/sys/kernel/security/lsm")
	mine, _ := os.Readlink("/proc/self/ns/user")
	theirs, nsErr := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", p.PID))
	facts.otherNS = nsErr == nil && mine != theirs
	return facts.refuse()
}

func readWord(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
