package main

import (
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func forks(n int) int {
	for i := range n {
		if err := exec.Command("/proc/self/exe", "child").Run(); err != nil {
			broken("fork", err)
		}
		sink += leaf(i)
	}
	return n
}

// clones makes children that share nothing and go on in Go code, as a C library
// may that forks without exec. A child passes n times, waits until its parent
// says so, and passes n times more. The parent's passes are those that count.
func clones(n int) int {
	var hold [2]int
	if err := syscall.Pipe(hold[:]); err != nil {
		broken("pipe", err)
	}
	pid, _, e := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		broken("clone", e)
	}
	if pid == 0 {
		grandchild(n, hold[0])
	}
	children = append(children, born{int(pid), hold[1]})
	sum := 0
	for i := range n {
		sum += leaf(i)
	}
	sink += sum
	return n
}

type born struct{ pid, hold int }

var children []born

// grandchild must not allocate, block in the scheduler, or end like a program.
func grandchild(n, hold int) {
	status := uintptr(0)
	for range 2 {
		for i := range n {
			if leaf(i) != 3*i+1 {
				status = 1
			}
		}
		var b [1]byte
		syscall.RawSyscall(syscall.SYS_READ, uintptr(hold), uintptr(unsafe.Pointer(&b)), 1)
	}
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, status, 0, 0)
	}
}

// release lets the children go on and says how many did well.
func release(int) int {
	good := 0
	for _, c := range children {
		if _, err := syscall.Write(c.hold, []byte("xx")); err != nil {
			broken("release", err)
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(c.pid, &ws, 0, nil); err != nil || ws != 0 {
			broken("a child that was forked", ws)
		}
		syscall.Close(c.hold)
		good++
	}
	children = nil
	return good
}

func init() { scenarios["release"] = release }

// execSelf replaces this program by itself; the new one says "ready".
func execSelf(n int) int {
	for i := range n {
		sink += leaf(i)
	}
	err := syscall.Exec("/proc/self/exe", []string{"hazard"}, os.Environ())
	broken("exec", err)
	return 0
}

// restarts makes n rounds of system calls that a stop interrupts, and checks that
// none of them shows it.
func restarts(n int) int {
	ends := make(chan bool)
	for _, f := range []func(){rawSleep, rawFutex, rawPipe, rawPoll} {
		go func() {
			for range n {
				f()
			}
			ends <- true
		}()
	}
	for range 4 {
		<-ends
	}
	return n
}

const nap = 3 * time.Millisecond

// early tells whether a call that takes nap came back too soon. EINTR is the
// target's own: the runtime's preemption signals bring it.
func early(what string, began time.Time, e syscall.Errno) {
	if d := time.Since(began); e != syscall.EINTR && d < nap {
		broken(what+" came back early", d)
	}
}

func rawSleep() {
	ts := syscall.NsecToTimespec(int64(nap))
	began := time.Now()
	_, _, e := syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != 0 && e != syscall.EINTR {
		broken("nanosleep", e)
	}
	early("nanosleep", began, e)
}

func rawFutex() {
	var word uint32
	ts := syscall.NsecToTimespec(int64(nap))
	began := time.Now()
	const wait, private = 0, 128
	_, _, e := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), wait|private, 0, uintptr(unsafe.Pointer(&ts)), 0, 0)
	if e != syscall.ETIMEDOUT && e != syscall.EINTR {
		broken("futex", e)
	}
	early("futex", began, e)
}

func rawPipe() {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		broken("pipe", err)
	}
	go func() {
		time.Sleep(nap)
		syscall.Write(p[1], []byte("hello"))
	}()
	b := make([]byte, 16)
	n, err := syscall.Read(p[0], b)
	for err == syscall.EINTR {
		n, err = syscall.Read(p[0], b)
	}
	if err != nil || string(b[:n]) != "hello" {
		broken("pipe", err)
	}
	syscall.Close(p[0])
	syscall.Close(p[1])
}

func rawPoll() {
	began := time.Now()
	_, _, e := syscall.Syscall(syscall.SYS_POLL, 0, 0, uintptr(nap/time.Millisecond))
	if e != 0 && e != syscall.EINTR {
		broken("poll", e)
	}
	early("poll", began, e)
}

var got [65]atomic.Int64

// signals lets the program hear of signals, of those, too, whose handlers are
// stood before.
func signals(n int) int {
	c := make(chan os.Signal, 100000)
	signal.Notify(c, syscall.SIGTRAP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGURG, syscall.SIGUSR1, syscall.SIGCHLD)
	go func() {
		for s := range c {
			got[s.(syscall.Signal)].Add(1)
		}
	}()
	return n
}

// heard says how often signal n came.
func heard(n int) int { return int(got[n].Load()) }
