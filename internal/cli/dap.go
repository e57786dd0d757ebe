package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sidelight-dev/sidelight/internal/dap"
)

const dapLong = `Be a debug adapter for an editor: breakpoints that do not stop the process.

The editor starts this command and speaks the Debug Adapter Protocol with it on
standard input and output; or it connects to --listen. There, a logpoint is a
log probe, and a breakpoint takes a snapshot, which the editor shows as a
stopped thread, with its stack and variables, while the process runs on.

docs/editors has the configuration for VS Code, Neovim, Emacs, Helix and Zed. An
attach configuration has these keys, all optional:
  target          pid or name, as on the command line; without it, the only one
  for             how long a breakpoint lives, such as "10m" (1h)
  limit, rate     messages of a logpoint: in all (no limit), in a second (1000)
  budget          what all probes may take of one core ("1%")
  depth, maxItems, maxBytes, frames    bounds of a snapshot
  maxTime         what one may take in the program ("20us"); "0": no limit
  redact          a file of rules for what is never shown, as --redact elsewhere
  symbols         a path, or a list of them, as --symbols elsewhere: the debug
                  information of a program that was stripped
  watch           expressions that every snapshot evaluates: ["len(o.Items)"]
  substitutePath  [{"from": the editor's folder, "to": the folder of the build}]

When the editor disconnects, or dies, its probes are removed.`

const dapExample = `  sidelight dap
  sidelight dap --listen 127.0.0.1:4711`

func (a *App) dapCmd() *cobra.Command {
	var listen string
	var verbose, direct bool
	cmd := &cobra.Command{
		Use:     "dap",
		Short:   "Serve an editor as its debug adapter",
		Long:    dapLong,
		Example: dapExample,
		Args:    args(nil, false),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.DAP == nil {
				return errors.New("this sidelight was built without its debug adapter")
			}
			adapter := *a.DAP
			adapter.Host, adapter.Log, adapter.Where = a.Host, a.logger(verbose), a.whereText
			adapter.Direct, adapter.Symbols = direct, a.Symbols
			ctx, stop := endBySignal(cmd.Context())
			defer stop()
			if listen != "" {
				return a.listenDAP(ctx, &adapter, listen)
			}
			if isTerminal(a.Stdin) {
				fmt.Fprintln(a.Stderr, "sidelight dap speaks with an editor, not with people: docs/editors says how to set it up; Ctrl-C ends it")
			}
			return adapter.Serve(ctx, a.Stdin, a.Stdout)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "", "wait for editors at this loopback `ADDRESS`, such as 127.0.0.1:4711, instead of standard input")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "say on standard error what is done to the target")
	addDirect(cmd, &direct)
	_ = cmd.RegisterFlagCompletionFunc("listen", cobra.NoFileCompletions)
	return cmd
}

// whereText is what "sidelight where" prints, for the editor's console.
func (a *App) whereText(_ context.Context, pid int, symbols []string, location string) (string, error) {
	with := *a
	with.Symbols = symbols
	x, err := with.examine(strconv.Itoa(pid))
	if err != nil {
		return "", err
	}
	defer x.Close()
	var text bytes.Buffer
	plain := App{Stdout: &text, Stderr: &text, Host: a.Host}
	err = plain.where(x, location, outputText)
	return strings.TrimRight(text.String(), "\n"), err
}

// endBySignal is a context that ends by the signals that end programs, and keeps
// a reader that went away from killing this one: its probes must come out first.
func endBySignal(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	return signal.NotifyContext(ctx, ends...)
}

// listenDAP serves editors that connect, each for itself, until a signal. Only
// processes of this user may: whoever speaks here looks into processes with this
// user's rights.
func (a *App) listenDAP(ctx context.Context, adapter *dap.Adapter, address string) error {
	l, err := listenLoopback(address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	fmt.Fprintf(a.Stdout, "listening on %s\n", l.Addr())
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if uid, err := peerUser("/proc", c); err != nil || uid != os.Geteuid() {
			adapter.Log.Warn("a connection of another user was refused", "from", c.RemoteAddr(), "uid", uid, "error", err)
			c.Close()
			continue
		}
		all.Go(func() {
			defer c.Close()
			if err := adapter.Serve(ctx, c, c); err != nil {
				adapter.Log.Warn("a client was given up", "error", err)
			}
		})
	}
}

// listenLoopback opens a socket that only this machine can reach.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usagef("--listen %q: give a loopback address and a port, such as 127.0.0.1:4711 (port 0 chooses one)", address)
	}
	if host == "localhost" || host == "" {
		address = "127.0.0.1" + address[strings.LastIndexByte(address, ':'):]
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, usagef("--listen %q: only loopback addresses are served, such as 127.0.0.1:4711: who reaches this socket looks into your processes; use ssh -L from another machine", address)
	}
	return net.Listen("tcp", address)
}
