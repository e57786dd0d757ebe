//go:build linux && amd64

package engine

import (
	"bufio"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// delveVersion is the debugger that tests hold Sidelight against.
const delveVersion = "github.com/go-delve/delve/cmd/dlv@v1.27.2"

var delveOnce = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("SIDELIGHT_DELVE"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "sidelight-delve")
	if err != nil {
		return "", err
	}
	built[delveVersion] = filepath.Join(dir, "dlv")
	cmd := exec.Command("go", "install", delveVersion)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("installing the debugger: %w: %s", err, out)
	}
	return built[delveVersion], nil
})

// debugger is a headless Delve with one program, spoken to by its JSON-RPC
// interface, version 2 (delve service/rpc2).
type debugger struct {
	t      *testing.T
	cmd    *exec.Cmd
	client *rpc.Client
}

// startDebugger lets Delve start a program that reads a file as its standard input.
func startDebugger(t *testing.T, program, stdin string) *debugger {
	t.Helper()
	dlv, err := delveOnce()
	if err != nil {
		t.Skipf("the debugger to compare with cannot be had: %v", err)
	}
	d := &debugger{t: t, cmd: exec.Command(dlv, "exec", program, "--headless", "--api-version=2",
		"--listen=127.0.0.1:0", "-r", "stdin:"+stdin, "-r", "stdout:/dev/null")}
	d.cmd.Dir = t.TempDir()
	d.cmd.Env = sameRun()
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		_ = d.cmd.Wait()
	})
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	_, addr, found := strings.Cut(strings.TrimSpace(line), "listening at: ")
	if err != nil || !found {
		t.Fatalf("the debugger says %q, %v", line, err)
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d.client = jsonrpc.NewClient(conn)
	return d
}

// sameRun is an environment in which pools hold the same in every run: they are
// the processor's, and emptied by the collector.
func sameRun() []string { return append(os.Environ(), "GOMAXPROCS=1", "GOGC=off") }

func (d *debugger) call(method string, in, out any) error {
	return d.client.Call("RPCServer."+method, in, out)
}

// Parts of Delve's answers (delve service/api/types.go).
type (
	delveVar struct {
		Name             string
		Addr             uint64
		OnlyAddr         bool
		Type             string
		Flags            uint16
		Kind             reflect.Kind
		Value            string
		StringValueBytes []byte
		Len, Cap         int64
		Base             uint64
		Children         []delveVar
		Unreadable       string
		LocationExpr     string
		DeclLine         int64
	}
	delveFrame struct {
		PC        uint64
		File      string
		Line      int
		Function  *struct{ Name string }
		Locals    []delveVar
		Arguments []delveVar
		Err       string
	}
	delveState struct {
		Exited        bool
		CurrentThread *struct {
			PC          uint64
			GoroutineID int64
			Breakpoint  *struct {
				ID   int
				Addr uint64
			}
		}
	}
)

// delveShadowed marks a variable that an inner one hides.
const delveShadowed = 1 << 1

// breakAt sets a breakpoint.
func (d *debugger) breakAt(pc uint64) error {
	type breakpoint struct {
		Addr uint64 `json:"addr"`
	}
	var out struct{}
	return d.call("CreateBreakpoint", struct{ Breakpoint breakpoint }{breakpoint{pc}}, &out)
}

func (d *debugger) clear(id int) error {
	var out struct{}
	return d.call("ClearBreakpoint", struct{ Id int }{id}, &out)
}

// goOn lets the program run to the next breakpoint, or its end.
func (d *debugger) goOn() (delveState, error) {
	type command struct {
		Name string `json:"name"`
	}
	var out struct{ State delveState }
	err := d.call("Command", command{"continue"}, &out)
	return out.State, err
}

// delveLoad is how much Delve reads of each variable.
type delveLoad struct {
	FollowPointers                                                    bool
	MaxVariableRecurse, MaxStringLen, MaxArrayValues, MaxStructFields int
}

// stack is the stack of the goroutine that stopped, with variables.
func (d *debugger) stack(depth int) ([]delveFrame, error) {
	var out struct{ Locations []delveFrame }
	err := d.call("Stacktrace", struct {
		Id    int64
		Depth int
		Full  bool
		Cfg   *delveLoad
	}{-1, depth, true, &delveLoad{true, 2, 256, 32, -1}}, &out)
	return out.Locations, err
}

// untilInput lets the program run until it begins to read its input: what it
// does before, snapshots come too late for. read is the entry of os.(*File).Read.
func (d *debugger) untilInput(read uint64) {
	d.t.Helper()
	if err := d.breakAt(read); err != nil {
		d.t.Fatal(err)
	}
	for range 100 {
		state, err := d.goOn()
		if err != nil || state.CurrentThread == nil || state.CurrentThread.Breakpoint == nil {
			d.t.Fatalf("the program does not read its input: %+v, %v", state, err)
		}
		frames, err := d.stack(1)
		if err != nil {
			d.t.Fatal(err)
		}
		if !holds(frames[0].Arguments, "/dev/stdin") {
			continue
		}
		if err := d.clear(state.CurrentThread.Breakpoint.ID); err != nil {
			d.t.Fatal(err)
		}
		return
	}
	d.t.Fatal("the program reads other files")
}

// holds tells whether a string is among values or in them.
func holds(vars []delveVar, text string) bool {
	for i := range vars {
		if vars[i].Value == text || holds(vars[i].Children, text) {
			return true
		}
	}
	return false
}
