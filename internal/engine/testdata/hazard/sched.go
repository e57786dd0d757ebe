package main

import (
	"bytes"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"sync"
	"sync/atomic"
	"time"
)

//go:noinline
func leaf(n int) int {
	return n*3 + 1 // mark:leaf
}

// spinners lets 20 goroutines pass n times each, which call nothing that yields.
func spinners(n int) int {
	var wg sync.WaitGroup
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := 0
			for i := range n {
				s += leaf(i)
			}
			if want := 3*n*(n-1)/2 + n; s != want {
				broken("spinners", s)
			}
		}()
	}
	wg.Wait()
	return 20 * n
}

// spinOn is spinners until endstorm.
func spinOn(n int) int {
	stop.Store(false)
	var wg sync.WaitGroup
	var passed atomic.Int64
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				s := 0
				for i := range 10000 {
					s += leaf(i)
				}
				if s != 149995000 {
					broken("spinon", s)
				}
				passed.Add(10000)
			}
		}()
	}
	wg.Wait()
	return int(passed.Load())
}

// mix is a loop of short instructions, one line each: wherever a goroutine is
// preempted, it stands inside the window of some line.
//
//go:noinline
func mix(n int) (a, b, c, d uint64) {
	a, b, c, d = 1, 2, 3, 4
	for range n {
		a += b  // mark:mix1
		b ^= c  // mark:mix2
		c += d  // mark:mix3
		d ^= a  // mark:mix4
		a ^= 7  // mark:mix5
		b += 11 // mark:mix6
	}
	return a, b, c, d
}

var stop atomic.Bool

// mixers mixes in n goroutines until endStorm; all must come to the same result.
func mixers(n int) int {
	const rounds = 20000
	stop.Store(false)
	a, b, c, d := mix(rounds)
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for !stop.Load() {
				if a1, b1, c1, d1 := mix(rounds); a1 != a || b1 != b || c1 != c || d1 != d {
					broken("mixers", a1)
				}
			}
		}()
	}
	wg.Wait()
	return n
}

func endStorm(n int) int {
	stop.Store(true)
	return n
}

// ticks goes on only as long as the scheduler does.
func ticks(n int) int {
	t := time.NewTicker(time.Millisecond)
	defer t.Stop()
	for range n {
		<-t.C
	}
	return n
}

// collect needs every goroutine to stop twice a turn.
func collect(n int) int {
	for range n {
		runtime.GC()
	}
	return n
}

func lockedThreads(n int) int {
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			defer wg.Done()
			for i := range n {
				if leaf(i) != 3*i+1 {
					broken("locked", i)
				}
				if i%1000 == 0 {
					runtime.Gosched()
				}
			}
		}()
	}
	wg.Wait()
	return 4 * n
}

// procs changes the number of processors while goroutines pass.
func procs(n int) int {
	old := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(old)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range n {
				sinks[i%8].Add(int64(leaf(i)))
			}
		}()
	}
	done := make(chan bool)
	go func() { wg.Wait(); close(done) }()
	for k := 0; ; k++ {
		select {
		case <-done:
			return 8 * n
		default:
			runtime.GOMAXPROCS([]int{1, 2, 7, 40, 3, 130}[k%6])
		}
	}
}

var sinks [8]atomic.Int64

// births makes threads that are born and die all the time.
func births(n int) int {
	for i := range n {
		done := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			done <- leaf(i)
		}()
		if got := <-done; got != 3*i+1 {
			broken("births", got)
		}
	}
	return n
}

//go:noinline
func deep(n int) int {
	var pad [40]int
	pad[n%40] = n
	if n == 0 {
		return pad[0]
	}
	return deep(n-1) + pad[n%40] // mark:deep
}

func deeps(n int) int {
	done := make(chan int)
	for k := range n {
		go func() { done <- deep(100 + k) }()
		if got, m := <-done, 100+k; got != m*(m+1)/2 {
			broken("deep", got)
		}
	}
	return n*100 + n*(n-1)/2
}

// profiles is watched by the CPU profiler and the execution tracer while it passes.
func profiles(n int) int {
	var cpu, events bytes.Buffer
	runtime.SetCPUProfileRate(2000)
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		broken("profile", err)
	}
	if err := trace.Start(&events); err != nil {
		broken("trace", err)
	}
	got := spinners(n)
	trace.Stop()
	pprof.StopCPUProfile()
	if cpu.Len() == 0 || events.Len() == 0 {
		broken("profile", "empty")
	}
	return got
}

// stacks reads the stacks of all goroutines while they pass.
func stacks(n int) int {
	done := make(chan int)
	go func() { done <- spinners(n) }()
	buf := make([]byte, 1<<20)
	for {
		select {
		case got := <-done:
			return got
		default:
			if k := runtime.Stack(buf, true); bytes.Contains(buf[:k], []byte("unknown pc")) {
				broken("stacks", string(buf[:k]))
			}
			_ = pprof.Lookup("goroutine").WriteTo(&bytes.Buffer{}, 1)
		}
	}
}
