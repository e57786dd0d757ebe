// Busy is a target of the tests: it does everything that an attach could break,
// checks its own results, and prints a line every second. It exits with status 3
// and a message as soon as something is wrong.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

var rounds atomic.Int64

func fail(format string, args ...any) {
	fmt.Printf("FAIL "+format+"\n", args...)
	os.Exit(3)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "true" {
		return
	}
	const prSetPtracer = 0x59616d61 // any process may attach: with Yama, only a parent could
	syscall.Syscall(syscall.SYS_PRCTL, prSetPtracer, ^uintptr(0), 0)
	if len(os.Args) > 1 {
		debug.SetGCPercent(20)
		n, _ := strconv.Atoi(os.Args[1])
		for range n {
			go blocked()
		}
	}
	for _, f := range []func(){garbage, hash, channels, timers, echo, sleep, pipe, grow, nils, floats, calls, children} {
		go func() {
			for {
				f()
				rounds.Add(1)
			}
		}()
	}
	fmt.Println("ready")
	go func() { // the test closes our input to end us
		io.Copy(io.Discard, os.Stdin)
		fmt.Println("done", rounds.Load())
		os.Exit(0)
	}()
	for {
		time.Sleep(time.Second)
	}
}

// blocked holds a thread in a raw system call for ever.
func blocked() {
	var p [2]int
	syscall.Pipe(p[:])
	var b [1]byte
	syscall.Read(p[0], b[:])
	fail("read of an empty pipe returned")
}

// hot is called all the time; it begins with an instruction of ten bytes.
//
//go:noinline
func hot(x uint64) uint64 { return x*0x9E3779B97F4A7C15 ^ 0x123456789ABCDEF1 }

func calls() {
	for range 10000 {
		if hot(3) != 0xc8923b54e763aace {
			fail("hot: %#x", hot(3))
		}
	}
	time.Sleep(100 * time.Microsecond)
}

type node struct {
	l, r *node
	v    int
}

func tree(d, v int) *node {
	if d == 0 {
		return &node{v: v}
	}
	return &node{tree(d-1, v), tree(d-1, v), v}
}

func (n *node) sum() int {
	if n.l == nil {
		return n.v
	}
	return n.l.sum() + n.r.sum()
}

func garbage() {
	if got := tree(10, 3).sum(); got != 3<<10 {
		fail("tree: %d", got)
	}
	time.Sleep(time.Millisecond)
}

var block = bytes.Repeat([]byte("sidelight"), 500)
var want = sha256.Sum256(block)

func hash() {
	if sha256.Sum256(block) != want {
		fail("sha256")
	}
}

func channels() {
	c, d := make(chan int), make(chan int)
	go func() {
		s := 0
		for v := range c {
			s += v
		}
		d <- s
	}()
	for i := range 100 {
		c <- i
	}
	close(c)
	if s := <-d; s != 4950 {
		fail("channels: %d", s)
	}
}

func timers() {
	began := time.Now()
	<-time.After(3 * time.Millisecond)
	if d := time.Since(began); d < 3*time.Millisecond {
		fail("timer early: %v", d)
	}
}

func sleep() {
	ts := syscall.Timespec{Nsec: 4e6}
	var rem syscall.Timespec
	began := time.Now()
	_, _, e := syscall.Syscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), uintptr(unsafe.Pointer(&rem)), 0)
	d := time.Since(began)
	if e == 0 && d < 4*time.Millisecond {
		fail("nanosleep early: %v", d)
	}
	if e != 0 && e != syscall.EINTR {
		fail("nanosleep: %v", e)
	}
	early := d < 3*time.Millisecond && rem.Nsec == 0
	if e == syscall.EINTR && early {
		fail("nanosleep interrupted without a rest: %v", d)
	}
}

func pipe() {
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		fail("pipe: %v", err)
	}
	go func() {
		time.Sleep(2 * time.Millisecond)
		syscall.Write(p[1], []byte("hello"))
	}()
	b := make([]byte, 16)
	n, err := syscall.Read(p[0], b)
	for err == syscall.EINTR {
		n, err = syscall.Read(p[0], b)
	}
	if err != nil || string(b[:n]) != "hello" {
		fail("read: %q %v", b[:max(n, 0)], err)
	}
	syscall.Close(p[0])
	syscall.Close(p[1])
}

var listener net.Listener

func init() {
	var err error
	if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		fail("listen: %v", err)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
}

func echo() {
	c, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		fail("dial: %v", err)
	}
	defer c.Close()
	for i := range 20 {
		msg := fmt.Sprintf("message %d", i)
		c.Write([]byte(msg))
		b := make([]byte, len(msg))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != msg {
			fail("echo: %q %v", b, err)
		}
	}
	time.Sleep(5 * time.Millisecond) // keep below the number of ports
}

//go:noinline
func deep(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return 0
	}
	return deep(n-1) + pad[n%64] - n + 1
}

func grow() {
	c := make(chan int)
	go func() { c <- deep(3000) }()
	if got := <-c; got != 3000 {
		fail("stack growth: %d", got)
	}
}

//go:noinline
func deref(p *node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	p.v++
	return nil
}

func nils() {
	err := deref(nil)
	var re runtime.Error
	if err == nil || !errors.As(err, &re) || err.Error() != "runtime error: invalid memory address or nil pointer dereference" {
		fail("nil dereference: %v", err)
	}
}

func floats() {
	s := 0.0
	for i := range 10000 {
		s += float64(i) * 0.5
	}
	if s != 24997500 {
		fail("floats: %v", s)
	}
	b := []byte("0123456789")
	copy(b[1:], b)
	if string(b) != "0012345678" {
		fail("backward copy: %s", b)
	}
}

func children() {
	if err := exec.Command("/proc/self/exe", "true").Run(); err != nil {
		fail("fork and exec: %v", err)
	}
	time.Sleep(10 * time.Millisecond)
}
