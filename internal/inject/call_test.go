//go:build linux && amd64

package inject

import (
	"context"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// count is a number from the environment, for longer runs than usual.
func count(name string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return usual
}

func TestCall(t *testing.T) {
	for _, kind := range []string{"static", "pie", "external"} {
		t.Run(kind, func(t *testing.T) {
			tg := start(t, busyBuild(t, kind), "20")
			p := open(t, tg)
			unlock, err := p.Lock(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			for i := range count("INJECT_CALLS", 300) {
				r, err := p.Call([]Syscall{
					Sys(unix.SYS_GETPID),
					Sys(sysMemfdCreate, Data([]byte("test\x00")), Num(1)),
					Sys(sysFtruncate, Result(1), Num(8192)),
					Sys(sysMmap, Num(0), Num(8192), Num(3), Num(mapPrivate), Result(1), Num(0)),
					Sys(sysMunmap, Result(3), Num(8192)),
					Sys(sysClose, Result(1)),
					Sys(unix.SYS_UNAME, Out(8)),
					Sys(sysClose, Num(1<<30)),
				})
				if err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
				if r.Results[0] != int64(p.PID) || string(r.Scratch[8:13]) != "Linux" {
					t.Fatalf("call %d: %v %q", i, r.Results, r.Scratch[:16])
				}
				for j := range 7 {
					if err := r.Err(j); err != nil {
						t.Fatalf("call %d: system call %d: %v", i, j, err)
					}
				}
				if r.Err(7) != unix.EBADF {
					t.Fatalf("call %d: second close: %v", i, r.Err(7))
				}
			}
			t.Logf("longest pause %v", p.LongestPause())
			tg.end()
		})
	}
}
