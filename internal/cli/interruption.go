package cli

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// interruption is everything from outside that ends a session early.
type interruption struct {
	signals    chan os.Signal
	readerGone chan struct{} // closed when nobody reads the output any more
	done       chan struct{}
}

// catchSignals keeps signals from ending the program before its probes are
// removed. A broken pipe on standard output then is an error of a write
// instead of a signal that kills (package os/signal, "SIGPIPE").
func catchSignals(stdout io.Writer) *interruption {
	i := &interruption{
		signals:    make(chan os.Signal, 4),
		readerGone: make(chan struct{}),
		done:       make(chan struct{}),
	}
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGTSTP}
	if !signal.Ignored(syscall.SIGHUP) { // nohup(1) asks for that
		ends = append(ends, syscall.SIGHUP)
	}
	signal.Notify(i.signals, ends...)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	if f, ok := stdout.(*os.File); ok && isPipe(f) {
		go i.watchReader(int(f.Fd()))
	}
	return i
}

func (i *interruption) release() {
	signal.Stop(i.signals)
	close(i.done)
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeNamedPipe != 0
}

// watchReader notices that the reader of a pipe went away while there is
// nothing to write: poll(2) then reports POLLERR on the end for writing.
func (i *interruption) watchReader(fd int) {
	const wakeUp = 500 // ms, to see that the session is over
	for {
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(fds, wakeUp)
		select {
		case <-i.done:
			return
		default:
		}
		switch {
		case err != nil && err != unix.EINTR:
			return
		case n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLNVAL) != 0:
			close(i.readerGone)
			return
		}
	}
}
