// Odd is a target of the tests that does one unusual thing, named by its
// argument, and then waits for its input to end.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	const prSetPtracer = 0x59616d61
	syscall.Syscall(syscall.SYS_PRCTL, prSetPtracer, ^uintptr(0), 0)
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "allow", "kill":
		filter(mode == "kill")
	case "exec": // replaces itself when a byte comes
		fmt.Println("ready")
		os.Stdin.Read(make([]byte, 1))
		if err := syscall.Exec("/proc/self/exe", []string{"odd"}, os.Environ()); err != nil {
			fmt.Println("FAIL", err)
		}
		os.Exit(3)
	case "self":
		mapSelf()
	case "fpe":
		go divide()
	case "profile":
		defer profile()()
	}
	for range 3 {
		go func() {
			for {
				time.Sleep(time.Millisecond)
			}
		}()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	fmt.Println("done", runtime.NumGoroutine())
}

// profile lets two goroutines run under a profile, and tells in the end which functions
// of the program's start it has seen.
func profile() (end func()) {
	var samples bytes.Buffer
	if err := pprof.StartCPUProfile(&samples); err != nil {
		fmt.Println("FAIL", err)
		os.Exit(3)
	}
	for range 2 {
		go func() {
			for {
				down(50)
			}
		}()
	}
	return func() {
		pprof.StopCPUProfile()
		r, err := gzip.NewReader(&samples)
		if err != nil {
			fmt.Println("FAIL", err)
			return
		}
		text, _ := io.ReadAll(r)
		for _, name := range []string{"main.down", "runtime.rt0_go", "runtime.check"} {
			fmt.Println("seen", name, bytes.Contains(text, []byte(name)))
		}
	}
}

//go:noinline
func down(n int) int {
	if n == 0 {
		return 1
	}
	return down(n-1) + n
}

// mapSelf maps the program's own file again, for reading and for executing.
func mapSelf() {
	fd, err := syscall.Open("/proc/self/exe", syscall.O_RDONLY, 0)
	for _, prot := range []int{syscall.PROT_READ, syscall.PROT_READ | syscall.PROT_EXEC} {
		if err == nil {
			_, err = syscall.Mmap(fd, 0, 1<<20, prot, syscall.MAP_PRIVATE)
		}
	}
	if err != nil {
		fmt.Println("FAIL", err)
		os.Exit(3)
	}
}

// divide fails and recovers all the time: faults are always on their way.
func divide() {
	zero := 0
	for {
		func() {
			defer func() { recover() }()
			fmt.Sprint(1 / zero)
		}()
	}
}

// filter installs a seccomp filter on all threads that lets everything through,
// or kills on memfd_create.
func filter(kill bool) {
	const (
		ldAbs, jeq, ret = 0x20, 0x15, 0x06
		allow, killAll  = 0x7fff0000, 0x80000000
		memfdCreate     = 319
	)
	type insn struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}
	prog := []insn{{ldAbs, 0, 0, 0}, {jeq, 0, 1, memfdCreate}, {ret, 0, 0, allow}, {ret, 0, 0, allow}}
	if kill {
		prog[2].k = killAll
	}
	fprog := struct {
		n uint16
		p *insn
	}{uint16(len(prog)), &prog[0]}
	const setNoNewPrivs, sysSeccomp, setModeFilter, tsync = 38, 317, 1, 1
	syscall.AllThreadsSyscall(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0)
	if r, _, e := syscall.Syscall(sysSeccomp, setModeFilter, tsync, uintptr(unsafe.Pointer(&fprog))); r != 0 || e != 0 {
		fmt.Println("FAIL seccomp", r, e)
		os.Exit(3)
	}
}
