// Spin is a target of the tests: many more goroutines than processors run a
// loop of short instructions that the runtime has to preempt, and check what it
// computes. An argument says how many.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const rounds = 20_000_000

//go:noinline
func mix(n uint64) uint64 {
	var a, b, c uint64 = 1, 2, 3
	for i := uint64(0); i < n; i++ {
		a += b
		b ^= c
		c += a
		a ^= i
		b += a
	}
	return a ^ b ^ c
}

var want = mix(rounds)
var done atomic.Int64

func main() {
	const prSetPtracer = 0x59616d61
	syscall.Syscall(syscall.SYS_PRCTL, prSetPtracer, ^uintptr(0), 0)
	n, _ := strconv.Atoi(os.Args[1])
	runtime.GOMAXPROCS(4)
	for range n {
		go func() {
			for {
				if got := mix(rounds); got != want {
					fmt.Printf("FAIL mix: %#x\n", got)
					os.Exit(3)
				}
				done.Add(1)
			}
		}()
	}
	fmt.Println("ready")
	go func() {
		for { // keeps the garbage collector, and so the preemption, busy
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	io.Copy(io.Discard, os.Stdin)
	fmt.Println("done", done.Load())
}
