// Command hazard does, when it is told on standard input, what a probe could
// break. It checks its own results, and says how often it passed the line that
// a scenario is about:
//
//	run NAME N   answers "done NAME COUNT"
//	go NAME N    the same in the background; answers when it has ended
//	exit CODE
//
// It ends with status 3 and a line that begins with "broken" as soon as
// something is wrong.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

var say sync.Mutex

func tell(args ...any) {
	say.Lock()
	defer say.Unlock()
	fmt.Println(args...)
}

func broken(what string, why any) {
	tell("broken", what, why)
	os.Exit(3)
}

// scenarios return how often the line was passed that they are about.
var scenarios = map[string]func(n int) int{
	// code.go
	"callgc": callGC, "callgrow": callGrow, "callclosure": callClosure, "callmethod": callMethod, "calltrace": callTrace,
	"nil": nils, "fault": faults, "crash": crash,
	"defers": defers, "goexit": goexits, "open": openCoded, "through": through,
	// sched.go
	"spinners": spinners, "spinon": spinOn, "mixers": mixers, "ticks": ticks, "collect": collect, "locked": lockedThreads,
	"procs": procs, "births": births, "deep": deeps, "profile": profiles, "stacks": stacks,
	// moment.go
	"cyclic": cyclic, "corrupt": corrupt, "freed": freed, "written": written, "huge": huge, "crowd": crowd, "receivers": nilReceivers,
	// system.go
	"fork": forks, "clone": clones, "exec": execSelf, "restarts": restarts, "signals": signals, "heard": heard, "endstorm": endStorm,
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		return
	}
	debug.SetGCPercent(50)
	in := bufio.NewScanner(os.Stdin)
	tell("ready")
	for in.Scan() {
		words := strings.Fields(in.Text())
		n, _ := strconv.Atoi(words[len(words)-1])
		switch words[0] {
		case "run":
			tell("done", words[1], scenarios[words[1]](n))
		case "go":
			go func() { tell("done", words[1], scenarios[words[1]](n)) }()
		case "exit":
			os.Exit(n)
		}
	}
}
