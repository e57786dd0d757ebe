//go:build linux

package amd64_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// skipCall lets a function that takes no probes run to its return, whose address
// lies at sp. The callee may call back into code that takes probes: that runs as
// it is.
func skipCall(pid int, sp uint64) (done bool, err error) {
	word := make([]byte, 8)
	if _, err := syscall.PtracePeekData(pid, uintptr(sp), word); err != nil {
		return false, err
	}
	ret := uintptr(binary.LittleEndian.Uint64(word))
	old := make([]byte, 1)
	if _, err := syscall.PtracePeekText(pid, ret, old); err != nil {
		return false, err
	}
	if _, err := syscall.PtracePokeText(pid, ret, []byte{0xCC}); err != nil {
		return false, err
	}
	done, err = resume(pid, func() error { return syscall.PtraceCont(pid, 0) })
	if err != nil {
		return done, err
	}
	if _, err := syscall.PtracePokeText(pid, ret, old); err != nil || done {
		return done, err
	}
	var regs syscall.PtraceRegs
	if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
		return false, err
	}
	regs.Rip = uint64(ret)
	return false, syscall.PtraceSetRegs(pid, &regs)
}

// step runs one instruction; done when the work is.
func step(pid int) (done bool, err error) {
	return resume(pid, func() error { return syscall.PtraceSingleStep(pid) })
}

// resume lets the thread go on until it traps; done when it stops itself.
func resume(pid int, request func() error) (done bool, err error) {
	for {
		if err := request(); err != nil {
			return false, err
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return false, err
		}
		switch {
		case !status.Stopped():
			return false, fmt.Errorf("ended: %v, signal %v", status.ExitStatus(), status.Signal())
		case status.StopSignal() == syscall.SIGTRAP:
			return false, nil
		case status.StopSignal() == syscall.SIGSTOP:
			return true, nil
		case status.StopSignal() == syscall.SIGURG: // asks for preemption, which the test does without
		default:
			return false, fmt.Errorf("stopped by %v", status.StopSignal())
		}
	}
}

// run lets a copy of this binary work; trace sees it between its two pauses.
func run(mode string, trace func(pid int) error) (string, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var out bytes.Buffer
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workEnv+"="+mode, "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: trace != nil, Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return "", err
	}
	read := make(chan struct{})
	go func() { out.ReadFrom(r); close(read) }()
	if trace == nil {
		err = cmd.Wait()
		<-read
		return out.String(), err
	}
	watchdog := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }) // a child that loops ends the test
	defer watchdog.Stop()
	err = traced(cmd.Process.Pid, trace)
	if err != nil {
		cmd.Process.Kill()
		syscall.PtraceDetach(cmd.Process.Pid)
	}
	waitErr := cmd.Wait()
	<-read
	if err == nil {
		err = waitErr
	}
	return out.String(), err
}

func traced(pid int, trace func(pid int) error) error {
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			return err
		}
		if !status.Stopped() {
			return fmt.Errorf("ended early: %v", status)
		}
		if status.StopSignal() == syscall.SIGSTOP {
			break
		}
		pass := int(status.StopSignal())
		if status.StopSignal() == syscall.SIGTRAP {
			pass = 0
		}
		if err := syscall.PtraceCont(pid, pass); err != nil {
			return err
		}
	}
	if err := trace(pid); err != nil {
		return err
	}
	return syscall.PtraceDetach(pid)
}
