// Command calls knows exactly what the aggregates of a probe must come to: it adds
// up its own numbers, and takes its own times, and says so.
//
//	run NAME N   runs a scenario; answers one line of JSON
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// truth is what a scenario came to.
type truth struct {
	Count     uint64             `json:"count"`
	Sum       int64              `json:"sum"`
	Min       int64              `json:"min"`
	Max       int64              `json:"max"`
	Last      int64              `json:"last"`
	Values    []int64            `json:"values"` // all of them, sorted, where there are few
	By        map[string]uint64  `json:"by"`
	Sums      map[string]int64   `json:"sums"`
	FloatSum  float64            `json:"floatSum"`
	Returned  uint64             `json:"returned"`
	Recovered uint64             `json:"recovered"`
	Panicked  uint64             `json:"panicked"`
	Goexited  uint64             `json:"goexited"`
	Running   uint64             `json:"running"`
	Durations []int64            `json:"durations"`
	Means     map[string]float64 `json:"means"`
	Took      map[int]int64      `json:"took"` // by job
}

// job is what handle changes while it works on it.
type job struct {
	ID    int
	Name  string
	Parts []int
	Tags  map[string]int
	Next  *job
}

func newJob(id int) *job {
	return &job{ID: id, Name: fmt.Sprintf("job-%d", id), Parts: []int{id, id + 1}, Tags: map[string]int{"id": id},
		Next: &job{ID: -id, Name: fmt.Sprintf("next-%d", id)}}
}

// handle spoils all that it was given, takes so long, and ends as it is told.
//
//go:noinline
func handle(j *job, label string, d time.Duration, how string) (took time.Duration) {
	began := time.Now()
	name := j.Name
	*j.Next = job{Name: "spoilt"}
	j.Next, j.ID, j.Name, j.Tags["id"] = nil, -1, "spoilt", -1
	for i := range j.Parts {
		j.Parts[i] = -1
	}
	label = "spoilt " + label
	sink.Add(int64(len(name) + len(label)))
	switch how {
	case "wait":
		time.Sleep(d)
	case "collect":
		runtime.GC()
		spin(d)
	case "grow":
		deep[3] += grow(60)
		spin(d)
	case "panic":
		spin(d)
		panic("handle")
	case "goexit":
		spin(d)
		runtime.Goexit()
	default:
		spin(d)
	}
	return time.Since(began)
}

// nested is a handle within a handle: each has a job of its own.
//
//go:noinline
func nested(j *job, depth int, d time.Duration, password string) (took time.Duration) {
	began := time.Now()
	if j.ID = -j.ID; depth > 0 {
		nested(newJob(-j.ID+1), depth-1, d, password)
	}
	sink.Add(int64(len(password)))
	spin(d)
	return time.Since(began)
}

const slow = 12 * time.Millisecond

// jobs handles n jobs, of which some are slow.
func jobs(n int) *truth {
	t := &truth{Took: map[int]int64{}}
	for i := range n {
		id, d, how := i+1, 10*time.Microsecond, []string{"", "collect", "grow"}[i%3]
		if i%10 == 3 {
			d = slow
		}
		done := make(chan time.Duration)
		j := newJob(id)
		go func() { done <- handle(j, fmt.Sprintf("label-%d", id), d, how) }()
		t.Took[id] = int64(<-done)
		t.Returned++
	}
	return t
}

// lost handles n jobs whose calls do not return.
func lostJobs(n int) *truth {
	t := &truth{}
	for i := range n {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { _ = recover() }()
			handle(newJob(i), "label", 0, []string{"panic", "goexit"}[i%2])
		}()
		<-done
	}
	t.Panicked, t.Goexited = uint64(n-n/2), uint64(n/2)
	return t
}

// crowd lets n jobs wait at once.
func crowd(n int) *truth {
	t := &truth{Took: map[int]int64{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			took := handle(newJob(i+1), fmt.Sprintf("label-%d", i+1), 30*time.Millisecond, "wait")
			mu.Lock()
			defer mu.Unlock()
			t.Took[i+1] = int64(took)
			t.Returned++
		}()
	}
	wg.Wait()
	return t
}

// nests runs n nested jobs.
func nests(n int) *truth {
	for i := range n {
		nested(newJob(100*(i+1)), 4, time.Millisecond, "hunter2")
	}
	return &truth{Returned: 5 * uint64(n)}
}

var sink atomic.Int64

//go:noinline
func order(qty int, price float64, user string) {
	sink.Add(int64(qty) + int64(price) + int64(len(user))) // mark:order
}

func (t *truth) add(v int64) {
	if t.Count == 0 {
		t.Min, t.Max = v, v
	}
	t.Count++
	t.Sum += v
	t.Min, t.Max, t.Last = min(t.Min, v), max(t.Max, v), v
	t.Values = append(t.Values, v)
}

// numbers passes n orders by several goroutines.
func numbers(n int) *truth {
	t := &truth{By: map[string]uint64{}, Sums: map[string]int64{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			x := uint64(g + 1)
			for i := range n / 4 {
				x = x*6364136223846793005 + 1442695040888963407
				qty := int(x>>40) - 1<<22
				price := math.Exp(float64(int64(x)>>50) / 300)
				user := fmt.Sprintf("user-%d", x>>33%50)
				if i%100 == 0 {
					user += "-with-a-very-long-name-that-no-table-of-keys-has-room-for-because-it-is-too-long"
				}
				mu.Lock()
				t.add(int64(qty))
				t.By[user]++
				t.Sums[user] += int64(qty)
				t.FloatSum += price
				mu.Unlock()
				order(qty, price, user)
			}
		}()
	}
	wg.Wait()
	time.Sleep(400 * time.Millisecond) // the last number is known to a look of the tool
	order(4711, 1, "last")
	t.add(4711)
	t.By["last"]++
	t.Sums["last"] += 4711
	t.FloatSum++
	sort.Slice(t.Values, func(i, j int) bool { return t.Values[i] < t.Values[j] })
	return t
}

// keys passes more users than there are rows.
func keys(n int) *truth {
	t := &truth{By: map[string]uint64{}}
	for i := range n {
		user := fmt.Sprint(i % 3000)
		t.By[user]++
		t.Count++
		order(i, 1, user)
	}
	return t
}

// spin keeps the processor busy for a time, and says how long that was.
//
//go:noinline
func spin(d time.Duration) time.Duration {
	began := time.Now()
	for {
		if gone := time.Since(began); gone >= d {
			return gone
		}
	}
}

var deep [64]byte

// grow needs a stack of so many kilobytes.
//
//go:noinline
func grow(k int) byte {
	var b [1024]byte
	b[k%1024] = byte(k)
	if k > 0 {
		return b[k%7] + grow(k-1)
	}
	return b[0]
}

//go:noinline
func work(kind string, d time.Duration, depth int) (took time.Duration) {
	took = spin(d)
	switch kind {
	case "panic":
		panic("work")
	case "goexit":
		runtime.Goexit()
	case "recurse":
		if depth > 0 {
			took += work(kind, d, depth-1)
		}
	case "grow":
		deep[3] += grow(60 + depth)
	}
	return took
}

//go:noinline
func safely(kind string, d time.Duration) (failed bool) {
	defer func() { failed = recover() != nil }()
	work(kind, d, 0)
	return false
}

// saved recovers by itself.
//
//go:noinline
func saved(bad bool) (n int) {
	defer func() {
		if recover() != nil {
			n = -1
		}
	}()
	sink.Add(1)
	if bad {
		panic("saved")
	}
	return 1
}

//go:noinline
func parked(in *sync.WaitGroup, out chan struct{}) {
	in.Done()
	<-out
}

func inlinee(n int) int { // small enough to be inlined
	return n*n + 3
}

//go:noinline
func inliner(n int) int {
	a := inlinee(n)
	sink.Add(int64(a))
	return a + inlinee(a)
}

//go:noinline
func way(bad bool, d time.Duration) {
	sink.Add(1) // mark:from
	spin(d)
	if bad {
		return
	}
	sink.Add(2) // mark:to
}

//go:noinline
func never() {
	if sink.Load() != -1 {
		panic("never returns")
	}
	for {
		sink.Add(1)
	}
}

//go:noinline
func result(n int) (int, error) {
	if n%3 == 0 {
		return 0, fmt.Errorf("number %d", n)
	}
	return n, nil
}

func times(n int) *truth {
	t := &truth{By: map[string]uint64{}}
	for i := range n {
		d := time.Duration(50+50*(i%10)) * time.Microsecond
		switch i % 8 {
		case 0:
			if safely("panic", d) {
				t.Panicked++
				t.By["panic"]++
			}
		case 1:
			done := make(chan struct{})
			go func() {
				defer close(done)
				work("goexit", d, 0)
			}()
			<-done
			t.Goexited++
			t.By["goexit"]++
		case 2:
			work("recurse", d, 4)
			t.Returned += 5
			t.By["recurse"] += 5
		case 3:
			done := make(chan struct{})
			go func() {
				defer close(done)
				work("grow", d, i%50)
			}()
			<-done
			t.Returned++
			t.By["grow"]++
		default:
			t.Durations = append(t.Durations, int64(work("plain", d, 0)))
			t.Returned++
			t.By["plain"]++
		}
	}
	return t
}

// recovering calls a function that recovers by itself.
func recovering(n int) *truth {
	t := &truth{}
	for i := range n {
		if saved(i%3 == 0) < 0 {
			t.Recovered++
		} else {
			t.Returned++
		}
	}
	return t
}

// savedTwice recovers, panics again in a deferred call, and recovers from that; the
// calls after the recovery are timed as well.
//
//go:noinline
func savedTwice(n int) (out int) {
	defer func() {
		if recover() != nil {
			out = -1
		}
	}()
	defer func() {
		if recover() != nil {
			panic("again")
		}
	}()
	defer func() {
		if n > 1 {
			savedTwice(n - 2)
		}
	}()
	for range n % 2 { // of its own frame in a loop: not open-coded in any build
		defer func() {}()
	}
	if n%2 == 1 {
		panic("at first")
	}
	return n
}

func twice(n int) *truth {
	t := &truth{}
	for i := range n {
		savedTwice(i % 6)
		for k := i % 6; ; k -= 2 {
			if k%2 == 1 {
				t.Recovered++
			} else {
				t.Returned++
			}
			if k <= 1 {
				break
			}
		}
	}
	return t
}

// together lets n goroutines be in one function at once, for a while, and end.
func together(n int, while time.Duration) {
	var in, gone sync.WaitGroup
	out := make(chan struct{})
	in.Add(n)
	gone.Add(n)
	for range n {
		go func() {
			defer gone.Done()
			parked(&in, out)
		}()
	}
	in.Wait()
	time.Sleep(while)
	close(out)
	gone.Wait()
}

func many(n int) *truth {
	together(n, 50*time.Millisecond)
	return &truth{Returned: uint64(n)}
}

var stay = make(chan struct{})

// left leaves goroutines in a function.
func left(n int) *truth {
	var in sync.WaitGroup
	in.Add(n)
	for range n {
		go parked(&in, stay)
	}
	in.Wait()
	return &truth{Running: uint64(n)}
}

// churn goes on to make goroutines, n at a time, that pass parked and end.
func churn(n int) *truth {
	go func() {
		for {
			together(n, 100*time.Microsecond)
		}
	}()
	return &truth{}
}

// died leaves goroutines that ended after they had recovered from a panic.
func died(n int) *truth {
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			safely("panic", 0)
		}()
	}
	wg.Wait()
	return &truth{Panicked: uint64(n)}
}

func inlines(n int) *truth {
	for i := range n {
		inliner(i)
	}
	return &truth{Returned: 2 * uint64(n)}
}

func ways(n int) *truth {
	t := &truth{}
	for i := range n {
		way(i%4 == 0, 10*time.Microsecond)
		if i%4 != 0 {
			t.Returned++
		} else {
			t.Running = 1 // begins anew next time
		}
	}
	return t
}

func results(n int) *truth {
	for i := range n {
		_, err := result(i)
		if err != nil {
			sink.Add(1)
		}
	}
	return &truth{Returned: uint64(n)}
}

func fast(n int) *truth {
	for i := range n {
		inliner(i)
	}
	return &truth{Returned: uint64(n)}
}

// profiled is fast while a CPU profile is taken 500 times a second, collections run
// and goroutines are asked to yield.
func profiled(n int) *truth {
	runtime.SetCPUProfileRate(500) // StartCPUProfile keeps it, and says so
	var cpu bytes.Buffer
	if err := pprof.StartCPUProfile(&cpu); err != nil {
		panic(err)
	}
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	const workers = 4
	var all sync.WaitGroup
	for range workers {
		all.Add(1)
		go func() {
			defer all.Done()
			fast(n)
		}()
	}
	all.Wait()
	close(stop)
	<-stopped
	pprof.StopCPUProfile()
	return &truth{Returned: workers * uint64(n), Count: uint64(cpu.Len())}
}

func nevers(n int) *truth {
	for range n {
		func() {
			defer func() { _ = recover() }()
			never()
		}()
	}
	return &truth{Panicked: uint64(n)}
}

func main() {
	scenarios := map[string]func(int) *truth{"numbers": numbers, "keys": keys, "times": times, "recovering": recovering, "twice": twice,
		"many": many, "left": left, "died": died, "inlines": inlines, "ways": ways, "results": results, "fast": fast, "nevers": nevers,
		"jobs": jobs, "lostJobs": lostJobs, "crowd": crowd, "nests": nests, "profiled": profiled, "churn": churn}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var name string
		var n int
		if _, err := fmt.Sscanf(in.Text(), "run %s %d", &name, &n); err != nil || scenarios[name] == nil {
			fmt.Println("mistake:", in.Text())
			continue
		}
		answer, err := json.Marshal(scenarios[name](n))
		if err != nil {
			panic(err)
		}
		fmt.Println(string(answer))
	}
}
