package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/sidelight-dev/sidelight/internal/debuginfo"
	"github.com/sidelight-dev/sidelight/internal/inject"
)

// guard is a small process that outlives this one by a moment: it waits on a
// pipe for our end and, unless we said that all is done, takes the probes out.
type guard struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// allDone is what a tool that needs no guard any more says.
const allDone = "done\n"

// startGuard starts the guard of a target in a session of its own, so that a
// terminal's Ctrl-C does not reach it. Without a command there is none.
func startGuard(command []string, pid int, start uint64) (*guard, error) {
	if len(command) == 0 {
		return nil, nil
	}
	args := append(command[1:len(command):len(command)], strconv.Itoa(pid), strconv.FormatUint(start, 10))
	g := &guard{cmd: exec.Command(command[0], args...)}
	g.cmd.Dir = "/"
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var err error
	if g.pipe, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	return g, nil
}

// done lets the guard go.
func (g *guard) done() {
	if g == nil {
		return
	}
	_, _ = io.WriteString(g.pipe, allDone)
	_ = g.pipe.Close()
	_ = g.cmd.Wait()
}

// leave lets the guard clear the target now, as if we had ended.
func (g *guard) leave() {
	if g == nil {
		return
	}
	_ = g.pipe.Close()
	go func() { _ = g.cmd.Wait() }() // it waits for our lock first
}

// guardRest is how long a guard rests at most before it tries again. It stays as
// long as the target lives: a target that is stopped, or in a debugger, may go on
// after days, with our jumps in it.
const guardRest = 5 * time.Second

// Guard is the whole life of a guard: it reads from the tool's pipe until the
// tool has ended, and clears the target if the tool could not. args are the
// target's pid and its start time, as startGuard gives them.
func Guard(args []string, pipe io.Reader) error {
	if len(args) != 2 {
		return errors.New("a guard needs a pid and a start time; it is started by sidelight itself")
	}
	pid, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	start, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return err
	}
	said, _ := io.ReadAll(io.LimitReader(pipe, 64))
	if string(said) == allDone {
		return nil
	}
	return persist(time.Sleep, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
		defer cancel()
		return Clear(ctx, pid, start)
	})
}

// persist clears until that is done or the target is no more.
func persist(rest func(time.Duration), clear func() error) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, guardRest) {
		if err := clear(); err == nil || gone(err) || noProcess(err) {
			return err
		}
		rest(wait)
	}
}

// noProcess tells whether an error says that there is no such process any more.
func noProcess(err error) bool {
	var refused *inject.RefusedError
	return errors.As(err, &refused) && !refused.Refused()
}

// Clear takes out everything that Sidelights which died have left in a process.
// start is its start time, so that another process with the same pid is left
// alone; 0 for whichever has the pid now.
func Clear(ctx context.Context, pid int, start uint64) error {
	proc, err := inject.Open(pid)
	if err != nil {
		return refusal(err)
	}
	defer proc.Close()
	if start != 0 && proc.StartTime() != start {
		return inject.ErrExited
	}
	unlock, err := proc.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	proc.Lend(func() (inject.Once, bool) { return onceOf(pid) })
	var changed *inject.ChangedError // what others have written there is theirs
	if err := proc.CleanCave(); err != nil && !errors.As(err, &changed) {
		return err
	}
	bays, err := proc.Bays()
	if err != nil {
		return err
	}
	for _, info := range bays {
		if info.Leftover() {
			if _, err := proc.Clear(info); err != nil {
				return err
			}
		}
	}
	_, err = proc.CloseLeaked()
	return err
}

// once is where a first stub may stand in a program without room for it: in code
// that has run when there is any goroutine, as the count of them at allglen says.
func once(b *debuginfo.Build, allglen uint64) (inject.Once, bool) {
	edge, middle, ok := b.Once()
	return inject.Once{Edge: edge, Middle: middle, Ran: allglen}, ok
}

// onceOf is the same of a process in which a stub is looked for, but none put.
func onceOf(pid int) (inject.Once, bool) {
	b, err := debuginfo.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return inject.Once{}, false
	}
	defer b.Close()
	return once(b, 0)
}
