//go:build linux && amd64

package inject

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/ring"
)

func TestSeccomp(t *testing.T) {
	for _, c := range []struct {
		mode string
		want string // part of the refusal
	}{{"allow", ""}, {"kill", "forbids memfd_create"}} {
		t.Run(c.mode, func(t *testing.T) {
			tg := start(t, programBuild(t, "odd"), c.mode)
			p := open(t, tg)
			defer lock(t, p)()
			_, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)})
			var re *RefusedError
			switch {
			case errors.As(err, &re) && re.Code == CodeSeccomp && strings.Contains(re.Message, "cannot be read"):
				t.Log("no right to read filters here; refused, as it must be")
			case c.want == "" && err != nil:
				t.Fatal(err)
			case c.want != "" && (!errors.As(err, &re) || re.Code != CodeSeccomp || !strings.Contains(err.Error(), c.want)):
				t.Fatalf("not refused with %q: %v", c.want, err)
			}
			sameText(t, p)
			tg.end() // it was not killed
		})
	}
}

// TestExec lets the target replace its program: nothing may be written any more.
func TestExec(t *testing.T) {
	tg := start(t, programBuild(t, "odd"), "exec")
	p := open(t, tg)
	defer lock(t, p)()
	layout, _ := ring.NewLayout(2, 1, 0)
	b, err := p.NewBay(layout)
	if err != nil {
		t.Fatal(err)
	}
	tg.in.(io.Writer).Write([]byte("x"))
	if line, err := tg.out.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the new program said %q, %v", line, err)
	}
	_, callErr := p.Call([]Syscall{Sys(unix.SYS_GETPID)})
	for what, err := range map[string]error{
		"write": p.WriteAt([]byte{1}, b.Base),
		"read":  p.ReadAt(make([]byte, 1), b.Base),
		"call":  callErr,
		"patch": b.Patch([]Edit{{b.Text(), []byte{0}, []byte{int3}}}),
		"alive": p.Alive(),
	} {
		if !errors.Is(err, ErrReplaced) {
			t.Errorf("%s after exec: %v", what, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-p.Exited():
		t.Error("a process that lives is called exited")
	default:
	}
	tg.end()
}

func TestExit(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p := open(t, tg)
	unlock := lock(t, p)
	defer unlock()
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); err != nil {
		t.Fatal(err)
	}
	tg.cmd.Process.Kill()
	<-p.Exited()
	for _, err := range []error{p.WriteAt([]byte{1}, 4096), p.Alive(), second(p.Maps()), second(p.Call([]Syscall{Sys(unix.SYS_GETPID)}))} {
		if !errors.Is(err, ErrExited) {
			t.Errorf("after the exit: %v", err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestStopped attaches to a target that somebody has stopped: it says so, and
// goes on when the target does.
func TestStopped(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p := open(t, tg)
	defer lock(t, p)()
	tg.cmd.Process.Signal(unix.SIGSTOP)
	for !strings.Contains(readFile("/proc/"+itoa(p.PID)+"/stat"), ") T ") {
		time.Sleep(time.Millisecond)
	}
	_, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)})
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "SIGSTOP") {
		t.Fatalf("stopped target: %v", err)
	}
	if st := readFile("/proc/" + itoa(p.PID) + "/stat"); !strings.Contains(st, ") T ") {
		t.Fatalf("the target does not stay stopped: %s", st)
	}
	tg.cmd.Process.Signal(unix.SIGCONT)
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); err != nil {
		t.Fatal(err)
	}
	tg.end()
}

// TestFaulting borrows threads of a target that faults all the time.
func TestFaulting(t *testing.T) {
	tg := start(t, programBuild(t, "odd"), "fpe")
	p := open(t, tg)
	defer lock(t, p)()
	for range count("INJECT_CALLS", 100) {
		if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); err != nil {
			t.Fatal(err)
		}
		tids, err := p.tids()
		if err != nil {
			t.Fatal(err)
		}
		for _, tid := range tids {
			if err := p.Look(tid, func(View) {}); err != nil && !errors.Is(err, errThread) {
				t.Fatal(err)
			}
		}
	}
	tg.end()
}

func TestTraced(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	pid := tg.cmd.Process.Pid
	held, release := make(chan error), make(chan bool)
	go disposable(func() {
		held <- ptrace(unix.PTRACE_SEIZE, pid, 0, 0)
		<-release
	})
	if err := <-held; err != nil {
		t.Fatal(err)
	}
	_, err := Open(pid)
	close(release)
	var re *RefusedError
	if !errors.As(err, &re) || re.Code != CodeTraced || !strings.Contains(err.Error(), "pid "+itoa(os.Getpid())) {
		t.Fatalf("a traced process: %v", err)
	}
}

func TestLock(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p, q := open(t, tg), open(t, tg)
	unlock := lock(t, p)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if _, err := q.Lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("second lock: %v", err)
	}
	unlock()
	lock(t, q)()
}

// TestDeletedFile attaches to a program whose file is gone.
func TestDeletedFile(t *testing.T) {
	copy := buildDir + "/gone"
	if out, err := exec.Command("cp", programBuild(t, "odd"), copy).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	tg := start(t, copy)
	if err := os.Remove(copy); err != nil {
		t.Fatal(err)
	}
	p := open(t, tg)
	defer lock(t, p)()
	if _, err := p.Call([]Syscall{Sys(unix.SYS_GETPID)}); err != nil {
		t.Fatal(err)
	}
	sameText(t, p)
	tg.end()
}

// TestForeignText finds a byte that something else has changed.
func TestForeignText(t *testing.T) {
	exe := programBuild(t, "odd")
	tg := start(t, exe)
	p := open(t, tg)
	defer lock(t, p)()
	at, _ := symbol(t, exe, "main.divide") // does not run in this mode
	var b [1]byte
	if err := p.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteAt([]byte{0x90}, at); err != nil {
		t.Fatal(err)
	}
	diffs, err := p.CompareText()
	if err != nil || len(diffs) != 1 || diffs[0].Addr != at || diffs[0].Holder != 0 {
		t.Fatalf("%+v %v", diffs, err)
	}
	layout, _ := ring.NewLayout(2, 1, 0)
	bay, err := p.NewBay(layout)
	if err != nil {
		t.Fatal(err)
	}
	var changed *ChangedError
	if err := bay.Patch([]Edit{{at, b[:], []byte{int3}}}); !errors.As(err, &changed) {
		t.Fatalf("patched over foreign bytes: %v", err)
	}
	if err := bay.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	tg.end()
}

// TestLifeline checks that the word of a bay changes when its owner is killed, and
// that a second session sees an owner that lives as such.
func TestLifeline(t *testing.T) {
	tg := start(t, programBuild(t, "odd"))
	p := open(t, tg)
	layout, _ := ring.NewLayout(2, 1, 0)
	unlock := lock(t, p)
	b, err := p.NewBay(layout)
	unlock()
	if err != nil {
		t.Fatal(err)
	}
	q := open(t, tg)
	list, err := q.Bays()
	if err != nil || len(list) != 1 || !list[0].Alive || list[0].Leftover() || list[0].PID != os.Getpid() {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := q.Clear(list[0]); err == nil {
		t.Fatal("the bay of a living owner was cleared")
	}
	if !strings.Contains(flagsOf(t, p, b.Control()), " wf") {
		t.Error("the control words are not wiped in a forked child")
	}
	c, err := q.NewBay(layout)
	if err != nil || c.Base == b.Base {
		t.Fatalf("a second session beside a living one: %v", err)
	}
	for _, x := range []*Bay{b, c} {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = q.Bays(); err != nil || len(list) != 2 || !list[0].Free || !list[1].Free {
		t.Fatalf("%+v %v", list, err)
	}
	tg.end()
}

// flagsOf reads the kernel's flags of the mapping at addr.
func flagsOf(t testing.TB, p *Proc, addr uint64) string {
	t.Helper()
	text, err := p.readFile("smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), strings.TrimPrefix(hex(addr), "0x")+"-")
	_, rest, _ = strings.Cut(rest, "VmFlags:")
	flags, _, _ := strings.Cut(rest, "\n")
	return flags
}

// TestBeside lets two sessions make calls in turn: neither may write over a stub in
// which a thread of the other still is.
func TestBeside(t *testing.T) {
	tg := start(t, busyBuild(t, "static"), "3")
	p, q := open(t, tg), open(t, tg)
	for range count("INJECT_CALLS", 100) {
		for _, x := range []*Proc{p, q} {
			unlock := lock(t, x)
			r, err := x.Call([]Syscall{Sys(unix.SYS_GETPID)})
			unlock()
			if err != nil || r.Results[0] != int64(x.PID) {
				t.Fatal(r, err)
			}
		}
	}
	tg.end()
}
