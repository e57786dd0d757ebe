// Command target is the program that the benchmark puts probes into. It does
// what it is told on standard input, and times its own calls:
//
//	solo NAME CALLS BATCHES REST   time batches of calls, with a rest of so many µs after each; answers nanoseconds a call, one for each batch
//	duo NAME CALLS BATCHES REST    the same by two threads at once; answers those batches of both that overlapped
//	gaps MILLISECONDS              spin, and answer every time of 10 µs or more in which the spinning stood still,
//	                               each with how much of it was spent waiting for a processor that others held
//	sleepers N                     start threads that sleep in the kernel until there are N in all; answers N
//
// An answer is one line: "ok" and the numbers, or "error" and why.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type order struct {
	ID, Qty int
}

var (
	orders = &order{ID: 7, Qty: 3}
	name   = "a name of twenty b.."
	sink   int
)

// handle stands for a server's handler: it has a frame, as all that call others.
//
//go:noinline
func handle(o *order, name string, price int) int {
	total := o.Qty * price
	if total < 0 {
		total = refuse(o, name)
	}
	return total + len(name)
}

// leaf does the same without a frame, so that nothing proves room on its stack.
//
//go:noinline
func leaf(o *order, name string, price int) int {
	return o.Qty*price + o.ID + len(name)
}

//go:noinline
func refuse(o *order, name string) int {
	return o.ID - len(name)
}

// leave has a line whose only instruction is one byte, with a branch's target
// behind it: only a trap fits.
//
//go:noinline
func leave(n *int) {
	for i := 0; i < 4; i++ {
		if *n == i {
			return // mark:trap
		}
		*n -= i
	}
	*n++
}

// session is what a map of sessions holds.
type session struct{ User string }

var (
	sessions = map[string]*session{}
	visitors [1000]string // keys of it
)

func init() {
	for i := range 100_000 {
		sessions[fmt.Sprintf("session-%07d", i)] = &session{User: fmt.Sprint("user", i)}
	}
	for i := range visitors {
		visitors[i] = fmt.Sprintf("session-%07d", i*97)
	}
}

// serve stands for a handler that knows a session by its name.
//
//go:noinline
func serve(id string, n int) int {
	if n < 0 {
		return refuse(orders, id)
	}
	return len(id) + n
}

// node is an object of the graphs that snapshots copy.
type node struct {
	ID          int
	Left, Right *node
	Load        [2]int
}

// tree is a balanced tree of n nodes.
func tree(n int) *node {
	if n == 0 {
		return nil
	}
	left := (n - 1) / 2
	return &node{ID: n, Left: tree(left), Right: tree(n - 1 - left)}
}

var tree10, tree100, tree1000 = tree(10), tree(100), tree(1000)

// visit stands for a function whose argument leads to much.
//
//go:noinline
func visit(root *node, n int) int {
	if n < 0 {
		return refuse(orders, name)
	}
	return root.ID + n
}

func visits(root *node) func(int) {
	return func(n int) {
		for i := range n {
			visit(root, i&7)
		}
	}
}

// scenarios run one call n times.
var scenarios = map[string]func(n int){
	"handle": func(n int) {
		for i := range n {
			handle(orders, name, i&7)
		}
	},
	"serve": func(n int) {
		for i := range n {
			serve(visitors[i%len(visitors)], i&7)
		}
	},
	"visit10":   visits(tree10),
	"visit100":  visits(tree100),
	"visit1000": visits(tree1000),
	"leaf": func(n int) {
		for i := range n {
			leaf(orders, name, i&7)
		}
	},
	"leave": func(n int) {
		zero := 0
		for range n {
			leave(&zero)
		}
	},
}

// batch is one measurement.
type batch struct{ from, to time.Duration }

func (b batch) perCall(calls int) float64 { return float64(b.to-b.from) / float64(calls) }

var began = time.Now()

func now() time.Duration { return time.Since(began) }

func solo(f func(int), calls, batches int, pause time.Duration) []float64 {
	var out []float64
	for range batches {
		from := now()
		f(calls)
		out = append(out, batch{from, now()}.perCall(calls))
		time.Sleep(pause)
	}
	return out
}

// duo lets two threads begin each batch together, and keeps those batches in
// which both ran nearly all the time.
func duo(f func(int), calls, batches int, pause time.Duration) []float64 {
	var out []float64
	for range batches {
		var arrived atomic.Int32
		var pair [2]batch
		var done sync.WaitGroup
		for i := range pair {
			done.Add(1)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				defer done.Done()
				for arrived.Add(1); arrived.Load() < 2; {
				}
				from := now()
				f(calls)
				pair[i] = batch{from, now()}
			}()
		}
		done.Wait()
		both := min(pair[0].to, pair[1].to) - max(pair[0].from, pair[1].from)
		all := max(pair[0].to, pair[1].to) - min(pair[0].from, pair[1].from)
		if float64(both) > 0.8*float64(all) {
			out = append(out, pair[0].perCall(calls), pair[1].perCall(calls))
		}
		time.Sleep(pause)
	}
	return out
}

// gaps spins for a while. It calls handle on the way, as a busy server would.
// The answer is pairs of numbers, in nanoseconds: the gap, and the waiting in it.
func gaps(long time.Duration) ([]float64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	stat, err := os.Open(fmt.Sprintf("/proc/self/task/%d/schedstat", syscall.Gettid()))
	if err != nil {
		return nil, err
	}
	defer stat.Close()
	out := make([]float64, 0, 1<<20)
	waited, end := waiting(stat), now()+long
	for last := now(); last < end && len(out) < cap(out); {
		handle(orders, name, 3)
		t := now()
		if t-last >= 10*time.Microsecond {
			w := waiting(stat)
			out = append(out, float64(t-last), w-waited)
			waited, t = w, now()
		}
		last = t
	}
	return out, nil
}

// waiting is how long a thread could have run and had no processor: the second
// number of its schedstat (Documentation/scheduler/sched-stats.rst of Linux).
// It allocates nothing.
func waiting(stat *os.File) float64 {
	var b [64]byte
	n, _ := syscall.Pread(int(stat.Fd()), b[:], 0)
	field, value := 0, 0.0
	for _, c := range b[:n] {
		switch {
		case c == ' ':
			field++
		case field == 1:
			value = 10*value + float64(c-'0')
		}
	}
	return value
}

// sleepers starts threads that block in a read which never returns.
func sleepers(want int) (int, error) {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return 0, err
	}
	for tries := 0; threads() < want; tries++ {
		if tries > 2*want {
			return threads(), fmt.Errorf("only %d threads would start", threads())
		}
		go func() {
			runtime.LockOSThread()
			var b [1]byte
			_, _ = syscall.Read(pipe[0], b[:])
		}()
		time.Sleep(time.Millisecond)
	}
	return threads(), nil
}

func threads() int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(entries)
}

func main() {
	allowTracers()
	debug.SetGCPercent(-1)
	fmt.Println("ok")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		numbers, err := obey(strings.Fields(in.Text()))
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		answer(numbers)
	}
}

// allowTracers lets processes that are no parent of this one attach, where the
// Yama module forbids it (prctl PR_SET_PTRACER to any).
func allowTracers() {
	const setTracer = 0x59616d61
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setTracer, ^uintptr(0), 0)
}

func answer(numbers []float64) {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	out.WriteString("ok")
	for _, n := range numbers {
		out.WriteByte(' ')
		out.WriteString(strconv.FormatFloat(n, 'g', 6, 64))
	}
	out.WriteByte('\n')
}

func obey(words []string) ([]float64, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("no command")
	}
	switch words[0] {
	case "solo", "duo":
		return times(words)
	case "gaps", "sleepers":
		if len(words) != 2 {
			return nil, fmt.Errorf("%s wants one number", words[0])
		}
		n, err := strconv.Atoi(words[1])
		if err != nil {
			return nil, err
		}
		if words[0] == "gaps" {
			return gaps(time.Duration(n) * time.Millisecond)
		}
		n, err = sleepers(n)
		return []float64{float64(n)}, err
	}
	return nil, fmt.Errorf("no command %q", words[0])
}

// times obeys solo and duo: name, calls, batches, microseconds of rest.
func times(words []string) ([]float64, error) {
	if len(words) != 5 {
		return nil, fmt.Errorf("%s wants a name and three numbers", words[0])
	}
	f := scenarios[words[1]]
	calls, err := strconv.Atoi(words[2])
	batches, err2 := strconv.Atoi(words[3])
	pause, err3 := strconv.Atoi(words[4])
	if f == nil || err != nil || err2 != nil || err3 != nil {
		return nil, fmt.Errorf("not understood: %v", words)
	}
	run := solo
	if words[0] == "duo" {
		run = duo
	}
	return run(f, calls, batches, time.Duration(pause)*time.Microsecond), nil
}
