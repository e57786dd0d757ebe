// Command hazardcgo does what C can do to a Go program while probes are in it.
// It answers as hazard does.
package main

/*
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern int fromC(int n);

static int callBack(int n) { return fromC(n); }

static void *run(void *arg) {
	long n = (long)arg, sum = 0;
	for (int i = 0; i < n; i++) sum += fromC(i);
	return (void *)sum;
}

// aThread calls Go n times from a thread that C made.
static long aThread(long n) {
	pthread_t t;
	void *sum;
	if (pthread_create(&t, NULL, run, (void *)n) != 0) return -1;
	pthread_join(t, &sum);
	return (long)sum;
}

// deafen blocks or unblocks all signals of the calling thread.
static void deafen(int on) {
	sigset_t s;
	sigfillset(&s);
	pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &s, NULL);
}

static void *waitDeaf(void *arg) {
	deafen(1);
	for (;;) pause();
}

static void aDeafThread(void) {
	pthread_t t;
	pthread_create(&t, NULL, waitDeaf, NULL);
}

// aChild forks in C; the child stays in C and does not exec.
static int aChild(void) {
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		char *p = malloc(1000);
		p[0] = 1;
		usleep(1000);
		_exit(p[0] == 1 ? 0 : 1);
	}
	while (waitpid(pid, &status, 0) < 0) {}
	return status;
}
*/
import "C"

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

//go:noinline
func leaf(n int) int {
	return n*3 + 1 // mark:cleaf
}

//export fromC
func fromC(n C.int) (out C.int) {
	defer func() {
		if recover() != nil {
			out = -1
		}
	}()
	if n%10 == 9 {
		var p *[100]int
		return C.int(p[n]) // mark:cnil
	}
	return C.int(leaf(int(n)))
}

func want(i int) C.int {
	if i%10 == 9 {
		return -1
	}
	return C.int(3*i + 1)
}

func broken(what string, why any) {
	fmt.Println("broken", what, why)
	os.Exit(3)
}

// scenarios return how often leaf was passed.
var scenarios = map[string]func(n int) int{
	"callback": func(n int) int {
		for i := range n {
			if got := C.callBack(C.int(i)); got != want(i) {
				broken("callback", got)
			}
		}
		return n - n/10
	},
	"cthread": func(n int) int {
		sum := C.long(0)
		for i := range n {
			sum += C.long(want(i))
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if got := C.aThread(C.long(n)); got != sum {
					broken("cthread", got)
				}
			}()
		}
		wg.Wait()
		return 4 * (n - n/10)
	},
	"cfork": func(n int) int {
		for i := range n {
			if status := C.aChild(); status != 0 {
				broken("cfork", status)
			}
			if leaf(i) != 3*i+1 {
				broken("leaf", i)
			}
		}
		return n
	},
}

var hear = make(chan bool)

// deaf lets a thread that runs Go code block all signals until it is called again
// with 0.
func deaf(n int) int {
	if n == 0 {
		hear <- true
		<-hear
		return 0
	}
	ready := make(chan bool)
	go func() {
		runtime.LockOSThread()
		C.deafen(1)
		close(ready)
		<-hear
		C.deafen(0)
		hear <- true
		runtime.UnlockOSThread()
	}()
	<-ready
	return n
}

// deafc makes a thread of C's own that blocks all signals, for ever.
func deafC(n int) int {
	C.aDeafThread()
	return n
}

func init() { scenarios["deaf"], scenarios["deafc"] = deaf, deafC }

func main() {
	in := bufio.NewScanner(os.Stdin)
	fmt.Println("ready")
	for in.Scan() {
		words := strings.Fields(in.Text())
		n, _ := strconv.Atoi(words[len(words)-1])
		fmt.Println("done", words[1], scenarios[words[1]](n))
	}
}
