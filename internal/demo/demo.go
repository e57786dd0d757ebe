// Package demo brings the sample service that shows what Sidelight does.
//
// A wish to see it comes in from package cli; a running service with its own
// traffic, the probes worth putting into it and the commands worth trying go
// out. The service itself is package shop, in a child process of this program.
package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sidelight-dev/sidelight/internal/demo/shop"
)

// Command is the hidden subcommand that makes this program the service.
const Command = "demo-service"

// Name is what the service calls itself, so that it is found by that name.
const Name = "shop"

// opened begins the line by which the service says that it takes orders.
const opened = "open on "

// Service is a running sample service.
type Service struct {
	PID   int
	cmd   *exec.Cmd
	leash io.WriteCloser // the service ends when this closes, also by our death
}

// Start runs the service from an executable of this program, and returns when
// it takes orders. Messages of the service go to log.
func Start(ctx context.Context, executable string, log io.Writer) (*Service, error) {
	cmd := exec.Command(executable, Command)
	cmd.Args[0] = Name
	cmd.Stderr = log
	// A process group of its own: Ctrl-C in the terminal ends the demo, which
	// first takes its probes out, and then the service.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	leash, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Service{PID: cmd.Process.Pid, cmd: cmd, leash: leash}
	if err := s.awaitOpen(ctx, out); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Service) awaitOpen(ctx context.Context, out io.Reader) error {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- text
	}()
	select {
	case text := <-line:
		if !strings.HasPrefix(text, opened) {
			return errors.New("the sample service did not start")
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stop ends the service and waits until it is gone.
func (s *Service) Stop() error {
	s.leash.Close()
	err := s.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("the sample service ended badly: %w", err)
	}
	return err
}

// Serve is the service: it runs in the child process until its standard input
// ends. That happens also when its parent is killed, and, other than
// PR_SET_PDEATHSIG, does not happen when the thread ends that started it.
func Serve(stdin io.Reader, stdout io.Writer) error {
	introduce()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _ = io.Copy(io.Discard, stdin)
	}()
	return shop.Run(ctx, func(addr net.Addr) {
		fmt.Fprintf(stdout, "%s%s\n", opened, addr)
	})
}

// introduce gives the process its name and lets anybody of the same user trace
// it: under Yama (kernel.yama.ptrace_scope=1) that is the parent's right alone,
// and the demo's commands are to work from a second terminal. Without Yama the
// second fails, and nothing is lost.
func introduce() {
	_ = os.WriteFile("/proc/self/comm", []byte(Name), 0o644)
	_ = unix.Prctl(unix.PR_SET_PTRACER, unix.PR_SET_PTRACER_ANY, 0, 0, 0)
}
