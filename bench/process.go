package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ticks is what the kernel counts the processor time of processes in, a second
// (USER_HZ, which is 100 on amd64).
const ticks = 100

// cpuTime is the processor time that processes have taken, in seconds: utime and stime
// of proc_pid_stat(5). One that is gone has none.
func cpuTime(pids ...int) (seconds float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) < 13 {
			continue
		}
		for _, f := range fields[11:13] {
			n, _ := strconv.ParseFloat(f, 64)
			seconds += n / ticks
		}
	}
	return seconds
}

// running are the processes that run an executable.
func running(exe string) (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if at, err := os.Readlink(link); err != nil || at != exe {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
