//go:build linux && amd64

package inject

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// threads tells where the threads of a target are.
func threads(p *Proc) string {
	var b strings.Builder
	tids, _ := p.tids()
	for _, tid := range tids {
		name := fmt.Sprintf("/proc/%d/task/%d/", p.PID, tid)
		st := parseStatus([]byte(readFile(name + "status")))
		fmt.Fprintf(&b, "%d %s blocked %s pending %s tracer %s in %s", tid, st["State"], st["SigBlk"], st["SigPnd"], st["TracerPid"], readFile(name+"syscall"))
	}
	for range 3 {
		for _, tid := range tids {
			st := parseStatus([]byte(readFile(fmt.Sprintf("/proc/%d/task/%d/status", p.PID, tid))))
			if st["State"][0] == 'R' {
				fmt.Fprintln(&b, tid, st["SigPnd"], st["SigBlk"], st["voluntary_ctxt_switches"], st["nonvoluntary_ctxt_switches"], readFile(fmt.Sprintf("/proc/%d/task/%d/stat", p.PID, tid)), readFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", p.PID, tid)))
			}
		}
		time.Sleep(300 * time.Millisecond)
	}
	for range 3 {
		for _, tid := range tids {
			if w, err := p.where(tid); err == nil && w.running {
				err := p.Look(tid, func(v View) {
					fmt.Fprintf(&b, "%d pc %#x sp %#x r14 %#x mask %#x", tid, v.PC, v.SP, v.R14, v.Mask)
				})
				fmt.Fprintln(&b, err)
			}
		}
	}
	maps, _ := p.Maps()
	for _, m := range maps {
		if isOurs(m) || strings.HasPrefix(m.Path, "/tmp") {
			fmt.Fprintf(&b, "%x %x %v %s\n", m.Lo, m.Hi, m.Exec, m.Path)
		}
	}
	dir, _ := p.readDirectory()
	fmt.Fprintf(&b, "%#x\n", dir)
	return b.String()
}

func itoa(n int) string { return strconv.Itoa(n) }

func hex(v uint64) string { return strconv.FormatUint(v, 16) }

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func readFile(name string) string {
	b, _ := os.ReadFile(name)
	return string(b)
}
