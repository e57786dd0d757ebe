//go:build linux && amd64

package inject

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeping is a call that takes its time.
func sleeping(ms uint64) Syscall {
	timespec := binary.LittleEndian.AppendUint64(make([]byte, 8), ms*1e6)
	return Sys(unix.SYS_NANOSLEEP, Data(timespec), Num(0))
}

// giveUp makes a call and does not wait for its end.
func giveUp(t *testing.T, p *Proc, calls ...Syscall) {
	t.Helper()
	p.stubWait = time.Millisecond
	defer func() { p.stubWait = stubWait }()
	if _, err := p.Call(calls); !errors.Is(err, ErrBusy) {
		t.Fatalf("a call that takes too long: %v", err)
	}
}

// descriptor lets the target have a descriptor like those of its bays.
func descriptor(t *testing.T, p *Proc) int {
	t.Helper()
	r, err := p.Call([]Syscall{Sys(sysMemfdCreate, Data([]byte(memfdName+"\x00")), Num(mfdCloexec))})
	if err != nil || r.Err(0) != nil {
		t.Fatal(err, r)
	}
	return int(r.Results[0])
}

// TestLateCall lets a call be given up whose stub runs on: the next one must not
// take the late one's word and results for its own.
func TestLateCall(t *testing.T) {
	tg := start(t, busyBuild(t, "static"), "5")
	p := open(t, tg)
	defer lock(t, p)()
	giveUp(t, p, sleeping(100), Sys(unix.SYS_GETUID))
	r, err := p.Call([]Syscall{sleeping(200), Sys(unix.SYS_GETPID)})
	if err == nil && r.Results[1] != int64(p.PID) {
		err = fmt.Errorf("the pid is told as %v", r.Results)
	}
	if err != nil {
		t.Fatal(err)
	}
	tg.end()
}

// TestLeakedDescriptorIsTheProgramsByNow lets a stub of a dead tool close its
// descriptor late, whose number then is the program's: it must stay open.
func TestLeakedDescriptorIsTheProgramsByNow(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	dead, p := open(t, tg), open(t, tg)
	defer lock(t, p)()
	fd := descriptor(t, dead)
	theirs := Sys(sysMemfdCreate, Data([]byte("theirs\x00")), Num(mfdCloexec))
	giveUp(t, dead, sleeping(200), Sys(sysClose, Num(uint64(fd))), theirs)
	if n, err := p.CloseLeaked(); n != 0 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(int(p.dir.Fd()), "fd/"+itoa(fd), &st, 0); err != nil {
		t.Errorf("the program's descriptor was closed: %v", err)
	}
	tg.end()
}

// TestClosesWhenTheTargetGoesOn stops the target while a descriptor of ours is open.
func TestClosesWhenTheTargetGoesOn(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p := open(t, tg)
	defer lock(t, p)()
	fd := descriptor(t, p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := tg.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if _, err := p.call([]Syscall{Sys(sysClose, Num(uint64(fd)))}); !errors.Is(err, ErrBusy) {
		t.Fatalf("a stopped target: %v", err)
	}
	go func() {
		time.Sleep(600 * time.Millisecond) // longer than one call tries
		_ = tg.cmd.Process.Signal(unix.SIGCONT)
	}()
	if err := p.closeFD(fd); err != nil {
		t.Fatal(err)
	}
	noDescriptors(t, p)
	tg.end()
}
