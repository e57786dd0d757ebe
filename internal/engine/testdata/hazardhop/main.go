// The program hazardhop has hot lines on which no five-byte jump fits, and is profiled
// and collected all the time.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// letters has an instruction of three bytes before one to which a branch leads.
//
//go:noinline
func letters(s string, count *int) {
	i := 0
	for i < len(s) {
		if s[i] == 'a' {
			*count++
		}
		i++ // mark:short
	}
}

// pairs has one of four bytes, and comes half as often there.
//
//go:noinline
func pairs(s string, count *int) {
	i := 0
	for i < len(s) {
		if s[i] != s[i+1] {
			*count++
		}
		i += 2 // mark:shorter
	}
}

var text = strings.Repeat("the quick brown fox jumps over a lazy dog and a cat ", 20)

// work lets two threads count at once, and returns how often they came to the first line.
func work(n int) uint64 {
	var sum atomic.Uint64
	var done sync.WaitGroup
	for range 2 {
		done.Add(1)
		go func() {
			defer done.Done()
			runtime.LockOSThread()
			for range n {
				a, b := 0, 0
				letters(text, &a)
				pairs(text, &b)
				if a != 100 || b != len(text)/2 {
					panic(fmt.Sprint("wrong: ", a, b))
				}
				sum.Add(uint64(len(text)))
			}
		}()
	}
	done.Wait()
	return sum.Load()
}

func busy() {
	runtime.SetCPUProfileRate(2000)
	go func() {
		for {
			runtime.GC()
			runtime.Gosched()
		}
	}()
}

func main() {
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var name string
		var n int
		if in.Text() == "busy" {
			busy()
			continue
		}
		if _, err := fmt.Sscanf(in.Text(), "run %s %d", &name, &n); err != nil {
			fmt.Println("what is", in.Text())
			continue
		}
		fmt.Println("done", name, work(n))
	}
}
